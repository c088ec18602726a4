"""Names of classes that stand for other labels than they should."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import CheckpointError


def check_class_order(
    filename: str, trained: Sequence[str], evaluated: Sequence[str]
) -> None:
    """Refuses a checkpoint whose labels mean other classes.

    Lists that share no name, such as translations, do not contradict each
    other.

    Args:
        filename (str): The checkpoint.
        trained (Sequence[str]): Its classes by label; may be empty.
        evaluated (Sequence[str]): Those of what it is evaluated on.

    Raises:
        CheckpointError: A class is another label; names it.
    """
    labels = {name: label for label, name in enumerate(evaluated)}
    for label, name in enumerate(trained):
        if labels.get(name, label) != label:
            raise CheckpointError(
                f'{filename}: was trained with {name!r} as label {label}, '
                f'which is label {labels[name]} of what is evaluated; give '
                'the dataset metainfo=dict(classes=...) in the order of '
                'training'
            )


def recorded_classes(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that a checkpoint was trained for, if it says so.

    Args:
        checkpoint (Mapping): As mmengine saves it; mmdet 2.x had names of
            its own.
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    data = meta.get('dataset_meta')
    for holder in (data if isinstance(data, Mapping) else {}, meta):
        for key in ('classes', 'CLASSES'):
            found = holder.get(key)
            if isinstance(found, list | tuple) and found:
                return tuple(map(str, found))
    return ()
