"""Reports of a small model, written as an evaluation writes them."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.files.journal import Journal
from igq_mmdet.report import Report, write_report
from igq_mmdet.report.predictions import FOLDER, OF, SCHEMA, run_mark, slug

from ...browser import chromium  # noqa: F401
from ..differences.test_coverage import detectors

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'
DETECTOR = {
    'config': 'small',
    'model': 'aa',
    'data': 'bb',
    'images': 3,
    'classes': ['cat', 'dog'],
}


@pytest.fixture(scope='package')
def quantized():
    """Makes a calibrated model; one a setting."""
    models = {}

    def make(**fields):
        key = json.dumps(fields, sort_keys=True)
        if key not in models:
            torch.manual_seed(0)
            model = nn.Sequential(
                nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)
            )
            models[key] = igq.quantize(model, igq.QuantSpec(**fields))
            igq.calibrate(models[key], [torch.randn(2, 5, 8)])
        return models[key]

    return make


@pytest.fixture
def write(quantized, tmp_path):
    """Writes a report of ``(AP, fields of the spec)`` and gives its folder."""

    def make(
        folder, *runs, full=0.7, detector=DETECTOR, seed=0, sqnr=None, **more
    ):
        report = Report(detector)
        if full is not None:
            report.set_float({BOX: full, MASK: full / 2}, 2000, 1.0)
        for ap, fields in runs:
            run = report.add_run(
                quantized(**fields),
                {BOX: ap, MASK: ap / 2},
                {'image_ids': [seed], 'seed': seed, 'seconds': 0.5},
                2.0,
            )
            run['sqnr'] = sqnr
            run |= more
        path = tmp_path / folder / 'igq_report.json'
        write_report(report, path)
        return path.parent

    return make


@pytest.fixture
def keep():
    """Keeps predictions of runs beside a report: matches, and no image."""

    def make(folder, noises, seed=0):
        runs = detectors(np.random.default_rng(0), 40, noises.values())
        for name, matches in zip(noises, runs, strict=True):
            of = slug(name, 0 if name == 'float' else seed)
            header = {'schema': SCHEMA, 'run': name, 'digest': 'ab'}
            kept = {key: matches.to_dict() for key in (BOX, MASK)}
            with Journal(folder / FOLDER / f'{of}.jsonl') as journal:
                journal.append(header)
                line = {'metrics': {}, 'matches': kept}
                journal.append({**line, OF: run_mark(header)})

    return make
