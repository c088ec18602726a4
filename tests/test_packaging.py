"""mim-style look-ups, ``igq_mmdet::`` configs, and the wheel."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import yaml
from mmengine.config import Config
from mmengine.hub import get_config

import igq_mmdet.registry  # noqa: F401  after mmengine, as configs do

from .conftest import ROOT
from .few import few

MIM = ROOT / 'igq_mmdet' / '.mim'
PRESETS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob('configs/*/*_w?a?_g*.py')
)


def models():
    index = yaml.safe_load((MIM / 'model-index.yml').read_text())
    for name in index['Import']:
        yield from yaml.safe_load((MIM / name).read_text())['Models']


def test_index_lists_every_preset():
    assert PRESETS
    assert sorted(model['Config'] for model in models()) == PRESETS


@pytest.mark.parametrize('model', [*models()], ids=lambda model: model['Name'])
def test_index_says_what_the_preset_does(model):
    assert model['Name'] == Path(model['Config']).stem
    config = Config.fromfile(
        MIM / model['Config'], import_custom_modules=False
    )
    spec, meta = config.custom_hooks[0].spec, model['Metadata']
    assert (spec.w_bits, spec.a_bits, spec.groups) == (
        meta['Weight Bits'],
        meta['Activation Bits'],
        meta['Groups'],
    )
    if 'Weights' in model:
        pages = (ROOT / 'docs/checkpoints.md').read_text()
        mmdet = Path(sys.modules['mmdet'].__file__).parent / '.mim/configs'
        pages += (mmdet / 'detr/metafile.yml').read_text()
        assert model['Weights'] in pages


def test_hub_finds_presets():
    name = 'mask_rcnn/mask-rcnn_swin-t_coco_w4a4_g12.py'
    config = get_config(f'igq_mmdet::{name}', pretrained=True)
    assert config.custom_hooks[0].spec.groups == 12
    assert config.model.backbone.type == 'SwinTransformer'
    assert config.model_path.endswith('.pth')
    base = get_config('igq_mmdet::_base_/coco_calib.py')
    assert base.calib_dataset.type == 'CocoDataset'


USER_CONFIG = """
_base_ = {base}
model = dict(backbone=dict(drop_path_rate=0.3))
custom_hooks = _base_.custom_hooks
test_cfg = _base_.test_cfg
"""
NAME = "'igq_mmdet::demo/cascade-mask-rcnn_swin-mini_demo_w4a4_g12.py'"


def test_base_of_a_config(tmp_path):
    """Everything is built in the scope igq_mmdet, by mmdet's classes."""
    from mmdet.registry import DATASETS, MODELS
    from mmengine.registry import DATASETS as ROOT_DATASETS
    from mmengine.registry import HOOKS

    path = tmp_path / 'user.py'
    path.write_text(USER_CONFIG.format(base=NAME))
    config = Config.fromfile(path)
    assert config.model.backbone.drop_path_rate == 0.3
    data = config.calib_dataset
    assert data._scope_ == 'igq_mmdet'
    data.data_root = str(ROOT / 'demo') + '/'
    for registry in (DATASETS, ROOT_DATASETS):
        assert len(registry.build(data)) == 8
    # as in a config that takes nothing from mmdet::
    config.model._scope_ = 'igq_mmdet'
    detector = MODELS.build(config.model)
    assert type(detector).__module__.startswith('mmdet.')
    assert len(detector.roi_head.bbox_head) == 3
    hook = HOOKS.build(config.custom_hooks[0])
    assert type(hook).__name__ == 'IGQHook'


