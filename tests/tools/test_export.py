"""The command line that writes and checks ONNX files."""

import importlib.util

import pytest
import torch

import igq_mmdet as igq

from ..conftest import ROOT

IMAGE = str(ROOT / 'demo/images/000000000030.jpg')


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/export.py'
    spec = importlib.util.spec_from_file_location('export_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def classifier(tmp_path_factory):
    """The quantized file of timm's smallest ViT."""
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    model = timm.create_model('test_vit').eval()
    model = igq.quantize(model, igq.QuantSpec(method='igq_integral'))
    igq.calibrate(model, [torch.randn(2, 3, 160, 160)])
    path = tmp_path_factory.mktemp('classifier') / 'q.safetensors'
    igq.save(model, path)
    return str(path)


def test_a_classifier(tool, classifier, tmp_path, capfd):
    pytest.importorskip('onnxruntime')
    out = str(tmp_path / 'm.onnx')
    argv = [classifier, out, '--timm', 'test_vit', '--check', IMAGE]
    assert tool.main(argv) == 0
    first, *rows = capfd.readouterr().out.strip().splitlines()
    assert first == f'{out}: images of 160 x 160, opset 18'
    assert rows[0].startswith('ONNX Runtime: largest difference ')
    for row in rows:
        assert row.endswith('; 0.000 % of values differ')


@pytest.mark.parametrize(
    'options, said',
    [
        (['--size', '100', '100'], 'the model does not take the example'),
        (['--timm', 'no_vit'], "timm has no model 'no_vit'"),
        (['--check', 'no.jpg'], 'no.jpg: not an image'),
    ],
)
def test_an_error_is_one_line(
    tool, classifier, tmp_path, capfd, options, said
):
    out = tmp_path / 'm.onnx'
    argv = [classifier, str(out), '--timm', 'test_vit', *options]
    assert tool.main(argv) == 1
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[-1].startswith('error: ') and said in lines[-1]
    assert out.exists() == (options[0] == '--check')


@pytest.mark.slow
def test_a_detector(tool, demo_model, tmp_path, capfd):
    """The demo's, from images to the features of all levels."""
    from mmengine.config import Config

    from igq_mmdet.checkpoints import save

    pytest.importorskip('onnxruntime')
    spec = igq.QuantSpec(method='igq_integral', parts='backbone,neck')
    detector = igq.quantize(demo_model, spec)
    images = torch.randn(1, 3, 64, 96)
    igq.calibrate(
        detector, [images], lambda model, batch: model.extract_feat(batch)
    )
    path = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
    text = Config.fromfile(path).pretty_text
    save(detector, tmp_path / 'q.safetensors', {'model_config': text})
    out = str(tmp_path / 'm.onnx')
    argv = [str(tmp_path / 'q.safetensors'), out, '--size', '64', '96']
    assert tool.main([*argv, '--check']) == 0
    _, *rows = capfd.readouterr().out.strip().splitlines()
    assert rows[0].startswith('ONNX Runtime: largest difference ')
    for row in rows:
        assert row.endswith('; 0.000 % of values differ')
