# Binary maps: how images are read, what judges, and where sets lie. A config
# of its own adds model.network; see docs/segmentation.md.
default_scope = 'mmdet'
custom_imports = dict(
    imports=['igq_mmdet.segmentation'], allow_failed_imports=False
)
data_root = 'data/'
image_size = (352, 352)

model = dict(
    type='igq_mmdet.MapModel',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='igq_mmdet.PackMap'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='igq_mmdet.MapDataset',
        data_root=data_root + 'TestDataset',
        sets=['CHAMELEON', 'CAMO', 'COD10K', 'NC4K'],
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type='igq_mmdet.MapMetric')
test_cfg = dict(type='TestLoop')

# Images that are not evaluated; their masks are not looked at.
calib_dataset = dict(
    type='igq_mmdet.MapDataset',
    data_root=data_root + 'TrainValDataset',
    with_masks=False,
    pipeline=test_pipeline,
    test_mode=True,
)
