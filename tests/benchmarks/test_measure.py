"""One real run on a small detector, page included."""

import argparse
import json
from pathlib import Path

import pytest
import torch

from benchmarks import measure, memory
from benchmarks.forms import FLOAT, FORMS, METHODS
from benchmarks.page import figures

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_small_run(tmp_path, monkeypatch):
    def here(what, threads, **arguments):  # the page's have a process each
        return getattr(memory, what)(**arguments)

    monkeypatch.setattr(measure, 'peak_memory', here)
    monkeypatch.setattr(measure, 'IMAGES', (1, 2))
    threads = torch.get_num_threads()
    args = argparse.Namespace(
        config=str(ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'),
        threads=2,
        size=(64, 96),
        rounds=2,
        clock='wall',
        bits=4,
        groups=3,
        compile=False,
        rivals=False,
        brief=False,
    )
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            data = measure.Run(args, str(tmp_path)).all()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert not data['left_out']
    for table in ('whole', 'backbone', 'one_thread'):
        assert list(data[table]) == list(FORMS)
        assert data[table][FLOAT]['times_faster'] == 1.0
    # all parts and all kinds add up to the same total
    profile = data['profile']
    for name in FORMS:
        whole = profile['kinds']['total'][name]['median']
        parts = profile['parts']['total'][name]['median']
        assert whole == pytest.approx(parts)
        kinds = {cell[1] for cell in profile['cells'][name]}
        assert {'fully connected', 'convolution'} < kinds
    # 8 bits are nearer to float than 4, the two runtimes alike
    sqnr = {n: row['sqnr'] for n, row in data['agreement'].items()}
    assert sqnr[FLOAT] == [None] * 4
    pairs = zip(
        sqnr['igq simulated, W8A8'], sqnr['igq simulated'], strict=True
    )
    assert all(eight > four for eight, four in pairs)
    for method in METHODS:
        pair = (sqnr[f'{method} simulated'], sqnr[f'{method} integer'])
        assert pair[0] == pytest.approx(pair[1], abs=1.0)
    kept = data['calibration_memory']['igq']
    assert 0 < kept['1']['statistics'] <= kept['2']['statistics']
    for row in data['memory'].values():
        assert row['peak'] >= row['before'] > 0
    text = figures(json.loads(json.dumps(data)))
    assert 'igq_integral integer' in text
