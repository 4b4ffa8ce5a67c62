"""One thread for torch: two collapse when a core is shared. Where a test asks for two, one that waits sleeps: waiting
in a loop, as is usual, takes the core from the thread that it waits for, and a test a hundred times as long.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
