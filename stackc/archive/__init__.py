"""`.stk` files: compressed with a stack, self-describing, block by block (docs/format.md).

Read in this order: `format` (the bytes), `codec` (blocks to payloads), `writer`, `reader`, `decoder`, `salvage`,
`finding` (which stack), `paths` (files, names and manners).
"""
