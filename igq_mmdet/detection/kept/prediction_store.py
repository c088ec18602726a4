"""Writes the predictions of one evaluation and knows those it has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank, get_world_size, is_main_process

from ...files.journal import Journal, scan, warn_damaged
from ...report.predictions import (
    FOLDER,
    OF,
    SCHEMA,
    Predictions,
    files_of,
    run_mark,
    slug,
)
from .evaluation_identity import NAMES, check_same, text_digest


class PredictionStore:
    """The files of one run, appended to image by image.

    Each process appends to a file of its own; all files are read, whatever
    the number of processes was that wrote them.

    Args:
        work_dir (str): Of the run.
        run_name (str): ``float``, or of a setting.
        seed (int): Of the calibration images.
        identity (Mapping[str, str]): From :func:`evaluation_identity`.
        info (Mapping): More for the header.
        where (Mapping[str, str], optional): What the calibration images
            were restricted to.

    Attributes:
        finished (Mapping): Entries of earlier processes by image id; read
            once, new ones do not show.
        metrics (dict, optional): What a finished evaluation gave.

    Raises:
        DataError: The files there are of another model, config or data
            set, or damaged in their first line.
    """

    def __init__(
        self,
        work_dir: str,
        run_name: str,
        seed: int,
        identity: Mapping[str, str],
        info: Mapping[str, Any],
        where: Mapping[str, str] | None = None,
    ) -> None:
        name = slug(run_name, seed, where)
        self.header = {
            'schema': SCHEMA,
            'run': run_name,
            'seed': seed,
            **({'where': dict(where)} if where else {}),
            'digest': text_digest(dict(identity)),
            'of': dict(identity),
            **info,
        }
        rank = f'.rank{get_rank()}' if get_world_size() > 1 else ''
        self.path = Path(work_dir) / FOLDER / f'{name}{rank}.jsonl'
        paths = files_of(work_dir, name)
        finished = self._read(paths)
        self._journal = Journal(self.path)
        if self._journal.damaged:
            finished = self._read(paths)  # its lines have moved
        if not self.path.stat().st_size:
            self._journal.append(self.header)
        self.finished: Mapping[Any, dict[str, Any]] = finished or {}
        self.metrics = finished.metrics if finished else None

    def _read(self, paths: list[Path]) -> Predictions | None:
        # killed within its first line, a file holds nothing to go on with
        paths = [path for path in paths if _has_lines(path)]
        if not paths:
            return None
        found = Predictions(paths)
        check_same(paths[0], NAMES, found.header['of'], self.header['of'])
        if is_main_process():
            warn_damaged(found.damaged)
        return found

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keeps one image; it survives a kill when this returns.

        Args:
            entry (Mapping): From :func:`to_entry`.
        """
        self._journal.append({**entry, OF: run_mark(self.header)})

    def finish(
        self,
        metrics: Mapping[str, Any],
        seconds: float,
        evaluator: str,
        matches: Mapping[str, Any],
    ) -> None:
        """Keeps the metrics, once, by the main process.

        Args:
            metrics (Mapping[str, float]): As the evaluator gave them.
            seconds (float): Time of the whole evaluation.
            evaluator (str): Digest of what judged.
            matches (Mapping[str, PerImage]): By metric; may be empty.
        """
        if is_main_process():
            self.add(
                {
                    'metrics': dict(metrics),
                    'seconds': seconds,
                    'evaluator': evaluator,
                    'matches': {k: matches[k].to_dict() for k in matches},
                }
            )

    def discard(self) -> None:
        """Removes the file of this process."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file."""
        self._journal.close()


def _has_lines(path: Path) -> bool:
    return any(line.entry is not None for line in scan(path))
