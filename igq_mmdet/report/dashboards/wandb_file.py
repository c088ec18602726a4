"""Records of a W&B run file, as an offline run leaves it.

The wandb package of today writes such files and uploads them, but has no
reader of its own any more; the messages in them are decoded by its classes.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import DataError

# the frame is LevelDB's log format behind seven bytes of wandb's
MAGIC = b':W&B'
START, BLOCK = 7, 32768
HEADER = struct.Struct('<IHB')  # CRC-32 of kind and body, size, kind
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def wandb_records(path: Path) -> Iterator[Any]:
    """Decodes every record.

    A run that was broken off ends in half a record, which is left out.

    Args:
        path (Path): A ``run-ID.wandb`` file.

    Yields:
        wandb_internal_pb2.Record: In the order they were written.

    Raises:
        DataError: Not such a file, or damaged.
    """
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2  # made at run time
    for body in _bodies(path, path.read_bytes()):
        yield messages.Record.FromString(body)


def _bodies(path: Path, data: bytes) -> Iterator[bytes]:
    if not data.startswith(MAGIC):
        raise DataError(f'{path}: not a W&B run file')
    position, parts = START, b''
    while True:
        left = BLOCK - position % BLOCK
        if left < HEADER.size:  # too short for a frame: zeros
            position += left
        if position + HEADER.size > len(data):
            return
        crc, size, kind = HEADER.unpack_from(data, position)
        position += HEADER.size
        body = data[position : position + size]
        position += size
        if len(body) < size:
            return
        if zlib.crc32(bytes([kind]) + body) != crc:
            raise DataError(f'{path}: damaged before byte {position}')
        parts = body if kind in (FULL, FIRST) else parts + body
        if kind in (FULL, LAST):
            yield parts
