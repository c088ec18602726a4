"""Folders of images and masks, kinds of masks, and COCO as masks."""

import json

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmengine.registry import init_default_scope
from PIL import Image
from pycocotools.coco import COCO

from igq_mmdet.detection.data.calibration_set import build_dataset
from igq_mmdet.detection.kept.evaluation_identity import dataset_digest
from igq_mmdet.errors import DataError
from igq_mmdet.segmentation import MapDataset
from igq_mmdet.segmentation.masks import read_mask

from ..conftest import ROOT
from .conftest import draw_pair, write_set

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='igq_mmdet.PackMap'),
]
NAMES = ['CAMO', 'CHAMELEON']


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')


def config(folder, **options):
    return dict(
        type='igq_mmdet.MapDataset',
        data_root=str(folder),
        pipeline=PIPELINE,
        **options,
    )


def test_sets_of_folders(sets):
    dataset = build_dataset(
        config(sets / 'TestDataset', sets=NAMES), 'test_dataloader'
    )
    assert len(dataset) == 6
    ids = [dataset.get_data_info(i)['img_id'] for i in range(6)]
    assert ids == [f'{n}/img_{i}' for n in NAMES for i in range(3)]
    packed = dataset[4]
    assert packed['inputs'].shape == (3, 32, 32)
    sample = packed['data_samples']
    _, mask = draw_pair(21, (50, 40))
    assert (sample.gt_mask.numpy() == mask).all()
    assert sample.set_name == 'CHAMELEON' and sample.img_path.endswith('.jpg')


def test_one_set_is_called_after_its_folder(sets):
    dataset = MapDataset(data_root=str(sets / 'TrainValDataset'))
    assert dataset.get_data_info(0)['set_name'] == 'TrainValDataset'
    dataset = MapDataset(data_root=str(sets / 'TrainValDataset'), set_name='x')
    assert dataset.get_data_info(3)['img_id'] == 'x/img_3'


def test_other_names(tmp_path):
    """As ECSSD has them, with a suffix; further files do not matter."""
    write_set(tmp_path / 'ECSSD', 2)
    folder = tmp_path / 'ECSSD'
    (folder / 'Imgs').rename(folder / 'images')
    (folder / 'GT').rename(folder / 'ground_truth_mask')
    (folder / 'images/Thumbs.db').write_bytes(b'')
    for path in list((folder / 'ground_truth_mask').iterdir()):
        path.rename(path.with_name(f'{path.stem}_mask.png'))
    assert len(MapDataset(data_root=str(folder), mask_suffix='_mask')) == 2
    (folder / 'images').rename(folder / 'Pictures')
    with pytest.raises(DataError, match='has no folders Imgs and GT'):
        MapDataset(data_root=str(folder))
    names = ('pictures', 'ground_truth_mask')
    dataset = MapDataset(
        data_root=str(folder), folders=names, mask_suffix='_mask'
    )
    assert len(dataset) == 2


def test_calibration_needs_no_masks(sets):
    folder = sets / 'TrainValDataset'
    for path in (folder / 'GT').iterdir():
        path.unlink()
    dataset = build_dataset(config(folder, with_masks=False), 'calib_dataset')
    assert 'gt_mask' not in dataset[1]['data_samples']


def _image_alone(folder):
    (folder / 'GT/img_1.png').unlink()


def _mask_alone(folder):
    (folder / 'Imgs/img_1.jpg').unlink()


def _twice(folder):
    (folder / 'Imgs/img_1.png').write_bytes(b'')


def _no_images(folder):
    for path in (folder / 'Imgs').iterdir():
        path.unlink()


@pytest.mark.parametrize(
    'change, message',
    [
        (_image_alone, r'Imgs/img_1.jpg: has no mask in \S*GT; add it'),
        (_mask_alone, r'GT/img_1.png: has no image in \S*Imgs; add it'),
        (_twice, r'img_1.png: is there twice, also as img_1.jpg'),
        (_no_images, 'Imgs: holds no images'),
    ],
)
def test_what_does_not_match_is_named(sets, change, message):
    change(sets / 'TestDataset/CAMO')
    with pytest.raises(DataError, match=f'test_dataloader: .*{message}'):
        build_dataset(
            config(sets / 'TestDataset', sets=NAMES), 'test_dataloader'
        )


def test_a_set_that_is_not_there(sets):
    with pytest.raises(DataError, match='NC4K: no such folder; fix'):
        MapDataset(data_root=str(sets / 'TestDataset'), sets=['NC4K'])
    with pytest.raises(DataError, match='sets: must name folders'):
        MapDataset(data_root=str(sets), sets=[])


