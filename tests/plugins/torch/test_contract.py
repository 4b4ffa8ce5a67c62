"""The transformer against what every model backend promises."""

from __future__ import annotations

from stackc_torch.config import Transformer, TransformerTraining

from stackc.testing.models import ModelContract
from stackc_torch.backend import TransformerBackend


class TestTransformer(ModelContract):
    def config(self):
        return Transformer(layers=2, width=12, heads=2, mlp=20, context=20)

    def make(self):
        settings = TransformerTraining(steps=10, batch=3, row=16, recut_symbols=200, checkpoint_seconds=0.0)
        return TransformerBackend(self.config()), settings
