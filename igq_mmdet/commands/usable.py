"""What of the optional parts works here, and why the rest does not."""

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

# The modules that mmengine's visualizer backends import.
BACKENDS = {
    'LocalVisBackend': 'cv2',
    'TensorboardVisBackend': 'tensorboard',
    'MLflowVisBackend': 'mlflow',
    'WandbVisBackend': 'wandb',
}


class Usable(NamedTuple):
    """One line of the report.

    Args:
        name (str): What it is.
        works (bool): Whether it can be used here.
        detail (str): With what, or what to install.
    """

    name: str
    works: bool
    detail: str


def usable() -> list[Usable]:
    """Tries every optional part; backends are only looked for."""
    found = [
        Usable('detectors', *_try(_detectors)),
        Usable('classifiers', *_try(_classifiers)),
        Usable('compiled kernels', *_try(_kernels)),
        Usable('configs and demo', *_try(_files)),
    ]
    for name, module in BACKENDS.items():
        try:
            there = find_spec(module) is not None
        except ImportError:
            there = False
        missing = '' if there else f'{module.split(".")[-1]} is not installed'
        found.append(Usable(name, there, missing))
    return found


def _try(part: Callable[[], object]) -> tuple[bool, str]:
    """Whether a part works, and what it says of itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return True, str(part())
    except Exception as error:  # an import may fail in any way
        return False, ' '.join(str(error).split()) or repr(error)


def _detectors() -> str:
    from .. import detection  # noqa: F401

    return 'mmengine, mmdet and the operators of mmcv load'


def _classifiers() -> str:
    import_module('timm')
    import_module('torchvision')
    return 'timm and torchvision load'


def _kernels() -> str:
    from ..kernels.library import SETS, library

    with warnings.catch_warnings():
        warnings.simplefilter('error')  # it warns of why there are none
        loaded = library.__wrapped__()
    assert loaded is not None  # it would have warned
    return SETS[loaded.level]


def _files() -> str:
    folder = Path(__file__).resolve().parents[1] / '.mim'
    if not (folder / 'model-index.yml').is_file():
        raise FileNotFoundError(f'{folder} is missing or incomplete')
    return str(folder)
