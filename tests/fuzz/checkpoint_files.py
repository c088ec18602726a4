"""Quantized checkpoints: damaged at random, and well made lies."""

import json
import struct
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

import igq_mmdet as igq
from igq_mmdet.checkpoints import file as checkpoint_file

from .damage import VALUES, broken_bytes, broken_json
from .trial import Case, Differs

NAME = 'm.safetensors'
DTYPES = (
    *(torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8),
    *(torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn),
)


def build() -> nn.Module:
    """The float model of every file."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.Flatten(2),
        nn.LayerNorm(36),
        nn.Linear(36, 7),
    ).eval()


def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@cache
def whole() -> tuple[bytes, Tensor]:
    """A file as it should be, and what its model gives."""
    qmodel = igq.quantize(build(), igq.QuantSpec(groups=3))
    igq.calibrate(qmodel, [images()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        igq.save(qmodel, path, dict(calibration=dict(image_ids=[3], seed=0)))
        return in_order(path.read_bytes()), qmodel(images())


def in_order(content: bytes) -> bytes:
    """The same file with a sorted header; safetensors shuffles metadata."""
    (length,) = struct.unpack('<Q', content[:8])
    header = json.loads(content[8 : 8 + length])
    text = json.dumps(header, sort_keys=True).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + content[8 + length :]


def use(folder: Path) -> None:
    """Loads it, computes and saves it: equal or refused."""
    qmodel = igq.load(build(), folder / NAME)
    found, expected = qmodel(images()), whole()[1]
    # a well signed file may hold another setting, if it says so
    if qmodel.igq_spec != igq.QuantSpec(groups=3):
        return
    if not torch.equal(found, expected):
        raise Differs(f'outputs differ by {(found - expected).abs().max()}')
    str(igq.summary(qmodel))


def put(content: bytes, folder: Path) -> None:
    (folder / NAME).write_bytes(content)


def signed(tensors: dict[str, Tensor], **metadata: str) -> bytes:
    """A file whose digest fits, whatever it holds."""
    with_digest = {**_metadata(), **metadata}
    with_digest.pop('digest')
    with_digest['digest'] = checkpoint_file.digest_of(tensors, with_digest)
    return in_order(save(tensors, with_digest))


def _metadata() -> dict[str, str]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(whole()[0])
        file.flush()
        with safe_open(file.name, 'pt') as opened:
            return dict(opened.metadata())


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    content = whole()[0]
    makers = (_damaged, _header, _lying_spec, _lying_info, _lying_tensors)
    while True:
        maker = random.choice((_damaged, *makers))
        label, broken = maker(content, random)
        yield Case(label, partial(put, broken), use, NAME)


def _damaged(content: bytes, random: Random) -> tuple[str, bytes]:
    return broken_bytes(content, random)


def _header(content: bytes, random: Random) -> tuple[str, bytes]:
    """The safetensors header, by hand."""
    (length,) = struct.unpack('<Q', content[:8])
    header = json.loads(content[8 : 8 + length])
    body = content[8 + length :]
    kind = random.choice(('length', 'json', 'twice', 'deep', 'text', 'meta'))
    if kind == 'length':
        size = random.choice((0, 1, length - 1, length + 1, 2**31, 2**63))
        return f'header of {size}', struct.pack('<Q', size) + content[8:]
    text = json.dumps(header)
    if kind == 'json':
        label, header = broken_json(header, random)
        text = json.dumps(header)
    elif kind == 'twice':
        key = random.choice(list(header))
        label = f'{key} twice'
        text = text[:-1] + f', {json.dumps(key)}: {json.dumps(header[key])}}}'
    elif kind == 'deep':
        label, text = 'deep header', '{"a":' * 50_000
    elif kind == 'meta':
        key = random.choice(sorted(header['__metadata__']))
        value = random.choice([v for v in VALUES if isinstance(v, str)])
        label = f'metadata {key} = {value[:20]!r}'
        header['__metadata__'][key] = value
        text = json.dumps(header)
    else:
        label, text = 'header of spaces', ' ' * random.choice((8, 10**6))
    raw = text.encode('utf-8', 'surrogatepass')
    return label, struct.pack('<Q', len(raw)) + raw + body


def _lying_spec(content: bytes, random: Random) -> tuple[str, bytes]:
    spec = json.loads(_metadata()['spec'])
    if random.random() < 0.2:
        text = random.choice(('', '[]', '5', '[' * 100_000, '{"a":' * 50_000))
        return f'spec {text[:20]!r}', signed(load(content), spec=text)
    label, spec = broken_json(spec, random)
    text = json.dumps(spec)
    if random.random() < 0.2:
        label, text = 'int of 5000 digits', json.dumps({'groups': 0})[:-2]
        text += '9' * 5000 + '}'
    return f'spec {label}', signed(load(content), spec=text)


def _lying_info(content: bytes, random: Random) -> tuple[str, bytes]:
    info = json.loads(_metadata()['info'])
    if random.random() < 0.3:
        text = random.choice(
            ('', '[]', '5', 'null', '"x"', '[' * 100_000, '{"a":' * 50_000)
        )
        return f'info {text[:20]!r}', signed(load(content), info=text)
    label, info = broken_json(info, random)
    return f'info {label}', signed(load(content), info=json.dumps(info))


def _lying_tensors(content: bytes, random: Random) -> tuple[str, bytes]:
    """Other numbers under the same names, well signed."""
    tensors = load(content)
    key = random.choice(sorted(tensors))
    value = tensors[key]
    kind = random.choice(('dtype', 'shape', 'value', 'version', 'name'))
    metadata: dict[str, str] = {}
    if kind == 'dtype':
        others = [dtype for dtype in DTYPES if dtype != value.dtype]
        tensors[key] = value.to(random.choice(others))
    elif kind == 'shape':
        shapes = ((0,), (1,), (0, 7), (value.numel() + 1,), (2, 3, 4))
        shape = random.choice([s for s in shapes if s != value.shape])
        tensors[key] = value.new_zeros(shape)
    elif kind == 'value' and value.is_floating_point() and value.numel():
        odd = random.choice((float('nan'), float('inf'), -float('inf')))
        value.view(-1)[random.randrange(value.numel())] = odd
    elif kind == 'version':
        key = random.choice(('0', '-1', ' 1', '1_0', '²', '9' * 5000, '1.0'))
        metadata['format_version'] = key
    else:
        new = random.choice(('', '..', '\x1b[2J', 'a' * 5000, '<b>', key[:-1]))
        tensors[new] = tensors.pop(key)
        key = f'{key} as {new[:10]!r}'
    return f'{kind} of {key}', signed(tensors, **metadata)
