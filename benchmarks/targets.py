"""What the project set itself, and what a run says about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .forms import FLOAT, METHODS, RUNTIMES, form_name
from .rivals import OPENVINO_8BIT

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A bound on one figure.

    Args:
        text (str): What is measured.
        value (Callable): The figure of a run and a method; KeyError where
            the run did not measure it.
        limit (float): The bound.
        at_least (bool): Whether larger is better.
    """

    text: str
    value: Callable[[Data, str], float]
    limit: float
    at_least: bool

    def judge(self, data: Data, method: str) -> tuple[str, str]:
        """The figure and the verdict, as text.

        Args:
            data (Mapping): What a run measured.
            method (str): Of ``forms.METHODS``.
        """
        try:
            found = self.value(data, method)
        except KeyError:
            return '-', 'not measured'
        off = 1 - found / self.limit
        if not self.at_least:
            off = -off
        verdict = 'met' if off <= 0 else f'missed by {100 * off:.1f} %'
        return f'{found:.2f}', verdict


def _integer(rows: Mapping[str, Any], method: str) -> float:
    found: float = rows[form_name(method, RUNTIMES[1])]['times_faster']
    return found


def _simulated(rows: Mapping[str, Any], method: str) -> float:
    return 1 / float(rows[form_name(method, RUNTIMES[0])]['times_faster'])


def _level(data: Data, method: str) -> float:
    rows = data['backbone']
    rival: float = rows[OPENVINO_8BIT]['times_faster']
    return _integer(rows, method) / rival


def _peak(data: Data, method: str) -> float:
    rows = data['memory']
    own: int = rows[form_name(method, RUNTIMES[0])]['peak']
    return own / int(rows[FLOAT]['peak'])


def _growth(data: Data, method: str) -> float:
    rows = data['calibration_memory'][method]
    few, many = sorted(rows, key=int)
    return int(rows[many]['peak']) / int(rows[few]['peak'])


TARGETS = (
    Target(
        'integer, fully connected layers of the backbone: times faster '
        'than float',
        lambda data, method: _integer(
            data['profile']['backbone_kinds']['fully connected'], method
        ),
        2.5,
        True,
    ),
    Target(
        'integer, backbone: times faster than float',
        lambda data, method: _integer(data['backbone'], method),
        2.0,
        True,
    ),
    Target(
        'integer, whole detector: times faster than float',
        lambda data, method: _integer(data['whole'], method),
        1.5,
        True,
    ),
    Target(
        'integer, backbone: times faster than OpenVINO 8-bit (a stretch)',
        _level,
        1.0,
        True,
    ),
    Target(
        "simulation, backbone: float's time times",
        lambda data, method: _simulated(data['backbone'], method),
        1.25,
        False,
    ),
    Target(
        "simulation, whole detector: float's time times",
        lambda data, method: _simulated(data['whole'], method),
        1.15,
        False,
    ),
    Target("simulation, peak memory: float's times", _peak, 1.15, False),
    Target(
        'calibration on one image: float passes',
        lambda data, method: data['calibration'][method]['float_forwards'],
        3.0,
        False,
    ),
    Target(
        "calibration, peak memory of several images: one image's times",
        _growth,
        1.05,
        False,
    ),
)


def verdicts(data: Data) -> list[tuple[str, ...]]:
    """One row a target: text, bound, and figure and verdict by method.

    Args:
        data (Mapping): What a run measured.
    """
    rows = []
    for target in TARGETS:
        bound = 'at least' if target.at_least else 'at most'
        row = [target.text, f'{bound} {target.limit:g}']
        for method in METHODS:
            row += target.judge(data, method)
        rows.append(tuple(row))
    return rows