@pytest.mark.parametrize('name', ['GT/img_1.png', 'Imgs/img_1.jpg'])
def test_an_unreadable_file_is_named(sets, name):
    """Also one that only lost its end."""
    from igq_mmdet.detection.data.images_named import NamedImages

    folder = sets / 'TestDataset/CAMO'
    content = (folder / name).read_bytes()
    for broken in (b'no image', content[: len(content) // 2]):
        (folder / name).write_bytes(broken)
        dataset = build_dataset(config(folder), 'test_dataloader')
        dataset.pipeline = NamedImages(dataset.pipeline, False)
        with pytest.raises(DataError, match=f'{name}: .*cannot be read'):
            dataset[1]


def test_a_turned_image_is_refused(sets):
    folder = sets / 'TestDataset/CAMO'
    Image.open(folder / 'GT/img_1.png').transpose(
        Image.Transpose.ROTATE_90
    ).save(folder / 'GT/img_1.png')
    dataset = build_dataset(config(folder), 'test_dataloader')
    with pytest.raises(DataError, match='if EXIF turned it'):
        dataset[1]


def test_masks_are_part_of_what_is_evaluated(sets):
    """So that nothing is taken from a run on other masks."""
    folder = sets / 'TestDataset/CAMO'
    path = folder / 'GT/img_1.png'
    first = dataset_digest(MapDataset(data_root=str(folder)))
    assert dataset_digest(MapDataset(data_root=str(folder))) == first
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(path)
    ids, digest = dataset_digest(MapDataset(data_root=str(folder)))
    assert ids == first[0] and digest != first[1]


def test_coco_instances_are_part_of_what_is_evaluated(tmp_path):
    data = json.loads((ROOT / 'demo/instances_calib.json').read_text())
    digests = []
    for moved in (0, 0, 1):
        data['annotations'][0]['segmentation'][0][0] += moved
        path = tmp_path / 'x.json'
        path.write_text(json.dumps(data))
        digests.append(dataset_digest(MapDataset(ann_file=str(path)))[1])
    assert digests[0] == digests[1] != digests[2]


_, MASK = draw_pair(3)
GREY = Image.fromarray(255 * MASK.astype(np.uint8))


def _palette(*colours):
    image = Image.fromarray(MASK.astype(np.uint8)).convert('P')
    image.putdata(MASK.astype(np.uint8).flatten().tolist())
    image.putpalette([c for colour in colours for c in colour])
    return image


def _with_alpha(colour, alpha):
    image = Image.new('RGBA', GREY.size, colour)
    image.putalpha(alpha)
    return image


KINDS = {
    '255': GREY,
    '1': Image.fromarray(MASK.astype(np.uint8)),
    'bool': GREY.convert('1'),
    'grey': Image.fromarray(np.where(MASK, 200, 90).astype(np.uint8)),
    '16 bits': Image.fromarray(np.where(MASK, 60000, 300).astype(np.uint16)),
    'colour': GREY.convert('RGB'),
    'palette of greys': _palette((0, 0, 0), (255, 255, 255)),
    'palette of colours': _palette((0, 0, 0), (128, 0, 0)),
    'opaque': _with_alpha((0, 0, 0, 255), GREY),
    'alpha is the mask': _with_alpha((255, 255, 255, 255), GREY),
    'grey and alpha': Image.merge(
        'LA', (GREY, Image.new('L', GREY.size, 255))
    ),
}


@pytest.mark.parametrize('kind', KINDS)
def test_kinds_of_masks(tmp_path, kind):
    KINDS[kind].save(tmp_path / 'x.png')
    assert (read_mask(str(tmp_path / 'x.png')) == MASK).all()


@pytest.mark.parametrize('value', [0, 1, 255])
def test_empty_and_full(tmp_path, value):
    pixels = np.full((5, 7), value, np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'x.png')
    assert (read_mask(str(tmp_path / 'x.png')) == bool(value)).all()


def test_coco_instances_as_masks():
    """Of the demo; the union as pycocotools' own annToMask has it."""
    name = ROOT / 'demo/instances_calib.json'
    dataset = build_dataset(
        config(
            ROOT / 'demo',
            ann_file='instances_calib.json',
            data_prefix=dict(img='images/'),
        ),
        'test_dataloader',
    )
    coco = COCO(str(name))
    assert len(dataset) == len(coco.imgs)
    for packed in dataset:
        sample = packed['data_samples']
        expected = np.zeros(sample.ori_shape, dtype=bool)
        for entry in coco.imgToAnns[sample.img_id]:
            expected |= coco.annToMask(entry).astype(bool)
        assert (sample.gt_mask.numpy() == expected).all()
        assert sample.set_name == 'instances_calib'


def test_coco_images_without_instances(tmp_path):
    data = json.loads((ROOT / 'demo/instances_calib.json').read_text())
    one = data['images'][0]['id']
    data['annotations'] = [
        x for x in data['annotations'] if x['image_id'] != one
    ]
    path = tmp_path / 'some.json'
    path.write_text(json.dumps(data))
    options = config(
        ROOT / 'demo', ann_file=str(path), data_prefix=dict(img='images/')
    )
    dataset = build_dataset(options, 'test_dataloader')
    assert len(dataset) == 8
    assert not dataset[0]['data_samples'].gt_mask.any()
    options['filter_cfg'] = dict(filter_empty_gt=True)
    assert len(build_dataset(options, 'test_dataloader')) == 7
