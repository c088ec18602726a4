import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.runtime import library
from igq_mmdet.runtime.linear import IntegerLinear

# a file and its input, so that every process has the same floats
CODE = """
import sys, warnings
import torch
import igq_mmdet as igq
model = torch.nn.Sequential(torch.nn.Linear(9, 7), torch.nn.Linear(7, 3))
x = torch.load(sys.argv[2])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    qmodel = igq.load(model, sys.argv[1])
    integer = igq.to_integer(igq.to_integer(qmodel) and qmodel)
    found = integer(x)
print(len([w for w in said if 'igq_mmdet.kernels' in str(w.message)]))
print(found.tolist(), qmodel(x).tolist())
"""


def run(limit, files, package=None):
    env = {**os.environ, 'IGQ_MMDET_ISA': limit}
    if package is not None:
        env['PYTHONPATH'] = str(package)
    done = subprocess.run(
        [sys.executable, '-c', CODE, *files],
        env=env,
        cwd=package,
        capture_output=True,
        text=True,
        check=True,
    )
    count, values = done.stdout.splitlines()
    return int(count), values


def calibrated(method='igq_integral'):
    model = nn.Sequential(nn.Linear(9, 7), nn.GELU(), nn.Linear(7, 3))
    qmodel = igq.quantize(model, igq.QuantSpec(method=method, groups=2))
    x = torch.randn(2, 5, 9)
    igq.calibrate(qmodel, [x])
    return model, qmodel, x


@pytest.mark.parametrize('method', ['igq_integral', 'igq'])
def test_without_kernels_the_results_are_the_same_and_it_is_said_once(
    tmp_path, method
):
    model = nn.Sequential(nn.Linear(9, 7), nn.Linear(7, 3))
    qmodel = igq.quantize(model, igq.QuantSpec(method=method, groups=2))
    files = tmp_path / 'q.safetensors', tmp_path / 'x.pt'
    x = torch.randn(2, 5, 9)
    igq.calibrate(qmodel, [x])
    igq.save(qmodel, files[0])
    torch.save(x, files[1])
    said, values = run('none', files)
    assert said == 1
    # as after an installation without a compiler
    source = Path(igq.__file__).parent
    shutil.copytree(
        source, tmp_path / source.name, ignore=shutil.ignore_patterns('*.so')
    )
    assert run('avx512', files, tmp_path) == (1, values)
    if library('avx512') is None:
        pytest.skip('no kernels here to compare with')
    assert run('avx512', files) == (0, values)


def test_the_copy_computes_saves_and_sums_up_as_the_model(tmp_path):
    model, qmodel, x = calibrated()
    integer = igq.to_integer(qmodel)
    assert isinstance(integer[0], IntegerLinear)
    assert not isinstance(qmodel[0], IntegerLinear)
    assert set(integer.igq_runtime.values()) == {None}
    assert torch.equal(integer(x), qmodel(x))
    igq.save(integer, tmp_path / 'q.safetensors')
    again = igq.load(model, tmp_path / 'q.safetensors')
    assert torch.equal(again(x), qmodel(x))
    assert str(igq.summary(integer)) == str(igq.summary(qmodel))


def test_what_cannot_run_on_integers_says_why():
    _, qmodel, x = calibrated('upper_bound')
    integer = igq.to_integer(qmodel)
    assert set(integer.igq_runtime.values()) == {
        'method upper_bound has no integer form'
    }
    assert torch.equal(integer(x), qmodel(x))


def test_a_model_that_is_not_ready_is_refused():
    model = nn.Sequential(nn.Linear(9, 7))
    with pytest.raises(igq.IGQError, match='not a quantized model'):
        igq.to_integer(model)
    qmodel = igq.quantize(model, igq.QuantSpec())
    with pytest.raises(igq.IGQError, match='0 is not calibrated'):
        igq.to_integer(qmodel)


def test_an_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match='IGQ_MMDET_ISA'):
        library('avx1024')


def test_other_dtypes_are_simulated():
    _, qmodel, x = calibrated()
    integer = igq.to_integer(qmodel).double()
    torch.testing.assert_close(
        integer(x.double()), qmodel.double()(x.double())
    )
