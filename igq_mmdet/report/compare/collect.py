"""Reads report files of many runs and sorts them into comparable sets."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError, IGQError
from ...spec import QuantSpec
from ..by_field import KEY
from ..differences import ImageValues, unpack_hits
from ..metrics import MAIN, METRICS, bare, points
from ..report import READING, SCHEMA, run_name
from .cohort import Cohort, Run

REPORT = 'igq_report.json'
# fields of a spec that its name or its cohort says already
SAID = (
    *('type', 'version', 'w_bits', 'a_bits', 'groups', 'method'),
    *('parts', 'include', 'exclude', 'layer_groups'),
)
# float AP of one detector on the same images; above it, in percent points,
# something else was evaluated
FLOAT_TOLERANCE = 0.1


def report_files(folders: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Finds the report files of folders.

    Args:
        folders (Iterable[str | PathLike]): Work dirs, folders that hold
            some, or report files.

    Raises:
        DataError: A folder has none.
    """
    files: dict[Path, None] = {}
    for name in folders:
        path = Path(name)
        if path.is_file():
            found = [path]
        elif (path / REPORT).is_file():
            found = [path / REPORT]
        elif path.is_dir():
            found = sorted(path.rglob(REPORT))
        else:
            raise DataError(f'{path}: no such folder')
        if not found:
            raise DataError(
                f'{path}: no {REPORT} in it; tools/ptq_coco.py --work-dir '
                f'{path} writes one'
            )
        files |= dict.fromkeys(found)
    return list(files)


def collect(files: Sequence[Path]) -> list[Cohort]:
    """Reads reports; runs that must not be compared come apart.

    Args:
        files (Sequence[Path]): See :func:`report_files`.

    Returns:
        list[Cohort]: In the order in which they come up.

    Raises:
        DataError: A report is damaged; names the file and the field.
    """
    cohorts: dict[tuple[Any, ...], Cohort] = {}
    for path in files:
        data = _read(path)
        try:
            _add(cohorts, path, data)
        except IGQError as error:
            raise DataError(f'{path}: {error}') from error
        except READING as error:
            said = f'{type(error).__name__}: {error}'
            raise DataError(
                f'{path}: not a whole report ({said}); run its evaluation '
                'again'
            ) from error
    if not any(cohort.runs for cohort in cohorts.values()):
        names = ', '.join(str(path) for path in files)
        raise DataError(f'{names}: no quantized run in it')
    return list(cohorts.values())


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f'{path}: cannot be read ({error}); run its evaluation again'
        ) from error
    if not isinstance(data, Mapping) or data.get('schema') != SCHEMA:
        raise DataError(f'{path}: not a report of schema {SCHEMA}')
    return data


def _add(
    cohorts: dict[tuple[Any, ...], Cohort],
    path: Path,
    data: Mapping[str, Any],
) -> None:
    about = data.get('detector') or {}
    full: dict[str, float] = {}
    full_hits: Mapping[str, ImageValues] = {}
    full_size = None
    if data['float'] is not None:
        full = _percent(data['float']['metrics'])
        full_size = int(_number(data['float'], 'bytes'))
        full_hits = _hits(data['float'], data)
    identity = [about.get(name) for name in ('config', 'model', 'data')]
    if not about:  # an older report: float AP tells detectors apart
        identity = [sorted(full.items()), full_size]
    for entry in data['runs']:
        made_with = _made_with(data.get('environment', {}))
        run = _run(path.parent, entry, made_with, _hits(entry, data))
        parts = parts_text(run.spec)
        key = (json.dumps(identity), parts)
        if key not in cohorts:
            cohorts[key] = Cohort(
                str(about.get('config', 'detector not named in the report')),
                parts,
                about.get('images'),
                tuple(map(str, about.get('classes', ()))),
                key,
                by=_counts(about.get('by') or {}),
            )
        cohort = cohorts[key]
        cohort.runs.append(run)
        if full and not cohort.full:
            cohort.full, cohort.full_size = full, full_size
            cohort.full_hits = full_hits
        _same_float(cohort, full, path)


def _counts(by: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        str(field): {
            str(value): int(_number(counts, value)) for value in counts
        }
        for field, counts in by.items()
    }


