# Training of the nuclei's detector from scratch: demo/train_nuclei.py.
_base_ = './mask-rcnn_swin-mini_nuclei.py'
load_from = None
iters = 2400
crop_size = (256, 256)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='RandomResize',
        scale=_base_.image_size,
        ratio_range=(0.75, 1.5),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=crop_size, allow_negative_crop=False),
    dict(
        type='RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=crop_size, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        data_root=_base_.data_root,
        ann_file='instances_train.json',
        data_prefix=dict(img='images/'),
        metainfo=_base_.metainfo,
        filter_cfg=dict(filter_empty_gt=True, min_size=4),
        pipeline=train_pipeline,
    ),
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iters, val_interval=400)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=100,
        end=iters,
        eta_min=1e-6,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-4, weight_decay=0.02),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(
        custom_keys={
            'relative_position_bias_table': dict(decay_mult=0.0),
            'norm': dict(decay_mult=0.0),
        }
    ),
)
default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook', interval=200, by_epoch=False, max_keep_ckpts=3
    ),
    logger=dict(interval=50),
)
log_processor = dict(by_epoch=False)
env_cfg = dict(mp_cfg=dict(opencv_num_threads=1))
randomness = dict(seed=0)
