"""The differences of one report, and its table of them."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ..inspection.columns import format_rows
from .by_field import setting_of
from .differences import Difference, PerImage
from .differences.compared import Load, compare_settings
from .differences.pairs import FLOAT
from .metrics import METRICS, points


def report_differences(
    data: Mapping[str, Any],
    load: Callable[[Mapping[str, Any] | None], Mapping[str, PerImage]],
    reference: str | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> dict[str, Any]:
    """Compares the settings of a report.

    Args:
        data (Mapping): A report.
        load (Callable): What is known of every image, by metric, from a run
            of the report, or from None for the float model.
        reference (str, optional): See :func:`reference_pairs`.
        progress (Callable): Wraps the list of runs.

    Returns:
        dict: JSON-ready, ``differences`` of the report.

    Raises:
        DataError: There is no such reference.
    """
    runs: dict[str, dict[Any, Load]] = {}
    if data['float'] is not None:
        runs[FLOAT] = {None: partial(load, None)}
    for run in data['runs']:
        seed = run['calibration'].get('seed') or 0
        runs.setdefault(setting_of(run), {})[seed] = partial(load, run)
    return compare_settings(runs, reference, progress).to_dict()


def difference_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for every setting that is compared, names of columns first.

    Args:
        data (Mapping): ``differences`` of a report.
    """
    settings = data['settings']
    metrics = dict.fromkeys(k for row in settings for k in row['metrics'])
    rows = [
        ('setting', 'against', 'seeds', *(METRICS.get(k, k) for k in metrics))
    ]
    for row in settings:
        found = {
            key: Difference.from_dict(entry)
            for key, entry in row['metrics'].items()
        }
        seeds = max(off.seeds for off in found.values())
        rows.append(
            (
                row['setting'],
                row['against'],
                str(seeds),
                *(
                    found[key].text(points(key)) if key in found else '-'
                    for key in metrics
                ),
            )
        )
    return rows


def difference_title(data: Mapping[str, Any]) -> str:
    """What the columns hold.

    Args:
        data (Mapping): ``differences`` of a report.
    """
    spread = ''
    if any(
        entry['spread'] is not None
        for row in data['settings']
        for entry in row['metrics'].values()
    ):
        spread = ' ± spread over seeds'
    return (
        f'difference{spread} [{100 * data["confidence"]:.0f} % interval over '
        f'{data["images"]} images, {data["resamples"]} draws]'
    )


def difference_text(data: Mapping[str, Any] | None) -> str:
    """The table of differences for a terminal; empty where there is none.

    Args:
        data (Mapping, optional): ``differences`` of a report.
    """
    if data is None:
        return ''
    lines = []
    if data['settings']:
        lines = [difference_title(data), format_rows(difference_rows(data))]
    lines += [f'no interval: {note}' for note in data['notes']]
    return '\n'.join(lines)
