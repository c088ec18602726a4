"""Results of a long job, one line each, kept so that it can go on."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import DataError
from .journal import Journal, scan, warn_damaged


class ResultsFile:
    """A journal of results, keyed by what they depend on.

    A line that was cut off by a kill is dropped when the file is opened; a
    damaged one is named, and its result is to be found again.

    Args:
        folder (str | PathLike, optional): Where the file lies; None keeps
            results in memory only.
        name (str): Start of the file's name.
        key (str): Digest of everything the results depend on.

    Raises:
        DataError: A line is of another job.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, name: str, key: str
    ) -> None:
        self.path: Path | None = None
        self.results: dict[str, Any] = {}
        if folder is None:
            return
        self._job = key[:16]
        # v3: lines that say of which job they are; older files are left alone
        self.path = Path(folder) / f'{name}-{self._job}-v3.jsonl'
        self._journal = Journal(self.path, sync=True)
        warn_damaged((self.path, n) for n in self._journal.damaged)
        for line in scan(self.path):
            if line.entry is None:
                continue
            if line.entry.get('of') != self._job:
                self._journal.close()
                raise DataError(
                    f'{self.path}: line {line.number} is of another job; '
                    'delete the file'
                )
            self.results[line.entry['key']] = line.entry['value']

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
        self._journal.append({'of': self._job, 'key': key, 'value': value})


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
