"""What compares two computations notices a fault in one of them."""

import pytest
import torch

from tests import agreement_trials
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
    """A few of them; CONTRIBUTING.md has the command for many."""
    assert main(['--seeds', '3', '--cases', 'Net']) == 0
    first, *planted = capsys.readouterr().out.splitlines()
    assert first.startswith('Net, no fault: changes 0 of 3 batches; outputs ')
    assert first.endswith('each_alone 0')
    assert len(planted) == len(FAULTS) == 4
    for line, fault in zip(planted, FAULTS, strict=True):
        assert line.startswith(f'Net, {fault}: changes 3 of 3 batches; ')
        assert line.endswith('each_alone 3')


def test_trials_end_with_1_if_a_fault_is_not_caught(monkeypatch, capsys):
    monkeypatch.setattr(agreement_trials, 'by_layers', lambda *case: None)
    assert main(['--seeds', '1', '--cases', 'Net']) == 1
    assert 'changes 1 of 1 batches; outputs fails 1, each_alone 0' in (
        capsys.readouterr().out
    )
