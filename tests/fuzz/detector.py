"""The demo on two images: one detector for all cases that need one."""

import contextlib
import copy
import io
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import torch

IMAGES = 2
CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
FLOAT = 'demo/swin_mini_mask_rcnn.safetensors'


@cache
def annotations() -> str:
    """COCO JSON of the first images of the demo, with a crowd as RLE."""
    data = json.loads(Path('demo/instances_eval.json').read_text())
    kept = {image['id'] for image in data['images'][:IMAGES]}
    data['images'] = data['images'][:IMAGES]
    data['annotations'] = [
        one for one in data['annotations'] if one['image_id'] in kept
    ]
    image = data['images'][0]
    area = image['height'] * image['width']
    data['annotations'].append(
        {
            **data['annotations'][0],
            'id': 10**9,
            'image_id': image['id'],
            'iscrowd': 1,
            'segmentation': {
                'size': [image['height'], image['width']],
                'counts': [area - 1000, 1000],
            },
        }
    )
    data.pop('licenses')
    return json.dumps(data)


def put(folder: Path, text: str | bytes, images: bool = True) -> None:
    """Writes annotations, and the images beside them."""
    raw = text if isinstance(text, bytes) else text.encode()
    (folder / 'ann.json').write_bytes(raw)
    (folder / 'images').mkdir()
    for image in json.loads(annotations())['images'] if images else ():
        name = image['file_name']
        shutil.copy(Path('demo/images') / name, folder / 'images' / name)


@cache
def _config() -> Any:
    from igq_mmdet.detection.models.config import load_config

    return load_config(CONFIG)


def config_of(folder: Path) -> Any:
    """The demo's config on that folder."""
    config = copy.deepcopy(_config())
    for dataset in (config.test_dataloader.dataset, config.calib_dataset):
        dataset.data_root = str(folder)
        dataset.ann_file = 'ann.json'
    config.test_evaluator.ann_file = str(folder / 'ann.json')
    return config


@cache
def experiment(work_dir: str) -> Any:
    """What the command line runs, with its weights."""
    from igq_mmdet.studies.experiment import Experiment

    folder = Path(work_dir) / 'whole'
    folder.mkdir()
    put(folder, annotations())
    made = Experiment(config_of(folder), work_dir, quiet=True)
    made.load_float(FLOAT)
    return made


@cache
def samples(work_dir: str) -> list[Any]:
    """What the float detector predicts, as the evaluator takes it."""
    runner = experiment(work_dir).runner
    runner.model.eval()
    with torch.no_grad():
        return [
            sample.to_dict()
            for batch in runner.test_loop.dataloader
            for sample in runner.model.test_step(batch)
        ]


def silent() -> Any:
    return contextlib.redirect_stdout(io.StringIO())
