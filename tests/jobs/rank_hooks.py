"""For configs of test_distributed.py, through ``custom_imports``."""

import json
import os
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from igq_mmdet.detection.evaluation.runner import for_ranks
from igq_mmdet.detection.models.inner_detector import inner_detector


@HOOKS.register_module()
class DisturbRank1(Hook):
    """One bit of one bound of one quantizer, on one rank."""

    def before_test_epoch(self, runner):
        model = inner_detector(runner.model)
        if get_rank() == 1 and hasattr(model, 'igq_spec'):
            upper = model.neck.lateral_convs[1].conv.input_quantizer.upper
            upper.copy_(torch.nextafter(upper, upper + 1))


@HOOKS.register_module()
class WhatIsEvaluated(Hook):
    """Each rank writes down which model saw which images."""

    priority = 'LOWEST'

    def __init__(self, folder):
        self.path = Path(folder) / f'rank{get_rank()}.json'
        self.seen = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=()):
        model = inner_detector(runner.model)
        spec = getattr(model, 'igq_spec', None)
        self.seen += [
            {
                'img_id': sample.img_id,
                'spec': spec and spec.to_dict(),
                'wrapper': type(runner.model).__name__,
            }
            for sample in outputs
        ]

    def after_test_epoch(self, runner, metrics=None):
        self.path.write_text(json.dumps(self.seen))


def gloo_for_stock_runner(config):
    """mmengine alone starts no job on a machine without a GPU."""
    import torch.distributed as dist

    dist.init_process_group(
        'gloo',
        f'file://{os.environ["STORE"]}',  # no port to be taken meanwhile
        rank=int(os.environ['RANK']),
        world_size=int(os.environ['WORLD_SIZE']),
    )
    return for_ranks(config)
