_base_ = './mask-rcnn_swin-mini_nuclei.py'
custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
custom_hooks = [
    dict(
        type='igq_mmdet.IGQHook',
        spec=dict(w_bits=4, a_bits=4, groups=12),
        calib=dict(num_images=8),
    )
]
