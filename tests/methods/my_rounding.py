"""``by_max``: every channel of a weight by its largest magnitude."""

from igq_mmdet.methods import ROUNDINGS, Rounding
from igq_mmdet.quantizers import qparams, quantize


@ROUNDINGS.register_module('by_max')
class ByMax(Rounding):
    def __call__(self, weight, settings, hessian=None):
        largest = weight.abs().amax(1, keepdim=True)
        scale, zero_point = qparams(-largest, largest, settings.w_bits)
        codes = quantize(weight, scale, zero_point, settings.w_bits)
        return codes.byte(), scale, zero_point
