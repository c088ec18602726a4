"""tools/reproduce.py: the whole path, on a COCO folder of demo images."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.config import Config

from igq_mmdet import QuantSpec
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.report.measured_rows import file_digest
from igq_mmdet.studies.reproduce import (
    find_row,
    find_rows,
    preset_spec,
    use_coco,
)

from ..detection.models.original_swin import original_detector

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
ROW = 'cascade-mask-rcnn_swin-t_coco_w4a4_g8'


@pytest.fixture(scope='module')
def coco(tmp_path_factory):
    """Two images to evaluate and eight to calibrate, laid out as COCO."""
    folder = tmp_path_factory.mktemp('coco')
    (folder / 'annotations').mkdir()
    for split, name, count in (
        ('eval', 'val2017', 2),
        ('calib', 'train2017', 8),
    ):
        content = json.loads(
            (ROOT / f'demo/instances_{split}.json').read_text()
        )
        content['images'] = content['images'][:count]
        ids = {image['id'] for image in content['images']}
        content['annotations'] = [
            a for a in content['annotations'] if a['image_id'] in ids
        ]
        (folder / name).mkdir()
        for image in content['images']:
            file = image['file_name']
            (folder / name / file).symlink_to(ROOT / 'demo/images' / file)
        path = folder / f'annotations/instances_{name}.json'
        path.write_text(json.dumps(content))
    return folder


def test_rows_are_the_presets():
    rows = find_rows(CONFIGS)
    assert len(rows) == len(list(CONFIGS.glob('*/*_coco_w?a?_g*.py'))) >= 20
    assert rows[ROW].parent.name == 'cascade_mask_rcnn'
    with pytest.raises(SpecError, match=f'did you mean {ROW!r}'):
        find_row(CONFIGS, ROW.replace('swin', 'swim'))


def test_preset_spec():
    config = Config.fromfile(
        find_row(CONFIGS, ROW), import_custom_modules=False
    )
    assert preset_spec(config) == QuantSpec(w_bits=4, a_bits=4, groups=8)
    with pytest.raises(SpecError, match='no custom hook'):
        preset_spec({'custom_hooks': [{'type': 'EMAHook'}]})


def test_everything_reads_from_the_folder(coco):
    config = Config.fromfile(
        find_row(CONFIGS, ROW), import_custom_modules=False
    )
    use_coco(config, str(coco))
    for dataset in (config.calib_dataset, config.test_dataloader.dataset):
        path = os.path.join(dataset.data_root, dataset.ann_file)
        assert Path(path).is_file() and path.startswith(str(coco))
        assert Path(dataset.data_root, dataset.data_prefix.img).is_dir()
    assert Path(config.test_evaluator.ann_file).is_file()
    assert 'data/coco' not in str(config.calib_dataset)


def test_what_is_not_there_is_named(coco, tmp_path):
    config = Config.fromfile(
        find_row(CONFIGS, ROW), import_custom_modules=False
    )
    (tmp_path / 'annotations').symlink_to(coco / 'annotations')
    with pytest.raises(DataError, match='there is no train2017'):
        use_coco(config, str(tmp_path))


def run(tool, *args):
    """Runs a command line in this process."""
    path = ROOT / f'tools/{tool}.py'
    spec = importlib.util.spec_from_file_location(tool, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(arg) for arg in args])


@pytest.mark.slow
def test_from_the_published_layout_to_a_row(coco, tmp_path):
    # Random weights: the path is tested, not the AP.
    _, state = original_detector('t', cascade=True)
    for key, value in state.items():
        if not key.startswith('backbone.') and value.dim() > 1:
            value.sub_(0.5).mul_(0.02)
    original, converted = tmp_path / 'original.pth', tmp_path / 'mmdet.pth'
    torch.save({'state_dict': state}, original)
    config = next(
        (CONFIGS / 'cascade_mask_rcnn').glob('*swin-t-p4-w7*3x_coco.py')
    )
    assert run('convert_checkpoint', config, original, converted) == 0

    results = tmp_path / 'rows.jsonl'
    results.write_text('{"row": "earlier"}\n')
    small = '(160,160)'
    command = [
        *('reproduce', ROW, '--coco', coco, '--checkpoint', converted),
        *('--results', results, '--work-dir', tmp_path / 'work', '--quiet'),
        '--cfg-options',
        f'test_dataloader.dataset.pipeline.1.scale={small}',
        f'calib_dataset.pipeline.1.scale={small}',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
        'model.test_cfg.rpn.max_per_img=50',
    ]
    assert run(*command) == 0
    earlier, row = map(json.loads, results.read_text().splitlines())
    assert earlier == {'row': 'earlier'}
    assert row['row'] == ROW
    assert row['checkpoint_sha256'] == file_digest(converted)
    assert row['evaluation_images'] == 2
    assert row['spec']['groups'] == 8
    assert row['parts']['bbox_head']['layers'] == 3 * (4 + 1 + 2)
    assert len(row['calibration']['image_ids']) == 1
    for metrics in (row['metrics'], row['float']['metrics']):
        assert 0 <= metrics['coco/bbox_mAP'] <= 1
        assert 0 <= metrics['coco/segm_mAP'] <= 1


@pytest.mark.slow
def test_errors_are_one_line(coco, tmp_path, capsys):
    results = tmp_path / 'rows.jsonl'
    for row, checkpoint, message in (
        ('no-such-row', __file__, 'unknown row'),
        (ROW, tmp_path / 'no.pth', 'no such checkpoint'),
        (ROW, __file__, 'cannot be read as a checkpoint'),
    ):
        status = run(
            *('reproduce', row, '--coco', coco, '--checkpoint', checkpoint),
            *('--results', results, '--work-dir', tmp_path),
        )
        assert status == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith('error: ') and message in last
    assert not results.exists()
