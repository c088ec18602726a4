"""What methods keep of a network that the world pretrained.

A saliency ViT of PyPI (:func:`saliency_vit`) on photographs of COCO: the
figures of every method, bits and draw of calibration images, as a file and a
table.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mmengine.config import Config

from ..errors import DataError
from ..files.atomic import replacing
from ..report import run_name
from ..spec import QuantSpec
from .experiment import Experiment

IMAGES = 32
SEEDS = (0, 1, 2, 3, 4)
BITS = ((4, 4), (8, 4), (6, 6), (8, 8))
# Method, groups and how the table calls it.
METHODS = (
    ('layerwise', 12, 'layer-wise'),
    ('repq', 12, 'RepQ-ViT'),
    ('sorted', 12, 'fixed, 12 groups'),
    ('igq', 8, 'IGQ, 8 groups'),
    ('igq', 12, 'IGQ, 12 groups'),
    ('igq_integral', 12, 'integral, 12 groups'),
    ('upper_bound', 12, 'upper bound'),
)
COLUMNS = {
    'AUC': 'AUC',
    'Smeasure': 'S',
    'MAE': 'MAE',
    'wFmeasure': 'wF',
    'meanFmeasure': 'mean F',
    'maxFmeasure': 'max F',
    'adpFmeasure': 'adp F',
    'meanEmeasure': 'mean E',
    'maxEmeasure': 'max E',
    'adpEmeasure': 'adp E',
}
CHANCE = 0.5  # the AUC of a map that knows nothing
MARKS = '<!-- saliency: made -->', '<!-- saliency: end -->'


def settings(bits: Sequence[int]) -> list[QuantSpec]:
    """Every method at one pair of bits, in the order of the table.

    Args:
        bits (Sequence[int]): Of weights and activations.
    """
    w_bits, a_bits = bits
    return [
        QuantSpec(w_bits=w_bits, a_bits=a_bits, groups=groups, method=method)
        for method, groups, _ in METHODS
    ]


def measure(
    config: Config,
    work_dir: str,
    seeds: Iterable[int] = SEEDS,
    bits: Iterable[Sequence[int]] = BITS,
    images: int = IMAGES,
    quiet: bool = False,
) -> dict[str, Any]:
    """Evaluates what is not finished in the work dir.

    Args:
        config (Config): See ``configs/saliency``.
        work_dir (str): Where finished work is kept.
        seeds (Iterable[int]): Of the calibration images.
        bits (Iterable[Sequence[int]]): Pairs.
        images (int): That calibrate. Defaults to 32.
        quiet (bool): No progress bars. Defaults to False.

    Returns:
        dict: See :func:`evidence`.
    """
    experiment = Experiment(config, work_dir, quiet)
    experiment.sqnr = False  # would take as long again
    experiment.keep(resume=True)
    experiment.run_float()
    bits = list(bits)
    for seed in seeds:
        drawn = experiment.images(images, seed, allow_evaluation=False)
        for pair in bits:
            experiment.run_settings(settings(pair), drawn)
    experiment.write()
    return evidence(experiment.report.data)


def evidence(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the table is made from, without times or places.

    Args:
        report (Mapping): Of a run on one set.

    Returns:
        dict: ``images`` evaluated, figures of ``float`` by name, and
        ``runs`` by name of the setting and seed.
    """
    runs: dict[str, dict[str, Any]] = {}
    for run in report['runs']:
        own = runs.setdefault(run['name'], {})
        own[str(run['calibration']['seed'])] = _figures(run)
    return {
        'images': report['detector']['images'],
        'calibrated_on': report['runs'][0]['calibration']['num_images'],
        'float': _figures(report['float']),
        'runs': runs,
    }


def _figures(entry: Mapping[str, Any]) -> dict[str, float]:
    return {k.rpartition('/')[2]: v for k, v in entry['metrics'].items()}


def kept(figures: Mapping[str, float], full: Mapping[str, float]) -> float:
    """Percent of what the float model has above chance.

    Args:
        figures (Mapping[str, float]): Of a setting.
        full (Mapping[str, float]): Of the float model.
    """
    return 100 * (figures['AUC'] - CHANCE) / (full['AUC'] - CHANCE)


def table(data: Mapping[str, Any]) -> str:
    """A Markdown table of each pair of bits.

    Args:
        data (Mapping): From :func:`evidence`.
    """
    full = data['float']
    head = ['', 'seeds', 'kept', *COLUMNS.values()]
    lines = [
        f'{data["calibrated_on"]} images calibrate, {data["images"]} are '
        'evaluated; kept is the share of AUC - 0.5, with several seeds '
        'the mean ± standard deviation.',
    ]
    for pair in BITS:
        rows = [['float', '', '', *(f'{full[k]:.4f}' for k in COLUMNS)]]
        for spec, (_, _, title) in zip(settings(pair), METHODS, strict=True):
            seeds = data['runs'].get(run_name(spec), {})
            if not seeds:
                continue
            own = list(seeds.values())
            rows.append(
                [
                    title,
                    str(len(own)),
                    _spread([kept(x, full) for x in own], 1) + ' %',
                    *(_spread([x[k] for x in own], 4) for k in COLUMNS),
                ]
            )
        if len(rows) > 1:
            lines += ['', f'**W{pair[0]}A{pair[1]}**', '']
            lines += [_row(head), _row(['---'] * len(head)), *map(_row, rows)]
    return '\n'.join(lines)


def _spread(values: Sequence[float], digits: int) -> str:
    text = f'{fmean(values):.{digits}f}'
    if len(values) > 1:
        text += f' ± {stdev(values):.{digits}f}'
    return text


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def write_evidence(
    data: Mapping[str, Any],
    results: str | os.PathLike[str],
    page: str | os.PathLike[str],
) -> None:
    """Writes figures, and the table between the marks of a page.

    Args:
        data (Mapping): From :func:`evidence`.
        results (str | PathLike): JSON.
        page (str | PathLike): Markdown with ``MARKS``; the rest stays.

    Raises:
        DataError: The page has no such marks.
    """
    text = Path(page).read_text()
    before, start, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (start and end):
        raise DataError(f'{page}: has no lines {MARKS[0]} and {MARKS[1]}')
    for path, content in (
        (Path(results), json.dumps(data, indent=1, sort_keys=True) + '\n'),
        (Path(page), f'{before}{start}\n\n{table(data)}\n\n{end}{after}'),
    ):
        with replacing(path) as temporary:
            temporary.write_text(content)
