"""docs/results.md: what the paper claims beside what was measured."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ...files.atomic import replacing
from ...inspection.columns import markdown_rows
from ..by_field import key_of
from ..differences import Difference
from ..metrics import METRICS
from .claims import FAILS, KINDS, NEAR, Judged, judged
from .tables import NOT_RUN, lines, spread, table_rows

INTRODUCTION = """\
# Results

    make results

runs what is below in pieces and writes this page; `{source}` holds
what it is made from, `python tools/make_results.py` makes the page from it
alone, and no figure or verdict here is typed by hand. The command may be
stopped at any moment and goes on when it is called again. Of {planned}
settings {done} have been run; the others are shown as "{not_run}". Figures
on images drawn anew, from which intervals come, stay in `work_dirs/results`.

Detector: `{detector}`, judged on {images} images that
it has not seen, see [its page](nuclei.md). Float: {full}.
Eight calibration images, drawn by each seed, and every part of the detector
quantized, where a table does not say otherwise. AP in percent as mean ±
standard deviation over seeds; BOPs are those of one image."""

CLAIMS = """\
Differences of AP are between settings with the same calibration images:
mean ± standard deviation over seeds [95 % interval over images, by paired
bootstrap, 500 draws]. "Above" holds if the whole interval is above 0 and
does not if it is below; "near" holds if it is above -{near} AP, does not if it
is below. In all other cases these images cannot tell."""

UNTOLD = '{untold} of {claims} comparisons wait for settings not yet run.'

WHY = """\
The same difference for the images of each kind, from the same predictions;
the kind that has few images has a wide interval."""

NOTES = {
    'headline': (
        'Fixed groups are chosen at calibration; softmax rows are others in '
        'every image and cannot be fixed, so they are layer-wise there and '
        'in "linear only", which is what to compare fixed groups with. The '
        'upper bound gives every channel and row the range of the very '
        'image; nothing can run it. RepQ-ViT is written from its paper.'
    ),
    'rounding': (
        "Extensions, not the paper's method: see [Round weights](rounding.md)"
        '. "To first" is to weights rounded to the nearest code.'
    ),
    'images': 'All 32 calibration images are drawn by every seed: one seed.',
    'kinds': (
        'Eight images each of `instances_train.json`, as the others have too '
        'few of two kinds. Rows are what was calibrated on, columns what was '
        'evaluated on; box AP / mask AP.'
    ),
    'allocation': (
        'Allocation chooses the groups of each layer under the BOPs of the '
        'same number everywhere, by the KL of class predictions on the '
        'calibration images, all other layers quantized alike; "one by one" '
        'leaves those in float while a layer is measured.'
    ),
    'bits': 'Of weights / activations. "To first" is to layer-wise.',
}

DEMO = """\
`make demo` and [its own page](results_demo.md) are about a detector that was
trained on the very images it is evaluated on: they show how much of a float
detector's function survives, and cannot order methods that are close. With
{images} calibration image a seed:"""


def paper_page(
    data: Mapping[str, Any],
    source: str,
    demo: Mapping[str, Any] | None = None,
) -> str:
    """The page in Markdown.

    Args:
        data (Mapping): From ``Ablation.run`` on the pieces of results.
        source (str): The file it came from, as the page names it.
        demo (Mapping, optional): An ablation of the demo.
    """
    full = data['float']['metrics']
    every = {
        name: (line['planned'], len(line['runs']))
        for name, line in _rows(data).items()
    }
    blocks = [
        INTRODUCTION.format(
            source=source,
            not_run=NOT_RUN,
            done=sum(done for _, done in every.values()),
            planned=sum(planned for planned, _ in every.values()),
            detector=data['detector'],
            images=data['images'],
            full=', '.join(
                f'{METRICS[m]} {100 * full[m]:.2f}'
                for m in METRICS
                if m in full
            ),
        )
    ]
    every_claim = judged(data)
    said = [one for one in every_claim if one.found]
    blocks += ['## What the paper claims, and what holds']
    blocks += [CLAIMS.format(near=f'{100 * NEAR:.1f}'), _claims(said)]
    untold = len(every_claim) - len(said)
    if untold:
        blocks += [UNTOLD.format(untold=untold, claims=len(every_claim))]
    why = _why(said)
    if why:
        blocks += ['### Where a claim does not hold', WHY, why]
    for name, table in data['tables'].items():
        blocks += [f'## {table["title"]}', NOTES.get(name, '')]
        if name == 'kinds':
            blocks.append(markdown_rows(_kind_rows(data)))
        else:
            blocks.append(markdown_rows(table_rows(data, name)))
    if 'headline' in data['tables']:
        blocks += ['## Time and size', _costs(data)]
    if demo is not None:
        blocks += _demo(demo)
    blocks += ['## What it was made with', _made_with(data)]
    return '\n\n'.join(block for block in blocks if block) + '\n'


def write_page(
    data: Mapping[str, Any],
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    demo: Mapping[str, Any] | None = None,
) -> None:
    """Writes the page, see :func:`paper_page`.

    Args:
        data (Mapping): Likewise.
        path (str | PathLike): Target; its folder is made.
        source (str | PathLike): The file the data came from.
        demo (Mapping, optional): See :func:`paper_page`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(paper_page(data, Path(source).name, demo))


