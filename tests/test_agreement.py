"""What compares two computations notices a fault in one of them."""

import pytest
import torch

from tests.agreement import BETWEEN, each_alone, near
from tests.agreement_trials import FAULTS, main, net_case


@pytest.fixture
def case():
    return net_case()


def test_without_a_fault_a_batch_is_its_images(case):
    qmodel, images = case
    batch, alone = each_alone(qmodel, qmodel, images, images.split(1))
    near(torch.cat(alone), batch, BETWEEN)


@pytest.mark.parametrize('fault', ['image', 'channel', 'padding'])
def test_groups_by_the_statistics_of(fault, case):
    """Wrong ones, wherever images come together."""
    qmodel, images = case
    with pytest.raises(AssertionError, match='differ|other codes'):
        with FAULTS[fault]():
            each_alone(qmodel, qmodel, images, images.split(1))


def test_a_scale_of_another_channel(case):
    """That of an output channel of the convolution's weight."""
    qmodel, images = case
    with pytest.raises(AssertionError, match='output of conv'):
        with FAULTS['scale']():
            each_alone(qmodel, qmodel, images, images.split(1))


def test_a_layer_that_mixes_images_in_float(case, monkeypatch):
    qmodel, images = case
    norm = qmodel.norm.forward
    monkeypatch.setattr(
        qmodel.norm, 'forward', lambda x: norm(x + 1e-2 * x.mean(0))
    )
    with pytest.raises(AssertionError, match='input of head'):
        each_alone(qmodel, qmodel, images, images.split(1))


def test_trials(capsys):
    """A few of them; CONTRIBUTING.md has the command and 200 seeds."""
    pytest.importorskip('timm')
    cases = 'Net', 'MaxViT, MLP position bias'
    assert main(['--seeds', '2', '--cases', *cases]) == 0
    out = capsys.readouterr().out
    for case in cases:
        assert f'{case}, no fault: changes 0 of 2 batches;' in out
        for fault in 'image', 'channel', 'scale':
            line = f'{case}, {fault}: changes 2 of 2 batches; outputs fails 2'
            assert f'{line}, each_alone 2\n' in out
    assert 'Net, padding: changes 2 of 2' in out
    assert 'MaxViT, MLP position bias, padding' not in out
