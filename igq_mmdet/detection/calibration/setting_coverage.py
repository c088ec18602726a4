"""Which share of a detector's products a setting quantizes."""

from typing import Any

from torch import nn

from ...inspection.coverage import traced_coverage
from .calibration_forward import calibration_forward


class SettingCoverage:
    """Coverage on the first image of a loop; every kind is traced once.

    Args:
        loop (TestLoop): Of the evaluation.
    """

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self._known: dict[Any, dict[str, Any]] = {}

    def of(self, qmodel: nn.Module) -> dict[str, Any]:
        """Coverage of a setting, JSON-ready; bits do not change it.

        Args:
            qmodel (nn.Module): Quantized detector.
        """
        spec: Any = qmodel.igq_spec
        key = (spec.part_names(), spec.include, spec.exclude, spec.method)
        if key not in self._known:
            loader = self.loop.dataloader
            batch = loader.collate_fn([loader.dataset[0]])
            found = traced_coverage(qmodel, [batch], calibration_forward)
            self._known[key] = found.to_dict()
        return self._known[key]
