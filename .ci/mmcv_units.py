"""Makes mmcv's C++ sources a few files, and checks what came of them.

Each of its 77 files parses torch's headers, which takes ten times as long
as all the rest. Here those of a folder are included into one file; mmcv's
own setup.py, which compiles every .cpp it finds, then builds the same
operators.

    python .ci/mmcv_units.py merge SOURCES    # unpacked sources, in place
    python .ci/mmcv_units.py check SOURCES    # is mmcv._ext whole?
"""

import re
import sys
from pathlib import Path

CSRC = Path('mmcv/ops/csrc/pytorch')
# They define names of other files of their folder anew.
ALONE = {
    '.': set(),
    'cpu': {
        'bezier_align.cpp',
        'roi_align_rotated.cpp',
        'rotated_feature_align.cpp',
    },
}
# It defines macros min and max.
LAST = 'psamask.cpp'
# Sorts before 'cpu': the largest file is compiled first, and so beside all
# of the others.
MERGED = 'all.cpp'


def merge(sources: Path) -> None:
    """Moves the files of a folder into ``each/`` below it, and includes them.

    Args:
        sources (Path): The unpacked source distribution.
    """
    for name, alone in ALONE.items():
        folder = sources / CSRC / name
        found = {path.name for path in folder.glob('*.cpp')}
        if not alone | {LAST, 'nms.cpp'} <= found or MERGED in found:
            sys.exit(f'{folder}: not the files of the mmcv this was made for')
        each = folder / 'each'
        each.mkdir()
        merged = sorted(found - alone - {LAST}) + [LAST]
        for one in merged:
            (folder / one).rename(each / one)
        (folder / MERGED).write_text(
            ''.join(f'#include "each/{one}"\n' for one in merged)
        )


def check(sources: Path) -> None:
    """Ends with a message if a function that mmcv binds is not there.

    Args:
        sources (Path): What :func:`merge` left.
    """
    import torch  # noqa: F401  its libraries, which mmcv._ext needs
    from mmcv import _ext

    text = (sources / CSRC / 'each/pybind.cpp').read_text()
    bound = set(re.findall(r'\bm\.def\(\s*"(\w+)"', text))
    missing = sorted(bound - set(dir(_ext)))
    if not bound or missing:
        sys.exit(f'of {len(bound)} functions mmcv._ext lacks {missing}')
    print(f'{len(bound)} functions')


if __name__ == '__main__':
    {'merge': merge, 'check': check}[sys.argv[1]](Path(sys.argv[2]))
