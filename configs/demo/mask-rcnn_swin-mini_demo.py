# The demo's detector: a Mask R-CNN on a Swin of 4 M parameters, evaluated on
# the 56 images of demo/instances_eval.json. Run from the project's root.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/default_runtime.py',
]
load_from = 'demo/swin_mini_mask_rcnn.safetensors'
# lets mmdet's own tools read the weights, which are safetensors
custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
data_root = 'demo/'
image_size = (256, 256)

model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        pretrain_img_size=224,
        embed_dims=32,
        depths=[2, 2, 4, 2],
        num_heads=[1, 2, 4, 8],
        window_size=7,
        mlp_ratio=4,
        qkv_bias=True,
        drop_path_rate=0.0,
        patch_norm=True,
        out_indices=(0, 1, 2, 3),
        with_cp=False,
        convert_weights=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, num_outs=5),
    rpn_head=dict(
        in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=80),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(
            in_channels=64, conv_out_channels=64, num_convs=2, num_classes=80
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=150),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)),
)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='instances_eval.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_dataloader = test_dataloader
test_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'instances_eval.json',
    metric=['bbox', 'segm'],
)
val_evaluator = test_evaluator
test_cfg = dict(type='TestLoop')
val_cfg = dict(type='ValLoop')

# What quantization is calibrated on: 8 images of which none is evaluated.
calib_dataset = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file='instances_calib.json',
    data_prefix=dict(img='images/'),
    pipeline=test_pipeline,
    test_mode=True,
)
