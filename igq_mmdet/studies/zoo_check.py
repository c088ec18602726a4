"""One config of mmdet's zoo through quantize, calibrate and a run."""

import copy
import os
import re
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from ..calibration import calibrate, quantize
from ..detection.calibration.calibration_forward import (
    calibration_forward,
    made_up,
)
from ..detection.models.random_detector import (
    detections,
    random_batch,
    random_detector,
)
from ..errors import CalibrationError, IGQError, one_line
from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule
from ..spec import QuantSpec
from .zoo_members import image_side, narrower, smaller

LARGER = (1, 2, 4)  # where mmdet's own model does not run on smaller images
NOTHING, ALL = 1.1, -1.0  # thresholds, and what passes them
# of a machine's own paths, which say nothing elsewhere
FOLDERS = re.compile(r'(?<![\w:/.])(?:/[^\s/"\']+)+/')
# what a row can say
WORKS, REFUSED, NOT_HERE, FAULT = 'works', 'refused', 'not here', 'fault'


def check_member(path: Path, **spec: Any) -> dict[str, Any]:
    """Quantizes a detector of random weights that detects nothing.

    Calibration sees two images of noise on which no score passes a
    threshold; the quantized detector is then run on them, once like this
    and once with all scores passing.

    Args:
        path (Path): A config of mmdet.
        spec (Any): Fields of :class:`QuantSpec`. Defaults to 8 groups.

    Returns:
        dict: ``result`` (one of four words), ``reason`` (empty if it
        works), ``layers`` by kind, ``without`` (layers that no image
        reaches) and ``seconds``.
    """
    start = time.perf_counter()
    row: dict[str, Any] = {'result': WORKS, 'reason': '', 'without': []}
    try:
        config = Config.fromfile(path)
        side = image_side(config.model)
        config.merge_from_dict(
            {f'model.{k}': v for k, v in smaller(config.model).items()}
        )
        narrow = copy.deepcopy(config)
        narrow.model = ConfigDict(narrower(config.model))
        try:
            model = _Running(narrow, path, side)
        except Exception:  # its widths hang together in another way
            model = _Running(config, path, side)
    except Exception as error:  # mmdet's own code and what it needs
        return row | {'result': NOT_HERE, 'reason': _said(error)}
    try:
        _check(model, row, spec or {'groups': 8})
    except IGQError as error:
        row |= {'result': REFUSED, 'reason': one_line(error, 200)}
    except Exception as error:
        row |= {'result': FAULT, 'reason': _said(error)}
    row['seconds'] = round(time.perf_counter() - start, 1)
    return row


def _check(model: '_Running', row: dict[str, Any], fields: Any) -> None:
    while True:
        spec = QuantSpec(**fields, exclude=tuple(row['without']))
        qmodel = quantize(model.detector, spec)
        layers = quantized_layers(qmodel)
        batch = copy.deepcopy(model.batch)
        try:
            with threshold(qmodel, NOTHING):
                calibrate(qmodel, [batch], calibration_forward)
            break
        except CalibrationError:
            silent = [n for n, x in layers.items() if not x.workload.calls]
            missed = [name for name in silent if name in model.reached]
            if missed or not silent:
                raise
            row['without'] += silent  # no image reaches them
    row['layers'] = dict(
        Counter(
            type(layer).__name__.removeprefix('Quant')
            for layer in layers.values()
            if isinstance(layer, QuantWeightModule)
        )
    )
    for passing in NOTHING, ALL:
        with threshold(qmodel, passing):
            found = detections(qmodel, model.batch)
        if model.finite and not _finite(found):
            raise CalibrationError('NaN or infinity among the predictions')


class _Running:
    """A float detector and images that it runs on.

    Attributes:
        detector (nn.Module): The detector.
        batch (dict): Two images, see :func:`random_batch`.
        reached (set[str]): Modules that they reach if all scores pass.
        finite (bool): Whether all predictions are numbers.
    """

    def __init__(self, config: Config, path: Path, side: int) -> None:
        with _beside(path):
            self.detector = random_detector(config)
        self.reached: set[str] = set()
        for name, module in self.detector.named_modules():
            module.register_forward_pre_hook(
                lambda *_, name=name: self.reached.add(name)
            )
        for factor in LARGER:
            size = side * factor
            self.batch = random_batch(size, size)
            for sample in self.batch['data_samples']:
                sample.set_metainfo({'border': (0, size, 0, size)})
                if not getattr(self.detector, 'with_rpn', True):
                    sample.proposals = made_up((size, size), torch.ones(()))
            try:
                with threshold(self.detector, ALL):
                    found = detections(self.detector, self.batch)
                break
            except Exception:  # too small for it, or for another reason
                if factor == LARGER[-1]:
                    raise
        self.finite = _finite(found)
        for module in self.detector.modules():
            module._forward_pre_hooks.clear()


def _finite(values: Iterable[torch.Tensor]) -> bool:
    return all(x.isfinite().all() for x in values if x.is_floating_point())


@contextmanager
def threshold(model: nn.Module, score: float) -> Iterator[None]:
    """Another threshold of scores in all settings of a detector.

    Args:
        model (nn.Module): Its test settings are changed meanwhile.
        score (float): The threshold.
    """
    before: list[tuple[ConfigDict, Any]] = []

    def close(config: Any) -> None:
        if isinstance(config, Mapping):
            for key, value in config.items():
                if key == 'score_thr':
                    before.append((config, value))
                close(value)

    for module in model.modules():
        close(getattr(module, 'test_cfg', None))
    for config, _ in before:
        config['score_thr'] = score
    try:
        yield
    finally:
        for config, value in reversed(before):
            config['score_thr'] = value


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Where configs that name another one find it."""
    before = Path.cwd()
    root = path.parent.parent.parent
    os.chdir(root if root.is_dir() else before)
    try:
        yield
    finally:
        os.chdir(before)


def _said(error: BaseException) -> str:
    text = FOLDERS.sub('', one_line(error))
    return f'{type(error).__name__}: {textwrap.shorten(text, 160)}'


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table of docs/zoo.md.

    Args:
        rows (Iterable[Mapping]): From :func:`check_member`, with ``config``,
            ``heads`` and ``others`` of their members.
    """
    head = ('config', 'stands for', 'detector and heads', 'result')
    lines = [head, ('---',) * len(head)]
    for row in rows:
        said = row['result']
        if row['reason']:
            said += f': {row["reason"]}'
        if row['without']:
            said += ', without ' + ', '.join(
                f'`{name}`' for name in patterns(row['without'])
            )
        lines.append(
            (
                f'`{row["config"].removesuffix(".py")}`',
                str(1 + row['others']),
                ', '.join(row['heads']) or '-',
                said.replace('|', '\\|'),
            )
        )
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def patterns(names: Iterable[str]) -> list[str]:
    """Layers of one module as one pattern.

    Args:
        names (Iterable[str]): Of layers.
    """
    names = list(names)
    parents = Counter(name.rpartition('.')[0] for name in names)
    return list(
        dict.fromkeys(
            f'{parent}.*' if parents[parent] > 1 else name
            for name in names
            for parent in (name.rpartition('.')[0],)
        )
    )
