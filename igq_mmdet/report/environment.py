"""What a run was made with: versions, processor, threads, commit."""

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ..version import __version__

PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'mmengine',
    'mmcv',
    'mmdet',
    'pycocotools',
    'timm',
)


def environment() -> dict[str, Any]:
    """Versions, device, threads and commit, JSON-ready.

    A package that is not installed is null; a fork's version is followed
    by the fork's name: ``2.3.6 (onedl-mmcv)``.
    """
    return {
        'versions': {
            'igq_mmdet': __version__,
            'python': platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        'device': _device(),
        'threads': torch.get_num_threads(),
        'platform': platform.platform(),
        'commit': _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        pass
    # a fork under another name brings the package
    for distribution in _distributions().get(package, ()):
        return f'{metadata.version(distribution)} ({distribution})'
    return None


_distributions = functools.cache(metadata.packages_distributions)


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith('model name'):
                name = line.split(':', 1)[1].strip()
                break
    return f'{name}, {os.cpu_count()} cores'


def _commit() -> str | None:
    """The commit of the checkout the package lies in, if it lies in one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return None
    try:
        return subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
