"""The model backend ``gru``: the same training, freezing and coding as the transformer, with a state of constant size.

The float side is `config`, `network` and `recurrence`; the frozen side, which never imports it, `arrays` and `twin`
(the definition of the bits), then `arithmetic` over `cpu`, with `kernels` and `few`, or `device`.
"""
