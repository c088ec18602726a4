"""A detector's heads against the classes of the set that it is judged on.

mmdet looks at them when it trains and validates, not when it tests.
"""

from typing import Any

from torch import nn

from ...errors import DataError

HEADS = {'bbox_head', 'mask_head'}


def check_classes(detector: nn.Module, dataset: Any) -> None:
    """Refuses a detector of another number of classes.

    Args:
        detector (nn.Module): An mmdet detector.
        dataset: An mmdet dataset; without ``classes`` nothing is said.

    Raises:
        DataError: Names the head, both numbers and what to fix.
    """
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if classes is None or hasattr(detector, 'panoptic_fusion_head'):
        return  # such a head joins the classes of several
    for name, module in detector.named_modules():
        found = getattr(module, 'num_classes', None)
        if not isinstance(found, int) or not HEADS & set(name.split('.')):
            continue
        if found != len(classes):
            some = ', '.join(map(str, classes[:3]))
            raise DataError(
                f'{name} has {found} classes and the evaluation set '
                f'{len(classes)} ({some}{", ..." * (len(classes) > 3)}); fix '
                'num_classes, or metainfo of the dataset'
            )
