"""Training of any network in floats: rows, steps, schedule, checkpoints, ranks. It decides no bit of what is coded.

`loop` takes the steps; `architecture` is what it needs of a network that is frozen afterwards, `learner` of where the
weights are.
"""
