"""What mmengine's own loading and configs know once we are imported.

So mmdet's ``init_detector``, ``DetInferencer`` and tools take safetensors
files, float or quantized, like any other. Imported by ``igq_mmdet`` when
mmengine is; knows nothing of mmdet.

Imports: checkpoints, errors.
"""

from . import (
    quantized_models,  # noqa: F401
    safe_globals,  # noqa: F401
    safetensors_files,  # noqa: F401
    wrapped_config,  # noqa: F401
)
