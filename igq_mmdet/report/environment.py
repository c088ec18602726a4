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
# Those on which the last bits of float sums depend, as Linux calls them.
INSTRUCTION_SETS = (
    'sse4_1',
    'avx2',
    'fma',
    'avx512f',
    'avx512_vnni',
    'avx512_bf16',
    'amx_int8',
    'amx_bf16',
)
# They make torch, its libraries and igq_mmdet use less than there is.
LIMITS = (
    'ATEN_CPU_CAPABILITY',
    'ONEDNN_MAX_CPU_ISA',
    'MKL_ENABLE_INSTRUCTIONS',
    'IGQ_MMDET_ISA',
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
        'instruction_sets': _instruction_sets(),
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
    name = _cpuinfo('model name') or platform.processor()
    return f'{name or platform.machine()}, {os.cpu_count()} cores'


def _cpuinfo(field: str) -> str:
    """A field of the first processor, where the system tells."""
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(field):
                return line.partition(':')[2].strip()
    return ''


def _instruction_sets() -> str:
    """What the processor has, what torch uses, and what limits it."""
    has = [x for x in INSTRUCTION_SETS if x in _cpuinfo('flags').split()]
    parts = [
        ' '.join(has) or 'unknown',
        f'torch uses {torch.backends.cpu.get_cpu_capability()}',
    ]
    parts += [f'{x}={os.environ[x]}' for x in LIMITS if x in os.environ]
    return '; '.join(parts)


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
