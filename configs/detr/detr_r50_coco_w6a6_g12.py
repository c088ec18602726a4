_base_ = [
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    '../_base_/coco_calib.py',
]
custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
custom_hooks = [
    dict(
        type='igq_mmdet.IGQHook',
        spec=dict(w_bits=6, a_bits=6, groups=12),
    )
]
