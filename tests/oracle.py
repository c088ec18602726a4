"""The method in plain loops and float64: what every faster path is held to.

What the package stores in float32 (bounds, scales) is rounded to float32
where it is stored, and the one quotient ``x / s`` is taken in float32, so
that codes can be compared for equality; all else is float64.
"""

import math
from fractions import Fraction

import numpy as np


def f32(x):
    return float(np.float32(x))


def quotient(x, scale):
    with np.errstate(over='ignore'):
        return float(np.float32(x) / np.float32(scale))


def qparams(lower, upper, bits, strict=False):
    """Scale and zero point of one range (section 1)."""
    lower, upper, top = f32(lower), f32(upper), 2**bits - 1
    span = f32(upper - lower)
    if span < max(f32(1e-8), max(abs(lower), abs(upper)) * 2.0**-16):
        middle = f32(f32(lower / 2) + f32(upper / 2))
        if abs(middle) <= f32(1e-8):
            return 1.0, 0
        zero_point = -1 if middle > 0 else 1
        scale = abs(middle)
    else:
        scale = f32(span / top)
        zero_point = round(quotient(-lower, scale))
    if strict:
        zero_point = min(max(zero_point, 0), top)
    return scale, zero_point


def quantize(x, scale, zero_point, bits):
    """The code of one value."""
    ratio = quotient(x, scale)
    top = 2**bits - 1
    if math.isinf(ratio):
        return top if ratio > 0 else 0
    return min(max(round(ratio) + zero_point, 0), top)


def dequantize(code, scale, zero_point):
    return scale * (code - zero_point)


def assign_channel(low, high, lowers, uppers):
    """The nearest group in the (min, max) plane; the first of equals."""
    best, group = math.inf, 0
    for i, (lower, upper) in enumerate(zip(lowers, uppers, strict=True)):
        distance = (high - upper) ** 2 + (low - lower) ** 2
        if distance < best:
            best, group = distance, i
    return group


def channel_groups(
    image, lowers, uppers, bits, strict=False, counted=None, groups=None
):
    """Groups and codes of one image (section 2).

    Args:
        image: (N, C) nested lists.
        lowers, uppers: G bounds.
        counted: The tokens that statistics are taken from.
        groups: Where they do not choose the group of each channel.

    Returns:
        Groups (C), codes (N, C), values (N, C).
    """
    counted = image if counted is None else counted
    channels = range(len(image[0]))
    if groups is None:
        columns = [[token[c] for token in counted] for c in channels]
        groups = [
            assign_channel(min(column), max(column), lowers, uppers)
            for column in columns
        ]
    pairs = [
        qparams(lo, up, bits, strict)
        for lo, up in zip(lowers, uppers, strict=True)
    ]
    codes = [
        [quantize(token[c], *pairs[groups[c]], bits) for c in channels]
        for token in image
    ]
    values = [
        [dequantize(row[c], *pairs[groups[c]]) for c in channels]
        for row in codes
    ]
    return groups, codes, values


def row_groups(rows, uppers, bits):
    """Groups, codes and values of softmax rows (section 3)."""
    groups, codes, values = [], [], []
    for row in rows:
        group, best = 0, math.inf
        for i, upper in enumerate(uppers):
            # exact: in float64, 1 is as far from 0 as from 1e-44
            distance = abs(Fraction(max(row)) - Fraction(upper))
            if distance < best:
                group, best = i, distance
        pair = qparams(0, uppers[group], bits)
        groups.append(group)
        codes.append([quantize(x, *pair, bits) for x in row])
        values.append([dequantize(q, *pair) for q in codes[-1]])
    return groups, codes, values


def grouped_integer_linear(
    image, lowers, uppers, a_bits, weight, bias, groups=None
):
    """``s_w sum_i s_i sum_{c in i} (q - z_i)(w - z_w) + b`` (section 2).

    Args:
        image: (N, C).
        weight: Codes (D, C), scales (D), zero points (D).
        bias: (D).
        groups: As in ``channel_groups``.
    """
    groups, codes, _ = channel_groups(
        image, lowers, uppers, a_bits, groups=groups
    )
    pairs = [
        qparams(lo, up, a_bits) for lo, up in zip(lowers, uppers, strict=True)
    ]
    w_codes, w_scale, w_zero = weight
    out = []
    for token in codes:
        row = []
        for d in range(len(w_codes)):
            total = 0.0
            for i, (scale, zero_point) in enumerate(pairs):
                accumulated = 0  # an integer
                for c, group in enumerate(groups):
                    if group == i:
                        factor = int(w_codes[d][c]) - int(w_zero[d])
                        accumulated += (token[c] - zero_point) * factor
                total += scale * accumulated
            row.append(w_scale[d] * total + bias[d])
        out.append(row)
    return out