def run(*command, env=None, cwd=None):
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, 'OMP_NUM_THREADS': '1', **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_stock_tool_takes_such_a_config(tmp_path):
    """mmdet's own tools/test.py; the base imports the package itself."""
    path = tmp_path / 'user.py'
    base = "__import__('igq_mmdet') and "
    base += "'igq_mmdet::demo/mask-rcnn_swin-mini_demo_w4a4_g12.py'"
    path.write_text(f'_base_ = {base}\n')
    mim = Path(sys.modules['mmdet'].__file__).parent / '.mim'
    run(
        sys.executable,
        mim / 'tools/test.py',
        path,
        'demo/swin_mini_mask_rcnn.safetensors',
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        *few(2),
        env={'PYTHONPATH': str(ROOT)},
        cwd=ROOT,
    )
    (report,) = (tmp_path / 'work').rglob('igq_report.json')
    assert len(json.loads(report.read_text())['runs']) == 1


def clean(tmp_path):
    return {'cwd': tmp_path, 'env': {'PYTHONPATH': ''}}


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """An environment into which the wheel was installed.

    Big packages are those of this environment, appended to its path; the
    editable igq_mmdet among them is not, since .pth files of an appended
    folder are not run.
    """
    folder = tmp_path_factory.mktemp('wheel')
    # out of the checkout, whose metadata pip would take for an installation
    away = clean(folder)
    dist, venv = folder / 'dist', folder / 'venv'
    build = ('-m', 'build', '--no-isolation', '--outdir', dist, ROOT)
    run(sys.executable, *build, **away)
    (wheel,) = dist.glob('*.whl')
    (source,) = dist.glob('*.tar.gz')
    assert source.stat().st_size > 8e6
    run(sys.executable, '-m', 'venv', venv, **away)
    python = venv / 'bin/python'
    install = ('-m', 'pip', 'install', '--no-deps', '--no-index', wheel)
    run(python, *install, **away)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, '-c', code, **away).strip())
    packages = sysconfig.get_path('purelib')
    (site / 'big_packages.pth').write_text(f'{packages}\n')
    return python, site / 'igq_mmdet'


@pytest.mark.slow
def test_wheel_is_what_is_imported(installed, tmp_path):
    python, package = installed
    shown = run(python, '-m', 'igq_mmdet', **clean(tmp_path))
    assert f'imported from         {package}\n' in shown
    assert f'configs and demo      yes  {package}/.mim\n' in shown
    assert 'detectors             yes' in shown


@pytest.mark.slow
def test_wheel_carries_everything(installed):
    _, package = installed
    files = subprocess.run(
        ['git', 'ls-files', 'configs', 'tools', 'demo', 'model-index.yml'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.split()
    if not files:
        pytest.skip('not a git checkout: nothing says what belongs to it')
    # these images, 22 MB and 4, come with the repository only
    folders = ('demo/nuclei/', 'demo/saliency/')
    left_out = [name for name in files if name.startswith(folders)]
    for folder in folders:
        assert left_out and not (package / '.mim' / folder).exists()
    for name in sorted(set(files) - set(left_out)):
        copy = package / '.mim' / name
        assert copy.is_file() and not copy.is_symlink(), name
        assert copy.read_bytes() == (ROOT / name).read_bytes(), name
    assert not list(package.rglob('tests'))


@pytest.mark.slow
def test_wheel_finds_configs(installed, tmp_path):
    python, package = installed
    code = """
import mmengine.hub, igq_mmdet
name = 'igq_mmdet::detr/detr_r50_coco_w6a6_g8.py'
print(mmengine.hub.get_config(name).filename)
"""
    found = run(python, '-c', code, **clean(tmp_path)).split()[-1]
    assert Path(found).is_relative_to(package / '.mim/configs')


@pytest.mark.slow
def test_demo_runs_from_the_wheel(installed, tmp_path):
    python, package = installed
    run(
        python,
        package / '.mim/tools/ptq_coco.py',
        '--groups',
        8,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        *few(4),
        **clean(tmp_path),
    )
    report = json.loads((tmp_path / 'work/igq_report.json').read_text())
    (one,) = report['runs']
    assert one['spec']['groups'] == 8
    full = report['float']['metrics']['coco/bbox_mAP']
    assert full > 0.03
    assert one['metrics']['coco/bbox_mAP'] > 0.5 * full
