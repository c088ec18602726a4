"""Prints versions and what is usable: ``python -m igq_mmdet``.

For bug reports. Nothing is measured, downloaded or written.
"""

import sys
from pathlib import Path

from .commands.command import run_command
from .commands.usable import usable
from .report.environment import environment


def report() -> None:
    """Prints the report."""
    found = environment()
    shown = {
        **found['versions'],
        **{k.replace('_', ' '): found[k] for k in found if k != 'versions'},
        'imported from': Path(__file__).parent,
    }
    for name, value in shown.items():
        print(f'{name:<22}{value or "-"}')
    print('usable:')
    for part, works, detail in usable():
        print(f'  {part:<22}{"yes" if works else "no":<5}{detail}'.rstrip())


if __name__ == '__main__':
    sys.exit(run_command(report))
