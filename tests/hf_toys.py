"""Small models and trainings for tests of the backend `hf`."""

from __future__ import annotations

from stackc_torch.hf.config import HfTraining

GPT2 = "n_layer=1 n_embd=16 n_head=2 n_positions=32"
LLAMA = "hidden_size=16 intermediate_size=24 num_hidden_layers=1 num_attention_heads=2 max_position_embeddings=32"
TRAINING = HfTraining(steps=6, batch=2, row=16, window_row=6, recut_symbols=60, checkpoint_seconds=0.0)
