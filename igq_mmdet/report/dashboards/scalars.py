"""What a run is in a dashboard: named numbers and hyper-parameters."""

from collections.abc import Mapping
from typing import Any

FLOAT, QUANTIZED, DELTA = 'float/', 'quantized/', 'delta/'
COST, SECONDS, SQNR = 'cost/', 'seconds/', 'sqnr/'


def scalars(
    run: Mapping[str, Any], full: Mapping[str, Any] | None
) -> dict[str, float]:
    """Names and values, the same for every run so that curves overlay.

    Args:
        run (Mapping): An entry of ``runs`` in a report.
        full (Mapping, optional): Its entry ``float``. Without it there is
            nothing under ``float/`` and ``delta/``.

    Returns:
        dict[str, float]: ``float/METRIC``, ``quantized/METRIC``,
        ``delta/METRIC`` (quantized less float), ``cost/bytes``,
        ``cost/float_bytes``, ``cost/gbops``, ``seconds/calibration``,
        ``seconds/evaluation``, ``seconds/float_evaluation`` and
        ``sqnr/KIND/LAYER`` in dB. Integers are made float: mmengine writes
        some of them as null.
    """
    found: dict[str, Any] = {}
    metrics = run['metrics']
    for name, value in metrics.items():
        found[QUANTIZED + name] = value
    if full is not None:
        for name, value in full['metrics'].items():
            found[FLOAT + name] = value
            if name in metrics:
                found[DELTA + name] = metrics[name] - value
        found[COST + 'float_bytes'] = full['bytes']
        found[SECONDS + 'float_evaluation'] = full['eval_seconds']
    found[COST + 'bytes'] = run['bytes']
    bops = sum(part['bops'] for part in run['parts'].values())
    found[COST + 'gbops'] = bops / 1e9
    if 'seconds' in run['calibration']:
        found[SECONDS + 'calibration'] = run['calibration']['seconds']
    found[SECONDS + 'evaluation'] = run['eval_seconds']
    for layer, kinds in (run.get('sqnr') or {}).items():
        for kind, decibels in kinds.items():
            # kind first: no name may also be a folder of others
            found[f'{SQNR}{kind}/{layer}'] = decibels
    return {name: float(value) for name, value in found.items()}


def hyper_parameters(run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a run was made with.

    Args:
        run (Mapping): An entry of ``runs`` in a report.

    Returns:
        dict[str, dict]: ``spec``, where allocated groups are only a yes or
        no, and ``calibration`` (images and seed); nothing that another
        evaluation of the same setting would change.
    """
    spec = dict(run['spec'])
    spec['allocated'] = bool(spec.pop('layer_groups', None))
    calibration = run['calibration']
    return {
        'spec': spec,
        'calibration': {
            name: calibration[name]
            for name in ('image_ids', 'num_images', 'seed', 'where')
            if name in calibration
        },
    }


def flat(parameters: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested parameters by dotted names.

    Args:
        parameters (Mapping): Of mappings and plain values.
        prefix (str): What names begin with.
    """
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f'{prefix}{name}.'))
        else:
            found[prefix + name] = value
    return found
