"""Small COCO data with everything in it that COCOeval treats specially."""

import contextlib
import io

import numpy as np
import pytest

SIDES = (20.0, 60.0, 150.0)  # small, medium, large
CLASSES = (1, 2, 5, 7)  # nothing of 7 is annotated, nothing of 5 is found
IMAGES = 12


def make_data(seed):
    """Images, annotations and detections.

    Every fourth image has no annotation, every fifth no detection, every
    third annotation is a crowd; scores are equal between images, never in
    one.
    """
    draw = np.random.default_rng(seed)
    annotations, found = [], []
    for image in range(1, IMAGES + 1):
        scores = iter(draw.permutation(np.arange(1, 100) / 100))
        for label in CLASSES[:3] if image % 4 else ():
            for _ in range(draw.integers(0, 4)):
                side = draw.choice(SIDES)
                x, y = draw.uniform(0, 400, 2)
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': image,
                        'category_id': int(label),
                        'bbox': [x, y, side, side],
                        'area': side * side,
                        'iscrowd': int(len(annotations) % 3 == 0),
                    }
                )
                for _ in range(draw.integers(0, 4) if label != 5 else 0):
                    shift = draw.normal(0, side / 8, 2)
                    found.append((image, label, [x, y, *shift], side, scores))
        for label in (1, 2, 7):  # of nothing
            for _ in range(draw.integers(0, 3)):
                x, y = draw.uniform(0, 400, 2)
                side = draw.choice(SIDES)
                found.append((image, label, [x, y, 0, 0], side, scores))
    return annotations, [
        {
            'image_id': image,
            'category_id': int(label),
            'bbox': [x + dx, y + dy, side, side],
            'score': float(next(scores)),
        }
        for image, label, (x, y, dx, dy), side, scores in found
        if image % 5
    ]


def times(entries, weights):
    """Entries of images that are there so many times, under new ids."""
    copies = [
        {**entry, 'image_id': 100 * entry['image_id'] + copy}
        for entry in entries
        for copy in range(weights[entry['image_id'] - 1])
    ]
    for number, entry in enumerate(copies, 1):
        entry['id'] = number
    return copies


def coco_run(data, weights=None, **params):
    """COCOeval after all of its steps."""
    coco = pytest.importorskip('pycocotools.coco')
    cocoeval = pytest.importorskip('pycocotools.cocoeval')
    weights = [1] * IMAGES if weights is None else list(weights)
    annotations, found = (times(entries, weights) for entries in data)
    images = [
        {'id': 100 * image + copy, 'height': 600, 'width': 600}
        for image in range(1, IMAGES + 1)
        for copy in range(weights[image - 1])
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            'images': images,
            'annotations': annotations,
            'categories': [{'id': label, 'name': 'x'} for label in CLASSES],
        }
        truth.createIndex()
        run = cocoeval.COCOeval(truth, truth.loadRes(found), 'bbox')
        for name, value in params.items():
            setattr(run.params, name, value)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run
