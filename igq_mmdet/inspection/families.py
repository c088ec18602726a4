"""The one table of model families that are supported and tested.

``tests/modules/test_timm.py`` and ``tests/detection/test_detectors.py`` run
over it; ``tools/coverage_table.py`` makes docs/models.md from it.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A member of a family, to be built with random weights.

    Args:
        name (str): The family.
        model (str): timm's name of the model, an mmdet config, or
            ``torchvision.`` and a name that torchvision knows.
        size (int): Side of the images in pixels.
        options (dict): For the function that makes the model, or changes
            of the config's ``model`` by dotted key. Defaults to {}.
        smaller (dict): More of them, for tests. Defaults to {}.
        per_image (bool): Whether raw outputs have an axis of images.
            Defaults to True.
    """

    name: str
    model: str
    size: int
    options: dict[str, Any] = field(default_factory=dict)
    smaller: dict[str, Any] = field(default_factory=dict)
    per_image: bool = True


def _timm(name: str, model: str, size: int, **smaller: Any) -> Family:
    return Family(name, model, size, {'img_size': size}, smaller)


NARROW = {'embed_dim': 96, 'depth': 3, 'num_heads': 3}

# Sizes that are no multiple of a window make a block pad tokens in.
TIMM = (
    _timm('ViT', 'vit_tiny_patch16_224', 64, depth=3),
    _timm('ViT, registers', 'test_vit2', 64),
    _timm('ViT, attention pooling', 'test_vit3', 64),
    _timm('ViT, relative positions', 'test_vit_relpos', 64),
    _timm(
        'ViT, rotary positions', 'vit_small_patch16_rope_ape_224', 64, depth=3
    ),
    _timm('DeiT', 'deit_tiny_patch16_224', 64, depth=3),
    _timm('DeiT, distilled', 'deit_tiny_distilled_patch16_224', 64, depth=3),
    _timm(
        'Swin',
        'swin_tiny_patch4_window7_224',
        96,
        embed_dim=48,
        depths=(2, 2, 2, 2),
    ),
    _timm(
        'SwinV2',
        'swinv2_tiny_window8_256',
        80,
        embed_dim=48,
        depths=(2, 2, 2, 2),
    ),
    _timm('BEiT', 'beit_base_patch16_224', 64, **NARROW),
    _timm('EVA', 'eva_large_patch14_196', 56, **NARROW),
    _timm('EVA-02', 'eva02_tiny_patch14_224', 56, depth=3),
    _timm('DINOv3', 'vit_tiny_patch16_dinov3_qkvb', 64, depth=3),
    Family(
        'ViTDet backbone (SAM)',
        'samvit_base_patch16',
        96,
        {'img_size': 96, 'window_size': 4},
        {**NARROW, 'global_attn_indexes': (1,), 'neck_chans': 32},
    ),
    Family('PVTv2', 'pvt_v2_b0', 64),
    Family('PVTv2, linear', 'pvt_v2_b2_li', 64, {}, {'depths': (1, 1, 1, 1)}),
    _timm('MaxViT', 'test_maxvit', 64),
    _timm(
        'MaxViT, parallel partitions',
        'maxvit_tiny_pm_256',
        64,
        embed_dim=(32, 32, 64, 64),
    ),
    _timm(
        'MaxViT, MLP position bias',
        'maxvit_rmlp_pico_rw_256',
        64,
        depths=(1, 1, 1, 1),
    ),
    _timm('CoAtNet', 'test_coatnet', 64),
)

TORCHVISION = (
    Family('Swin (torchvision)', 'torchvision.swin_t', 80),
    Family('SwinV2 (torchvision)', 'torchvision.swin_v2_t', 80),
)

FEW_LAYERS = {'encoder.num_layers': 1, 'decoder.num_layers': 2}
SWIN_DEPTHS = {'backbone.depths': (2, 2, 2, 2)}

CASCADE = (
    'configs/cascade_mask_rcnn/cascade-mask-rcnn_swin-{}-p4-w7_'
    'fpn_4conv1fc-giou_amp-ms-crop-3x_coco.py'
)
FEW_MASKS = {  # random weights detect something everywhere
    f'test_cfg.{key}': count
    for key, count in (('rcnn.max_per_img', 20), ('rpn.max_per_img', 100))
}

MMDET = (
    Family(
        'Cascade Mask R-CNN, Swin-T',
        CASCADE.format('t'),
        128,
        FEW_MASKS,
        SWIN_DEPTHS,
        per_image=False,
    ),
    Family(
        'Mask R-CNN, Swin-T',
        'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
        128,
        FEW_MASKS,
        SWIN_DEPTHS,
        per_image=False,
    ),
    Family(
        'RetinaNet, Swin-T',
        'mmdet::swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py',
        128,
        {},
        SWIN_DEPTHS,
    ),
    Family(
        'RetinaNet, PVTv2',
        'mmdet::pvt/retinanet_pvtv2-b0_fpn_1x_coco.py',
        128,
    ),
    Family(
        'DETR', 'mmdet::detr/detr_r50_8xb2-150e_coco.py', 128, {}, FEW_LAYERS
    ),
    Family(
        'Conditional DETR',
        'mmdet::conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
        128,
        {},
        FEW_LAYERS,
    ),
    Family(
        'DAB-DETR',
        'mmdet::dab_detr/dab-detr_r50_8xb2-50e_coco.py',
        128,
        {},
        FEW_LAYERS,
    ),
    Family(
        'Deformable DETR',
        'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        128,
        {},
        FEW_LAYERS,
    ),
    Family(
        'DINO',
        'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
        128,
        # fewer tokens than queries at this size otherwise
        {'num_queries': 100, 'test_cfg.max_per_img': 100},
        FEW_LAYERS,
    ),
    Family(
        'Mask2Former, Swin-T',
        'mmdet::mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco.py',
        128,
        {},
        {
            **SWIN_DEPTHS,
            'panoptic_head.pixel_decoder.encoder.num_layers': 1,
            'panoptic_head.transformer_decoder.num_layers': 3,
        },
    ),
)

# The same classes in larger: in the table of docs/models.md, not in tests.
LARGER = (
    Family(
        'Mask R-CNN, Swin-S',
        'mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py',
        128,
        FEW_MASKS,
        per_image=False,
    ),
    *(
        Family(
            f'Cascade Mask R-CNN, Swin-{size.upper()}',
            CASCADE.format(size),
            128,
            FEW_MASKS,
            per_image=False,
        )
        for size in 'sb'
    ),
)
