"""One thread for torch: two collapse when a core is shared. Where a test asks for two, one that waits sleeps: waiting
in a loop, as is usual, takes the core from the thread that it waits for, and a test a hundred times as long.

Modules are compiled once: where the environment forbids it, each of the hundreds of processes that tests start would
compile all of stackc again, which is a tenth of the suite's time.
"""

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
