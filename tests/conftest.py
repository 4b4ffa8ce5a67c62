"""One thread for torch: two collapse when a core is shared."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
