# Second stage, from the first one's weights with spread LayerNorm gains:
# demo/train.py runs both.
_base_ = './mask-rcnn_swin-mini_demo_stage1.py'
iters = 2000
train_cfg = dict(max_iters=iters)
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
optim_wrapper = dict(optimizer=dict(lr=6e-4))
