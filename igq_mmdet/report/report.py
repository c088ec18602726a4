"""The report file: what was measured, on what, with which settings."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..checkpoints import stored_bytes
from ..errors import DataError
from ..files.atomic import replacing
from ..inspection.summary import layer_settings, summary
from ..methods import METHODS
from .environment import environment
from .metrics import defined, extended

SCHEMA = 'igq_mmdet.report/1'
# What reading a field of damaged JSON can raise.
READING = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(OverflowError, RecursionError),
)


class Report:
    """Collects runs of one detector; JSON-ready at any time.

    Args:
        detector (Mapping, optional): Which one and on which images, see
            :func:`igq_mmdet.detection.evaluation.subject.subject`.

    Attributes:
        data (dict): ``schema``, ``detector``, ``float`` (metrics, size and
            seconds, or null), ``runs`` and ``environment``.
    """

    def __init__(self, detector: Mapping[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = {
            'schema': SCHEMA,
            'detector': None if detector is None else dict(detector),
            'float': None,
            'runs': [],
            'environment': environment(),
        }

    def set_float(
        self, metrics: Mapping[str, Any], size: int, seconds: float
    ) -> None:
        """Records the float model.

        Args:
            metrics (Mapping[str, float]): As the evaluators gave them.
            size (int): Bytes of its float32 state.
            seconds (float): Time of the evaluation.
        """
        numbers, undefined = defined(metrics)
        self.data['float'] = {
            'metrics': numbers,
            'undefined': undefined,
            'bytes': size,
            'eval_seconds': seconds,
        }

    def add_run(
        self,
        model: nn.Module,
        metrics: Mapping[str, Any],
        calibration: Mapping[str, Any],
        eval_seconds: float,
    ) -> dict[str, Any]:
        """Records a quantized model.

        Args:
            model (nn.Module): Quantized and frozen.
            metrics (Mapping[str, float]): As the evaluators gave them.
            calibration (Mapping): See ``CalibrationRecord.to_dict``; its
                ``sqnr`` becomes a field of the run.
            eval_seconds (float): Time of the evaluation.

        Returns:
            dict: The entry added.
        """
        spec: Any = model.igq_spec
        numbers, undefined = defined(metrics)
        run = {
            'name': run_name(spec),
            'spec': spec.to_dict(),
            'metrics': numbers,
            'undefined': undefined,
            'bytes': stored_bytes(model),
            'parts': {
                name: {
                    'layers': part.layers,
                    'w_bits': list(part.w_bits),
                    'a_bits': list(part.a_bits),
                    'groups': list(part.groups),
                    'macs': part.cost.macs,
                    'bops': part.cost.bops,
                    'bytes': part.cost.weight_bytes,
                    'float_bytes': part.cost.float_bytes,
                }
                for name, part in summary(model).items()
            },
            'layers': layer_settings(model),
            'calibration': dict(calibration),
            'eval_seconds': eval_seconds,
        }
        # measured and stored with calibration, but a result
        run['sqnr'] = run['calibration'].pop('sqnr', None)
        self.data['runs'].append(run)
        return run


def float_entry(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a report file says of the float model.

    Args:
        path (str | PathLike): A report file.

    Raises:
        DataError: It cannot be read, is no report, or has no float AP.
    """
    if not os.path.isfile(path):
        raise DataError(f'{path}: no such file')
    try:
        entry = json.loads(Path(path).read_text())['float']
        found = {
            'metrics': defined(entry['metrics'])[0],
            'undefined': list(map(str, entry.get('undefined', ()))),
            'bytes': int(entry['bytes']),
            'eval_seconds': float(entry['eval_seconds']),
        }
    except OSError as error:
        raise DataError(f'{path}: {error.strerror or error}') from error
    except READING as error:
        raise DataError(
            f'{path}: no report with a float model; make one with '
            'tools/ptq_coco.py, without --skip-float'
        ) from error
    return found


def run_name(spec: Any) -> str:
    """A short name of a setting, such as ``igq:8 W4A4``.

    ``+alloc`` marks groups that were allocated layer by layer; see
    :func:`extended` for what else stands there.

    Args:
        spec (QuantSpec): The setting.
    """
    method = f'{spec.method}:{spec.groups}'
    if not METHODS[spec.method].grouped:
        method = spec.method
    method = extended(method, vars(spec))
    if spec.layer_groups:
        method += '+alloc'
    return f'{method} W{spec.w_bits}A{spec.a_bits}'


def write_report(report: Report, path: str | os.PathLike[str]) -> None:
    """Writes the report; the file appears whole or not at all.

    Args:
        report (Report): What to write.
        path (str | PathLike): Target; its folder is made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.data, indent=2, sort_keys=True)
    with replacing(target) as temporary:
        temporary.write_text(text + '\n')
