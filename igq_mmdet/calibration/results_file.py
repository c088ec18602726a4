"""Results of a long job, one line each, kept so that it can go on."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor


class ResultsFile:
    """An append-only file of JSON lines, keyed by what they depend on.

    A line that was cut off by a kill is dropped when the file is opened.

    Args:
        folder (str | PathLike, optional): Where the file lies; None keeps
            results in memory only.
        name (str): Start of the file's name.
        key (str): Digest of everything the results depend on.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, name: str, key: str
    ) -> None:
        self.path: Path | None = None
        self.results: dict[str, Any] = {}
        if folder is None:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.path = Path(folder) / f'{name}-{key[:16]}.jsonl'
        if self.path.is_file():
            self._read(self.path)

    def _read(self, path: Path) -> None:
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b'\n'):
                break
            self.results[entry['key']] = entry['value']
            whole += len(line)
        os.truncate(path, whole)

    def __contains__(self, key: str) -> bool:
        return key in self.results

    def __getitem__(self, key: str) -> Any:
        return self.results[key]

    def add(self, key: str, value: Any) -> None:
        """Keeps a result; it is on disk when this returns.

        Args:
            key (str): What it is the result of.
            value (Any): JSON-ready.
        """
        self.results[key] = json.loads(json.dumps(value))
        if self.path is None:
            return
        with open(self.path, 'a') as file:
            file.write(json.dumps({'key': key, 'value': value}) + '\n')
            file.flush()
            os.fsync(file.fileno())


def digest(state: Mapping[str, Tensor], settings: Iterable[Any]) -> str:
    """SHA-256 of a model's weights and a job's settings.

    Args:
        state (Mapping[str, Tensor]): State dict.
        settings (Iterable): JSON-ready values.
    """
    sha = hashlib.sha256(json.dumps(list(settings), sort_keys=True).encode())
    for key in sorted(state):
        value = state[key].detach().cpu().contiguous()
        sha.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
        sha.update(value.numpy().tobytes())
    return sha.hexdigest()
