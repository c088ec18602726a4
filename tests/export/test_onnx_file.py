"""Exported files compute what the model computes, in both runtimes."""

from collections import Counter

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.errors import CalibrationError, ExportError, SpecError
from igq_mmdet.export.check import check
from igq_mmdet.modules import instances

BYTES = ['igq_integral', 'layerwise', 'repq']
GROUPS = ['igq', 'sorted']


class Net(nn.Module):
    """Tokens of images, the last of which do not count, and an attention."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 4, 4, padding=1)
        self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, images):
        x = self.conv(images).flatten(2).transpose(1, 2)
        with instances(tokens=12):
            x = x + self.attn(x, x, x)[0]
            return self.head(self.norm(x))


@pytest.fixture
def make():
    def build(**spec):
        torch.manual_seed(0)
        model, images = Net().eval(), torch.randn(3, 3, 16, 16)
        images *= torch.tensor([0.2, 1.0, 5.0]).view(3, 1, 1, 1)
        model = igq.quantize(model, igq.QuantSpec(groups=4, **spec))
        igq.calibrate(model, [images])
        return model, images

    return build


def same(model, path, *inputs, few=0.0):
    """In all runtimes there are: the same, but for a share of values."""
    for runtime in ('onnxruntime', 'openvino'):
        pytest.importorskip(runtime)
    every = list(check(model, path, list(inputs)))
    assert [x.runtime for x in every] == ['ONNX Runtime', 'OpenVINO']
    for found in every:
        assert found.share <= few, found
        assert few or found.largest < 1e-5, found


def operators(path):
    onnx = pytest.importorskip('onnx')
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    assert {x.domain for x in graph.opset_import} <= {'', 'ai.onnx'}
    return Counter(node.op_type for node in graph.graph.node)


@pytest.mark.parametrize('method', BYTES + GROUPS + ['upper_bound'])
def test_a_small_net(make, tmp_path, method):
    model, images = make(method=method)
    igq.export(model, images[:1], tmp_path / 'm.onnx')
    if method != 'upper_bound':  # whose images are counted
        same(model, tmp_path / 'm.onnx', images, few=1e-2)
    same(model, tmp_path / 'm.onnx', images[1:2], few=1e-2)
    products = operators(tmp_path / 'm.onnx')
    assert products['ConvInteger'] == 1
    assert products['MatMulInteger'] == (5 if method in BYTES else 0)


@pytest.mark.parametrize('bits', [3, 8])
def test_bits(make, tmp_path, bits):
    model, images = make(method='igq_integral', a_bits=bits, w_bits=bits)
    igq.export(model, images, tmp_path / 'm.onnx', opset=20)
    same(model, tmp_path / 'm.onnx', images, images[:1], few=1e-2)
    # sums of pairs of 8-bit products could exceed 16 bits
    wanted = 1 if bits < 8 else 0
    assert operators(tmp_path / 'm.onnx')['ConvInteger'] == wanted


def test_an_integer_model_is_written_as_its_simulation(make, tmp_path):
    model, images = make(method='igq_integral')
    for name, own in (('q', model), ('i', igq.to_integer(model))):
        igq.export(own, images, tmp_path / f'{name}.onnx')
    one, other = (operators(tmp_path / f'{name}.onnx') for name in 'qi')
    assert one == other
    same(igq.to_integer(model), tmp_path / 'i.onnx', images, few=1e-2)


def test_bad_input_is_one_line(make, tmp_path, capfd):
    model, images = make()
    path = tmp_path / 'm.onnx'
    with pytest.raises(SpecError, match='not a quantized model'):
        igq.export(Net(), images, path)
    fresh = igq.quantize(Net(), igq.QuantSpec())
    with pytest.raises(CalibrationError, match='conv is not calibrated'):
        igq.export(fresh, images, path)
    with pytest.raises(SpecError, match='does not take the example'):
        igq.export(model, images[:, :2], path)
    with pytest.raises(SpecError, match='opset must be 18 to 20, got 11'):
        igq.export(model, images, path, opset=11)
    with pytest.raises(ExportError, match='its folder does not exist'):
        igq.export(model, images, tmp_path / 'no/m.onnx')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(ExportError, match='folder cannot be written'):
        igq.export(model, images, tmp_path / 'folder')
    model.head.forward = lambda x: torch.special.i0e(x)
    with pytest.raises(ExportError, match='ONNX has no form') as caught:
        igq.export(model, images, path)
    assert '\n' not in str(caught.value)
    model.head.forward = lambda x: {'logits': x}
    with pytest.raises(SpecError, match='only models whose output'):
        igq.export(model, images, path)
    assert [x.name for x in tmp_path.iterdir()] == ['folder']
    assert 'graph' not in ''.join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize('method', ['igq_integral', 'igq'])
def test_a_vit(tmp_path, method):
    timm = pytest.importorskip('timm')
    options = dict(img_size=32, depth=2, num_classes=5)
    model = timm.create_model('vit_tiny_patch16_224', **options).eval()
    x, other = torch.randn(2, 3, 32, 32), torch.randn(3, 3, 32, 32)
    model = igq.quantize(model, igq.QuantSpec(method=method, groups=4))
    igq.calibrate(model, [x])
    igq.export(model, x, tmp_path / 'm.onnx')
    few = 0.1 if method == 'igq' else 0.0
    same(model, tmp_path / 'm.onnx', x, other, few=few)


@pytest.mark.slow
def test_backbone_and_neck_of_a_detector(demo_model, tmp_path):
    from igq_mmdet.detection.models.features import DetectorFeatures

    x, other = torch.randn(1, 3, 64, 48), torch.randn(2, 3, 64, 48)
    spec = igq.QuantSpec(method='igq_integral', groups=12)
    model = igq.quantize(DetectorFeatures(demo_model), spec)
    igq.calibrate(model, [x])
    igq.export(model, x, tmp_path / 'm.onnx')
    same(model, tmp_path / 'm.onnx', x, other)
