"""Child registries, so that configs can say ``type='igq_mmdet.X'``."""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

LOCATIONS = ['igq_mmdet.engine']

MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='igq_mmdet', locations=LOCATIONS
)
HOOKS = Registry(
    'hook', parent=MMENGINE_HOOKS, scope='igq_mmdet', locations=LOCATIONS
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope='igq_mmdet', locations=LOCATIONS
)
