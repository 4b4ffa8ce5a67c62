"""The transformer against what every model backend promises, with byte-aware inputs too."""

from __future__ import annotations

import attrs

from stackc.testing.models import ModelContract
from stackc_torch.training.config import TransformerTraining
from stackc_torch.transformer.config import Transformer
from torch_toys import transformer_backend


class TestTransformer(ModelContract):
    def config(self):
        return Transformer(layers=2, width=12, heads=2, mlp=20, context=20)

    def make(self):
        settings = TransformerTraining(steps=10, batch=3, row=16, recut_symbols=200, checkpoint_seconds=0.0)
        return transformer_backend(self.config()), settings


class TestByteAwareTransformer(TestTransformer):
    alphabets = (5,)

    def make(self):
        backend, settings = super().make()
        return backend, attrs.evolve(settings, byte_aware=True, text_rows=40)
