"""Files that grow line by line and survive a kill at any moment."""

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DataError
from .atomic import replacing

CRC = b',"crc":'


@dataclass(frozen=True)
class Line:
    """One line of a journal.

    Args:
        number (int): Counted from 1.
        offset (int): Where it starts, in bytes.
        length (int): Bytes, with the line feed.
        entry (dict, optional): What was appended; None where the line is
            damaged or was not finished.
    """

    number: int
    offset: int
    length: int
    entry: dict[str, Any] | None

    @property
    def position(self) -> tuple[int, int, int]:
        """Number, offset and length."""
        return self.number, self.offset, self.length


def encode(entry: Mapping[str, Any]) -> bytes:
    """A line: the entry as JSON, ``crc`` (CRC-32 of that JSON) last.

    Numbers survive exactly: float32 is written as the repr of its double.

    Args:
        entry (Mapping): JSON-ready, not empty.
    """
    body = json.dumps(entry, separators=(',', ':')).encode()
    return body[:-1] + CRC + b'%d}\n' % zlib.crc32(body)


def decode(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, or None if it is not as :func:`encode` made it.

    Args:
        line (bytes): With its line feed.
    """
    body, found, crc = line.rpartition(CRC)
    body += b'}'
    # compared as text: int() would take digits that nobody wrote
    if not found or crc != b'%d}\n' % zlib.crc32(body):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def scan(path: str | os.PathLike[str]) -> Iterator[Line]:
    """Reads a journal line by line, checking each.

    Args:
        path (str | PathLike): The file.
    """
    offset = 0
    with open(path, 'rb') as file:
        for number, text in enumerate(file, 1):
            yield Line(number, offset, len(text), decode(text))
            offset += len(text)


def entry_at(
    path: str | os.PathLike[str], position: tuple[int, int, int]
) -> dict[str, Any]:
    """Reads one line again, so that nobody has to keep them all.

    Args:
        path (str | PathLike): The file.
        position (tuple[int, int, int]): Of a line that :func:`scan` gave.

    Raises:
        DataError: The file has changed since.
    """
    number, offset, length = position
    with open(path, 'rb') as file:
        file.seek(offset)
        entry = decode(file.read(length))
    if entry is None:
        raise DataError(f'{path}: line {number} changed while it was read')
    return entry


def warn_damaged(places: Iterable[tuple[Path, int]]) -> None:
    """Says which lines cannot be believed.

    Args:
        places (Iterable[tuple[Path, int]]): Files and line numbers.
    """
    for path, number in places:
        logging.getLogger('igq_mmdet').warning(
            f'{path}: line {number} is damaged; what it held is computed again'
        )


class Journal:
    """Appends to a file; opening it fixes what a kill has left.

    A last line that was not finished is cut off. Damaged lines before it
    are taken out and their numbers kept in ``damaged``: whoever opens the
    file has to say so and to make their results again.

    Args:
        path (str | PathLike): The file; it and its folder are made.
        sync (bool): Whether a line is on the disk itself when
            :meth:`append` returns, and so survives a loss of power too.
            Defaults to False: it survives the end of the process.
    """

    def __init__(
        self, path: str | os.PathLike[str], sync: bool = False
    ) -> None:
        self.path = Path(path)
        self.sync = sync
        self.damaged: tuple[int, ...] = ()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self._mend()
        self._file = open(self.path, 'ab', buffering=0)

    def _mend(self) -> None:
        whole: list[tuple[int, int, int]] = []
        bad: list[tuple[int, int, int]] = []
        for line in scan(self.path):
            (bad if line.entry is None else whole).append(line.position)
        end = sum(whole[-1][1:]) if whole else 0
        self.damaged = tuple(n for n, start, _ in bad if start < end)
        if not self.damaged:
            os.truncate(self.path, end)
            return
        with (
            replacing(self.path) as new,
            open(self.path, 'rb') as old,
            open(new, 'wb') as file,
        ):
            for _, start, length in whole:
                old.seek(start)
                file.write(old.read(length))

    def append(self, entry: Mapping[str, Any]) -> None:
        """Writes one line; it survives a kill when this returns.

        Args:
            entry (Mapping): JSON-ready, not empty.
        """
        left = memoryview(encode(entry))
        while left:  # a disk that is nearly full takes less than all
            left = left[self._file.write(left) :]
        if self.sync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> 'Journal':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
