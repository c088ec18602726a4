"""Number of groups against AP and bit operations, as a picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ...files.atomic import replacing
from ..metrics import BOX, MASK
from .tables import Line, lines

METRICS = (('box', BOX, '-'), ('mask', MASK, '--'))


def plot_groups(data: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draws AP over groups and AP over BOPs; same data, same bytes.

    Args:
        data (Mapping): From ``Ablation.run``, with the table ``groups``.
        path (str | PathLike): An SVG file to make; its folder is made.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shown = lines(data, 'groups')
    full = data['float']['metrics']
    with matplotlib.rc_context({'svg.hashsalt': 'igq_mmdet'}):
        figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
        for color, bits in enumerate(map(tuple, data['bits'])):
            own = [line for line in shown if line.bits == bits]
            for metric, key, style in METRICS:
                if not getattr(own[0], metric):
                    continue
                label = f'W{bits[0]}A{bits[1]} {metric}'
                look = {
                    'linestyle': style,
                    'marker': 'o',
                    'color': f'C{color}',
                    'label': label,
                    'markersize': 4,
                    'capsize': 2,
                }
                mean, error = _points(own, metric)
                groups = [int(line.label) for line in own]
                axes[0].errorbar(groups, mean, error, **look)
                bops = [line.bops / 1e9 for line in own]
                axes[1].errorbar(bops, mean, error, **look)
                if color == 0 and key in full:
                    for axis in axes:
                        axis.axhline(
                            100 * full[key],
                            color='grey',
                            linestyle=style,
                            linewidth=0.8,
                        )
        axes[0].set_xlabel('groups')
        axes[0].set_ylabel('AP (grey: float)')
        axes[1].set_xlabel('BOPs (G) an image')
        for axis in axes:
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=8)
        figure.tight_layout()
        with replacing(target) as temporary:
            figure.savefig(temporary, format='svg', metadata={'Date': None})
        pyplot.close(figure)


def _points(own: Sequence[Line], metric: str) -> tuple[list[float], Any]:
    values = [getattr(line, metric) for line in own]
    errors = [stdev(x) if len(x) > 1 else 0.0 for x in values]
    return [fmean(x) for x in values], errors
