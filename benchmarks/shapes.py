"""One fully connected layer at a time: simulated, and on integers.

    python -m benchmarks.shapes

prints what decides that free groups run on integers whatever the shape.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn

import igq_mmdet as igq

from .timing import CLOCKS, alternate

# tokens, inputs, outputs: Swin-T at 800x1216, its box head, and the ends
SHAPES = (
    (60800, 96, 96),
    (60800, 96, 288),
    (60800, 384, 96),
    (15200, 192, 768),
    (3800, 384, 1536),
    (950, 768, 3072),
    (1000, 12544, 1024),
    (1000, 1024, 81),
    (1, 12544, 1024),
    (1, 768, 768),
    (200, 8, 16),
)


def layer_forms(
    inputs: int, outputs: int, x: Tensor, groups: int, bits: int
) -> dict[str, Callable[[], Tensor]]:
    """What is timed, by name.

    Args:
        inputs (int): K.
        outputs (int): D.
        x (Tensor): (1, N, K).
        groups (int): Of either method.
        bits (int): Of weights and activations.
    """
    layer = nn.Sequential(nn.Linear(inputs, outputs))
    forms = {'float': lambda: layer(x)}
    for method in ('igq', 'igq_integral'):
        spec = igq.QuantSpec(
            w_bits=bits, a_bits=bits, groups=groups, method=method
        )
        qmodel = igq.quantize(layer, spec)
        igq.calibrate(qmodel, [x])
        integer = igq.to_integer(qmodel)
        forms[f'{method} simulated'] = lambda q=qmodel: q(x)
        forms[f'{method} integer'] = lambda q=integer: q(x)
    return forms


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        prog='benchmarks.shapes', description=__doc__
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--groups', type=int, default=12)
    parser.add_argument('--bits', type=int, default=4)
    parser.add_argument('--clock', choices=tuple(CLOCKS), default='wall')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for tokens, inputs, outputs in SHAPES:
        torch.manual_seed(0)
        gains = torch.randn(inputs).mul(0.7).exp()
        x = torch.randn(1, tokens, inputs) * gains
        forms = layer_forms(inputs, outputs, x, args.groups, args.bits)
        taken = alternate(forms, args.rounds, CLOCKS[args.clock])
        figures = ', '.join(
            f'{name} {statistics.median(own) * 1e3:.2f} ms'
            for name, own in taken.items()
        )
        print(f'{tokens} x {inputs} to {outputs}: {figures}', flush=True)


if __name__ == '__main__':
    main()
