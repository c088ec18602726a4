"""Agreement of detections against a plain reference."""

import numpy as np
import pytest

from igq_mmdet.report.compare.agreement import Agreement, agreement, box_iou


def plain_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    area = sum(max(x[2] - x[0], 0) * max(x[3] - x[1], 0) for x in (a, b))
    union = area - common
    return common / union if union > 0 else 0.0


def plain_agreement(full, quantized, iou=0.5, score=0.3):
    rows = lambda x: [  # noqa: E731
        (s, c, b)
        for s, c, b in zip(x['scores'], x['labels'], x['bboxes'], strict=True)
        if s > score
    ]
    free, own = rows(full), rows(quantized)
    total, matched = len(free), 0
    for _, label, box in sorted(own, key=lambda row: -row[0]):
        best = None
        for other in free:
            if other[1] != label:
                continue
            value = plain_iou(box, other[2])
            if value >= iou and (best is None or value > best[0]):
                best = value, other
        if best is not None:
            free.remove(best[1])
            matched += 1
    return Agreement(total, len(own), matched)


def detections(random, count):
    corner = random.uniform(0, 60, (count, 2))
    size = random.uniform(5, 40, (count, 2))
    return {
        'scores': random.permutation(count + 1)[:count] / (count + 1),
        'labels': random.integers(0, 3, count),
        'bboxes': np.concatenate([corner, corner + size], 1),
    }


def moved(random, found):
    """The same ones, some elsewhere, some of another label."""
    count = len(found['scores'])
    return {
        'scores': found['scores'][random.permutation(count)],
        'labels': np.where(random.random(count) < 0.2, 1, found['labels']),
        'bboxes': found['bboxes'] + random.normal(0, 2, (count, 1)),
    }


def test_against_the_reference():
    random = np.random.default_rng(0)
    matches = 0
    for _ in range(300):
        full = detections(random, int(random.integers(0, 15)))
        for other in (moved(random, full), detections(random, 9)):
            found = agreement(full, other)
            assert found == plain_agreement(full, other)
            assert 0 <= found.disagreement <= 1
            matches += found.matched
    assert matches > 500


def test_the_same_detections_agree():
    full = detections(np.random.default_rng(1), 12)
    assert agreement(full, full).disagreement == 0
    lists = {key: value.tolist() for key, value in full.items()}
    assert agreement(lists, lists) == agreement(full, full)


def test_by_hand():
    box = [0, 0, 10, 10]
    one = {'scores': [0.9], 'labels': [0], 'bboxes': [box]}
    none = {'scores': [], 'labels': [], 'bboxes': []}
    assert agreement(none, none).disagreement == 0
    assert agreement(one, none).disagreement == 1
    assert agreement(none, one).disagreement == 1
    assert agreement(one, one | {'labels': [1]}).disagreement == 1
    assert agreement(one, one | {'scores': [0.3]}).quantized == 0
    half = one | {'bboxes': [[0, 0, 10, 5]]}
    assert agreement(one, half).matched == 1  # IoU 0.5 is enough
    less = one | {'bboxes': [[0, 0, 10, 4.9]]}
    assert agreement(one, less).matched == 0
    twice = {'scores': [0.9, 0.8], 'labels': [0, 0], 'bboxes': [box, box]}
    found = agreement(one, twice)
    assert found == Agreement(1, 2, 1)
    assert found.disagreement == pytest.approx(1 / 3)


def test_boxes_without_area():
    empty = np.array([[3.0, 3, 3, 3], [5, 5, 2, 2]])
    assert not box_iou(empty, empty).any()
