"""Which sources a compiled library was made of; needs nothing but Python.

setup.py runs this file before the package can be imported.
"""

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """A hash of the C++ sources in a folder.

    Args:
        folder (Path): ``csrc``.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob('*')):
        if path.suffix in ('.h', '.cpp'):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
