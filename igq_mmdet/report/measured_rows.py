"""A file of measured rows, one JSON object a line."""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files.atomic import replacing


def append_row(path: str | os.PathLike[str], row: Mapping[str, Any]) -> None:
    """Adds a line; the file is whole at any moment.

    Several processes may append to one file at once.

    Args:
        path (str | PathLike): ``*.jsonl``; its folder must be there.
        row (Mapping): JSON-ready.
    """
    target = Path(path)
    line = json.dumps(row, sort_keys=True) + '\n'
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        before = target.read_text() if target.is_file() else ''
        with replacing(target) as temporary:
            temporary.write_text(before + line)
    finally:
        os.close(folder)


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, hex.

    Args:
        path (str | PathLike): A file.
    """
    sha = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
