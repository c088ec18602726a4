"""Folders of images, Fashion-MNIST files, and both command lines."""

import gzip
import importlib.util
import json
import os

import pytest
import torch

pytest.importorskip('timm')
pytest.importorskip('torchvision')

import timm
from PIL import Image

from igq_mmdet.classification import (
    ClassifierExperiment,
    Images,
    fashion_mnist,
    image_folder,
    training,
)
from igq_mmdet.classification.small_models import load_small, small_model
from igq_mmdet.classification.training import train_small
from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import unpack_hits

from ..conftest import ROOT


def tool(name):
    """A command line of tools/, which is no package."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ptq_imagenet = tool('ptq_imagenet')
ptq_fashion_mnist = tool('ptq_fashion_mnist')


@pytest.fixture
def imagenet(tmp_path):
    """Two classes, three images each, and the weights of a tiny ViT."""
    generator = torch.Generator().manual_seed(0)
    for split in ('train', 'val'):
        for label in ('a', 'b'):
            folder = tmp_path / 'data' / split / label
            folder.mkdir(parents=True)
            for index in range(3):
                pixels = torch.randint(
                    0, 256, (40, 50, 3), generator=generator
                )
                Image.fromarray(pixels.to(torch.uint8).numpy()).save(
                    folder / f'{index}.png'
                )
    torch.manual_seed(0)
    model = timm.create_model('test_vit')
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    return tmp_path


def call(imagenet, *options, model='test_vit'):
    return ptq_imagenet.main(
        [
            model,
            '--data',
            str(imagenet / 'data'),
            '--checkpoint',
            str(imagenet / 'vit.pth'),
            '--work-dir',
            str(imagenet / 'out'),
            '--calib-images',
            '4',
            '--quiet',
            *options,
        ]
    )


def report(imagenet):
    return json.loads((imagenet / 'out' / 'igq_report.json').read_text())


def test_imagenet_command(imagenet, capsys):
    settings = ['--compare', 'layerwise,igq:4', '--bits', '4/4', '8/8']
    assert call(imagenet, *settings) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 + 1 + 4) + (3 + 2)
    data = report(imagenet)
    against = [row['against'] for row in data['differences']['settings']]
    assert against == ['layerwise W4A4', 'layerwise W8A8']
    for run in [data['float'], *data['runs']]:
        found = unpack_hits(run['hits'], data['images'])
        for key, hits in found.items():
            assert hits.values.mean() == pytest.approx(run['metrics'][key])
    assert set(data['float']['metrics']) == {'top1', 'top5'}
    assert [run['name'] for run in data['runs']] == [
        'layerwise W4A4',
        'igq:4 W4A4',
        'layerwise W8A8',
        'igq:4 W8A8',
    ]
    for run in data['runs']:
        assert run['coverage']['uncovered'] == []
        assert run['calibration']['num_images'] == 4
        assert run['calibration']['evaluation_images'] == []
        assert list(run['parts']) == ['model']


def test_saved_checkpoint_evaluates_the_same(imagenet):
    file = str(imagenet / 'q.safetensors')
    assert call(imagenet, '--save', file) == 0
    saved = report(imagenet)['runs'][0]
    assert call(imagenet, '--load', file) == 0
    loaded = report(imagenet)['runs'][0]
    for key in ('metrics', 'spec', 'calibration', 'bytes'):
        assert loaded[key] == saved[key]


def test_same_seed_same_images(imagenet):
    drawn = []
    for seed in '0', '0', '1':
        assert call(imagenet, '--seed', seed, '--skip-float') == 0
        drawn.append(report(imagenet)['runs'][0]['calibration']['image_ids'])
    assert drawn[0] == drawn[1] != drawn[2]


def test_calibration_on_evaluation_images_is_recorded(imagenet):
    assert call(imagenet, '--calib-on-eval') == 0
    record = report(imagenet)['runs'][0]['calibration']
    assert record['evaluation_images'] == record['image_ids'] != []


def _no_train(imagenet):
    (imagenet / 'data' / 'train').rename(imagenet / 'data' / 'other')
    return []


def _damaged(imagenet):
    (imagenet / 'data' / 'val' / 'b' / '1.png').write_bytes(b'no image')
    return []


@pytest.mark.parametrize(
    'change, message',
    [
        (_no_train, 'train: no such folder; calibration needs it'),
        (_damaged, 'b/1.png: image does not decode'),
        (lambda _: ['--calib-images', '7'], '7 calibration images asked for'),
        (lambda _: ['--reference', 'igq:3'], "'igq:3' is not evaluated"),
        (lambda _: ['--bits', '4'], "'4' is not W/A"),
        (lambda _: ['--bits', '9/4'], 'w_bits must be 2 to 8, got 9'),
        (lambda _: ['--compare', 'igq:x'], "'igq:x' is not METHOD"),
        (lambda _: ['--data', 'nowhere'], 'no such folder'),
        (lambda _: ['--checkpoint', 'nothing.pth'], 'no such checkpoint'),
    ],
)
def test_errors_are_one_line(imagenet, capsys, change, message):
    assert call(imagenet, *change(imagenet)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and message in line


def test_unknown_model(imagenet, capsys):
    assert call(imagenet, model='vit_huger') == 1
    assert "timm has no model 'vit_huger'" in capsys.readouterr().err


def test_more_classes_than_the_model_predicts():
    images = Images([], [], 11)
    with pytest.raises(DataError, match='11 class folders'):
        ClassifierExperiment(small_model('vit'), images, 'unused')


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match='no images in class folders'):
        image_folder(str(tmp_path), None)


@pytest.fixture
def fashion(tmp_path):
    """The four files with 256 training and 20 test images."""
    generator = torch.Generator().manual_seed(0)
    for prefix, count in (('train', 256), ('t10k', 20)):
        labels = torch.arange(count) % 10
        pixels = (
            torch.randint(0, 200, (count, 28, 28), generator=generator)
            + (labels * 5)[:, None, None]
        )
        for kind, values in (('images-idx3', pixels), ('labels-idx1', labels)):
            head = bytes([0, 0, 8, values.dim()])
            for size in values.shape:
                head += size.to_bytes(4, 'big')
            content = head + values.to(torch.uint8).numpy().tobytes()
            with gzip.open(tmp_path / f'{prefix}-{kind}-ubyte.gz', 'wb') as f:
                f.write(content)
    return tmp_path


def test_fashion_mnist_files(fashion):
    images = fashion_mnist('test', str(fashion))
    assert len(images) == 20 and images.classes == 10
    (x, labels), *_ = images.batches(7)
    assert x.shape == (7, 1, 28, 28) and x.dtype == torch.float32
    assert labels.tolist() == list(range(7))
    path = fashion / 't10k-labels-idx1-ubyte.gz'
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(DataError, match='damaged, not an IDX file of 1 axes'):
        fashion_mnist('test', str(fashion))
    path.unlink()
    with pytest.raises(DataError, match='apt-get install'):
        fashion_mnist('test', str(fashion))


@pytest.mark.parametrize('kind', ['vit', 'swin'])
def test_train_and_quantize(fashion, kind, capsys):
    weights = str(fashion / 'new' / 'w.safetensors')
    train_small(kind, fashion_mnist('train', str(fashion)), weights, epochs=1)
    assert load_small(kind, weights)(torch.zeros(2, 1, 28, 28)).shape == (
        2,
        10,
    )
    with pytest.raises(DataError, match='not the weights of'):
        load_small({'vit': 'swin', 'swin': 'vit'}[kind], weights)
    out = str(fashion / 'out')
    options = ['--data', str(fashion), '--weights', weights, '--quiet']
    assert ptq_fashion_mnist.main([kind, *options, '--work-dir', out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 + 1 + 8) + (3 + 6)


def test_training_goes_on_after_a_stop(fashion, monkeypatch):
    images = fashion_mnist('train', str(fashion))
    whole, parts = (str(fashion / name) for name in ('whole', 'parts'))
    train_small('vit', images, whole, epochs=3)

    class Stop(Exception):
        pass

    write = training._Progress.write

    def stop(progress, epochs_done):
        write(progress, epochs_done)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(training._Progress, 'write', stop)
        with pytest.raises(Stop):
            train_small('vit', images, parts, epochs=3)
    assert os.path.isfile(f'{parts}.progress') and not os.path.exists(parts)
    with pytest.raises(DataError, match='of another training'):
        train_small('vit', images, parts, epochs=2)
    train_small('vit', images, parts, epochs=3)
    assert not os.path.exists(f'{parts}.progress')
    one, other = load_small('vit', whole), load_small('vit', parts)
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
