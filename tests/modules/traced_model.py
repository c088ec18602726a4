"""Traces a quantized model; a fault in C ends the process.

``python -X faulthandler -m tests.modules.traced_model``, in a process of its
own. Without a word when all is well.
"""

import warnings

import timm
import torch

import igq_mmdet as igq
from igq_mmdet.modules import QuantLinear
from tests.agreement import FEW, SUM, near, recorded

OPTIONS = dict(img_size=32, depth=2, num_classes=5)


def trace(model, *args):
    """The model as a graph of torch's operations."""
    return torch.jit.trace(model, args, check_trace=False)


@torch.no_grad()
def main():
    # each size that becomes a constant of the graph is a warning
    warnings.simplefilter('ignore')
    torch.manual_seed(0)
    model = timm.create_model('vit_tiny_patch16_224', **OPTIONS).eval()
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4))
    x, other = torch.randn(2, 2, 3, 32, 32)
    igq.calibrate(qmodel, [x])
    for own in (qmodel, igq.to_integer(qmodel)):
        graph = trace(own, x)
        assert graph(other).shape == (2, 5)
        with recorded(own) as calls:
            own(other)
        for name, layer in own.named_modules():
            if isinstance(layer, QuantLinear):
                (call,) = calls[name]
                found = trace(layer, *call.inputs)(*call.inputs)
                near(found, call.outputs[0], SUM, FEW, name)


if __name__ == '__main__':
    main()
