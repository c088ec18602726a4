"""The one table of model families that are supported and tested.

``tests/modules/test_timm.py`` and ``tests/engine/test_detectors.py`` run
over it, ``tools/coverage_table.py`` makes docs/models.md from it.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A small member of a family, to be built with random weights.

    Args:
        name (str): The family.
        model (str): timm's name of the model, or an mmdet config.
        size (int): Side of the test images in pixels.
        options (dict): For ``timm.create_model``, or changes of the config
            by dotted key.
    """

    name: str
    model: str
    size: int
    options: dict[str, Any] = field(default_factory=dict)


TIMM = (
    Family('ViT', 'vit_tiny_patch16_224', 64, {'img_size': 64, 'depth': 3}),
    Family('ViT, registers', 'test_vit2', 64, {'img_size': 64}),
    Family('ViT, attention pooling', 'test_vit3', 64, {'img_size': 64}),
    Family('ViT, relative positions', 'test_vit_relpos', 64, {'img_size': 64}),
    Family('DeiT', 'deit_tiny_patch16_224', 64, {'img_size': 64, 'depth': 3}),
    Family(
        'DeiT, distilled',
        'deit_tiny_distilled_patch16_224',
        64,
        {'img_size': 64, 'depth': 3},
    ),
    Family(
        'Swin',
        'swin_tiny_patch4_window7_224',
        96,  # maps of 24 and 12 tokens: padded to windows of 7
        {'img_size': 96, 'embed_dim': 48, 'depths': (2, 2, 2, 2)},
    ),
    Family(
        'SwinV2',
        'swinv2_tiny_window8_256',
        80,  # maps of 20 and 10 tokens: padded to windows of 8
        {'img_size': 80, 'embed_dim': 48, 'depths': (2, 2, 2, 2)},
    ),
    Family(
        'BEiT',
        'beit_base_patch16_224',
        64,
        {'img_size': 64, 'embed_dim': 96, 'depth': 3, 'num_heads': 3},
    ),
    Family(
        'EVA',
        'eva_large_patch14_196',
        56,
        {'img_size': 56, 'embed_dim': 96, 'depth': 3, 'num_heads': 3},
    ),
    Family(
        'EVA-02', 'eva02_tiny_patch14_224', 56, {'img_size': 56, 'depth': 3}
    ),
    Family('DINOv3', 'vit_tiny_patch16_dinov3_qkvb', 64, {'depth': 3}),
    Family(
        'ViT, rotary positions',
        'vit_small_patch16_rope_ape_224',
        64,
        {'img_size': 64, 'depth': 3},
    ),
    Family(
        'ViTDet backbone (SAM)',
        'samvit_base_patch16',
        96,  # 6 x 6 tokens: padded to windows of 4
        {
            'img_size': 96,
            'window_size': 4,
            'global_attn_indexes': (1,),
            'embed_dim': 96,
            'depth': 3,
            'num_heads': 3,
            'neck_chans': 32,
        },
    ),
    Family('PVTv2', 'pvt_v2_b0', 64),
    Family('PVTv2, linear', 'pvt_v2_b2_li', 64, {'depths': (1, 1, 1, 1)}),
    Family('MaxViT', 'test_maxvit', 64, {'img_size': 64}),
    Family(
        'MaxViT, parallel partitions',
        'maxvit_tiny_pm_256',
        64,
        {'img_size': 64, 'embed_dim': (32, 32, 64, 64)},
    ),
    Family(
        'MaxViT, MLP position bias',
        'maxvit_rmlp_pico_rw_256',
        64,
        {'img_size': 64, 'depths': (1, 1, 1, 1)},
    ),
    Family('CoAtNet', 'test_coatnet', 64, {'img_size': 64}),
)
