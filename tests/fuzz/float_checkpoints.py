"""Float checkpoints of strangers: pickles that would run code, and lies."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from mmengine.logging.history_buffer import HistoryBuffer
from safetensors.torch import save
from torch import Tensor, nn

from .damage import VALUES, broken_bytes
from .trial import Case, Differs

MARK = 'executed'
NAMES = ('m.pth', 'm.safetensors')


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))


@cache
def weights() -> dict[str, Tensor]:
    """Of another seed than the model's own."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    return dict(model.state_dict())


class Runs:
    """Pickles to a call of ``function``."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def payloads(folder: Path) -> list[Any]:
    """Each makes a file in the folder if anybody unpickles it."""
    mark = str(folder / MARK)
    command = f'touch {mark}'
    code = f'open({mark!r}, "w").close()'
    return [
        Runs(os.system, command),
        Runs(eval, code),
        Runs(exec, code),
        Runs(open, mark, 'w'),
        Runs(os.mkdir, mark),
        Runs(__import__, 'antigravity'),
        Runs(getattr, HistoryBuffer, '__init__'),
        Runs(getattr, Runs(__import__, 'os'), 'system'),
        Runs(getattr, Runs(getattr, HistoryBuffer, 'min'), '__globals__'),
        Runs(torch.load, mark),
        Runs(torch.hub.load, 'x', 'y'),
        Runs(HistoryBuffer, Runs(os.system, command)),
        Runs(Path.touch, Path(mark)),
        Runs(pickle.loads, pickle.dumps(Runs(os.system, command))),
    ]


def torch_file(content: Any, old: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def use(folder: Path) -> None:
    """Loads the weights; what a pickle leaves behind is looked for."""
    from igq_mmdet.detection.models.float_checkpoint import (
        load_float_checkpoint,
    )

    model = build()
    name = next(name for name in NAMES if (folder / name).exists())
    load_float_checkpoint(model, str(folder / name))
    found = model.state_dict()
    for key, value in weights().items():
        if key.endswith('num_batches_tracked'):
            continue
        if not torch.equal(found[key], value):
            raise Differs(f'{key} differs')


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    makers = (_hostile, _hostile, _lies, _damaged, _zip, _safetensors)
    while True:
        yield random.choice(makers)(random)


def _case(
    label: str, content: bytes, name: str = NAMES[0], must: str | None = None
) -> Case:
    return Case(label, partial(_put, name, content), use, name, must=must)


def _put(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)


def _hostile(random: Random) -> Case:
    """Code where weights are expected; the folder is known only later."""
    which = random.randrange(len(payloads(Path())))
    where = random.choice(('whole', 'beside', 'among', 'meta', 'plain', 'key'))
    old = random.random() < 0.3
    protocol = random.randrange(6)

    def prepare(folder: Path) -> None:
        payload = payloads(folder)[which]
        state: Any = dict(weights())
        content: Any = {'state_dict': state}
        if where == 'whole':
            content = payload
        elif where == 'among':
            state['0.weight'] = payload
        elif where == 'key':
            content = {'state_dict': state, ('k',): [payload]}
        else:
            content[where] = payload
        raw = (
            pickle.dumps(payload, protocol)
            if where == 'plain'
            else torch_file(content, old)
        )
        _put(NAMES[0], raw, folder)

    label = f'payload {which} {where} old={old}'
    return Case(label, prepare, use, NAMES[0], must='refused')


def _lies(random: Random) -> Case:
    """Weights of other kinds under the right names, or no weights."""
    state: dict[Any, Any] = dict(weights())
    key = random.choice([k for k in state if not k.endswith('tracked')])
    value = state[key]
    odd: Any = random.choice(
        (
            *(value.double(), value.half(), value.bfloat16(), value.long()),
            *(value.to(torch.complex64), value.to_sparse(), value.to('meta')),
            *(value.bool(), value[:1], value[None], value.new_zeros(0)),
            nn.Parameter(value),
            torch.quantize_per_tensor(value, 1, 0, torch.qint8),
            *(value.expand(10**9, *value.shape), {'a': value}, [value]),
            *VALUES,
        )
    )
    kind = random.choice(('value', 'value', 'content', 'key', 'nested'))
    content: Any = {'state_dict': state, 'meta': {'x': 1}}
    label = f'{type(odd).__name__} {repr(odd)[:20]}'
    if kind == 'value':
        state[key] = odd
    elif kind == 'key':
        state[random.choice((1, None, b'x', ('a',), 2.5))] = value
    elif kind == 'nested':
        content = {'state_dict': {'state_dict': state}}
    else:
        content = random.choice(
            (odd, {'state_dict': odd}, {'igq_checkpoint': odd})
        )
    try:
        raw = torch_file(content)
    except Exception:  # not everything can be saved
        return _case('empty file', b'', must='refused')
    return _case(f'{kind} {label}', raw)


def _damaged(random: Random) -> Case:
    old = random.random() < 0.3
    label, content = broken_bytes(torch_file(weights(), old), random)
    # zip archives of torch are not signed: a changed weight loads
    return Case(
        f'old={old} {label}', partial(_put, NAMES[0], content), _open, NAMES[0]
    )


def _open(folder: Path) -> None:
    """Loads it; weights may differ, their shapes may not."""
    try:
        use(folder)
    except Differs:
        pass


def _zip(random: Random) -> Case:
    """Archives that are not what torch made."""
    kind = random.choice(('bomb', 'names', 'pickle', 'empty', 'text', 'deep'))
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        if kind == 'bomb':
            archive.writestr('m/data.pkl', bytes(50_000_000))
        elif kind == 'names':
            for name in ('../../evil', '/etc/evil', 'm/../data.pkl'):
                archive.writestr(name, b'x')
        elif kind == 'pickle':
            archive.writestr('m/data.pkl', pickle.dumps({'a': 1}))
        elif kind == 'deep':
            archive.writestr('m/data.pkl', b'\x80\x02' + b']' * 300_000)
        elif kind == 'text':
            archive.writestr('m/data.pkl', 'text')
    return _case(f'zip {kind}', file.getvalue(), must='refused')


def _safetensors(random: Random) -> Case:
    content = save(weights(), {'format': 'pt'})
    if random.random() < 0.5:
        label, content = broken_bytes(content, random)
        return Case(label, partial(_put, NAMES[1], content), _open, NAMES[1])
    (length,) = struct.unpack('<Q', content[:8])
    header = content[8 : 8 + length]
    kind = random.choice(('dtype', 'overlap', 'beyond', 'length'))
    if kind == 'dtype':
        header = header.replace(b'"F32"', b'"I32"', 1)
    elif kind == 'overlap':
        header = header.replace(b'[0,24]', b'[0,48]')
    elif kind == 'beyond':
        header = header.replace(b'[6,4]', b'[9,9]')
    else:
        return _case(
            'length', struct.pack('<Q', 2**62) + content[8:], NAMES[1]
        )
    raw = struct.pack('<Q', len(header)) + header + content[8 + length :]
    return _case(f'safetensors {kind}', raw, NAMES[1])
