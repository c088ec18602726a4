"""The structs of csrc/api.h; they live as long as one call."""

import ctypes

pointer = ctypes.c_void_p
int64 = ctypes.c_int64


class CodesStruct(ctypes.Structure):
    """``Codes`` of csrc/api.h."""

    _fields_ = [
        (name, pointer) for name in ('scale', 'low', 'high', 'multiple')
    ]


class WeightsStruct(ctypes.Structure):
    """``Weights`` of csrc/api.h."""

    _fields_ = [
        *((name, pointer) for name in ('codes', 'zero', 'scale', 'bias')),
        ('inputs', int64),
        ('outputs', int64),
        ('wide', ctypes.c_int32),
    ]


class ConvStruct(ctypes.Structure):
    """``Conv`` of csrc/api.h."""

    _fields_ = [
        (name, int64)
        for name in (
            'images',
            'height',
            'width',
            'out_height',
            'out_width',
            'kernel_h',
            'kernel_w',
            'stride_h',
            'stride_w',
            'pad_h',
            'pad_w',
            'dilation_h',
            'dilation_w',
        )
    ]


class AttentionStruct(ctypes.Structure):
    """``Attention`` of csrc/api.h."""

    _fields_ = [
        *(
            (name, int64)
            for name in (
                'images',
                'rows',
                'tokens',
                'windows',
                'length',
                'heads',
                'depth',
                'groups',
            )
        ),
        *(
            (name, pointer)
            for name in (
                'gather',
                'bias',
                'mask',
                'query',
                'key',
                'value',
                'edges',
                'row_scale',
            )
        ),
        ('score_scale', ctypes.c_float),
        ('top', ctypes.c_float),
        ('shift', ctypes.c_int32),
        ('wide', ctypes.c_int32),
    ]


class RowsStruct(ctypes.Structure):
    """``Rows`` of csrc/api.h."""

    _fields_ = [
        ('size', int64 * 4),
        ('width', int64),
        ('stride', int64 * 8),
        ('term', pointer * 2),
        ('edges', pointer),
        ('row_scale', pointer),
        ('groups', int64),
        ('factor', ctypes.c_float),
        ('top', ctypes.c_float),
    ]
