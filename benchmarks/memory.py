"""Peak memory of one form of the detector, in a process of its own."""

import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from .variants import image, one_variant


def _status(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(field + ':'):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def measure(name: str, checkpoint: str, height: int, width: int) -> None:
    """Prints the memory of this process as JSON.

    Args:
        name (str): Form of the detector.
        checkpoint (str): Of its quantized forms.
        height (int): Of the image, in pixels.
        width (int): Of the image, in pixels.
    """
    model, batch = one_variant(name, checkpoint), image(height, width)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _status('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    with torch.no_grad():
        model.test_step(batch)
    peak = _status('VmHWM')
    print(json.dumps({'before': before, 'peak': peak}))


def peak_memory(
    name: str, checkpoint: str, height: int, width: int, threads: int
) -> dict[str, Any]:
    """Bytes before and at the peak of one ``test_step``.

    Args:
        name (str): Form of the detector.
        checkpoint (str): Of its quantized forms.
        height (int): Of the image, in pixels.
        width (int): Of the image, in pixels.
        threads (int): Of torch.
    """
    arguments = ['--memory-of', name, checkpoint]
    arguments += ['--size', str(height), str(width)]
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks', *arguments]
        + ['--threads', str(threads)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
