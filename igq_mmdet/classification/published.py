"""The paper's ImageNet models: timm's names and the published top-1.

Moon, Kim, Cheon, Ham, Instance-Aware Group Quantization for Vision
Transformers, CVPR 2024 (32 calibration images); RepQ-ViT: ICCV 2023.
"""

from dataclasses import dataclass

COLUMNS = (
    'float',
    '†8 4/4',
    '†12 4/4',
    '8 4/4',
    '12 4/4',
    'bound 4/4',
    '8 6/6',
    '12 6/6',
    'bound 6/6',
    'RepQ-ViT 4/4',
    'RepQ-ViT 6/6',
)


@dataclass(frozen=True)
class Published:
    """One row.

    Args:
        name (str): As the paper calls the model.
        model (str): timm's name of it, with the tag of its weights.
        top1 (tuple[float | None, ...]): In the order of ``COLUMNS``.
    """

    name: str
    model: str
    top1: tuple[float | None, ...]


def _row(name: str, model: str, top1: str) -> Published:
    values = [None if x == '-' else float(x) for x in top1.split()]
    assert len(values) == len(COLUMNS), name
    return Published(name, model, tuple(values))


PUBLISHED = (
    _row(
        'ViT-T',
        'vit_tiny_patch16_224.augreg_in21k_ft_in1k',
        '75.47 54.46 55.66 55.29 56.01 57.59 73.19 73.77 74.61 - -',
    ),
    _row(
        'ViT-S',
        'vit_small_patch16_224.augreg_in21k_ft_in1k',
        '81.39 72.99 73.46 73.18 73.61 74.73 80.48 80.76 80.99 65.05 80.43',
    ),
    _row(
        'ViT-B',
        'vit_base_patch16_224.augreg_in21k_ft_in1k',
        '84.54 77.91 79.13 78.28 79.32 79.88 83.46 83.77 84.27 68.48 83.62',
    ),
    _row(
        'DeiT-T',
        'deit_tiny_patch16_224.fb_in1k',
        '72.21 61.94 62.28 62.25 62.45 62.55 70.92 71.15 71.42 57.43 70.76',
    ),
    _row(
        'DeiT-S',
        'deit_small_patch16_224.fb_in1k',
        '79.85 74.01 74.52 74.23 74.66 75.08 79.04 79.28 79.42 69.03 78.90',
    ),
    _row(
        'DeiT-B',
        'deit_base_patch16_224.fb_in1k',
        '81.80 78.85 79.21 79.04 79.23 79.74 81.44 81.71 81.75 75.61 81.27',
    ),
    _row(
        'Swin-T',
        'swin_tiny_patch4_window7_224.ms_in1k',
        '81.39 76.91 77.53 77.19 77.77 78.58 80.48 80.89 81.20 - -',
    ),
    _row(
        'Swin-S',
        'swin_small_patch4_window7_224.ms_in1k',
        '83.23 80.54 80.79 80.66 80.98 81.48 82.65 82.86 83.08 79.45 82.79',
    ),
    _row(
        'Swin-B',
        'swin_base_patch4_window7_224.ms_in22k_ft_in1k',
        '85.27 82.88 83.08 83.02 83.14 83.53 84.62 84.82 85.06 78.32 84.57',
    ),
)


def published_markdown() -> str:
    """The published rows as a table."""
    head = ['model', 'timm', *COLUMNS]
    lines = [head, ['---'] * len(head)]
    for row in PUBLISHED:
        cells = ['-' if x is None else f'{x:.2f}' for x in row.top1]
        lines.append([row.name, f'`{row.model}`', *cells])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
