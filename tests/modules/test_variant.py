"""Modules of classes made at run time are pickled like any other."""

import copy
import io
import multiprocessing
import pickle

import pytest
import torch

import igq_mmdet as igq

timm = pytest.importorskip('timm')


@pytest.fixture(scope='module')
def calibrated():
    """A DeiT of two blocks, calibrated, and images."""
    torch.manual_seed(0)
    model = timm.create_model(
        'deit_tiny_patch16_224', depth=2, img_size=32, embed_dim=48
    )
    images = torch.randn(2, 3, 32, 32)
    spec = igq.QuantSpec(w_bits=4, a_bits=4, groups=4)
    qmodel = igq.quantize(model.eval(), spec)
    igq.calibrate(qmodel, [images])
    return qmodel, images


def by_torch(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


WAYS = {
    'pickle': lambda model: pickle.loads(pickle.dumps(model)),
    'torch.save': by_torch,
    'deepcopy': copy.deepcopy,
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('runtime', ['simulated', 'integer'])
def test_comes_back_the_same(way, runtime, calibrated):
    model, images = calibrated
    if runtime == 'integer':
        model = igq.to_integer(model)
    again = WAYS[way](model)
    assert [type(m) for m in again.modules()] == [
        type(m) for m in model.modules()
    ]
    with torch.no_grad():
        assert torch.equal(again(images), model(images))


def _run(model, images, queue):
    with torch.no_grad():
        queue.put(model(images).shape)


@pytest.mark.slow
def test_reaches_another_process(calibrated):
    model, images = calibrated
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=_run, args=(model, images, queue))
    process.start()
    assert queue.get(timeout=300) == model(images).shape
    process.join()
    assert process.exitcode == 0
