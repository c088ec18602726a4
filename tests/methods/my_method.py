"""``mine``: groups of channels whose ranges are powers of two apart."""

import torch

from igq_mmdet.methods import METHODS, Method
from igq_mmdet.observers import ChannelMeans
from igq_mmdet.quantizers import ActivationQuantizer, fake_quantize


class PowerOfTwoQuantizer(ActivationQuantizer):
    """Each range is half the one before; channels take the tightest."""

    observes = ChannelMeans  # the statistic that calibration collects
    form = 'grouped'  # on integers: a sum a group, by assign()

    def fit(self, observer, settings):
        largest = observer.extremes().abs().max()
        upper = largest * 0.5 ** torch.arange(self.groups)
        return -upper, upper

    def assign(self, counted):
        holds = self.upper >= counted.abs().amax(0)[:, None]  # (C, G)
        return (holds.sum(1) - 1).clamp(min=0)

    def quantize(self, x, counted, out):
        groups = self.assign(counted if counted.numel() else x)
        scale, zero_point = self.scale[groups], self.zero_point[groups]
        return fake_quantize(x, scale, zero_point, self.bits, out)


@METHODS.register_module('mine')
class Mine(Method):
    grouped = True  # the number of groups means something

    def inputs(self, bits, groups, strict, channels):
        return PowerOfTwoQuantizer(bits, groups, strict)

    def input_operations(self, tokens, inputs, outputs, groups):
        return tokens * outputs * groups + tokens * inputs