def _same_float(cohort: Cohort, full: dict[str, float], path: Path) -> None:
    for key in full:  # in the order of the report: warnings have one too
        first = cohort.full.get(key, full[key])
        if abs(full[key] - first) <= FLOAT_TOLERANCE:
            continue
        label = METRICS.get(key, key)
        line = (
            f'float {label} is {first:.2f} in the first report '
            f'and {full[key]:.2f} in {path.parent}: other weights?'
        )
        if line not in cohort.warnings:
            cohort.warnings.append(line)


def _hits(
    entry: Mapping[str, Any], data: Mapping[str, Any]
) -> Mapping[str, ImageValues]:
    if not entry.get('hits'):
        return {}
    return unpack_hits(entry['hits'], data['images'])


def _run(
    folder: Path,
    entry: Mapping[str, Any],
    made_with: str,
    hits: Mapping[str, ImageValues],
) -> Run:
    spec = QuantSpec.from_dict(entry['spec'])
    name = str(entry.get('name', run_name(spec)))
    calibration = entry['calibration']
    images = tuple(map(str, calibration.get('image_ids', ())))
    where = {
        str(k): str(v) for k, v in (calibration.get('where') or {}).items()
    }
    layers = {str(k): dict(v) for k, v in entry.get('layers', {}).items()}
    for layer in layers.values():
        for field_name in ('order', 'groups'):
            if layer[field_name] is not None:
                _number(layer, field_name)
    layers = dict(sorted(layers.items(), key=lambda kv: kv[1]['order']))
    sqnr = {
        str(layer): {
            str(k): _number(row, k) for k in row if row[k] is not None
        }
        for layer, row in (entry.get('sqnr') or {}).items()
    }
    return Run(
        folder,
        name,
        _setting(name, spec, entry, len(images), where),
        spec,
        _percent(entry['metrics']),
        int(_number(entry, 'bytes')),
        sum(_number(part, 'bops') for part in entry['parts'].values()),
        float(calibration.get('seconds', 0.0)),
        _number(entry, 'eval_seconds'),
        images,
        int(calibration.get('seed') or 0),
        layers,
        sqnr,
        made_with,
        where,
        hits,
    )


def _made_with(environment: Mapping[str, Any]) -> str:
    versions = environment.get('versions', {})
    said = [
        f'{name} {versions[name]}'
        for name in ('igq_mmdet', 'torch', 'mmcv', 'mmdet')
        if versions.get(name)
    ]
    said += [
        f'{word}{environment[name]}'
        for name, word in (('commit', 'commit '), ('device', ''))
        if environment.get(name)
    ]
    return ', '.join(said)


def _setting(
    name: str,
    spec: QuantSpec,
    entry: Mapping[str, Any],
    images: int,
    where: Mapping[str, str],
) -> str:
    own, default = spec.to_dict(), QuantSpec().to_dict()
    said = [name]
    if entry.get('runtime') == 'integer':
        said.append('on integers')
    if images > 1:
        said.append(f'{images} calibration images')
    said += [f'calibrated on {key} {where[key]}' for key in where]
    said += [
        f'{key}={own[key]}'
        for key in own
        if key not in SAID and own[key] != default.get(key)
    ]
    return ', '.join(said)


def parts_text(spec: QuantSpec) -> str:
    """What a setting covers: parts, and patterns if it has any."""
    own = spec.to_dict()
    parts = own['parts']
    said = parts if isinstance(parts, str) else json.dumps(parts)
    for key in ('include', 'exclude'):
        if own[key]:
            said += f', {key} {" ".join(own[key])}'
    return said


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{key} is {value!r}, no number')
    if not math.isfinite(value):
        raise ValueError(f'{key} is {value!r}')
    return float(value)


def _percent(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Main metrics in percent: mAP comes as a share, top-1 does not.

    Those by a field of the images are among them.
    """
    found = {}
    for key in metrics:
        if key in ('top1', 'top5'):
            found[key] = _number(metrics, key)
        elif KEY.fullmatch(key):
            found[key] = 100 * _number(metrics, key)
        elif bare(key) in MAIN or key.endswith('mAP'):
            value = _number(metrics, key)
            if value != -1:  # undefined, in reports of earlier versions
                found[key] = points(key) * value
    return found
