# A detector that detects: the demo's Mask R-CNN with one class, trained on
# the 466 images of demo/nuclei/instances_train.json and evaluated on 166 it
# never saw. Calibrated, and chosen, on instances_val.json. Run from the
# project's root.
_base_ = '../demo/mask-rcnn_swin-mini_demo.py'
load_from = 'demo/swin_mini_nuclei.safetensors'
data_root = 'demo/nuclei/'
metainfo = dict(classes=('nucleus',))
image_size = (320, 320)

model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[3])),
    roi_head=dict(
        bbox_head=dict(num_classes=1), mask_head=dict(num_classes=1)
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=1000, max_per_img=400),
        rcnn=dict(sampler=dict(num=256)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=500), rcnn=dict(max_per_img=100)
    ),
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
test_set = dict(
    data_root=data_root,
    ann_file='instances_test.json',
    metainfo=metainfo,
    pipeline=test_pipeline,
)
val_set = dict(
    data_root=data_root,
    ann_file='instances_val.json',
    metainfo=metainfo,
    pipeline=test_pipeline,
)
test_dataloader = dict(dataset=test_set)
val_dataloader = dict(dataset=val_set)
test_evaluator = dict(ann_file=data_root + 'instances_test.json')
val_evaluator = dict(ann_file=data_root + 'instances_val.json')
calib_dataset = val_set
ap_by = 'kind'  # AP is reported for the images of each kind as well
