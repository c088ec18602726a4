"""docs/results_demo.md: an ablation as a page, every figure from a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...inspection.columns import markdown_rows
from ..metrics import BOX, MASK
from .tables import differences, table_rows
from .words import allocation_words, ordering_words, short_words

INTRODUCTION = """\
# Results{of}

Made by `python tools/make_results.py` from `{source}`, which
`python tools/ablate.py` wrote; no figure here is typed by hand.

Detector: `{detector}`. Float: box AP {box}, mask AP {mask}. {groups} groups
where a table does not say otherwise, one calibration image drawn by each
seed, every part of the detector quantized. AP in percent as mean ± standard
deviation over seeds; BOPs are those of one image.

Made with {made_with}."""

DEMO = """\
The demo's detector was trained on the very images it is evaluated on. Its AP
tells how much of a float detector's function survives, and nothing about
images it has not seen."""

# what a reader has to know to read a table; no figures
NOTES = {
    'short': (
        'The upper bound gives every channel and row the range of the very '
        'image; nothing can run it.'
    ),
    'targets': 'The other kind of tensor is quantized layer-wise.',
    'methods': (
        'Fixed groups are chosen at calibration, channel by channel. Softmax '
        'rows are others in every image and cannot be fixed: they are '
        'layer-wise there, so the row to compare fixed groups with is '
        '"instance-aware, linear only". Their bounds follow the rule of '
        'instance-aware groups, the mean of minima and of maxima over '
        'channels and images, which clips the wider channels of a group, '
        'while layer-wise bounds are searched by squared error; the table '
        'of decisions has them as envelopes. RepQ-ViT is written from its '
        'paper, with the same weight and percentile search as everything '
        'else; its softmax has one value more than its bits hold, as in its '
        "authors' code, and its bounds are those of single channels of one "
        'small image, see the table of calibration images. The upper bound '
        'gives every channel and row the range of the very image; nothing '
        'can run it.'
    ),
    'allocation': (
        'Allocation chooses the groups of each layer under the BOPs of the '
        'same number everywhere, by the KL of class predictions on the '
        'calibration image.'
    ),
    'groups': 'One group is layer-wise.',
    'decisions': (
        'One decision changed at a time. "As decided" takes means in the '
        'M-step, zero points that are not clipped, and percentiles chosen '
        'by squared error.'
    ),
    'images': (
        'The bounds of a method that has many are fitted to the images they '
        'come from, and a small image gives the last stage few tokens.'
    ),
}


def results_page(
    data: Mapping[str, Any],
    source: str,
    plot: str | None = None,
    training: str | None = None,
) -> str:
    """The page in Markdown.

    Args:
        data (Mapping): From ``Ablation.run``.
        source (str): The file it came from, as the page names it.
        plot (str, optional): Address of the picture of groups.
        training (str, optional): How weights that do not ship were made.
    """
    full = data['float']['metrics']
    blocks = [
        INTRODUCTION.format(
            of=f': {data["detector"]}' if training else '',
            source=source,
            detector=data['detector'],
            box=_percent(full, BOX),
            mask=_percent(full, MASK),
            groups=data['groups'],
            made_with=_made_with(data['environment']),
        )
    ]
    if data['detector'].endswith('_demo'):
        blocks.append(DEMO)
    if training:
        blocks.append(training)
    said = ordering_words(data)
    if said:
        together = [line for line in said if _sums_up(line)]
        single = [line for line in said if not _sums_up(line)]
        blocks.append('## Does the order that the paper claims hold?')
        blocks.append(_bullets(together))
        blocks.append(
            'Each comparison is between settings on the same calibration '
            f'images: {_how(data, "methods")}'
        )
        blocks.append(_bullets(single))
    for name, note in NOTES.items():
        if name not in data['tables']:
            continue
        blocks.append(f'## {data["tables"][name]["title"]}')
        if name == 'short':
            note += (
                ' Below the table, settings are compared on the same '
                f'calibration images: {_how(data, name)}'
            )
        blocks.append(note)
        blocks.append(markdown_rows(table_rows(data, name)))
        if name == 'groups' and plot is not None:
            blocks.append(f'![AP over groups and over BOPs]({plot})')
        if name == 'short':
            blocks.append(_bullets(short_words(data)))
        if name == 'allocation':
            blocks.append(_bullets(allocation_words(data)))
    return '\n\n'.join(blocks) + '\n'


def _how(data: Mapping[str, Any], table: str) -> str:
    """How differences are judged."""
    if differences(data, table):
        return (
            'mean difference ± its spread over seeds [95 % interval over '
            'images, by paired bootstrap]; an interval that holds 0 cannot '
            'tell. "To first" is the difference to the first setting of the '
            'same bits.'
        )
    return 'mean difference ± its standard error, noise below two of them.'


def _made_with(environment: Mapping[str, Any]) -> str:
    versions = environment['versions']
    named = ('igq_mmdet', 'torch', 'mmcv', 'mmdet')
    said = ', '.join(f'{name} {versions[name]}' for name in named)
    said += f' on {environment["device"]}'
    if environment['commit'] is not None:  # None outside a checkout
        said += f', commit `{environment["commit"]}`'
    return said


def _sums_up(line: str) -> bool:
    return ' above layer-wise: ' in line and 'fixed groups' in line


def _percent(metrics: Mapping[str, float], key: str) -> str:
    return f'{100 * metrics[key]:.2f}' if key in metrics else 'none'


def _bullets(texts: Sequence[str]) -> str:
    return '\n'.join(f'- {text}' for text in texts)
