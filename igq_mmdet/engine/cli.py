"""What the command lines in tools/ share."""

import os
from collections.abc import Sequence

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from ..errors import DataError, SpecError


def load_config(filename: str, options: Sequence[str] = ()) -> Config:
    """Reads an mmdet config and applies ``key=value`` options.

    Args:
        filename (str): Path of the config.
        options (Sequence[str]): As mmdet's ``--cfg-options`` takes them.

    Raises:
        DataError: The file is missing or is not a config.
        SpecError: An option is not ``key=value``.
    """
    if not os.path.isfile(filename):
        raise DataError(f'{filename}: no such config')
    try:
        config = Config.fromfile(filename)
    except Exception as error:  # a config is a program: anything can happen
        reason = (str(error).strip().splitlines() or [repr(error)])[-1]
        raise DataError(
            f'{filename}: cannot be read as a config ({reason})'
        ) from error
    values = {}
    for option in options:
        key, sign, value = option.partition('=')
        if not sign:
            raise SpecError(f'--cfg-options: {option!r} is not key=value')
        values[key] = DictAction._parse_iterable(value)
    config.merge_from_dict(values)
    init_default_scope(config.get('default_scope', 'mmdet'))
    return config