def _rows(data: Mapping[str, Any]) -> dict[Any, Mapping[str, Any]]:
    return {
        (name, place): row
        for name, table in data['tables'].items()
        for place, row in enumerate(table['rows'])
    }


def _claims(said: Sequence[Judged]) -> str:
    metrics = said[0].metrics if said else ()
    heads = [f'{METRICS[m]} {x}' for m in metrics for x in ('', 'difference')]
    rows = [('claim', 'compared', 'W/A', *(head.strip() for head in heads))]
    for one in said:
        cells = [one.claim.about, one.claim.words, _bits(one.bits)]
        for metric in metrics:
            off = one.found.get(metric)
            cells.append(one.verdict(metric))
            cells.append('' if off is None else off.figures(100))
        rows.append(tuple(cells))
    return markdown_rows(rows)


def _why(said: Sequence[Judged]) -> str:
    rows: list[tuple[str, ...]] = [('compared', 'W/A', 'AP', 'all', *KINDS)]
    for one in said:
        for metric in one.metrics:
            if one.verdict(metric) != FAILS:
                continue
            parts = one.parts(metric)
            named = one.claim.words, _bits(one.bits), METRICS[metric]
            cells = [one.found[metric], *(parts.get(kind) for kind in KINDS)]
            rows.append((*named, *map(_figures, cells)))
    return markdown_rows(rows) if len(rows) > 1 else ''


def _figures(off: Difference | None) -> str:
    return '-' if off is None else off.figures(100)


def _bits(bits: Sequence[int]) -> str:
    return f'{bits[0]}/{bits[1]}'


def _kind_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    metrics = [m for m in METRICS if m in data['float']['metrics']]
    rows: list[tuple[str, ...]] = [('setting', 'seeds', 'all', *KINDS)]
    runs = data['runs']
    found = {'float': ('', [data['float']])}
    for line, row in zip(
        lines(data, 'kinds'), data['tables']['kinds']['rows'], strict=True
    ):
        of = f' of {line.planned}' if line.runs < line.planned else ''
        found[line.label] = (
            f'{line.runs}{of}',
            [runs[name] for name in row['runs']],
        )
    for label, (seeds, own) in found.items():
        keys = [
            metrics,
            *([key_of(m, 'kind', k) for m in metrics] for k in KINDS),
        ]
        cells = [_cell(own, key) for key in keys]
        rows.append((label, seeds, *(cells if own else [NOT_RUN] * len(keys))))
    return rows


def _cell(runs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    return ' / '.join(
        spread([100 * x['metrics'][key] for x in runs if key in x['metrics']])
        for key in keys
    )


def _costs(data: Mapping[str, Any]) -> str:
    full = data['float']
    rows = [
        ('setting', 'MB', 'BOPs (G)', 'calibration (s)', 'evaluation (s)'),
        (
            'float',
            f'{full["bytes"] / 1e6:.2f}',
            '',
            '',
            f'{full["eval_seconds"]:.0f}',
        ),
    ]
    for row in data['tables']['headline']['rows']:
        runs = [data['runs'][name] for name in row['runs']]
        cells = [NOT_RUN] * 4
        if runs:
            cells = [
                f'{fmean(x["bytes"] for x in runs) / 1e6:.2f}',
                f'{fmean(x["bops"] for x in runs) / 1e9:.2f}',
                f'{fmean(x["calibration"]["seconds"] for x in runs):.0f}',
                f'{fmean(x["eval_seconds"] for x in runs):.0f}',
            ]
        rows.append((row['label'], *cells))
    note = (
        'Size of what is stored at W4A4. Seconds are means on the machine '
        'named below, which may have done other work as well; calibration '
        'counts the pass over its images, which is one for all settings. '
        'Quantization is simulated; see [performance](performance.md) for '
        'integer execution.'
    )
    return f'{note}\n\n{markdown_rows(rows)}'


def _demo(demo: Mapping[str, Any]) -> list[str]:
    runs = demo['runs'].values()
    images = min(run['calibration']['num_images'] for run in runs)
    return [
        '## The demo: a detector that knows its images',
        DEMO.format(images=images),
        markdown_rows(table_rows(demo, 'methods')),
    ]


def _made_with(data: Mapping[str, Any]) -> str:
    every = [data['float'], *data['runs'].values()]
    counts = Counter(
        (run['made_with']['version'], run['made_with']['commit'])
        for run in every
    )
    said = [
        f'- {count} of {len(every)} evaluations: igq_mmdet {version}'
        + (f', commit `{commit}`' if commit else '')
        for (version, commit), count in counts.items()
    ]
    versions = data['environment']['versions']
    named = ('torch', 'mmcv', 'mmdet')
    used = ', '.join(f'{name} {versions[name]}' for name in named)
    return '\n'.join([*said, f'- {used} on {data["environment"]["device"]}'])
