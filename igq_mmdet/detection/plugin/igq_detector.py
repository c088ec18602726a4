"""A detector that is quantized by its config alone."""

import os
from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor

from ... import checkpoints
from ...errors import CheckpointError, DataError, SpecError
from ...openmmlab.quantized_models import QUANTIZED
from ...registry import MODELS
from ...spec import QuantSpec
from ..calibration.agreement import check_agreement
from ..calibration.ptq import DetectorCalibration
from ..data.calib_config import calibrates_in_parallel, calibration_set
from ..models.float_checkpoint import misfit


@MODELS.register_module()
class IGQDetector(BaseModel):
    """Wraps any mmdet detector; takes float and quantized checkpoints.

    With a float checkpoint in ``load_from`` it calibrates before the first
    prediction; with a quantized one it is rebuilt from the file.

    Args:
        detector (dict): Config of an mmdet detector.
        spec (dict, optional): Fields of :class:`QuantSpec`. May be left
            out with a quantized checkpoint.
        calib (dict, optional): ``dataset``, ``num_images``, ``seed``,
            ``allow_evaluation`` and ``parallel``, see :class:`IGQHook`.
            Needed with a float checkpoint.
        init_cfg (dict, optional): See ``BaseModule``.

    Raises:
        SpecError: Neither a spec nor a quantized checkpoint, or both and
            they differ.
        CheckpointError: The checkpoint is for another model.
        DataError: Without ``allow_evaluation``, a calibration image is
            met again.
    """

    def __init__(
        self,
        detector: Mapping[str, Any],
        spec: Mapping[str, Any] | None = None,
        calib: Mapping[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.spec = None if spec is None else QuantSpec.from_dict(spec)
        self.calib = calib
        self._reserved: frozenset[str] = frozenset()
        self.detector = MMENGINE_MODELS.build(dict(detector))
        # the detector brings its own preprocessor
        self.data_preprocessor = self.detector.data_preprocessor

    @property
    def quantized(self) -> bool:
        """Whether the detector is quantized already."""
        return hasattr(self.detector, 'igq_spec')

    def quantize(self) -> None:
        """Calibrates and freezes the detector.

        With several processes all of them have to come here.

        Raises:
            SpecError: The config has no ``spec`` or no ``calib``.
        """
        if self.spec is None:
            raise SpecError(
                'IGQDetector needs a spec, or a quantized checkpoint in '
                'load_from'
            )
        images = calibration_set(self.calib)
        calibration = DetectorCalibration(
            self.detector,
            images,
            [self.spec],
            parallel=calibrates_in_parallel(self.calib),
        )
        self.detector, _ = calibration.apply(self.spec)
        check_agreement(self.detector)
        if not (self.calib or {}).get('allow_evaluation'):
            self._reserved = frozenset(images.paths)

    def test_step(self, data: Any) -> Any:
        """Quantizes if that was not done yet, then predicts."""
        if not self.quantized:
            self.quantize()
        for sample in data.get('data_samples') or ():
            path = os.path.abspath(getattr(sample, 'img_path', ''))
            if path in self._reserved:
                raise DataError(
                    f'{path}: evaluation image was calibrated on; use '
                    'another calib dataset, or set allow_evaluation=True'
                )
        return self.detector.test_step(data)

    val_step = test_step

    def forward(
        self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor'
    ) -> Any:
        """See ``BaseDetector.forward``."""
        return self.detector(inputs, data_samples, mode)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict[str, Any],
        *args: Any,
    ) -> None:
        local_metadata = dict(local_metadata)
        checkpoint = local_metadata.pop(QUANTIZED, None)
        if checkpoint is not None:
            self._restore(checkpoint)
            own = self.detector.state_dict()
            state_dict.clear()
            state_dict.update(
                {f'{prefix}detector.{key}': own[key] for key in own}
            )
        else:
            for key in list(state_dict):
                name = key.removeprefix(prefix)
                if not name.startswith('detector.'):
                    renamed = f'{prefix}detector.{name}'
                    state_dict[renamed] = state_dict.pop(key)
            problem = misfit(
                self.detector,
                {
                    key.removeprefix(f'{prefix}detector.'): value
                    for key, value in state_dict.items()
                },
            )
            if problem:
                raise CheckpointError(f'checkpoint: {problem}')
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, *args
        )

    def _restore(self, checkpoint: checkpoints.QuantCheckpoint) -> None:
        if self.spec is not None and self.spec != checkpoint.spec:
            raise SpecError(
                f'{checkpoint.path} was quantized with '
                f'{checkpoint.spec.to_json()}, the config asks for '
                f'{self.spec.to_json()}; leave its spec out'
            )
        checkpoints.restore_(self.detector, checkpoint)
