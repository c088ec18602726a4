"""The figures of a run as Markdown, and docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igq_mmdet.files.atomic import replacing
from igq_mmdet.inspection.columns import markdown_rows

from .allocation import text as allocation_text
from .forms import FLOAT, METHODS, QUANTIZED
from .targets import verdicts

BEGIN, END = '<!-- figures -->', '<!-- end of figures -->'
Data = Mapping[str, Any]


def figures(data: Data) -> str:
    """Every table as Markdown.

    Args:
        data (Mapping): What ``python -m benchmarks --json`` writes.
    """
    blocks = [
        *_setting(data),
        '### Targets',
        _targets(data),
        '### Whole detector',
        _speeds(data['whole']),
    ]
    if 'one_thread' in data:
        blocks += ['On one thread:', _speeds(data['one_thread'])]
    blocks += [
        '### Backbone',
        _speeds(data['backbone'], data['agreement']),
        'SQNR: signal to quantization noise of the four feature maps against '
        'float, dB, with random weights and an image of noise. '
        + _exports(data),
        *_huge_pages(data),
        *_left_out(data),
        '### Where the time goes',
        'By kind of module, whole detector (with hooks on the modules):',
        _profile(data['profile']['kinds']),
        'Backbone alone:',
        _profile(data['profile']['backbone_kinds']),
        'By part of the detector:',
        _profile(data['profile']['parts']),
        _largest(data),
        '### Memory',
        'Each form in a process of its own, one image, MB:',
        _memory(data['memory']),
        '### Calibration, allocation, files',
        _calibration(data),
        _calibration_memory(data),
    ]
    if 'allocation' in data:
        blocks += [
            "Allocation of groups on the demo's detector, CPU time "
            '(`python -m benchmarks.allocation`):',
            f'```\n{allocation_text(data["allocation"])}\n```',
        ]
    blocks += [_simulated(data)]
    return '\n\n'.join(blocks)


def renew(path: Path, data: Data) -> None:
    """Puts the figures between the marks of a page.

    Args:
        path (Path): The page.
        data (Mapping): See :func:`figures`.

    Raises:
        ValueError: A mark is missing.
    """
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f'{path}: the marks {BEGIN} and {END} are missing')
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    with replacing(path) as temporary:
        temporary.write_text(
            f'{head}{BEGIN}\n\n{figures(data)}\n\n{END}{tail}'
        )


def _setting(data: Data) -> list[str]:
    environment = data['environment']
    bits, versions = data['bits'], environment['versions']
    packages = {
        **{name: versions[name] for name in ('torch', 'mmcv', 'mmdet')},
        **data['rivals'],
    }
    return [
        f'`{data["config"]}`, {data["groups"]} groups, W{bits}A{bits}, image '
        f'of {data["size"][0]}x{data["size"][1]}, batch 1, {data["threads"]} '
        f'threads, {data["rounds"]} rounds, {data["clock"]} clock; instances '
        f'found: {_pairs(data["instances"])}.',
        f'{environment["device"]}; commit `{environment["commit"]}`; '
        f'{_pairs(packages)}.',
    ]


def _huge_pages(data: Data) -> list[str]:
    if 'huge_pages' not in data:
        return []
    own = data['huge_pages']
    return [
        '### With huge pages for float too',
        'Layers of ours ask for huge pages for large outputs; torch does so '
        'where `THP_MEM_ALLOC_ENABLE=1` is in the environment. With it, whole '
        'detector:',
        _speeds(own['whole']),
        'Backbone:',
        _speeds(own['backbone']),
    ]


def _targets(data: Data) -> str:
    header = ['target', 'bound']
    for method in METHODS:
        header += [f'`{method}`', '']
    return markdown_rows([header, *verdicts(data)])


def _speeds(rows: Data, agreement: Data | None = None) -> str:
    header = ['', 'ms', 'fastest', 'slowest', 'times faster than float']
    if agreement is not None:
        header += ['largest error', 'SQNR']
    table = [header]
    for name, row in rows.items():
        cells = [
            name,
            *(_ms(row[key]) for key in ('median', 'fastest', 'slowest')),
            f'{row["times_faster"]:.2f}',
        ]
        if agreement is not None:
            cells += _agreement(agreement[name])
        table.append(cells)
    for name in agreement or ():
        if name not in rows:  # not timed
            own = _agreement((agreement or {})[name])
            table.append([name, '', '', '', '', *own])
    return markdown_rows(table)


def _agreement(row: Data) -> list[str]:
    if None in row['sqnr']:
        return [f'{max(row["largest_error"]):.0e}', 'equal']
    ratios = ' / '.join(f'{value:.0f}' for value in row['sqnr'])
    return [f'{max(row["largest_error"]):.0e}', ratios]


def _exports(data: Data) -> str:
    if not data['prepared']:
        return ''
    said = {name: f'{s:.0f} s' for name, s in data['prepared'].items()}
    return f'Exporting, quantizing and compiling took: {_pairs(said)}.'


def _left_out(data: Data) -> list[str]:
    return [
        f'{name} is left out: {reason}.'
        for name, reason in data['left_out'].items()
    ]


def _profile(rows: Data) -> str:
    table = [['', FLOAT, *QUANTIZED, *(f'{n}, faster' for n in QUANTIZED)]]
    for name, row in rows.items():
        cells = [name, *(_ms(row[f]['median']) for f in (FLOAT, *QUANTIZED))]
        cells += [_times(row[form]) for form in QUANTIZED]
        table.append(cells)
    return markdown_rows(table)


def _largest(data: Data, count: int = 8) -> str:
    """What the time of the integer forms goes to, the largest first."""
    lines = ['Of the time of the integer forms, the largest shares:', '']
    for name in QUANTIZED:
        if not name.endswith('integer'):
            continue
        cells = data['profile']['cells'][name]
        total = sum(seconds for *_, seconds in cells)
        cells = sorted(cells, key=lambda cell: -cell[2])[:count]
        said = ', '.join(
            f'{part}: {kind} {100 * seconds / total:.0f} %'
            for part, kind, seconds in cells
        )
        lines.append(f'- {name}: {said}')
    return '\n'.join(lines)


def _memory(memory: Data) -> str:
    table = [['', 'before', 'peak', 'peak / float', 'rise', 'rise / float']]
    base = memory[FLOAT]
    for name, row in memory.items():
        rise, own = (m['peak'] - m['before'] for m in (row, base))
        table.append(
            [
                name,
                _mb(row['before']),
                _mb(row['peak']),
                f'{row["peak"] / base["peak"]:.2f}',
                _mb(rise),
                f'{rise / own:.2f}',
            ]
        )
    return markdown_rows(table)


def _calibration(data: Data) -> str:
    table = [['one image, seconds', *METHODS]]
    found = [data['calibration'][method] for method in METHODS]
    files = [data['file'][method] for method in METHODS]

    def row(name: str, values: Sequence[str]) -> None:
        table.append([name, *values])

    row('calibration', [f'{own["median"]:.2f}' for own in found])
    for stage in found[0]['stages']:
        row(f'of it: {stage}', [f'{o["stages"][stage]:.2f}' for o in found])
    row('as float passes', [f'{own["float_forwards"]:.2f}' for own in found])
    row('`to_integer`', [f'{own["to_integer"]:.2f}' for own in found])
    row('save', [f'{own["save"]:.2f}' for own in files])
    row('load', [f'{own["load"]:.2f}' for own in files])
    row('file, MB', [f'{own["bytes"] / 1e6:.1f}' for own in files])
    return markdown_rows(table)


def _calibration_memory(data: Data) -> str:
    table = [['images', 'before, MB', 'peak, MB', 'statistics kept, MB']]
    (method,) = data['calibration_memory']
    for images, row in data['calibration_memory'][method].items():
        cells = [_mb(row[key]) for key in ('before', 'peak')]
        table.append([images, *cells, f'{row["statistics"] / 1e6:.1f}'])
    return f'Memory of calibrating `{method}`:\n\n{markdown_rows(table)}'


def _simulated(data: Data) -> str:
    lines = ['Layers that the integer forms still simulate:', '']
    for method in METHODS:
        own = data['calibration'][method]
        reasons: dict[str, list[str]] = {}
        for layer, reason in own['still_simulated'].items():
            reasons.setdefault(reason, []).append(layer)
        said = '; '.join(
            f'{len(layers)} (`{layers[0]}`{", ..." if layers[1:] else ""}): '
            f'{reason}'
            for reason, layers in reasons.items()
        )
        lines.append(
            f'- `{method}`, of {own["layers"]} layers: {said or "none"}'
        )
    return '\n'.join(lines)


def _times(row: Data) -> str:
    faster = row['times_faster']
    return '-' if faster is None else f'{faster:.2f}'


def _ms(seconds: float) -> str:
    return f'{1e3 * seconds:.0f}'


def _mb(size: int) -> str:
    return f'{size / 1e6:.0f}'


def _pairs(values: Data) -> str:
    return ', '.join(f'{name} {value}' for name, value in values.items())
