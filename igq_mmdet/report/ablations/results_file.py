"""Results of an ablation as a file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...files.atomic import replacing
from ..report import READING
from .claims import judged
from .tables import lines

SCHEMA = 'igq_mmdet.ablation/1'


def a_run_a_line(data: Mapping[str, Any]) -> str:
    """JSON in which two versions differ by whole runs.

    Args:
        data (Mapping): From ``Ablation.run``.
    """
    runs = ',\n'.join(
        f'  {json.dumps(name)}: {json.dumps(run, sort_keys=True)}'
        for name, run in data['runs'].items()
    )
    rest = json.dumps({**data, 'runs': {}}, indent=1)
    head, found, tail = rest.rpartition('"runs": {}')
    assert found
    return f'{head}"runs": {{\n{runs}\n }}{tail}\n'


def write_results(
    data: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Writes a file that appears whole or not at all.

    Args:
        data (Mapping): From ``Ablation.run``.
        path (str | PathLike): Target; its folder is made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(a_run_a_line(data))


def read_results(
    path: str | os.PathLike[str], detector: str | None = None
) -> dict[str, Any]:
    """What :func:`write_results` wrote.

    Args:
        path (str | PathLike): The file.
        detector (str, optional): Whose results they have to be.

    Raises:
        DataError: It cannot be read, is something else, or of another
            detector; names the file.
    """
    try:
        data = json.loads(Path(path).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f'{path}: cannot be read ({error})') from error
    if not isinstance(data, dict) or data.get('schema') != SCHEMA:
        raise DataError(f'{path}: not written by tools/ablate.py')
    try:
        found = str(data['detector'])
        for table in data['tables']:
            lines(data, table)
        if all('bits' in table for table in data['tables'].values()):
            judged(data)
    except READING as error:
        raise DataError(
            f'{path}: damaged ({type(error).__name__}: {error}); take it from '
            'the repository again, or delete it and run what wrote it'
        ) from error
    if detector is not None and found != detector:
        raise DataError(
            f'{path}: results of {found}, not of {detector}; give each '
            'detector a file of its own'
        )
    return data
