"""A worker of `stackc.pipeline.engines.processes`: ``python -m`` this module.

Questions and answers are pickles on standard input and output; whatever else prints goes to standard error. When
standard input ends, the parent is gone, and the process ends at once.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO, Any

from stackc.api.errors import StackcError


def main() -> None:
    """Answer until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, which gets it too, ends its workers
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions: queue.SimpleQueue[tuple[Any, Any] | StackcError] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, questions), daemon=True).start()
    while True:
        pickle.dump(_answer(questions.get()), channel)
        channel.flush()


def _answer(question: tuple[Any, Any] | StackcError) -> tuple[bool, Any]:
    if isinstance(question, StackcError):
        return False, question
    work, item = question
    try:
        return True, work(item)
    except StackcError as error:
        return False, _travelling(error)
    except Exception as error:  # it may not survive a pickle
        return False, RuntimeError(f"{type(error).__name__}: {error}")


def _travelling(error: StackcError) -> StackcError:
    """The error itself if it survives a pickle: what it is made from may be more than its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return StackcError(str(error))
    return error


def _read(source: IO[bytes], questions: queue.SimpleQueue[tuple[Any, Any] | StackcError]) -> None:
    while True:
        try:
            questions.put(pickle.load(source))
        except EOFError:
            os._exit(0)
        except Exception as error:  # such as a module that this process does not find
            questions.put(StackcError(f"a worker does not understand its work ({error})"))


if __name__ == "__main__":
    main()
