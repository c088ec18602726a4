"""Allocation of groups against the naive way, on the demo.

    python -m benchmarks.allocation --json FILE

The naive way runs the detector once for every layer and candidate. Times
are those of this process (CPU), so that a busy machine does not matter; the
passes that seconds are divided by are timed in between.
"""

import argparse
import json
import os
import random
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
FLOAT = 'demo/swin_mini_mask_rcnn.safetensors'


class OwnPooling:
    """RoIAlign as the detector does it, nothing worked out before."""

    def pooling(self, extractors: Any) -> AbstractContextManager[None]:
        """Changes nothing."""
        return nullcontext()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='benchmarks.allocation', description=__doc__
    )
    parser.add_argument('--groups', type=int, default=8)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--share',
        type=float,
        default=1.0,
        help='of the pairs of layer and candidate, drawn with seed 0, that '
        'the naive way measures; its seconds are extrapolated. Default 1',
    )
    parser.add_argument('--json', help='write the figures here')
    return parser.parse_args()


def measure(args: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Both ways on one calibration image, as JSON-ready figures.

    Args:
        args (argparse.Namespace): From :func:`parse_args`.
        folder (str): For logs.
    """
    import torch

    import igq_mmdet as igq
    from igq_mmdet.allocation.candidates import trying
    from igq_mmdet.allocation.divergence import divergence
    from igq_mmdet.allocation.perturbation import CANDIDATES, Perturbation
    from igq_mmdet.detection.calibration.allocate import allocate_detector
    from igq_mmdet.detection.calibration.predictions import RoIPredictions
    from igq_mmdet.detection.calibration.ptq import DetectorCalibration
    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.report.environment import environment
    from igq_mmdet.studies.experiment import Experiment

    torch.set_num_threads(args.threads)
    experiment = Experiment(load_config(CONFIG), folder, True)
    experiment.load_float(FLOAT)
    detector = experiment.detector.eval()
    spec = igq.QuantSpec(w_bits=4, a_bits=4, groups=args.groups)
    images = experiment.images(1, 0, False)
    calibration = DetectorCalibration(detector, images, [spec])
    (batch,) = images
    qmodel: Any = calibration.apply(spec)[0].eval()
    clock = time.process_time
    full: list[float] = []

    def full_pass() -> None:
        start = clock()
        with torch.no_grad():
            qmodel.test_step(batch)
        full.append(clock() - start)

    full_pass()
    full.clear()  # the first allocates
    for _ in range(5):
        full_pass()
    start = clock()
    found = allocate_detector(calibration, spec)
    ours = clock() - start

    predict = RoIPredictions(detector)
    predict.fixed_rois = OwnPooling()  # type: ignore[assignment]
    work = Perturbation(detector, spec, calibration.statistics, predict)
    reference = work.reference(batch)
    pairs = [(name, g) for name in work.layers for g in CANDIDATES]
    count = max(1, round(args.share * len(pairs)))
    drawn = random.Random(0).sample(pairs, count)
    naive, apart = 0.0, []
    for number, (name, groups) in enumerate(drawn):
        if number % 10 == 0:
            full_pass()
        start = clock()
        with trying(work.layers[name], [work.quantizer(name, groups)]):
            logits = work.run(batch)
        kl = divergence(reference, logits)[0]
        naive += clock() - start
        apart.append((abs(found.table[name][groups] - kl), kl))
    one = median(full)
    extrapolated = naive * len(pairs) / count
    return {
        'layers': len(work.layers),
        'candidates': list(CANDIDATES),
        'full_pass_seconds': one,
        'full_passes_timed': len(full),
        'naive': {
            'passes': len(pairs),
            'measured_pairs': count,
            'seconds': extrapolated,
            'full_passes': extrapolated / one,
        },
        'ours': {
            'passes': found.forwards,
            'seconds': ours,
            'full_passes': ours / one,
        },
        'share_of_naive_passes': ours / one / len(pairs),
        'share_of_naive_seconds': ours / extrapolated,
        'kl': {
            'largest_difference': max(gap for gap, _ in apart),
            'median_difference': median(gap for gap, _ in apart),
            'largest': max(kl for _, kl in apart),
            'smallest': min(kl for _, kl in apart),
        },
        'environment': environment(),
    }


def text(found: dict[str, Any]) -> str:
    """The figures as a table and what they mean."""
    from igq_mmdet.inspection.columns import format_rows

    rows = [('', 'network passes', 'CPU seconds', 'as full passes')]
    for name in ('naive', 'ours'):
        own = found[name]
        rows.append(
            (
                name,
                str(own['passes']),
                f'{own["seconds"]:.1f}',
                f'{own["full_passes"]:.0f}',
            )
        )
    naive, kl = found['naive'], found['kl']
    lines = [format_rows(rows)]
    if naive['measured_pairs'] < naive['passes']:
        lines.append(
            f'the naive way measured {naive["measured_pairs"]} pairs of layer '
            'and candidate; its seconds are extrapolated from them'
        )
    lines += [
        f'a full pass (detections and masks) takes '
        f'{found["full_pass_seconds"]:.3f} s, median of '
        f'{found["full_passes_timed"]}',
        f'ours costs {found["share_of_naive_passes"]:.3f} of one full pass '
        'for each layer and candidate, '
        f'{found["share_of_naive_seconds"]:.3f} of the naive seconds',
        f'KL lies in {kl["smallest"]:.4f} to {kl["largest"]:.4f}; the two '
        f'ways differ by {kl["largest_difference"]:.1e} at most, '
        f'{kl["median_difference"]:.1e} in the median',
    ]
    return '\n'.join(lines)


def main() -> None:
    """Measures, prints and writes."""
    import tempfile

    from igq_mmdet.files.atomic import replacing

    args = parse_args()
    if args.json:
        args.json = os.path.abspath(args.json)
    os.chdir(ROOT)  # the demo's paths are relative to the project
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args, folder)
    print(text(found))
    if args.json:
        with replacing(args.json) as temporary:
            temporary.write_text(json.dumps(found, indent=2) + '\n')


if __name__ == '__main__':
    main()
