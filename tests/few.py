"""The demo's first evaluation images, with the annotations of these alone."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from .conftest import ROOT

EVAL = ROOT / 'demo/instances_eval.json'


@cache
def folder():
    """For the files of this process; gone when it ends."""
    path = Path(tempfile.mkdtemp(prefix='igq_few_'))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def annotations(count, of=EVAL):
    """A file of the first images of an annotation file."""
    data = json.loads(of.read_text())
    data['images'] = data['images'][:count]
    ids = {image['id'] for image in data['images']}
    data['annotations'] = [
        x for x in data['annotations'] if x['image_id'] in ids
    ]
    path = folder() / f'{of.stem}_{count}.json'
    path.write_text(json.dumps(data))
    return path


def few(count):
    """Options by which a demo config evaluates its first images."""
    return judged_by(annotations(count))


def judged_by(path):
    """Options by which a demo config evaluates what a file lists."""
    return [
        f'{key}.ann_file={path}'
        for key in ('test_dataloader.dataset', 'test_evaluator')
    ]
