"""How often two ways to compare a batch with its images fail, and why.

    python -m tests.agreement_trials --seeds 200

Random models are quantized and calibrated; then a batch is compared with its
images, as it is and with each fault planted. `outputs` runs the images by
themselves and asks for outputs within 1e-4 of the largest; `each_alone` is
what the tests do (tests/agreement.py). Status 1 if `each_alone` fails without
a fault, or does not with one that changes what the batch gives.
"""

import argparse
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.inspection.families import TIMM
from igq_mmdet.modules.instances import Instances, instances
from igq_mmdet.modules.layers import conv
from igq_mmdet.modules.layers.rescale import rescale
from tests.agreement import BETWEEN, each_alone, near
from tests.modules import classifiers

OLD = 1e-4
NONE = 'no fault'


class Net(nn.Module):
    """Tokens of images, the last of which are padding, and an attention."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 4, 4)
        self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, images):
        x = self.conv(images).flatten(2).transpose(1, 2)
        with instances(tokens=12):
            x = x + self.attn(x, x, x)[0]
            return self.head(self.norm(x))


def net_case():
    """A quantized ``Net`` and images of which each is like no other."""
    torch.manual_seed(0)
    model, images = Net().eval(), torch.randn(3, 3, 16, 16)
    images *= torch.tensor([0.2, 1.0, 5.0]).view(3, 1, 1, 1)
    images[..., 12:, :] *= 10  # the last row of tokens, which is padding
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4))
    igq.calibrate(qmodel, [images])
    return qmodel, images


def family_case(family):
    """A quantized member of a family of timm."""
    images = classifiers.images(family)
    spec = igq.QuantSpec(groups=4)
    qmodel = igq.quantize(classifiers.build(family), spec)
    igq.calibrate(qmodel, [images])
    return qmodel, images


CASES = {'Net': net_case} | {
    family.name: lambda family=family: family_case(family)
    for family in TIMM
    if family.name in ('Swin', 'MaxViT, MLP position bias')
}
# it has nothing that pads
WITHOUT = {('MaxViT, MLP position bias', 'padding')}


@contextmanager
def _statistics(fault):
    """Statistics of something else, wherever images come together."""
    split, batches = Instances.split, Instances.batches

    def one_by_one(layout, x):
        values, counted = zip(*split(layout, x), strict=True)
        if len(values) > 1:
            counted = {
                'image': counted[-1:] + counted[:-1],
                'channel': [tokens.roll(1, -1) for tokens in counted],
                'padding': values,
            }[fault]
        return zip(values, counted, strict=True)

    def together(layout, x):
        for values, counted in batches(layout, x):
            if len(values) > 1:
                counted = {
                    'image': counted.roll(1, 0),
                    'channel': counted.roll(1, -1),
                    'padding': values,
                }[fault]
            yield values, counted

    with (
        mock.patch.object(Instances, 'split', one_by_one),
        mock.patch.object(Instances, 'batches', together),
    ):
        yield


def _scale():
    """The scale of another output channel, of weights of convolutions."""

    def wrong(sums, scale, *args):
        return rescale(sums, scale.roll(len(sums) - 1), *args)

    return mock.patch.object(conv, 'rescale', wrong)


FAULTS = {
    'image': lambda: _statistics('image'),
    'padding': lambda: _statistics('padding'),
    'channel': lambda: _statistics('channel'),
    'scale': _scale,
}


def given(qmodel, images):
    """What a model makes of a batch."""
    with torch.no_grad():
        return qmodel(images)


def by_outputs(qmodel, images):
    """What tests asked for once."""
    alone = torch.cat([given(qmodel, image) for image in images.split(1)])
    assert classifiers.relative(alone, given(qmodel, images)) < OLD


def by_layers(qmodel, images):
    """What tests ask for."""
    batch, alone = each_alone(qmodel, qmodel, images, images.split(1))
    near(torch.cat(alone), batch, BETWEEN)


@contextmanager
def numbers(seed):
    """Other random numbers for whoever seeds them."""
    manual_seed = torch.manual_seed
    with mock.patch.object(
        torch, 'manual_seed', lambda n: manual_seed(n + 1000 * seed)
    ):
        yield


def fails(compare, qmodel, images):
    """Whether a comparison raises."""
    try:
        compare(qmodel, images)
    except AssertionError:
        return True
    return False


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog='python -m tests.agreement_trials',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--cases', nargs='+', choices=CASES, default=CASES)
    return parser.parse_args(argv)


def run(args):
    """Prints how often each way fails, of all seeds."""
    wrong = False
    for case in args.cases:
        faults = [f for f in FAULTS if (case, f) not in WITHOUT]
        found = {fault: Counter() for fault in (NONE, *faults)}
        for seed in range(args.seeds):
            with numbers(seed):
                qmodel, images = CASES[case]()
            right = given(qmodel, images)
            for fault, count in found.items():
                with FAULTS.get(fault, nullcontext)():
                    changes = not torch.equal(given(qmodel, images), right)
                    old = fails(by_outputs, qmodel, images)
                    new = fails(by_layers, qmodel, images)
                count.update(changed=int(changes), old=int(old), new=int(new))
                wrong |= new != changes
        for fault, count in found.items():
            print(
                f'{case}, {fault}: changes {count["changed"]} of {args.seeds} '
                f'batches; outputs fails {count["old"]}, each_alone '
                f'{count["new"]}',
                flush=True,
            )
    return int(wrong)


def main(argv=None):
    """Status 1 if the tests' way is wrong in any case."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
