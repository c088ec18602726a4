"""``igq::values``: what the codes of values stand for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain, share_partly
from ..kernels.structs import CodesStruct
from .definition import Operator, operator

# Elements handled at a time, so that a chain of in-place steps stays in L2.
TILE = 1 << 17


@dataclass
class Values(Operator):
    """``clamp(round(x / scale), low, high) * step``.

    Args:
        x (Tensor): (N, K).
        scale (Tensor): One a column, (K,), one a row, (N, 1), or one for
            all.
        low (Tensor): Like ``scale``, or one for all.
        high (Tensor): Likewise.
        step (Tensor): Likewise.
        out (Tensor): Where to write, (N, K); may be ``x``.
    """

    x: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor
    step: Tensor
    out: Tensor

    def in_torch(self) -> None:
        x, out = self.x, self.out
        rows = len(x)
        if x.is_cpu:
            rows = TILE * torch.get_num_threads() // max(x.shape[-1], 1)
        rows = max(rows, 1)
        per_row = self.scale.dim() == 2
        for start in range(0, len(x), rows):
            block = slice(start, start + rows)
            part = block if per_row else slice(None)
            torch.div(x[block], self.scale[part], out=out[block])
            integers = out[block].round_()
            integers.clamp_(self.low[part], self.high[part])
            integers.mul_(self.step[part])

    def _how(self) -> tuple[Tensor, ...]:
        return self.scale, self.low, self.high, self.step

    def fits(self) -> bool:
        x, shape, how = self.x, self.scale.shape, self._how()
        return (
            x.dim() == 2
            and self.out.shape == x.shape
            and plain(torch.float32, x, self.out)
            and all(part.dtype is torch.float32 for part in how)
            and shape in ((), (1,), (1, 1), x.shape[1:], (len(x), 1))
            and all(p.shape == shape or p.numel() == 1 for p in how)
        )

    def in_c(self, kernels: Library) -> None:
        x, out, scale = self.x, self.out, self.scale
        if share_partly(x, out):
            raise ValueError(
                'out and x overlap; use x itself or another tensor'
            )
        count = scale.numel()
        own = [
            part
            if part.numel() == count and part.is_contiguous()
            else part.reshape(-1).expand(count).contiguous()
            for part in self._how()
        ]
        # one scale for all, one a column or one a row
        kind = 0 if count == 1 else 1 if scale.shape == x.shape[1:] else 2
        kernels.call(
            'values',
            x,
            *x.shape,
            CodesStruct(*map(address, own)),
            kind,
            out,
            torch.get_num_threads(),
        )


values = operator(
    'values(Tensor x, Tensor scale, Tensor low, Tensor high, Tensor step, '
    'Tensor(a!) out) -> ()',
    Values,
)
