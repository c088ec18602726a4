"""The table a command line prints."""

from collections import Counter
from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

from ..inspection.columns import format_rows
from ..methods import METHODS
from .by_field import field_tables, setting_of, where_text
from .metrics import (
    BOX,
    ERRORS,
    MASK,
    UNDEFINED,
    bare,
    extended,
    figure_rows,
    kept,
    main_figures,
    percent,
    points,
)
from .report_differences import difference_text


def result_table(data: Mapping[str, Any]) -> str:
    """Float and quantized figures side by side.

    Args:
        data (Mapping): A report, see :class:`Report`.

    Returns:
        str: One line a setting; AP in percent, ``kept`` is the share of
        float AP, ``seconds`` calibration and evaluation. What evaluators
        leave without a value is called undefined.
    """
    titles = main_figures(data)
    share = 'kept box/mask' if set(titles) == {BOX, MASK} else 'kept'
    header = ('setting', 'W/A', 'groups', 'parts')
    rows: list[tuple[str, ...]] = [
        (*header, *titles.values(), share, 'MB', 'seconds')
    ]
    full = data['float']
    if full is not None:
        rows.append(
            (
                *('float', '32/32', '-', '-'),
                *(percent(full, key) for key in titles),
                '',
                f'{full["bytes"] / 1e6:.2f}',
                f'{full["eval_seconds"]:.1f}',
            )
        )
    for run in data['runs']:
        rows.append(_row(run, full, titles))
    return format_rows(rows)


def result_text(data: Mapping[str, Any]) -> str:
    """All a terminal is told of a report.

    Args:
        data (Mapping): A report, see :class:`Report`.

    Returns:
        str: The table of results, all figures if there are others than one
        CocoMetric's, means over seeds if settings occur more than once, AP by
        fields of the images if there is any, differences,
        and lines about allocation and integer execution.
    """
    names = [setting_of(run) for run in data['runs']]
    blocks = [result_table(data)]
    every = figure_rows(data)
    if every:
        blocks.append(format_rows(every))
    if len(set(names)) < len(names):
        blocks.append(seed_table(data))
    blocks += [*field_tables(data), difference_text(data.get('differences'))]
    blocks += [*allocation_lines(data), *runtime_lines(data)]
    return '\n'.join(block for block in blocks if block)


def runtime_lines(data: Mapping[str, Any]) -> list[str]:
    """Wall time of evaluations on integer codes beside float.

    Args:
        data (Mapping): A report.
    """
    lines = []
    for run in data['runs']:
        if run.get('runtime') != 'integer':
            continue
        simulated = run['not_integer']
        beside = ''
        if data['float'] is not None:
            beside = f', float {data["float"]["eval_seconds"]:.1f} s'
        lines.append(
            f'{run["name"]}: evaluated on integers in '
            f'{run["eval_seconds"]:.1f} s{beside}; layers still simulated: '
            f'{len(simulated)}'
        )
    return lines


def seed_table(data: Mapping[str, Any]) -> str:
    """Mean and standard deviation over runs of one setting.

    Args:
        data (Mapping): A report in which settings occur more than once,
            calibrated on other images each time.
    """
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for run in data['runs']:
        runs.setdefault(setting_of(run), []).append(run)
    titles = main_figures(data)
    rows: list[tuple[str, ...]] = [
        ('setting', 'seeds', 'images', *titles.values())
    ]
    for name, same in runs.items():
        images = {str(run['calibration']['image_ids']) for run in same}
        spread = tuple(_spread(same, key) for key in titles)
        rows.append((name, str(len(same)), str(len(images)), *spread))
    return format_rows(rows)


def _spread(runs: list[Mapping[str, Any]], key: str) -> str:
    texts = [percent(run, key) for run in runs]
    if UNDEFINED in texts or '-' in texts:
        return UNDEFINED if UNDEFINED in texts else '-'
    values = [points(key) * run['metrics'][key] for run in runs]
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f'{mean(values):.2f} +- {deviation:.2f}'


def allocation_lines(data: Mapping[str, Any]) -> list[str]:
    """What allocation did, a line for each setting that has one.

    Args:
        data (Mapping): A report.
    """
    lines = []
    for run in data['runs']:
        found = run.get('allocation')
        if found is None:
            continue
        groups = Counter(found['spec']['layer_groups'].values())
        share = 100 * found['bops'] / found['budget']
        over = 100 * (found['bops'] / found['layerwise_bops'] - 1)
        predicted, measured = found['predicted'], found['measured']
        spread = ', '.join(f'{g}: {groups[g]}' for g in sorted(groups))
        lines.append(
            f'{run["name"]}: BOPs of the allocated layers {share:.3f}% of '
            f'the budget, +{over:.2f}% over layer-wise; KL summed over '
            f'layers {predicted[0]:.4f} -> {predicted[1]:.4f}, of the whole '
            f'model {measured[0]:.5f} -> {measured[1]:.5f}; layers by '
            f'groups {{{spread}}}; {found["seconds"]:.1f} s'
        )
    return lines


def _row(
    run: Mapping[str, Any], full: Any, titles: Mapping[str, str]
) -> tuple[str, ...]:
    spec = run['spec']
    seconds = run['calibration'].get('seconds', 0.0) + run['eval_seconds']
    groups = '-'
    if METHODS[spec['method']].grouped:
        groups = str(spec['groups'])
    if spec['layer_groups']:
        groups += ' alloc'
    parts = spec['parts']
    name = extended(spec['method'], spec)
    where = where_text(run['calibration'].get('where'))
    return (
        f'{name}, {where}' if where else name,
        f'{spec["w_bits"]}/{spec["a_bits"]}',
        groups,
        parts if isinstance(parts, str) else ','.join(parts),
        *(percent(run, key) for key in titles),
        '/'.join(
            kept(run, full, key) for key in titles if bare(key) not in ERRORS
        ),
        f'{run["bytes"] / 1e6:.2f}',
        f'{seconds:.1f}',
    )
