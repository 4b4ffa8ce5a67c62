"""The model backend ``gru``: the same training, freezing and coding as the transformer, in constant state a lane.

Read in this order: `config`, `network` (the float model), `integers` and `twin` (the frozen model: the definition
of its bits), then the routes: `predictor` over the arithmetic of `cpu` or `device`.
"""
