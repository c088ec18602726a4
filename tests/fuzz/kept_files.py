"""What a run leaves for --resume: broken, and resumed all the same."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.errors import IGQError

from . import detector
from .broken_lines import broken_lines
from .damage import broken_bytes
from .trial import EQUAL, Case, Differs

SPEC = igq.QuantSpec(groups=4, parts='backbone', method='layerwise')
RANKS = 'predictions/float.rank0.jsonl', 'predictions/float.rank1.jsonl'
NET_SPEC = igq.QuantSpec(a_bits=3, groups=4)


class Job(NamedTuple):
    """What is done with the files of a folder.

    Args:
        run (Callable): Goes on in a folder, with the shared one and
            whether it is the ``other`` run; gives its results.
        lines (bool): Whether its file grows line by line.
        weight (int): How often it is drawn.
    """

    run: Callable[[Path, str, bool], Any]
    lines: bool
    weight: int


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    names = list(JOBS)
    weights = [JOBS[name].weight for name in names]
    while True:
        (name,) = random.choices(names, weights)
        whole, other = left(name, str(shared)), left(name, str(shared), True)
        files = {}
        file, content = whole.file, whole.content
        if JOBS[name].lines:
            lines = content.splitlines(keepends=True)
            # how far the run has come
            lines = lines[: random.randint(1, len(lines))]
            if name == 'predictions' and random.random() < 0.2:
                first, file = RANKS
                files[first] = b''.join(lines[:2])
                del lines[1:2]
            content = b''.join(lines)
            label, broken = broken_lines(content, other.content, random)
        elif random.random() < 0.2:
            label, broken = 'of another setting', other.content
        else:
            label, broken = broken_bytes(content, random)
        files[file] = broken
        # what a kill or a loss of power leaves
        cut = label.startswith(('cut', 'empty', 'nul end', 'no last'))
        yield Case(
            f'{name} {label}{" of two ranks" if len(files) > 1 else ""}',
            partial(_prepare, files),
            partial(_use, name, str(shared), files),
            file,
            may_write=(whole.file,),
            must=EQUAL if cut else None,
        )


class Left(NamedTuple):
    """A whole run.

    Args:
        file (str): Within its folder.
        content (bytes): Of that file.
        results (Any): What it came to.
    """

    file: str
    content: bytes
    results: Any


@cache
def left(name: str, shared: str, other: bool = False) -> Left:
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        results = JOBS[name].run(Path(folder), shared, other)
        (path,) = (one for one in Path(folder).rglob('*') if one.is_file())
        file = str(path.relative_to(folder))
        return Left(file, path.read_bytes(), results)


def _prepare(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def _use(
    name: str, shared: str, files: Mapping[str, bytes], folder: Path
) -> None:
    """Resumes, and resumes what that has left."""
    expected = left(name, shared).results
    for attempt in ('first', 'second'):
        try:
            found = JOBS[name].run(folder, shared, False)
        except IGQError as error:
            if attempt == 'second':
                raise Differs(f'the second time: {error}') from error
            for file, content in files.items():
                if (folder / file).read_bytes() != content:
                    raise Differs(f'changed, then {error}') from error
            raise
        if found != expected:
            raise Differs(f'the {attempt} time {found}'[:300])


def _predictions(folder: Path, shared: str, other: bool) -> Any:
    """Evaluates, kept; gives metrics and what was predicted."""
    from igq_mmdet.detection.kept.kept_run import KeptRun
    from igq_mmdet.report.predictions import read_predictions

    experiment = detector.experiment(shared)
    experiment.kept = KeptRun(
        *(str(folder), experiment.config, experiment.evaluation),
        resume=True,
        quiet=True,
    )
    model = changed(shared) if other else experiment.detector
    try:
        metrics, _ = experiment.evaluate(model, 'float', {})
    finally:
        experiment.kept = None
    kept = dict(read_predictions(folder, 'float'))
    for entry in kept.values():
        del entry['seconds']
    return metrics, kept


@cache
def changed(shared: str) -> nn.Module:
    """The detector with other weights."""
    model = copy.deepcopy(detector.experiment(shared).detector)
    with torch.no_grad():
        model.roi_head.bbox_head.fc_cls.bias[-1] += 3  # more background
    return model


def _calibrated(folder: Path, shared: str, other: bool) -> Any:
    """A calibrated model's digest."""
    from igq_mmdet.detection.calibration.ptq import DetectorCalibration
    from igq_mmdet.detection.kept.calibrated_models import CalibratedModels
    from igq_mmdet.files.results_file import digest

    experiment = detector.experiment(shared)
    float_model = changed(shared) if other else experiment.detector
    with detector.silent():
        images = experiment.images(1, 0, True)
    calibration = DetectorCalibration(float_model, images, [SPEC])
    models = CalibratedModels(
        calibration, experiment.config, folder / 'calibrated', resume=True
    )
    qmodel, _ = models.setting(SPEC).build()
    return digest(qmodel.state_dict(), [])


def _allocation(folder: Path, shared: str, other: bool) -> Any:
    """Groups of a small classifier, and what they were chosen by."""
    torch.manual_seed(int(other))
    model = nn.Sequential(
        nn.LayerNorm(12), nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 5)
    )
    images = [torch.randn(1, 9, 12) for _ in range(2)]
    found = igq.allocate(
        model.eval(),
        NET_SPEC,
        images,
        candidates=(2, 4, 8),
        folder=str(folder),
    )
    return found.spec, found.table, found.measured


JOBS: Mapping[str, Job] = {
    'predictions': Job(_predictions, True, 5),
    'calibrated model': Job(_calibrated, False, 1),
    'allocation': Job(_allocation, True, 3),
}
