"""What the readers share: documents of at most a size, their fingerprint, and errors of tables."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator

from stackc.api import CorpusError, HashedReader, StackcError


class TableReader(HashedReader):
    """A `stackc.api.Reader` of the rows of a column; a subclass writes `rows`.

    Args:
        document_bytes: a longer row is cut into documents of this size.
    """

    def __init__(self, document_bytes: int) -> None:
        super().__init__()
        self._size = document_bytes

    def rows(self, split: str) -> Iterator[bytes] | None:
        """The rows of a split that are not null; None if the recipe names none."""
        raise NotImplementedError

    def read(self, split: str) -> Iterator[bytes]:
        """The documents of a split. Raises `CorpusError` for what cannot be read, and for a split without a byte."""
        rows = self.rows(split)
        if rows is None:
            return
        total = 0
        for document in self.cut(rows):
            total += len(document)
            yield document
        if not total:
            raise CorpusError(f"corpus.{split}: no text in it")

    def cut(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        """The documents of rows."""
        for row in rows:
            for start in range(0, max(len(row), 1), self._size):
                yield row[start : start + self._size]


@contextlib.contextmanager
def reading(where: str, what: str = "") -> Iterator[None]:
    """Around the calls of a library: whatever it raises becomes a `CorpusError` that says where.

    No library lists all that it raises for data that it cannot read. A `CorpusError` passes, also from inside an error
    that the library made of it.
    """
    try:
        yield
    except StackcError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, CorpusError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from error
        raise CorpusError(f"{where}: cannot be read{what} ({_one_line(error)}); repair it or leave it out") from error


def check_column(where: str, column: str, columns: Iterable[str]) -> None:
    """Raise `CorpusError`, with the nearest name, unless there is one such column."""
    names = list(columns)
    if names.count(column) > 1:
        raise CorpusError(f"{where}: {names.count(column)} columns are named {column!r}; rename all but one")
    if column in names:
        return
    near = difflib.get_close_matches(column, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
    raise CorpusError(f"{where}: no column {column!r}; {hint} (corpus.column)")


def wrong_type(where: str, column: str, kind: object) -> CorpusError:
    """The error for a column that is neither text nor bytes."""
    return CorpusError(f"{where}: column {column!r} holds {kind}, neither text nor bytes (corpus.column)")


def _one_line(error: BaseException) -> str:
    """The text of a library's error, in a line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."
