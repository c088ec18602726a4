"""What is summed up over images, and the target made of it."""

import pytest
import torch

from igq_mmdet.calibration.moments import RIDGE, Moments


def seen(rand, rows, inputs=6, outputs=4, groups=1):
    """Quantized inputs, what made the float outputs, and the moments."""
    x = rand(rows, groups * inputs) @ rand(groups * inputs, groups * inputs)
    quantized = x + 0.2 * rand(*x.shape)
    weight = rand(outputs, inputs)
    own = x.unflatten(1, (groups, -1)).transpose(0, 1)
    parts = zip(own, weight.chunk(groups), strict=True)
    y = torch.cat([a @ w.T for a, w in parts], 1)
    quantized = quantized.unflatten(1, (groups, -1)).transpose(0, 1)
    return quantized.contiguous(), y, weight


def slow_target(quantized, y, weight):
    """Solves the least squares problem itself, in float64."""
    x, size = quantized.double(), weight.shape[1]
    ridge = RIDGE * float(x.square().mean(0).mean())
    rows = [x / len(x) ** 0.5, ridge**0.5 * torch.eye(size).double()]
    wanted = [y.double() / len(x) ** 0.5, ridge**0.5 * weight.double().T]
    found = torch.linalg.lstsq(torch.cat(rows), torch.cat(wanted))
    return found.solution.T


@pytest.mark.parametrize('groups', [1, 2])
def test_target_against_least_squares(rand, monkeypatch, groups):
    quantized, y, weight = seen(rand, 500, groups=groups)
    moments = Moments(groups, 6, 4, True)
    for x, own in zip(quantized.split(77, 1), y.split(77), strict=True):
        moments.update(x, own)
    # what few rows change is looked at below
    monkeypatch.setattr(
        Moments, '_estimate', lambda self, total: (0.0, level(self, total))
    )
    found = moments.target(weight)
    expected = torch.cat(
        [
            slow_target(*parts)
            for parts in zip(
                quantized,
                y.chunk(groups, 1),
                weight.chunk(groups),
                strict=True,
            )
        ]
    )
    torch.testing.assert_close(found, expected.float(), rtol=1e-3, atol=1e-4)


def level(moments, total):
    return float(total.diagonal().mean() / moments.rows)


def test_target_of_equal_inputs_is_the_weight(rand):
    x, weight = rand(9, 6), rand(4, 6)
    moments = Moments(1, 6, 4, True)
    moments.update(x[None], x @ weight.T)
    torch.testing.assert_close(
        moments.target(weight), weight, rtol=1e-4, atol=1e-5
    )


def test_bias_takes_the_mean_that_is_left(rand, monkeypatch):
    monkeypatch.setattr(Moments, '_estimate', lambda self, total: (0.25, None))
    quantized, y, weight = seen(rand, 50, groups=2)
    moments = Moments(2, 6, 4, True)
    moments.update(quantized, y)
    other = weight + 0.1
    parts = zip(quantized, other.chunk(2), strict=True)
    out = torch.cat([x @ w.T for x, w in parts], 1)
    torch.testing.assert_close(
        moments.bias(other), 0.75 * (y - out).mean(0), rtol=1e-4, atol=1e-4
    )


def test_few_rows_say_little(rand):
    """Nearer to the truth than the plain mean; that of many is kept."""
    truth = rand(40, 40)
    truth = truth @ truth.T / 40 + torch.eye(40)
    root = torch.linalg.cholesky(truth)
    generator = torch.Generator().manual_seed(1)
    for rows, most in ((10, 0.9), (50, 1.0), (20000, 1.02)):
        x = torch.randn(rows, 40, generator=generator) @ root.T
        moments = Moments(1, 40, 4, False)
        moments.update(x[None])
        off = moments.mean_hessian()[0] - truth
        plainly = x.T @ x / rows - truth
        assert off.norm() < most * plainly.norm()


def test_rows_that_do_not_fit_are_nobodys_pair(rand):
    moments = Moments(1, 6, 4, True)
    moments.update(rand(1, 5, 6), rand(5, 4))
    assert moments.paired
    moments.update(rand(1, 5, 6), rand(3, 4))
    assert not moments.paired and float(moments.rows) == 10


def test_inputs_that_are_zero_leave_the_weight(rand):
    moments, weight = Moments(1, 6, 4, True), rand(4, 6)
    moments.update(torch.zeros(1, 9, 6), torch.zeros(9, 4))
    assert torch.equal(moments.target(weight), weight)
    assert torch.equal(moments.bias(weight), torch.zeros(4))


def test_one_input(rand):
    moments = Moments(1, 1, 2, True)
    x, weight = rand(30, 1), rand(2, 1)
    moments.update(x[None], x @ weight.T)
    torch.testing.assert_close(moments.target(weight), weight)
    assert torch.isfinite(moments.mean_hessian()).all()


def test_shares_add_up(rand):
    quantized, y, weight = seen(rand, 50, groups=2)
    whole, one, other = (Moments(2, 6, 4, True) for _ in range(3))
    whole.update(quantized, y)
    one.update(quantized[:, :20], y[:20])
    other.update(quantized[:, 20:], y[20:])
    one.merge(other)
    for way in ('target', 'bias'):
        torch.testing.assert_close(
            getattr(one, way)(weight),
            getattr(whole, way)(weight),
            rtol=1e-4,
            atol=1e-4,
        )
    torch.testing.assert_close(
        one.mean_hessian().float(), whole.mean_hessian().float()
    )
    other.paired = False
    one.merge(other)
    assert not one.paired
