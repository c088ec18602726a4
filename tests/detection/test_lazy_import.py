"""mmdet features are there when asked for, and say what they need."""

import os
import subprocess
import sys

import pytest

from ..conftest import ROOT

BLOCKED = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('mmengine', 'mmcv', 'mmdet'):
            raise ModuleNotFoundError(f'No module named {name!r}')

sys.meta_path.insert(0, Refuse())
"""


def python(code, *args):
    return subprocess.run(
        [sys.executable, '-c', code, *args],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_without_mmdet():
    done = python(
        BLOCKED
        + """
import igq_mmdet
from igq_mmdet.errors import MissingDependencyError

def message(ask):
    try:
        ask()
    except MissingDependencyError as error:
        assert isinstance(error, ImportError)
        return str(error)
    raise AssertionError('no error')

for ask in (
    lambda: igq_mmdet.IGQHook,
    lambda: igq_mmdet.IGQDetector,
    lambda: __import__('igq_mmdet.engine'),
):
    text = message(ask)
    assert "pip install --no-build-isolation 'igq_mmdet[mm]'" in text, text
    assert "No module named 'mm" in text and chr(10) not in text, text
try:
    igq_mmdet.IGQHoock
except AttributeError as error:
    assert 'IGQHoock' in str(error)
else:
    raise AssertionError('an attribute that is not there')
"""
    )
    assert done.returncode == 0, done.stderr


def test_command_line_without_mmdet():
    code = BLOCKED + 'import runpy; sys.argv = sys.argv[1:]\n'
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = python(code, 'tools/ptq_coco.py')
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith('error: igq_mmdet needs mmdet')
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize('first', ['igq_mmdet', 'mmengine'])
def test_configs_find_it_in_any_order_of_imports(first):
    pytest.importorskip('mmdet')
    done = python(
        f"""
import importlib
importlib.import_module({first!r})
from mmengine.registry import HOOKS, METRICS, MODELS, init_default_scope
import igq_mmdet
init_default_scope('mmdet')
for registry, name in (
    (HOOKS, 'IGQHook'),
    (MODELS, 'IGQDetector'),
    (METRICS, 'PreciseCocoMetric'),
):
    found = registry.get(f'igq_mmdet.{{name}}')
    assert found is getattr(igq_mmdet, name), name
from mmengine.runner.checkpoint import CheckpointLoader
loader = CheckpointLoader._get_checkpoint_loader('some/q.safetensors')
assert loader.__name__ == 'load_from_safetensors', loader
"""
    )
    assert done.returncode == 0, done.stderr


def test_the_old_address_works_with_a_warning():
    pytest.importorskip('mmdet')
    done = python(
        """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    from igq_mmdet.engine.igq_hook import IGQHook
    from igq_mmdet.engine import IGQDetector
import igq_mmdet
assert IGQHook is igq_mmdet.IGQHook and IGQDetector is igq_mmdet.IGQDetector
assert 'igq_mmdet.detection' in ' '.join(str(w.message) for w in caught)
"""
    )
    assert done.returncode == 0, done.stderr
