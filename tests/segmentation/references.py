"""The field's measures as their papers have them, pixel by pixel.

S: Fan et al., Structure-measure, ICCV 2017. E: Fan et al., Enhanced-alignment
measure, IJCAI 2018. F, adaptive: Achanta et al., CVPR 2009. Means over
N - 1 and the centre's rounding are those of the authors' own MATLAB code.
"""

import math

BETA2 = 0.3


def pixels(values, mask):
    """(value, is object) of every pixel."""
    return [
        (float(v), bool(m))
        for row, marks in zip(values, mask, strict=True)
        for v, m in zip(row, marks, strict=True)
    ]


def mae(values, mask):
    every = pixels(values, mask)
    return sum(abs(v - m) for v, m in every) / len(every)


def threshold(values, mask):
    """Twice the mean, at most 1."""
    every = pixels(values, mask)
    return min(1.0, 2 * sum(v for v, _ in every) / len(every))


def adaptive_f(values, mask):
    limit = threshold(values, mask)
    every = pixels(values, mask)
    right = sum(v >= limit and m for v, m in every)
    if not right:
        return 0.0
    precision = right / sum(v >= limit for v, _ in every)
    recall = right / sum(m for _, m in every)
    both = (1 + BETA2) * precision * recall
    return both / (BETA2 * precision + recall)


def adaptive_e(values, mask):
    limit = threshold(values, mask)
    every = [(float(v >= limit), float(m)) for v, m in pixels(values, mask)]
    mean_value = sum(v for v, _ in every) / len(every)
    mean_mask = sum(m for _, m in every) / len(every)
    total = 0.0
    for v, m in every:
        if mean_mask == 0:
            total += 1 - v
        elif mean_mask == 1:
            total += v
        else:
            one, two = v - mean_value, m - mean_mask
            aligned = 2 * one * two / (one**2 + two**2)
            total += (aligned + 1) ** 2 / 4
    return total / (len(every) - 1)


def structure(values, mask, alpha=0.5):
    every = pixels(values, mask)
    share = sum(m for _, m in every) / len(every)
    mean_value = sum(v for v, _ in every) / len(every)
    if share == 0:
        return 1 - mean_value
    if share == 1:
        return mean_value
    objects = share * _object([v for v, m in every if m])
    objects += (1 - share) * _object([1 - v for v, m in every if not m])
    found = alpha * objects + (1 - alpha) * _regions(values, mask)
    return max(0.0, found)


def _object(values):
    mean = sum(values) / len(values)
    spread = 0.0
    if len(values) > 1:
        squares = sum((v - mean) ** 2 for v in values)
        spread = math.sqrt(squares / (len(values) - 1))
    return 2 * mean / (mean**2 + 1 + spread)


def _regions(values, mask):
    """Four parts around the object's centre, by their areas."""
    height, width = len(mask), len(mask[0])
    rows = [y for y in range(height) for x in range(width) if mask[y][x]]
    columns = [x for y in range(height) for x in range(width) if mask[y][x]]
    y = round(sum(rows) / len(rows)) + 1  # MATLAB counts from 1
    x = round(sum(columns) / len(columns)) + 1
    total = 0.0
    for top, bottom in ((0, y), (y, height)):
        for left, right in ((0, x), (x, width)):
            part = [
                (float(values[i][j]), float(mask[i][j]))
                for i in range(top, bottom)
                for j in range(left, right)
            ]
            if part:
                total += len(part) / (height * width) * _ssim(part)
    return total


def _ssim(part):
    n = len(part)
    x = sum(v for v, _ in part) / n
    y = sum(m for _, m in part) / n
    free = max(n - 1, 1)
    xx = sum((v - x) ** 2 for v, _ in part) / free
    yy = sum((m - y) ** 2 for _, m in part) / free
    xy = sum((v - x) * (m - y) for v, m in part) / free
    over, under = 4 * x * y * xy, (x**2 + y**2) * (xx + yy)
    if over:
        return over / under
    return 1.0 if under == 0 else 0.0


def auc(values, mask):
    inside = [v for v, m in pixels(values, mask) if m]
    outside = [v for v, m in pixels(values, mask) if not m]
    wins = sum((a > b) + (a == b) / 2 for a in inside for b in outside)
    return wins / (len(inside) * len(outside))
