"""``igq::window_values`` and ``igq::window_outputs``: simulated windows.

What surrounds the two products of an attention inside windows of an image's
tokens; the products themselves are torch's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain
from ..kernels.structs import AttentionStruct
from .definition import Operator, operator


def gathers(gather: Tensor, rows: int, length: int) -> bool:
    """Whether positions of windows hold rows that are there.

    Args:
        gather (Tensor): Row of each position, (W * N,).
        rows (int): How many there are.
        length (int): N.
    """
    if not plain(torch.int64, gather) or gather.dim() != 1 or not len(gather):
        return False
    least, most = gather.aminmax()
    return (
        length > 0
        and len(gather) % length == 0
        and least.item() >= 0
        and most.item() < rows
    )


@dataclass
class WindowValues(Operator):
    """Q, K and V as q - z, one image.

    Args:
        qkv (Tensor): (R, 3 * C).
        gather (Tensor): The row of each position, int64, (W * N,).
        codes (Tensor): Scale, -z and 2^b - 1 - z of each, (3, 3).
        query (Tensor): Where to write, (W * heads, N, C / heads).
        key (Tensor): Likewise.
        value (Tensor): Likewise.
    """

    qkv: Tensor
    gather: Tensor
    codes: Tensor
    query: Tensor
    key: Tensor
    value: Tensor

    def in_torch(self) -> None:
        outs = self.query, self.key, self.value
        length, depth = self.query.shape[1:]
        heads = self.qkv.shape[1] // 3 // depth
        parts = self.qkv[self.gather].view(-1, length, 3, heads, depth)
        for how, part, out in zip(
            self.codes, parts.permute(2, 0, 3, 1, 4), outs, strict=True
        ):
            scale, low, high = how
            own = torch.round(part / scale).clamp_(low, high)
            out.copy_(own.reshape(out.shape))

    def fits(self) -> bool:
        qkv, query = self.qkv, self.query
        if qkv.dim() != 2 or query.dim() != 3 or not query.numel():
            return False
        _, length, depth = query.shape
        wide = qkv.shape[1] // 3
        floats = qkv, self.codes, query, self.key, self.value
        return (
            plain(torch.float32, *floats)
            and query.shape == self.key.shape == self.value.shape
            and self.codes.shape == (3, 3)
            and qkv.shape[1] == 3 * wide
            and wide % depth == 0
            and query.numel() == len(self.gather) * wide
            and gathers(self.gather, len(qkv), length)
        )

    def in_c(self, kernels: Library) -> None:
        _, length, depth = self.query.shape
        windows = len(self.gather) // length
        query, key, value = map(address, self.codes)
        shape = AttentionStruct(
            images=1,
            rows=len(self.qkv),
            windows=windows,
            length=length,
            heads=self.qkv.shape[1] // 3 // depth,
            depth=depth,
            gather=address(self.gather, torch.int64),
            query=query,
            key=key,
            value=value,
        )
        kernels.call(
            'window_values',
            self.qkv,
            shape,
            0,
            windows,
            self.query,
            self.key,
            self.value,
            torch.get_num_threads(),
        )


window_values = operator(
    'window_values(Tensor qkv, Tensor gather, Tensor codes, '
    'Tensor(a!) query, Tensor(b!) key, Tensor(c!) value) -> ()',
    WindowValues,
)


@dataclass
class WindowOutputs(Operator):
    """Sums times ``steps`` and ``scale``, at the rows of an image.

    Args:
        sums (Tensor): (W * heads, N, C / heads).
        steps (Tensor): (W, heads, N).
        gather (Tensor): The row of each position, int64, (W * N,), where L
            stands for a padded token.
        scale (Tensor): (1,).
        out (Tensor): Where to write, (L, C).
    """

    sums: Tensor
    steps: Tensor
    gather: Tensor
    scale: Tensor
    out: Tensor

    def in_torch(self) -> None:
        sums, gather, out = self.sums, self.gather, self.out
        _, length, depth = sums.shape
        steps = self.steps.reshape(sums.shape[:2]) * self.scale
        tokens = sums * steps[..., None]
        tokens = tokens.view(-1, out.shape[1] // depth, length, depth)
        tokens = tokens.transpose(1, 2).reshape(len(gather), -1)
        real = gather < len(out)  # padding goes nowhere
        out[gather[real]] = tokens[real]

    def fits(self) -> bool:
        sums, out = self.sums, self.out
        if sums.dim() != 3 or out.dim() != 2 or not sums.numel():
            return False
        _, length, depth = sums.shape
        return (
            plain(torch.float32, sums, self.steps, self.scale, out)
            and self.scale.shape == (1,)
            and out.shape[1] % depth == 0
            and self.steps.numel() * depth == sums.numel()
            and sums.numel() == len(self.gather) * out.shape[1]
            and gathers(self.gather, len(out) + 1, length)
        )

    def in_c(self, kernels: Library) -> None:
        _, length, depth = self.sums.shape
        windows = len(self.gather) // length
        shape = AttentionStruct(
            images=1,
            tokens=len(self.out),
            windows=windows,
            length=length,
            heads=self.out.shape[1] // depth,
            depth=depth,
            gather=address(self.gather, torch.int64),
            value=address(self.scale),
        )
        kernels.call(
            'window_outputs',
            self.sums,
            self.steps,
            shape,
            0,
            windows,
            self.out,
            torch.get_num_threads(),
        )


window_outputs = operator(
    'window_outputs(Tensor sums, Tensor steps, Tensor gather, '
    'Tensor scale, Tensor(a!) out) -> ()',
    WindowOutputs,
)
