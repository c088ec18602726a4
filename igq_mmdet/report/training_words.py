"""How weights that do not ship were made, from the log of their training."""

import json
from pathlib import Path

from ..errors import DataError

WORDS = """\
Its weights do not ship. They were trained for {steps:,} steps, {minutes:.0f}
minutes of one thread on a machine that did other work as well; the loss fell
from {first:.2f} to {last:.2f}. To make them and this page again:

    mim=$(python -c 'import mmdet; print(mmdet.__path__[0])')/.mim
    OMP_NUM_THREADS=1 python $mim/tools/train.py \\
        configs/demo/{name}_train.py \\
        --work-dir work_dirs/{name}
    python tools/ablate.py configs/demo/{name}.py \\
        work_dirs/{name}/iter_{steps}.pth --tables {tables} \\
        --seeds {seeds} --work-dir work_dirs/ablate
    python tools/make_results.py work_dirs/ablate/ablation.json \\
        --training work_dirs/{name} --page {page}"""


def training_words(
    folder: Path, name: str, tables: list[str], seeds: int, page: str
) -> str:
    """The paragraph, with steps, minutes and losses of the log.

    Args:
        folder (Path): The work dir of mmengine's ``Runner``; a training
            that was resumed has left several logs in it.
        name (str): Of the detector's config in ``configs/demo``.
        tables (list[str]): Of the ablation.
        seeds (int): Of the ablation.
        page (str): The file this goes to.

    Raises:
        DataError: There is no such log.
    """
    entries: dict[int, dict[str, float]] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'loss' in entry:
                entries[entry['step']] = entry
    if not entries:
        raise DataError(f'{folder}: no */vis_data/scalars.json with losses')
    steps = sorted(entries)
    seconds = sum(
        entries[step]['time'] * (step - before)
        for before, step in zip([0, *steps], steps, strict=False)
    )
    return WORDS.format(
        steps=steps[-1],
        minutes=seconds / 60,
        first=entries[steps[0]]['loss'],
        last=entries[steps[-1]]['loss'],
        name=name,
        tables=' '.join(tables),
        seeds=seeds,
        page=page,
    )
