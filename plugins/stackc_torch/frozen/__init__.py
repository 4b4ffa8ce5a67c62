"""Integer arithmetic that the networks share: all that decides bits, and nothing that is trained.

`rules` has the constants, `arrays` the checked file, `predictor` the stepping and scoring over an `Arithmetic`;
`twin` is the definition in plain Python. Nothing here imports `stackc_torch.training` or `torch.nn`: what is trained
may change freely, what is frozen may not.
"""
