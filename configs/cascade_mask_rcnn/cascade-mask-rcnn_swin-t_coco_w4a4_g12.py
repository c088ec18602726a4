_base_ = [
    './cascade-mask-rcnn_swin-t-p4-w7_fpn_4conv1fc-giou_amp-ms-crop-3x_coco.py',
    '../_base_/coco_calib.py',
]
custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
custom_hooks = [
    dict(
        type='igq_mmdet.IGQHook',
        spec=dict(w_bits=4, a_bits=4, groups=12),
    )
]
