"""Allocation of a detector: replayed and not, hook and command line."""

import copy
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.runner import Runner

import igq_mmdet as igq
from igq_mmdet.allocation.candidates import trying
from igq_mmdet.allocation.divergence import divergence
from igq_mmdet.allocation.perturbation import Perturbation
from igq_mmdet.allocation.replay import Replay
from igq_mmdet.detection.calibration.allocate import allocate_detector
from igq_mmdet.detection.calibration.calibration_forward import (
    calibration_forward,
)
from igq_mmdet.detection.calibration.predictions import predictor
from igq_mmdet.detection.calibration.ptq import DetectorCalibration
from igq_mmdet.detection.models.random_detector import (
    random_batch,
    random_detector,
)
from igq_mmdet.inspection.families import FEW_LAYERS

from ...conftest import ROOT
from ..conftest import FEW, FLOAT

SPEC = igq.QuantSpec(w_bits=4, a_bits=4, groups=8)
# the last blocks, to be quick
FEW_SPEC = dataclasses.replace(
    SPEC, include=('backbone.stages.3.*', 'roi_head.bbox_head.*')
)
CANDIDATES = (4, 8, 12)
LAYERS = (
    'backbone.stages.0.blocks.1.attn.w_msa.qkv',
    'backbone.stages.1.blocks.0.attn.w_msa',
    'backbone.stages.1.downsample.reduction',
    'backbone.stages.2.blocks.3.ffn.layers.1',
    'backbone.stages.3.blocks.1.attn.w_msa.proj',
    'roi_head.bbox_head.shared_fcs.0',
    'roi_head.bbox_head.fc_cls',
)


@pytest.fixture(scope='module')
def calibration(experiment):
    """Of the demo's detector, on one image."""
    images = experiment.images(1, 0, False)
    return DetectorCalibration(experiment.detector.eval(), images, [SPEC])


@pytest.fixture(scope='module')
def prepared(calibration):
    """That image, ready to be perturbed; no code is on an edge in float64."""
    (batch,) = calibration.images
    predict = predictor(calibration.detector)
    # RoIs are those of float32, for NMS takes nothing else
    _, image, rois = predict._propose(batch)
    predict._images[id(batch)] = (
        batch,
        image.double(),
        [boxes.double() for boxes in rois],
    )
    predict.fixed_rois = SimpleNamespace(pooling=nullcontext)
    work = Perturbation(
        copy.deepcopy(calibration.detector).double(),
        SPEC,
        calibration.statistics,
        predict,
        CANDIDATES,
        copies=2,
    )
    image = work.prepare(batch, work.reference(batch))
    return SimpleNamespace(image=image, work=work, batch=batch)


def one_by_one(prepared, layer):
    """A whole pass for each candidate, nothing cached."""
    found = {}
    work = prepared.work
    for groups in CANDIDATES:
        quantizer = work.quantizer(layer, groups)
        with trying(work.layers[layer], [quantizer]):
            logits = work.run(prepared.batch)
        found[groups] = divergence(prepared.image.reference, logits)[0]
    return found


@pytest.mark.parametrize('layer', LAYERS)
def test_replayed_equals_whole_passes(prepared, layer):
    whole = one_by_one(prepared, layer)
    assert max(whole.values()) - min(whole.values()) > 1e-5
    assert prepared.image.measure(layer) == pytest.approx(whole, rel=1e-6)


def test_a_small_cache_gives_the_same(prepared):
    layer = 'backbone.stages.2.blocks.3.ffn.layers.1'
    image, work = prepared.image, prepared.work
    roomy = image.replay
    image.replay = Replay(
        work.qmodel, list(work.layers), 1 << 20, axes=work.axes
    )
    try:
        image.replay.record(lambda copies: work.run(prepared.batch, copies))
        assert 0 < image.replay._bytes <= 1 << 20 < roomy._bytes
        found = image.measure(layer)
    finally:
        image.replay = roomy
    assert found == pytest.approx(image.measure(layer), rel=1e-6)


def test_the_layer_that_moves_boxes_stays_at_the_target(calibration):
    found = allocate_detector(
        calibration, FEW_SPEC, {'candidates': CANDIDATES}
    )
    assert found.unseen == ('roi_head.bbox_head.fc_reg',)
    chosen = found.spec.layer_groups
    assert chosen['roi_head.bbox_head.fc_reg'] == SPEC.groups
    assert set(chosen.values()) <= set(CANDIDATES)
    assert len(set(chosen.values())) > 1
    assert found.layerwise_bops < found.bops <= found.budget
    assert found.predicted[1] < found.predicted[0]
    assert found.measured[1] <= found.measured[0]
    model, _ = calibration.apply(found.spec)
    for name, groups in chosen.items():
        layer = model.get_submodule(name)
        owned = [quantizer.groups for quantizer in layer.quantizers().values()]
        assert groups in owned


