"""The model backend ``transformer``: a decoder with attention.

The float side is `config`, `network`, `calibrate`, `freeze` and `fused`; the frozen side, which never imports it,
`arrays` and `twin` (the definition of the bits), then `cpu`, with `kernels`, `dense` and `few`, and `device`.
"""
