"""What is said of layers that calibration did not reach."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration.collect import collect_share
from igq_mmdet.calibration.silence import patterns
from igq_mmdet.calibration.training_only import training_only
from igq_mmdet.errors import CalibrationError

HERE = 'tests/calibration/test_silence.py'


class Functional(nn.Module):
    """Hands the weights of its projections to a function."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(4, 4)
        self.proj = nn.Linear(4, 4)

    def forward(self, x):
        x = F.linear(x, self.qkv.weight, self.qkv.bias)
        return F.linear(x, self.proj.weight)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = Functional()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(self.attn(x)).to(self.fc.weight.dtype)


class Auxiliary(nn.Module):
    """A head for training, one for what is seldom, one whose sort is read."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.aux_head = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2))
        self.seldom = nn.Linear(4, 4)
        self.init_weights()

    def init_weights(self):
        for layer in self.aux_head:
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = self.fc(x)
        if self.aux_head is not None and self.training:
            return self.aux_head(x)
        return self.seldom(x) if x.sum() == 7 else x


def said(model, **spec):
    qmodel = igq.quantize(model, igq.QuantSpec(**spec))
    with pytest.raises(CalibrationError) as raised:
        igq.calibrate(qmodel, [torch.randn(2, 4)])
    return str(raised.value)


def test_who_read_the_weight_and_what_to_exclude():
    model = nn.Sequential(Block(), Block())
    text = said(model)
    assert text == (
        '0.attn.qkv, 0.attn.proj, 1.attn.qkv and 1 more saw no data during '
        f'calibration, for Functional.forward ({HERE}) reads the weight and '
        "does not call the layer; leave them in float with exclude=['*.attn.*"
        "']"
    )
    qmodel = igq.quantize(model, igq.QuantSpec(exclude=['*.attn.*']))
    igq.calibrate(qmodel, [torch.randn(2, 4)])
    assert qmodel[1].fc.frozen


def test_a_run_before_calibration_is_forgotten():
    class Reads(Block):
        def forward(self, x, read=False):
            return x if read and self.fc.weight.dim() else x * 1

    model = nn.Sequential(Reads(), nn.Linear(4, 4))
    qmodel = igq.quantize(model, igq.QuantSpec(exclude=['*.attn.*']))
    qmodel[0].igq_spec = qmodel.igq_spec
    igq.coverage(qmodel[0], torch.randn(2, 4), read=True)
    with pytest.raises(CalibrationError, match='^0.fc saw.* use more or oth'):
        igq.calibrate(qmodel, [torch.randn(2, 4)])


def test_a_layer_for_training_only():
    assert said(Auxiliary(), exclude=['seldom']) == (
        'aux_head.0, aux_head.1 saw no data during calibration, for the model '
        'uses aux_head in training only; leave them in float with '
        "exclude=['aux_head.*']"
    )


def test_layers_without_a_known_reason_are_told_apart():
    assert said(Auxiliary()) == (
        'aux_head.0, aux_head.1 saw no data during calibration, for the model '
        'uses aux_head in training only; leave them in float with '
        "exclude=['aux_head.*']; seldom saw no data during calibration; use "
        'more or other calibration images, or exclude the layer'
    )


def test_shares_of_the_images_know_it_too():
    """One share had no images at all, and the other did not reach seldom."""
    qmodel = igq.quantize(Auxiliary(), igq.QuantSpec(exclude=['seldom']))
    parts = [
        collect_share(qmodel, batches)
        for batches in ([], [torch.randn(2, 4)], [])
    ]
    for part in parts[1:]:
        parts[0].merge(part)
    with pytest.raises(CalibrationError, match='^aux_head.0, aux_head.1 saw'):
        parts[0].require()


def test_a_share_without_images_hides_no_reader():
    qmodel = igq.quantize(Block(), igq.QuantSpec())
    parts = [
        collect_share(qmodel, batches) for batches in ([torch.randn(2, 4)], [])
    ]
    parts[1].merge(parts[0])
    for part in parts:
        with pytest.raises(CalibrationError, match=re.escape('Functional.')):
            part.require()


def test_patterns_match_no_layer_that_saw_data():
    layers = ['a.0.x.conv', 'a.1.x.conv', 'a.2.x.conv', 'b.fc', 'a.0.y']
    silent = ['a.0.x.conv', 'a.2.x.conv']
    assert patterns(silent, silent, layers) == ['a.0.x.*', 'a.2.*']
    assert patterns(silent, layers[:3], layers) == ['a.*.x.*']
    assert patterns(['b.fc'], ['b.fc'], layers) == ['b.*']
    assert patterns(['fc'], ['fc'], ['fc', 'fc2']) == ['fc']


class Ways(nn.Module):
    """Each attribute is named after what must be said of it."""

    def __init__(self):
        super().__init__()
        self.in_training_0 = self.always_5 = None

    def forward(self, x, flag=True):
        if self.training:
            x = self.in_training_1(x)
        else:
            x = self.always_1(x)
        if not self.training:
            x = self.always_2(x)
        elif flag:
            x = [self.in_training_2(y) for y in x]
        x = self.in_training_3(x) if flag and self.training else x
        x = self.always_3(x) if flag or self.training else x
        for _ in range(2):
            if not (self.training and flag):
                continue
            x = self.in_training_4(x)
        if self.training:
            return self.in_training_5(x)
        return self.always_4(x)

    def predict(self, x):
        if not self.training or not x:
            return self.both(x)
        self.assigned = self.in_training_6
        return self.both(x)

    def loss_by_feat(self, x):
        return self.both(x), self.in_training_7(x)


def test_training_only():
    found = training_only(Ways())
    assert {name for name in found if 'always' in name} == set()
    assert {f'in_training_{i}' for i in range(1, 8)} <= found
    assert not {'both', 'training'} & found


def test_a_class_without_source_makes_no_claim():
    made = type('Made', (Ways,), {'__module__': 'nowhere'})
    assert training_only(made()) == set()