def test_parts_have_targets_of_their_own(calibration):
    parts = {'backbone': {}, 'bbox_head': {'groups': 4}}
    spec = dataclasses.replace(FEW_SPEC, parts=parts)
    found = allocate_detector(calibration, spec, {'candidates': CANDIDATES})
    targets = {name: 4 if 'bbox_head' in name else 8 for name in found.costs}
    assert found.budget == sum(
        found.costs[name][g] for name, g in targets.items()
    )
    assert found.bops <= found.budget
    assert found.spec.layer_groups['roi_head.bbox_head.fc_reg'] == 4


@pytest.mark.slow
@torch.no_grad()
def test_detr_replayed_equals_whole_passes():
    """Its decoder puts layers before images; copies lie along axis 1."""
    detector = random_detector(
        'mmdet::detr/detr_r50_8xb2-150e_coco.py',
        {**FEW_LAYERS, 'backbone.init_cfg': None},
    ).double()
    batch = random_batch(96, 128, 1)
    statistics = igq.calibrate(
        igq.quantize(detector, SPEC), [batch], calibration_forward
    )
    predict = predictor(detector)
    work = Perturbation(
        detector, SPEC, statistics, predict, CANDIDATES, copies=2
    )
    image = work.prepare(batch, work.reference(batch))
    case = SimpleNamespace(image=image, work=work, batch=batch)
    for part in ('encoder', 'decoder', 'bbox_head.fc_cls'):
        layer = [name for name in work.layers if name.startswith(part)][-1]
        whole = one_by_one(case, layer)
        assert max(whole.values()) > min(whole.values()), layer
        assert image.measure(layer) == pytest.approx(whole, rel=1e-6), layer


def test_options_are_checked(calibration):
    for options, message in (
        ({'candidate': (4, 8)}, "unknown field .*'candidate'; did you mean"),
        ({'candidates': (4, 12)}, 'groups=8 is not among the candidates'),
        ({'copies': 0}, 'copies must be at least 1, .* got 0'),
    ):
        with pytest.raises(igq.IGQError, match=message):
            allocate_detector(calibration, SPEC, options)


@pytest.mark.slow
def test_hook(few_images, tmp_path):
    config = few_images()
    config.work_dir = str(tmp_path)
    config.load_from = FLOAT
    config.custom_hooks = [
        dict(
            type='igq_mmdet.IGQHook',
            spec=dict(w_bits=4, a_bits=4, groups=8),
            allocate=dict(candidates=CANDIDATES),
        )
    ]
    Runner.from_cfg(config).test()
    (run,) = json.loads((tmp_path / 'igq_report.json').read_text())['runs']
    allocation = run['allocation']
    assert allocation['bops'] <= allocation['budget']
    assert run['spec']['layer_groups'] == allocation['spec']['layer_groups']
    assert set(run['spec']['layer_groups'].values()) <= set(CANDIDATES)
    assert run['metrics']['coco/bbox_mAP'] > 0


def command(work_dir):
    return subprocess.Popen(
        [sys.executable, 'tools/ptq_coco.py', '--allocate', '--skip-float']
        + ['--candidates', '4,8,12', '--groups', '8', '--quiet']
        + ['--include', 'backbone.stages.[23].*', 'roi_head.bbox_head.*']
        + ['--work-dir', str(work_dir), '--cfg-options', *FEW],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def allocation_of(work_dir):
    data = json.loads((work_dir / 'igq_report.json').read_text())
    plain, allocated = data['runs']
    assert 'allocation' not in plain
    return allocated['allocation']


@pytest.mark.slow
def test_killed_on_the_way_it_goes_on(tmp_path):
    straight, broken = tmp_path / 'straight', tmp_path / 'broken'
    printed = finished(command(straight))
    assert 'igq:8+alloc W4A4: BOPs' in printed
    whole = allocation_of(straight)

    process = command(broken)
    lines = 0
    while lines < len(whole['table']) // 4:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
        lines = sum(
            path.read_bytes().count(b'\n')
            for path in broken.glob('allocation-*.jsonl')
        )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (broken / 'igq_report.json').exists()
    (file,) = broken.glob('allocation-*.jsonl')
    before = [line for line in file.read_text().splitlines(keepends=True)]
    before = [line for line in before if line.endswith('\n')]
    assert len(whole['table']) // 4 <= len(before) < len(whole['table'])

    finished(command(broken))
    again = allocation_of(broken)
    after = file.read_text().splitlines(keepends=True)
    assert after[: len(before)] == before
    assert len(after) == len(whole['table'])
    assert again['forwards'] == whole['forwards'] - len(before)
    assert again['table'] == whole['table']
    assert again['spec'] == whole['spec']
    assert again['measured'] == whole['measured']
