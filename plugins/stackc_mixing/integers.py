"""The integers of the kernels by their widths, and the types of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

i32, i64, u8, u16, u32, u64 = np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64

Int = Any  # an integer: numba keeps the widths apart, a type checker does not
Row = Any  # an array
