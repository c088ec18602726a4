# Training of the demo's detector, first stage: from scratch, on all 64
# images (also those it is evaluated on: see demo/README.md).
_base_ = './mask-rcnn_swin-mini_demo.py'
load_from = None
iters = 1000
crop_size = _base_.image_size

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='RandomResize',
        scale=crop_size,
        ratio_range=(0.9, 1.1),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=crop_size, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=crop_size, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='CocoDataset',
                data_root=_base_.data_root,
                ann_file=ann_file,
                data_prefix=dict(img='images/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=8),
                pipeline=train_pipeline,
            )
            for ann_file in ('instances_calib.json', 'instances_eval.json')
        ],
    ),
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iters, val_interval=1000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        end=iters,
        eta_min=1e-6,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.02),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(
        custom_keys={
            'relative_position_bias_table': dict(decay_mult=0.0),
            'norm': dict(decay_mult=0.0),
        }
    ),
)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1000, by_epoch=False)
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
