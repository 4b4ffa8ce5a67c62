"""Values that lanes produce in bursts, put into the order of their jobs.

A *job* is what one lane codes from its start to its end; lanes take jobs in order, and a job's values come in order of
time. So as soon as every job below some number has ended, the values of those jobs can be stored for good. The values
that wait are bounded by what the lanes produce during one job, not by the text.

Why not a list per job: a document may be a few tokens long, and then the lists would take most of the memory. Why not
one sort at the end: all values would be held twice, each with the number of its job.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64
from stackc.api.offsets import offsets_of

HELD = 1 << 16
"""Values that may wait before the finished jobs among them are stored."""


class InOrder:
    """Values by job.

    Args:
        dtype: of the values.
        jobs: the number of jobs.

    Attributes:
        held: the number of values that wait.
    """

    def __init__(self, dtype: npt.DTypeLike, jobs: int) -> None:
        self._counts = np.zeros(jobs, np.int64)
        self._done = np.empty(0, dtype)
        self._settled = 0  # values stored in _done
        self._jobs = np.empty(HELD, np.int64)
        self._values = np.empty(HELD, dtype)
        self.held = 0

    def add(self, jobs: Int64, values: npt.NDArray[np.generic], open_jobs: Int64) -> None:
        """Add values.

        Args:
            jobs: int64[k], the job of each value; none of them below all open jobs of an earlier call.
            values: k values; the values of one job in order of time.
            open_jobs: the jobs that lanes work on; lower jobs have ended, and higher jobs may still come.
        """
        if self.held + len(values) > len(self._jobs):
            self._settle(int(min(open_jobs.min(initial=len(self._counts)), jobs.min())))
            self._make_room(len(values))
        end = self.held + len(values)
        self._jobs[self.held : end] = jobs
        self._values[self.held : end] = values
        self.held = end

    def in_order(self) -> tuple[npt.NDArray[np.generic], Int64]:
        """(values by job, then by time; int64[jobs + 1], where each job's values start and end). Call it once."""
        self._settle(len(self._counts))
        self._done.resize(self._settled, refcheck=False)
        return self._done, offsets_of(self._counts)

    def _settle(self, below: int) -> None:
        """Store the values of the jobs below a number, all of which have ended."""
        jobs, values = self._jobs[: self.held], self._values[: self.held]
        order = np.argsort(jobs, kind="stable")
        jobs[:], values[:] = jobs[order], values[order]
        count = int(np.searchsorted(jobs, below))
        if not count:
            return
        first, last = int(jobs[0]), int(jobs[count - 1])
        self._counts[first : last + 1] += np.bincount(jobs[:count] - first)
        if self._settled + count > len(self._done):
            # In place if the system can: then growing needs no second copy.
            self._done.resize(max(self._settled + count, len(self._done) * 5 // 4), refcheck=False)
        self._done[self._settled : self._settled + count] = values[:count]
        self._settled += count
        self.held -= count
        jobs[: self.held], values[: self.held] = jobs[count:].copy(), values[count:].copy()

    def _make_room(self, count: int) -> None:
        """Make room for twice as many values as are needed, so that settling stays rare compared to adding."""
        if 2 * (self.held + count) > len(self._jobs):
            size = 4 * (self.held + count)
            self._jobs.resize(size, refcheck=False)
            self._values.resize(size, refcheck=False)
