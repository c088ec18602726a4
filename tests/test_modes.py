"""The verbs give the same whatever torch modes surround them."""

import contextlib

import pytest
import torch

import igq_mmdet as igq

SPEC = igq.QuantSpec(w_bits=4, a_bits=4, groups=4)


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES = {
    'inference mode': torch.inference_mode,
    'no_grad': torch.no_grad,
    'autocast': lambda: torch.autocast('cpu', torch.bfloat16),
    'float64 by default': lambda: default_dtype(torch.float64),
    'float16 by default': lambda: default_dtype(torch.float16),
    'meta by default': lambda: default_device('meta'),
}


@pytest.fixture
def model(rand):
    """LayerNorm, two fully connected layers, a GELU."""
    layers = torch.nn.Sequential(
        torch.nn.LayerNorm(16),
        torch.nn.Linear(16, 32),
        torch.nn.GELU(),
        torch.nn.Linear(32, 8),
    )
    return layers.eval()


def verbs(model, images, path):
    """All of them, one after the other; the model that was loaded."""
    qmodel = igq.quantize(model, SPEC)
    igq.calibrate(qmodel, [images[:1], images[1:]])
    igq.save(qmodel, path)
    text = str(igq.summary(qmodel))
    covered = igq.coverage(qmodel, images)
    igq.to_integer(qmodel)
    return igq.load(model, path), text, str(covered)


@pytest.mark.parametrize('mode', MODES)
def test_verbs_give_the_same_in_any_mode(mode, model, rand, tmp_path):
    images = rand(3, 5, 16)
    expected, text, covered = verbs(model, images, tmp_path / 'a.safetensors')
    with MODES[mode]():
        found, *rest = verbs(model, images, tmp_path / 'b.safetensors')
    assert rest == [text, covered]
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        assert found.state_dict()[name].dtype == value.dtype, name
        assert torch.equal(found.state_dict()[name], value), name
        assert not found.state_dict()[name].is_inference(), name
    with torch.no_grad():
        assert torch.equal(found(images), expected(images))


def test_gradients_after_a_run_in_inference_mode(model, rand):
    images = rand(2, 5, 16)
    with torch.inference_mode():
        qmodel = igq.quantize(model, SPEC)
        igq.calibrate(qmodel, [images])
        inside = qmodel(images).clone()
    wanted = images.clone().requires_grad_()
    assert torch.allclose(qmodel(wanted).detach(), inside, atol=1e-5)


def test_the_modes_are_those_of_before_afterwards(model, rand):
    with default_dtype(torch.float64):
        igq.quantize(model, SPEC)
        assert torch.get_default_dtype() is torch.float64
    with pytest.raises(igq.IGQError), default_dtype(torch.float64):
        try:
            igq.calibrate(igq.quantize(model, SPEC), [])
        finally:
            assert torch.get_default_dtype() is torch.float64