def kmeans(points, groups, weights=None):
    """Centres and losses; points are (min, max) pairs (section 2)."""
    weights = [1] * len(points) if weights is None else weights
    pairs = sorted(
        zip(points, weights, strict=True),
        key=lambda pw: (pw[0][1] - pw[0][0], pw[0][1], pw[0][0]),
    )
    points = [tuple(map(float, p)) for p, _ in pairs]
    mass = [float(w) for _, w in pairs]
    if groups >= len(points):
        return points + [points[-1]] * (groups - len(points)), [0.0]
    member, before = [], 0.0
    for w in mass:
        member.append(min(int(before * groups / sum(mass)), groups - 1))
        before += w
    centres = [(math.inf, math.inf)] * groups
    losses = []
    for _ in range(100):
        for g in range(groups):
            own = [i for i, m in enumerate(member) if m == g]
            if own:
                total = sum(mass[i] for i in own)
                centres[g] = tuple(
                    sum(points[i][k] * mass[i] for i in own) / total
                    for k in (0, 1)
                )
        previous = member
        served = [[_squared(p, c) for c in centres] for p in points]
        member = [row.index(min(row)) for row in served]
        nearest = [min(row) for row in served]
        for g in [g for g in range(groups) if g not in member]:
            weighted = [d * w for d, w in zip(nearest, mass, strict=True)]
            worst = weighted.index(max(weighted))
            if nearest[worst] == 0:
                break
            centres[g] = points[worst]
            for i, p in enumerate(points):
                if _squared(p, centres[g]) < nearest[i]:
                    nearest[i] = _squared(p, centres[g])
                    member[i] = g
        losses.append(sum(d * w for d, w in zip(nearest, mass, strict=True)))
        if member == previous:
            break
    widest = max(
        (c for c in centres if c[1] < math.inf), key=lambda c: c[1] - c[0]
    )
    centres = [c if c[1] < math.inf else widest for c in centres]
    return sorted(centres, key=lambda c: (c[1] - c[0], c[1], c[0])), losses


def _squared(point, centre):
    return (point[0] - centre[0]) ** 2 + (point[1] - centre[1]) ** 2


def percentile(row, percent):
    """With linear interpolation between order statistics."""
    ordered = sorted(row)
    position = percent / 100 * (len(row) - 1)
    below = int(position)
    above = min(below + 1, len(row) - 1)
    part = position - below
    return ordered[below] + part * (ordered[above] - ordered[below])


def weight_quantizer(rows, bits, percents, strict=False, scope='channel'):
    """Codes, (scale, zero point) and percentile a row (section 1)."""
    if scope == 'channel':
        each = [
            weight_quantizer([row], bits, percents, strict, 'layer')
            for row in rows
        ]
        return tuple(
            [one[0] for one in part] for part in zip(*each, strict=True)
        )
    best = None
    for percent in percents:
        pairs, codes, loss = [], [], 0.0
        for row in rows:
            mirrored = [-x for x in row]
            lower = f32(percentile(row, percent))
            upper = f32(-percentile(mirrored, percent))
            pairs.append(qparams(lower, upper, bits, strict))
            codes.append([quantize(x, *pairs[-1], bits) for x in row])
            for x, q in zip(row, codes[-1], strict=True):
                loss += (x - dequantize(q, *pairs[-1])) ** 2
        if best is None or loss < best[3]:
            best = codes, pairs, [percent] * len(rows), loss
    return best[:3]


def static_bounds(values, bits, percents, nonnegative=False, strict=False):
    """The best of the percentiles by squared error (section 1)."""
    ordered = sorted(values)
    best = None
    for percent in percents:
        lower = 0.0 if nonnegative else _order(ordered, 100 - percent)
        upper = _order(ordered, percent)
        pair = qparams(lower, upper, bits, strict)
        loss = sum(
            (x - dequantize(quantize(x, *pair, bits), *pair)) ** 2
            for x in ordered
        )
        if best is None or loss < best[2]:
            best = lower, upper, loss
    return best[0], best[1]


def _order(ordered, percent):
    """The smallest value with ``percent`` of all at or below it."""
    for i, value in enumerate(ordered):
        if i + 1 >= percent / 100 * len(ordered):
            return value
    return ordered[-1]


def pack(codes, bits):
    """Codes as one string of bits, most significant first."""
    text = ''.join(format(code, f'0{bits}b') for code in codes)
    text += '0' * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]
