"""The commands and code of the pages that users read."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Commands of one page may use files that those before it made.
PAGES = ('README.md', 'demo/README.md', 'CONTRIBUTING.md') + tuple(
    sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('docs/*.md'))
)
STARTS = (
    '.venv/bin/python',
    'apt-get',
    'bash',
    'git',
    'make',
    'mim',
    'mpirun',
    'pip',
    'python',
    'sbatch',
    'srun',
    'tools/',
    'torchrun',
    './tools/',
)


def code_lines(text: str) -> Iterator[str]:
    """Lines of shell blocks: fenced as sh, or indented by four."""
    fence = None
    for line in text.splitlines():
        if line.startswith('```'):
            fence = None if fence is not None else line[3:].strip()
        elif fence in ('sh', 'bash', 'shell', 'console'):
            yield line.strip()
        elif fence is None and line.startswith('    '):
            yield line.strip()
        else:
            yield ''


def commands(page: str) -> list[str]:
    """The commands of a page, each on one line without its comment."""
    found: list[str] = []
    open_line = False
    for line in code_lines((ROOT / page).read_text()):
        if open_line:
            found[-1] += ' ' + line
        elif line.startswith(STARTS):
            found.append(line)
        else:
            continue
        open_line = line.endswith('\\')
        found[-1] = found[-1].removesuffix('\\').strip()
    return [' '.join(shlex.split(line, comments=True)) for line in found]


def python_blocks(page: str) -> list[str]:
    """The Python blocks of a page, in order."""
    text = (ROOT / page).read_text()
    return re.findall(r'^```python\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
