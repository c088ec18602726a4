"""The files of predictions that an evaluation leaves in its work dir.

``<work_dir>/predictions/<slug>.jsonl``, with several processes
``<slug>.rank<I>.jsonl``: journals (see ``files/journal.py``) whose
first line says what was evaluated, followed by a line an image. Each of these
says of which run it is: lines put together from several files do not pass.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files.journal import entry_at, scan
from .differences import ImageValues, Matches

SCHEMA = 'igq_mmdet.predictions/2'
FOLDER = 'predictions'
OF = 'of_run'


def slug(
    run_name: str, seed: int = 0, where: Mapping[str, str] | None = None
) -> str:
    """Start of the file names of a run.

    Args:
        run_name (str): ``float`` or from :func:`run_name`, such as
            ``igq:12 W4A4``.
        seed (int): Of the calibration images. Defaults to 0, which does
            not show.
        where (Mapping[str, str], optional): What they were restricted to.

    Returns:
        str: Such as ``igq-12-w4a4`` or ``igq-12-w4a4-kind-tissue-seed3``.
    """
    words = [run_name, *(x for item in (where or {}).items() for x in item)]
    if seed:
        words.append(f'seed{seed}')
    text = ' '.join(words).lower()
    return re.sub(r'[^a-z0-9+_]+', '-', text).strip('-')


def files_of(work_dir: str | os.PathLike[str], slug: str) -> list[Path]:
    """The files of one run, those of every rank.

    Args:
        work_dir (str | PathLike): Of the run.
        slug (str): From :func:`slug`.
    """
    folder = Path(work_dir) / FOLDER
    ranks = [
        path
        for path in folder.glob(f'{slug}.rank*.jsonl')
        if re.fullmatch(r'rank\d+', path.name.split('.')[-2])
    ]
    single = folder / f'{slug}.jsonl'
    return [single] * single.is_file() + sorted(ranks)


def run_mark(header: Mapping[str, Any]) -> str:
    """What every line after the header has as ``of_run``.

    Args:
        header (Mapping): The first line.
    """
    return str(header.get('digest'))[:16]


class Predictions(Mapping[Any, dict[str, Any]]):
    """The predictions of one run by image id; lines are read when asked.

    An entry has ``img_id``, ``img_path``, ``ori_shape`` (height, width),
    ``scores``, ``labels`` (indices into ``header['classes']``),
    ``bboxes`` (x1, y1, x2, y2 in the original image), ``seconds`` and,
    where the detector gives them, ``masks`` (COCO RLE). That of a map has
    ``map`` and ``mask`` instead, see :func:`png_text`.

    Args:
        paths (Sequence[Path]): The files of the run, from
            :func:`files_of`.

    Attributes:
        header (dict): ``schema``, ``run``, ``seed``, ``digest`` and what
            the digest is of.
        metrics (dict, optional): Once the evaluation was finished:
            ``metrics``, ``seconds``, ``evaluator``, the digest of what
            judged, and ``matches``, see :class:`Matches`.
        damaged (list[tuple[Path, int]]): Lines before the last that are
            damaged; their images are missing.

    Raises:
        DataError: No file, no header in one, or lines or files of
            different runs.
    """

    def __init__(self, paths: list[Path]) -> None:
        if not paths:
            raise DataError('no files of predictions')
        self.paths = paths
        self.header: dict[str, Any] = {}
        self.metrics: dict[str, Any] | None = None
        self.damaged: list[tuple[Path, int]] = []
        self._places: dict[Any, tuple[Path, tuple[int, int, int]]] = {}
        for path in paths:
            self._read(path)
        if not self.header:
            raise DataError(f'{paths[0]}: holds no predictions')

    def _read(self, path: Path) -> None:
        headed = False
        bad: list[tuple[Path, int]] = []
        for line in scan(path):
            if line.entry is None:
                bad.append((path, line.number))
                continue
            entry = dict(line.entry)
            if not headed:
                self._meet(path, entry, bad)
                headed = True
            elif entry != self.header:  # there twice it does no harm
                if entry.pop(OF, None) != run_mark(self.header):
                    raise DataError(
                        f'{path}: line {line.number} is of another run; '
                        'delete the file'
                    )
                if 'img_id' in entry:
                    self._places[entry['img_id']] = (path, line.position)
                elif 'metrics' in entry:
                    self.metrics = entry
            # bad lines at the very end are what a kill leaves
            self.damaged += bad
            bad = []

    def _meet(self, path: Path, header: dict[str, Any], bad: Any) -> None:
        if bad or 'img_id' in header:
            raise DataError(
                f'{path}: line 1, which says what the rest is, is damaged; '
                'delete the file'
            )
        if header.get('schema') != SCHEMA:
            raise DataError(
                f'{path}: schema {header.get("schema")!r} is not {SCHEMA!r}; '
                'delete the file'
            )
        if self.header and run_mark(self.header) != run_mark(header):
            raise DataError(
                f'{path}: of another run than {self.paths[0]}; delete one'
            )
        self.header = header

    @cached_property
    def matches(self) -> dict[str, Any]:
        """Which detections are right, or what images are worth, by metric.

        Returns:
            dict[str, PerImage]: :class:`Matches` or :class:`ImageValues`.

        Raises:
            DataError: That was not kept, or is damaged.
        """
        name = f'{self.paths[0]}: {self.header.get("run")!r}'
        if self.metrics is None:
            raise DataError(f'{name} is not finished; --resume goes on')
        if not self.metrics.get('matches'):
            raise DataError(
                f'{name} was kept without matches, by an earlier version or '
                'other metrics than CocoMetric; --resume adds what it can'
            )
        try:
            return {
                str(key): (
                    ImageValues if 'values' in entry else Matches
                ).from_dict(entry)
                for key, entry in self.metrics['matches'].items()
            }
        except (AttributeError, TypeError, DataError) as error:
            raise DataError(f'{name}: {error}; delete the file') from error

    def __getitem__(self, img_id: Any) -> dict[str, Any]:
        entry = entry_at(*self._places[img_id])
        del entry[OF]
        return entry

    def __iter__(self) -> Iterator[Any]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def read_predictions(
    work_dir: str | os.PathLike[str],
    run_name: str,
    seed: int = 0,
    where: Mapping[str, str] | None = None,
) -> Predictions:
    """Reads what a run predicted.

    Args:
        work_dir (str | PathLike): Where the run's report lies.
        run_name (str): ``float``, or ``name`` of a run in the report.
        seed (int): ``calibration.seed`` of the run. Defaults to 0.
        where (Mapping[str, str], optional): ``calibration.where``, if it
            has one.

    Raises:
        DataError: There is none, or the files cannot be used.
    """
    paths = files_of(work_dir, slug(run_name, seed, where))
    if not paths:
        said = ''.join(
            f', {key} {value}' for key, value in (where or {}).items()
        )
        raise DataError(
            f'{Path(work_dir) / FOLDER}: no predictions of {run_name!r}, '
            f'seed {seed}{said}'
        )
    return Predictions(paths)
