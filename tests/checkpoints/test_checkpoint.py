"""Files: bit-identical outputs, packed sizes, and damage of every kind."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit
from igq_mmdet.checkpoints import checkpoint
from igq_mmdet.checkpoints import file as checkpoint_file
from igq_mmdet.errors import CheckpointError
from igq_mmdet.quantizers import packed_size


def build(width=6):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width),
        nn.ConvTranspose2d(width, 4, 2),
        nn.Flatten(2),
        nn.LayerNorm(49),
        nn.Linear(49, 7),
    ).eval()


def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, 8, 8, generator=generator)


def quantized(**spec):
    qmodel = igq.quantize(build(), igq.QuantSpec(**{'groups': 3, **spec}))
    igq.calibrate(qmodel, [images()])
    return qmodel


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp('saved') / 'm.safetensors'
    igq.save(quantized(), path, dict(calibration=dict(image_ids=[3, 9])))
    return path


def refuse(path, match, model=None):
    """Loading fails with one line that names the file."""
    with pytest.raises(CheckpointError, match=match) as caught:
        igq.load(model or build(), path)
    assert str(caught.value).startswith(str(path))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('method', ['igq', 'layerwise', 'upper_bound'])
@pytest.mark.parametrize('bits', range(2, 9))
def test_reloading_is_bit_identical(tmp_path, method, bits):
    path = tmp_path / 'm.safetensors'
    qmodel = quantized(method=method, w_bits=bits, a_bits=bits)
    digest = igq.save(qmodel, path)
    model = build()
    with torch.no_grad():  # its weights do not matter
        for parameter in model.parameters():
            parameter.zero_()
    again = igq.load(model, path)
    assert torch.equal(again(images()), qmodel(images()))
    assert model[0].weight.abs().sum() == 0
    assert again.igq_spec == qmodel.igq_spec
    other = tmp_path / 'again.safetensors'
    assert igq.save(again, other) == digest
    assert {p.name for p in tmp_path.iterdir()} == {path.name, other.name}


def test_the_demo_detector_is_bit_identical(demo_model, tmp_path):
    backbone = demo_model.backbone
    qmodel = igq.quantize(backbone, igq.QuantSpec(groups=4))
    x = torch.randn(2, 3, 70, 90, generator=torch.Generator().manual_seed(2))
    igq.calibrate(qmodel, [x])
    igq.save(qmodel, tmp_path / 'm.safetensors')
    again = igq.load(backbone, tmp_path / 'm.safetensors')
    with torch.no_grad():
        for one, two in zip(qmodel(x), again(x), strict=True):
            assert torch.equal(one, two)
    assert str(igq.summary(again)) == str(igq.summary(qmodel))


@pytest.mark.parametrize('bits', [2, 3, 4, 8])
def test_codes_are_packed(tmp_path, bits):
    path = tmp_path / 'm.safetensors'
    qmodel = quantized(w_bits=bits)
    igq.save(qmodel, path)
    tensors = load_file(path)
    for name in ('0', '2', '5'):
        codes = qmodel.get_submodule(name).weight_codes
        stored = tensors[f'{name}.weight_codes']
        assert stored.shape == (packed_size(codes.numel(), bits),)
        assert f'{name}.weight' not in tensors
    size = sum(t.nbytes for t in tensors.values())
    assert checkpoint.stored_bytes(qmodel) == size


def test_a_wide_layer_takes_an_eighth(tmp_path):
    qmodel = igq.quantize(nn.Linear(1024, 512), igq.QuantSpec(groups=3))
    igq.calibrate(qmodel, [torch.randn(1, 4, 1024)])
    igq.save(qmodel, tmp_path / 'm.safetensors')
    size = (tmp_path / 'm.safetensors').stat().st_size
    assert 1 / 8 < size / (4 * 1024 * 512) < 1 / 7.6


def test_metadata(saved):
    found = checkpoint.read(saved)
    assert found.spec == igq.QuantSpec(groups=3)
    assert found.info['calibration'] == dict(image_ids=[3, 9])
    assert found.info['versions']['torch'] == torch.__version__
    assert set(found.info['workloads']) == {'0', '2', '5'}
    with safe_open(saved, 'pt') as file:
        metadata = file.metadata()
    assert metadata['format_version'] == '1'
    assert metadata['digest'] == found.digest


def test_missing_and_foreign_files(tmp_path, saved):
    refuse(tmp_path / 'none.safetensors', 'no such file')
    refuse(tmp_path, 'no such file')
    text = tmp_path / 'text'
    for content in (b'', b'x', b'not a safetensors file at all' * 9):
        text.write_bytes(content)
        refuse(text, 'damaged or not a safetensors file')
    torch.save({'a': torch.ones(2)}, text)  # a pickle is not opened
    refuse(text, 'damaged or not a safetensors file')
    save_file({'a': torch.ones(2)}, text)
    refuse(text, 'not an igq_mmdet checkpoint')


@pytest.mark.parametrize('share', [0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path, saved, share):
    content = saved.read_bytes()
    path = tmp_path / 'm.safetensors'
    path.write_bytes(content[: int(len(content) * share)])
    refuse(path, 'damaged')
    path.write_bytes(content[:-1])
    refuse(path, 'damaged')
    path.write_bytes(content + b'\0')
    refuse(path, 'damaged')


def regions(content):
    """Byte ranges of the file: length, names, metadata, tensors."""
    length = int.from_bytes(content[:8], 'little')
    header = content[8 : 8 + length].rstrip(b' ')
    start = content.index(b'__metadata__')
    stop = content.index(b'}', content.index(b'"spec"'))
    return {
        'length': (0, 8),
        'metadata': (start, stop),
        'header': (8, 8 + len(header)),
        'tensors': (8 + length, len(content)),
    }


@pytest.mark.parametrize('region', ['length', 'metadata', 'header', 'tensors'])
@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_byte_is_noticed(tmp_path_factory, saved, region, data):
    content = bytearray(saved.read_bytes())
    low, high = regions(bytes(content))[region]
    content[data.draw(st.integers(low, high - 1))] ^= data.draw(
        st.integers(1, 255)
    )
    path = tmp_path_factory.getbasetemp() / 'flipped.safetensors'
    path.write_bytes(content)
    refuse(path, '.')


def rewritten(saved, path, tensors=None, **metadata):
    """The file with other content and a digest that fits it."""
    with safe_open(saved, 'pt') as file:
        stored = {**file.metadata(), **metadata}
    tensors = load_file(saved) if tensors is None else tensors
    stored.pop('digest')
    stored['digest'] = checkpoint_file.digest_of(tensors, stored)
    save_file(tensors, path, stored)
    return path


def test_newer_and_broken_versions(tmp_path, saved):
    path = tmp_path / 'm.safetensors'
    rewritten(saved, path, format_version='2')
    refuse(path, 'format version 2 is newer than 1; update igq_mmdet')
    rewritten(saved, path, format_version='one')
    refuse(path, 'format version is missing or not a number')
    rewritten(saved, path, format='other')
    refuse(path, 'not an igq_mmdet checkpoint')
    spec = json.dumps({**igq.QuantSpec().to_dict(), 'version': 9})
    rewritten(saved, path, spec=spec)
    refuse(path, 'spec version 9 is not supported')
    rewritten(saved, path, spec=json.dumps(dict(w_bits=99)))
    refuse(path, 'w_bits must be 2 to 8, got 99')
    rewritten(saved, path, info='{')
    refuse(path, 'bad metadata')


def test_another_model_is_named_by_its_first_keys(tmp_path, saved):
    refuse(saved, r'0.weight_codes has shape .* another model', build(8))
    deeper = nn.Sequential(*build(), nn.Linear(7, 7))
    refuse(saved, 'made for another model; missing 6', deeper)
    shallow = build()[:5]
    refuse(saved, 'another model; .* unknown 5', shallow)
    refuse(saved, 'made for another model', nn.Sequential(nn.ReLU()))
    other_norm = build()
    other_norm[1] = nn.BatchNorm2d(6).double()
    refuse(saved, '1.weight is torch.float32 .* torch.float64', other_norm)
    path = tmp_path / 'm.safetensors'
    tensors = load_file(saved)
    del tensors['2.input_quantizer.lower']
    rewritten(saved, path, tensors)
    refuse(path, 'missing 2.input_quantizer.lower, unknown none')


def test_only_calibrated_models_are_saved(tmp_path):
    path = tmp_path / 'm.safetensors'
    with pytest.raises(CheckpointError, match='not a quantized model'):
        igq.save(build(), path)
    qmodel = igq.quantize(build(), igq.QuantSpec(groups=3))
    with pytest.raises(CheckpointError, match='^0 is not calibrated'):
        igq.save(qmodel, path)
    fit(qmodel, collect(qmodel, [images()]))
    with pytest.raises(CheckpointError, match='^0 is not calibrated'):
        igq.save(qmodel, path)  # its weights are not frozen
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, saved):
    qmodel = quantized()
    with pytest.raises(CheckpointError, match='gone: no such folder'):
        igq.save(qmodel, tmp_path / 'gone' / 'm.safetensors')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(CheckpointError, match='folder: not written'):
        igq.save(qmodel, tmp_path / 'folder')
    path = tmp_path / 'm.safetensors'
    path.write_bytes(b'the old one')

    def full(tensors, name, metadata):
        with open(name, 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(checkpoint_file, 'save_file', full)
    with pytest.raises(CheckpointError, match='No space left on device'):
        igq.save(qmodel, path)
    assert path.read_bytes() == b'the old one'
    assert {p.name for p in tmp_path.iterdir()} == {'folder', 'm.safetensors'}
