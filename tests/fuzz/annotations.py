"""COCO annotations: read, calibrated on and judged by COCO's evaluation."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from . import detector
from .damage import VALUES, broken_bytes, broken_json
from .trial import Case

FIELDS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'categories': ('id', 'name'),
    'annotations': (
        *('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd'),
        'segmentation',
    ),
}
RLE = (
    *({'size': [1, 1], 'counts': [1]}, {'size': [268, 400]}, {}),
    {'size': [268, 400], 'counts': [268 * 400 + 1]},
    {'size': [268, 400], 'counts': [-1, 268 * 400 + 1]},
    {'size': [268, 400], 'counts': 'P' * 9},
    {'size': [268, 400], 'counts': '0'},
    {'size': [10**6, 10**6], 'counts': [10**12]},
    *([[]], [[1, 2]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [['x'] * 6]),
)
BOXES = (
    *([1, 2, -3, 4], [1, 2, 3], [1e300, 0, 1, 1], ['1', '2', '3', '4']),
    [float('nan')] * 4,
    [0, 0, float('inf'), 1],
)


def use(shared: Path, folder: Path) -> None:
    """Everything that is done with annotations, in the order of a run."""
    from mmengine.registry import METRICS

    from igq_mmdet.detection.data.calib_config import calibration_set
    from igq_mmdet.detection.evaluation.evaluation_set import evaluation_set

    samples = detector.samples(str(shared))
    config = detector.config_of(folder)
    with detector.silent():
        dataset = evaluation_set(config)
        images = calibration_set(None, config.calib_dataset)
        next(iter(images))
        metric = METRICS.build(config.test_evaluator)
        metric.dataset_meta = dataset.metainfo
        ids = {dataset.get_data_info(i)['img_id'] for i in range(len(dataset))}
        seen = [one for one in samples if one['img_id'] in ids]
        metric.process({}, copy.deepcopy(seen))
        if seen:
            metric.evaluate(len(seen))


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    detector.samples(str(shared))  # not on the clock of the first case
    makers = (_field, _field, _anything, _ids, _order, _bytes, _text)
    while True:
        label, text = random.choice(makers)(random)
        yield Case(
            label, partial(_put, text), partial(use, shared), 'ann.json'
        )


def _put(text: str | bytes, folder: Path) -> None:
    detector.put(folder, text)


def _whole() -> Any:
    return json.loads(detector.annotations())


def _field(random: Random) -> tuple[str, str]:
    """One field that COCO knows holds something else, or is gone."""
    data = _whole()
    name = random.choice(('images', *['annotations'] * 3, 'categories'))
    field = random.choice(FIELDS[name])
    index = random.randrange(len(data[name]))
    entry = data[name][index]
    values: Any = VALUES
    if field == 'segmentation':
        values = (*VALUES, *RLE * 3)
    elif field == 'bbox':
        values = (*VALUES, *BOXES * 3)
    value = random.choice((*values, str(entry[field])))
    label = f'{name}[{index}].{field}'
    if random.random() < 0.15:
        del entry[field]
        return f'{label} missing', json.dumps(data)
    entry[field] = value
    return f'{label} = {value!r:.40}', json.dumps(data)


def _anything(random: Random) -> tuple[str, str]:
    label, data = broken_json(_whole(), random)
    return label, json.dumps(data)


def _ids(random: Random) -> tuple[str, str]:
    """Ids that two entries share, or that nobody has."""
    data = _whole()
    name = random.choice(list(FIELDS))
    one, other = random.sample(data[name], 2)
    if random.random() < 0.5:
        one['id'] = other['id']
        return f'{name}: two of one id', json.dumps(data)
    field = random.choice(('image_id', 'category_id'))
    data['annotations'][0][field] = 987654321
    return f'annotation of unknown {field}', json.dumps(data)


def _order(random: Random) -> tuple[str, str]:
    """Categories in another order, or fewer: labels would be shifted."""
    data = _whole()
    kind = random.choice(('swap', 'fewer', 'name', 'more'))
    categories = data['categories']
    index = random.randrange(1, len(categories))
    if kind == 'swap':
        categories.insert(0, categories.pop(index))
    elif kind == 'fewer':
        del categories[index]
    elif kind == 'name':
        categories[index]['name'] = categories[0]['name']
    else:
        categories.insert(index, {'id': 5000, 'name': 'unicorn'})
    return f'categories {kind}', json.dumps(data)


def _bytes(random: Random) -> tuple[str, bytes]:
    return broken_bytes(detector.annotations().encode(), random)


def _text(random: Random) -> tuple[str, str]:
    text = random.choice(
        (
            *('', ' ', '[]', '{}', 'null', '5', '"x"', 'nan', '\ufeff{}'),
            *('[' * 200_000, '{"images":' * 50_000, '{"images": []}'),
            '{"images": [], "annotations": [], "categories": []}',
            detector.annotations()[:-1] + ', "images": []}',
        )
    )
    return f'text {text[:30]!r}', text
