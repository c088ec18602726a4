# Trains the demo's Cascade Mask R-CNN with mmdet's tools/train.py, on all 64
# images, also those it is evaluated on. Backbone, neck and RPN start from the
# shipped Mask R-CNN; the backbone stays as it is. From the project's root, in
# the background and on one thread (--resume goes on after a stop):
#
#   mim=$(python -c 'import mmdet; print(mmdet.__path__[0])')/.mim
#   OMP_NUM_THREADS=1 nohup nice python $mim/tools/train.py \
#       configs/demo/cascade-mask-rcnn_swin-mini_demo_train.py \
#       --work-dir work_dirs/demo_cascade > demo_cascade.log 2>&1 &
_base_ = './cascade-mask-rcnn_swin-mini_demo.py'
custom_imports = dict(
    imports=['igq_mmdet.detection'], allow_failed_imports=False
)  # reads safetensors
load_from = 'demo/swin_mini_mask_rcnn.safetensors'
iters = 1000

model = dict(backbone=dict(frozen_stages=4))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=iters, val_interval=iters)
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
default_hooks = dict(checkpoint=dict(interval=250), logger=dict(interval=50))
env_cfg = dict(mp_cfg=dict(opencv_num_threads=1))
