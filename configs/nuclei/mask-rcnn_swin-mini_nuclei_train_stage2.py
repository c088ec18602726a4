# A second stage: a warm restart from the first one's weights, with other
# random numbers (demo/train_nuclei.py --stage2). The shipped weights are the
# first one's.
_base_ = './mask-rcnn_swin-mini_nuclei_train.py'
iters = 1400
train_cfg = dict(max_iters=iters, val_interval=700)
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
optim_wrapper = dict(optimizer=dict(lr=4e-4))
randomness = dict(seed=1)
