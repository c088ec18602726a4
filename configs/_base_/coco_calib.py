custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
# Calibration images of the COCO presets: train2017 through the test pipeline.
# Annotations only list the images; no box is read.
calib_dataset = dict(
    type='CocoDataset',
    data_root='data/coco/',
    ann_file='annotations/instances_train2017.json',
    data_prefix=dict(img='train2017/'),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(1333, 800), keep_ratio=True),
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
    ],
    test_mode=True,
)
