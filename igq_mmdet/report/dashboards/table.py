"""Float and quantized AP as dashboards have them, as a table."""

from collections.abc import Sequence

from ...inspection.columns import format_rows
from .readers import DashboardRun
from .scalars import DELTA, FLOAT, QUANTIZED

HEADER = ('run', 'step', 'metric', 'float', 'quantized', 'difference')


def dashboard_table(runs: Sequence[DashboardRun]) -> str:
    """One line a run, step and metric; AP in percent.

    Args:
        runs (Sequence[DashboardRun]): Read from one dashboard. Those that
            are not ours have no lines.
    """
    rows: list[tuple[str, ...]] = [HEADER]
    for run in runs:
        for metric in _metrics(run):
            steps = run.scalars[QUANTIZED + metric]
            for step in sorted(steps):
                values = (
                    run.scalars.get(prefix + metric, {}).get(step)
                    for prefix in (FLOAT, QUANTIZED, DELTA)
                )
                shown = (
                    '-' if v is None else f'{100 * v:.2f}' for v in values
                )
                rows.append((run.name, str(step), metric, *shown))
    return format_rows(rows)


def everything(runs: Sequence[DashboardRun]) -> str:
    """Every number and parameter, a line each; numbers of the last step.

    Args:
        runs (Sequence[DashboardRun]): Read from one dashboard.
    """
    lines = []
    for run in runs:
        lines.append(run.name)
        for name, value in sorted(run.parameters.items()):
            lines.append(f'  {name} = {value}')
        for name, steps in sorted(run.scalars.items()):
            last = max(steps)
            lines.append(f'  {name} = {steps[last]:g} (step {last})')
    return '\n'.join(lines)


def _metrics(run: DashboardRun) -> list[str]:
    """Mean APs where there are any, all metrics otherwise."""
    names = [
        name.removeprefix(QUANTIZED)
        for name in sorted(run.scalars)
        if name.startswith(QUANTIZED)
    ]
    return [name for name in names if name.endswith('mAP')] or names
