"""Every family of mmdet detectors in the table, with random weights.

What is tested is mechanics: that nothing is bypassed, that images do not
mix and that a file gives the same detections; random weights have no AP.
"""

from functools import partial

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.inspection.coverage import traced_coverage
from igq_mmdet.inspection.families import MMDET
from tests.agreement import each_alone

pytest.importorskip('mmdet')
pytestmark = pytest.mark.slow


def errors(found, wanted):
    """Mean deviation of each output."""
    return [
        ((x - y).abs().mean() / (y.abs().mean() + 1e-6)).item()
        for x, y in zip(found, wanted, strict=True)
    ]


def joined(singles, batch):
    """Outputs of single images on the axis on which a batch has them."""
    out = []
    for parts, whole in zip(zip(*singles, strict=True), batch, strict=True):
        one = parts[0].shape
        (axis,) = [
            i for i, n in enumerate(whole.shape) if n == len(parts) * one[i]
        ]
        out.append(torch.cat(parts, axis))
    return out


@pytest.mark.parametrize('family', MMDET, ids=lambda family: family.name)
def test_family(family, tmp_path):
    from igq_mmdet.detection.calibration.calibration_forward import (
        calibration_forward,
    )
    from igq_mmdet.detection.models.random_detector import (
        detections,
        random_batch,
        random_detector,
        raw_outputs,
        single_batches,
    )

    detector = random_detector(
        family.model, {**family.options, **family.smaller}
    )
    batch = random_batch(family.size, family.size + 32)
    wanted = raw_outputs(detector, batch)
    qmodel = igq.quantize(detector, igq.QuantSpec(groups=4))
    assert max(errors(raw_outputs(qmodel, batch), wanted)) < 1e-5

    found = traced_coverage(qmodel, [batch], calibration_forward)
    assert not found.uncovered, str(found)
    done, total = found.count('softmax')
    assert done == total > 0
    assert {row.state for row in found.rows} <= {'quantized', 'excluded'}

    igq.calibrate(qmodel, [batch], calibration_forward)
    assert max(errors(raw_outputs(qmodel, batch), wanted)) > 1e-3
    if family.per_image:
        together, alone = each_alone(
            qmodel,
            partial(raw_outputs, qmodel),
            batch,
            single_batches(batch),
        )
        assert max(errors(joined(alone, together), together)) < 1e-4

    igq.save(qmodel, tmp_path / 'q.safetensors')
    again = igq.load(detector, tmp_path / 'q.safetensors')
    for x, y in zip(
        detections(again, batch), detections(qmodel, batch), strict=True
    ):
        assert torch.equal(x, y)
