"""What it costs to keep the predictions of an evaluation.

    python -m benchmarks.predictions

evaluates images of the demo with and without, in turns. Seconds are those of
this process alone.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
CHECKPOINT = 'demo/swin_mini_mask_rcnn.safetensors'


def main() -> None:
    """Measures and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()

    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.studies.experiment import Experiment

    from .timing import CLOCKS, alternate

    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(CONFIG)
        experiment = Experiment(config, folder, quiet=True)
        images = len(experiment.evaluation)
        experiment.load_float(CHECKPOINT)
        model = experiment.detector

        def begin() -> None:
            experiment.keep()  # a new run, which replaces the last one
            assert experiment.kept is not None
            runner = experiment.runner
            begun = experiment.kept.evaluation(runner, model, 'float', 0)
            assert begun is not None
            begun.close()

        def keep() -> None:
            experiment.keep()
            experiment.evaluate(model, 'float', {})

        steps = {
            'begin': begin,
            'without': lambda: experiment.evaluate(model, 'float'),
            'with': keep,
        }
        seconds = alternate(steps, args.rounds, CLOCKS['cpu'])
        path = Path(folder) / 'predictions/float.jsonl'
        size = path.stat().st_size
    once, without, kept = (
        1e3 * median(seconds[name]) for name in ('begin', 'without', 'with')
    )
    extra = (kept - once - without) / images
    print(
        f'{images} images: {without / images:.1f} ms an image; '
        f'keeping predictions adds {once:.0f} ms once and an image '
        f'{extra:.2f} ms ({100 * extra * images / without:.1f} %), '
        f'{size / images / 1e3:.1f} kB'
    )


if __name__ == '__main__':
    main()
