"""Files written by earlier versions load, and compute what they did there.

Those in ``data/`` were written by commit 557d1a1, one a method, before
methods had files of their own. Each holds, beside the model, an input and
what the model made of it.
"""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.checkpoints import read
from igq_mmdet.modules import norm_pairs

DATA = Path(__file__).parent / 'data'
FILES = sorted(DATA.glob('*.safetensors'))


class Small(nn.Module):
    """Every kind of quantizer: picture, inputs, Q, K, V, rows, folded."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, 4)
        self.fc1 = nn.Linear(8, 12)
        self.fc2 = nn.Linear(12, 8)
        self.norm = nn.LayerNorm(8)
        self.fc3 = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images):
        tokens = self.conv(images).relu().flatten(2).transpose(1, 2)
        early = self.fc2(self.fc1(tokens).relu())
        late = self.fc3(self.norm(early))
        return early, self.attention(late, late, late)[0]


@pytest.fixture(autouse=True)
def folds(monkeypatch):
    """The norm of :class:`Small` feeds its third layer and nothing else."""
    name = f'{Small.__module__}.{Small.__qualname__}'
    monkeypatch.setitem(norm_pairs.NORM_OF, name, (('fc3', 'norm'),))


def test_there_is_one_of_every_method():
    assert [path.stem for path in FILES] == [
        'consecutive',
        'igq',
        'igq_integral',
        'layerwise',
        'repq',
        'sorted',
        'upper_bound',
    ]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_it_computes_what_it_did(path, one_thread):
    made = read(path).info
    images = torch.tensor(made['images']) / 64
    model = igq.load(Small().eval(), path)
    with torch.no_grad():
        early, late = model(images)
    expected = torch.tensor(made['early'])
    if path.stem == 'upper_bound':  # sums of floats, in any order
        torch.testing.assert_close(early, expected)
    else:  # sums of integers
        assert torch.equal(early, expected)
    # exponentials and norms differ from processor to processor, and a value
    # next to a rounding edge takes another code
    off = (late - torch.tensor(made['late'])).norm()
    assert off < 0.05 * late.norm()


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_it_is_written_again_as_it_was(path, tmp_path):
    """An earlier version reads what this one writes: the same metadata."""
    before = read(path)
    model = igq.load(Small().eval(), path)
    igq.save(model, tmp_path / 'again.safetensors')
    again = read(tmp_path / 'again.safetensors')
    assert json.loads(again.spec.to_json()) == json.loads(
        before.spec.to_json()
    )
    assert again.tensors.keys() == before.tensors.keys()
    for name, value in before.tensors.items():
        assert torch.equal(again.tensors[name], value), name
