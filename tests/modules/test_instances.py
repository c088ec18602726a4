"""Which rows and tokens belong to which image."""

import pytest
import torch

from igq_mmdet.modules import Instances, current_instances, instances


def parts(layout, x):
    return [[t.tolist() for t in pair] for pair in layout.split(x)]


def test_by_default_a_row_is_an_image():
    x = torch.arange(12.0).view(2, 3, 2)
    expected = [[x[i].tolist()] * 2 for i in range(2)]
    assert parts(current_instances(), x) == expected


def test_rows_of_several_images():
    x = torch.arange(10.0).view(5, 2)
    found = parts(Instances(rows=(2, 0, 3)), x)
    assert [values for values, _ in found] == [
        x[:2].tolist(),
        [],
        x[2:].tolist(),
    ]


def test_padding_follows_the_tokens():
    x = torch.arange(16.0).view(2, 4, 2)
    for i, (values, counted) in enumerate(Instances(tokens=3).split(x)):
        assert torch.equal(values, x[i])
        assert torch.equal(counted, x[i, :3])
    ((values, counted),) = Instances(rows=(2,), tokens=3).split(x)
    assert torch.equal(values, x.view(8, 2))
    assert torch.equal(counted, x[:, :3].reshape(6, 2))


def test_views_share_memory():
    x = torch.zeros(2, 3, 2)
    for values, _ in Instances().split(x):
        values += 1
    assert x.min() == 1


def test_rows_that_do_not_add_up():
    with pytest.raises(ValueError, match='5 rows do not belong'):
        list(Instances(rows=(2, 2)).split(torch.zeros(5, 2)))


def test_scopes_nest_and_end():
    with instances(rows=(1, 2)):
        with instances(tokens=5):
            assert current_instances() == Instances(None, 5)
        assert current_instances() == Instances((1, 2), None)
    with pytest.raises(KeyError), instances(rows=(3,)):
        raise KeyError
    assert current_instances() == Instances()


def test_nothing_at_all():
    assert parts(Instances(), torch.zeros(0, 3)) == []
    assert parts(Instances(rows=()), torch.zeros(0, 3)) == []
