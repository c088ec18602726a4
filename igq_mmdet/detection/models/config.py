"""What the command lines in tools/ share."""

import os
from collections.abc import Sequence

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from ...errors import DataError, SpecError


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
    for option in options:
        key, sign, value = option.partition('=')
        if not sign:
            raise SpecError(f'--cfg-options: {option!r} is not key=value')
        try:
            config.merge_from_dict({key: DictAction._parse_iterable(value)})
        except Exception as error:  # mmengine asserts on what does not fit
            raise SpecError(
                f'--cfg-options: {option!r} does not fit the config ({error})'
            ) from error
    init_default_scope(config.get('default_scope', 'mmdet'))
    return config


def float_weights(
    config: Config, checkpoint: str | None = None, needed: bool = True
) -> str:
    """Where the float weights of a config are.

    Args:
        config (Config): Its ``load_from`` names them.
        checkpoint (str, optional): Those asked for instead.
        needed (bool): Whether there must be some. Defaults to True.

    Returns:
        str: Empty where nothing says so and none are needed.

    Raises:
        SpecError: Nothing says so, or ``load_from`` is no path.
    """
    found = checkpoint or (needed and config.get('load_from')) or ''
    if not found and needed:
        raise SpecError(
            'the config has no load_from to find its float weights by; give '
            'a CHECKPOINT'
        )
    if not isinstance(found, str):
        raise SpecError(f'load_from must be a path, got {found!r}')
    return found


def check_writable(filename: str) -> None:
    """Finds out before hours of work whether a file can be written.

    Args:
        filename (str): A file to be made.

    Raises:
        DataError: Its folder is missing or read-only, or it is a folder.
    """
    folder = os.path.dirname(os.path.abspath(filename))
    if not os.path.isdir(folder):
        raise DataError(f'{folder}: no such folder; make it first')
    if os.path.isdir(filename):
        raise DataError(f'{filename}: is a folder; name a file in it')
    if not os.access(folder, os.W_OK):
        raise DataError(f'{folder}: cannot be written to')
