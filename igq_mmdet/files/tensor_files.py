"""Tensors of a long job, a file each, kept so that it can go on."""

import logging
import os
import re
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .atomic import replacing


class TensorFiles:
    """A folder of safetensors files by name.

    Args:
        folder (str | PathLike): Named after everything the tensors depend
            on; it is made when something is put there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def get(self, name: str) -> dict[str, Tensor] | None:
        """What was put there under a name; None where it is damaged.

        Args:
            name (str): See :meth:`put`.
        """
        path = self._path(name)
        if not path.is_file():
            return None
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            logging.getLogger('igq_mmdet').warning(
                f'{path}: damaged ({error}); made again'
            )
            return None

    def put(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keeps tensors; they are all there or none.

        Args:
            name (str): Such as that of a layer.
            tensors (dict[str, Tensor]): By name.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {key: value.contiguous() for key, value in tensors.items()}
        with replacing(self._path(name)) as temporary:
            save_file(whole, temporary)

    def clear(self) -> None:
        """Removes them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / f'{re.sub("[^A-Za-z0-9_.-]", "-", name)}.st'
