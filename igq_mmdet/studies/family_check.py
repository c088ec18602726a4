"""What is covered in a model of each family; rows of docs/models.md."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from .. import checkpoints
from ..calibration import calibrate, quantize
from ..inspection.coverage import Coverage, traced_coverage
from ..inspection.families import Family
from ..spec import QuantSpec

KINDS = {
    'linear': 'FC inputs',
    'softmax': 'softmax',
    'product': 'Q x K',
    'conv': 'convolutions',
}


def check_family(family: Family, full: bool = False) -> dict[str, Any]:
    """Builds, quantizes, calibrates, runs, saves and reloads one model.

    Args:
        family (Family): Which.
        full (bool): Without its ``smaller`` options. Defaults to False.

    Returns:
        dict: A JSON-ready row.
    """
    options = {**family.options, **({} if full else family.smaller)}
    detector = family.model.endswith('.py')
    check = _check_detector if detector else _check_classifier
    found, same = check(family, options)
    reasons = Counter(
        f'{KINDS[row.kind]}: {row.reason}'
        for row in found.rows
        if row.state == 'excluded'
    )
    return {
        'family': family.name,
        'model': family.model,
        'size': family.size,
        'options': options,
        'covered': {kind: list(found.count(kind)) for kind in KINDS},
        'uncovered': [row.layer for row in found.uncovered],
        'excluded': dict(reasons),
        'reload_identical': same,
    }


def random_classifier(family: Family, options: Mapping[str, Any]) -> nn.Module:
    """A model of timm or torchvision with random weights.

    Args:
        family (Family): Which.
        options (Mapping): For the function that makes it.
    """
    torch.manual_seed(0)
    library, _, name = family.model.rpartition('.')
    if library == 'torchvision':
        from torchvision.models import get_model

        return get_model(name, **options).eval()
    import timm

    return timm.create_model(family.model, **options).eval()


def _check_classifier(
    family: Family, options: Mapping[str, Any]
) -> tuple[Coverage, bool]:
    model = random_classifier(family, options)
    images = torch.randn(2, 3, family.size, family.size)

    def outputs(qmodel: nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return [qmodel(images)]

    def run(qmodel: nn.Module, batch: Any) -> Any:
        return qmodel(batch)

    return _check(model, images, run, outputs)


def _check_detector(
    family: Family, options: Mapping[str, Any]
) -> tuple[Coverage, bool]:
    from ..detection.calibration.calibration_forward import calibration_forward
    from ..detection.models.random_detector import (
        detections,
        random_batch,
        random_detector,
    )

    model = random_detector(family.model, options)
    batch = random_batch(family.size, family.size + 32)
    return _check(
        model, batch, calibration_forward, lambda m: detections(m, batch)
    )


def _check(
    model: nn.Module, batch: Any, forward: Any, outputs: Any
) -> tuple[Coverage, bool]:
    qmodel = quantize(model, QuantSpec(groups=8))
    found = traced_coverage(qmodel, [batch], forward)
    calibrate(qmodel, [batch], forward)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'q.safetensors')
        checkpoints.save(qmodel, path)
        again = checkpoints.load(model, path)
    same = all(
        torch.equal(x, y)
        for x, y in zip(outputs(again), outputs(qmodel), strict=True)
    )
    return found, same


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table, and what is left in float and why.

    Args:
        rows (Iterable[Mapping]): From :func:`check_family`.
    """
    rows = list(rows)
    head = ['family', 'model', *KINDS.values(), 'reload identical']
    lines = [head, ['---'] * len(head)]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        counts = [
            '{} / {}'.format(*row['covered'][kind])
            if row['covered'][kind][1]
            else '-'
            for kind in KINDS
        ]
        model = os.path.basename(row['model']).removesuffix('.py')
        same = 'yes' if row['reload_identical'] else '**no**'
        lines.append([row['family'], f'`{model}`', *counts, same])
        for reason, count in row['excluded'].items():
            text = f'{row["family"]} ({count})'
            reasons.setdefault(reason, []).append(text)
        for layer in row['uncovered']:
            reasons.setdefault('**uncovered**', []).append(
                f'{row["family"]}: `{layer}`'
            )
    table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    left = '\n'.join(
        f'- {reason}. {"; ".join(where)}.' for reason, where in reasons.items()
    )
    return f'{table}\n\nLeft in float:\n\n{left}\n'
