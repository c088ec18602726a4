"""Instance-aware group quantization (IGQ-ViT, CVPR 2024).

    import igq_mmdet as igq
    spec = igq.QuantSpec(w_bits=4, a_bits=4, groups=12)
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, batches)
    igq.save(qmodel, 'm.safetensors')
    qmodel = igq.load(model, 'm.safetensors')
    print(igq.summary(qmodel))

Importing this package imports torch and nothing of OpenMMLab.
"""

from functools import partial
from importlib import import_module
from typing import Any

from . import old_names  # noqa: F401
from .allocation.allocation import allocate
from .calibration import calibrate, quantize
from .checkpoints import load, save
from .errors import IGQError
from .export import export
from .inspection.coverage import coverage
from .inspection.summary import summary
from .runtime import to_integer
from .spec import PartSpec, QuantSpec
from .version import __version__
from .when_imported import when_imported

__all__ = [
    'IGQError',
    'PartSpec',
    'QuantSpec',
    '__version__',
    'allocate',
    'calibrate',
    'coverage',
    'export',
    'load',
    'quantize',
    'save',
    'summary',
    'to_integer',
]

# What needs OpenMMLab: looked up on first use, so that without it
# everything else works.
_MMDET = ('IGQDetector', 'IGQHook', 'PreciseCocoMetric', 'load_detector')

# Makes mmengine know `type='igq_mmdet.X'` in configs, and our files.
for _there, _here in (
    ('mmengine', 'igq_mmdet.registry'),
    ('mmengine.runner.checkpoint', 'igq_mmdet.openmmlab'),
):
    when_imported(_there, partial(import_module, _here))


def __getattr__(name: str) -> Any:
    if name in _MMDET:
        from . import detection

        return getattr(detection, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
