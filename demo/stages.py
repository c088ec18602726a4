"""One stage of training: a config, run to its end, resumed after a stop."""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

import igq_mmdet.detection  # noqa: F401  mmengine reads safetensors with it

ROOT = Path(__file__).resolve().parents[1]


def add_arguments(parser: argparse.ArgumentParser, work_dir: str) -> None:
    """Add what trainings in two stages have in common.

    Args:
        parser (ArgumentParser): It is changed.
        work_dir (str): The default.
    """
    parser.add_argument('--work-dir', default=work_dir)
    parser.add_argument(
        '--out', help='safetensors file (in the work dir if not given)'
    )
    parser.add_argument(
        '--iters',
        nargs=2,
        type=int,
        default=(None, None),
        metavar=('STAGE1', 'STAGE2'),
        help='iterations, if not those of the configs',
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the last checkpoint in the work dir',
    )


def train_stage(
    config: str,
    work_dir: str | Path,
    load_from: str | Path | None = None,
    iters: int | None = None,
    resume: bool = False,
) -> nn.Module:
    """Train a detector with mmengine's Runner.

    Args:
        config (str): Path of the config from the project's root.
        work_dir (str or Path): For checkpoints and logs.
        load_from (str or Path, optional): Weights to start from.
        iters (int, optional): Iterations, if not the config's.
        resume (bool): Go on from the last checkpoint in ``work_dir``, if
            there is one. Defaults to False.

    Returns:
        nn.Module: The trained detector.
    """
    cfg = Config.fromfile(ROOT / config)
    cfg.work_dir = str(work_dir)
    cfg.load_from = None if load_from is None else str(load_from)
    if resume and find_latest_checkpoint(cfg.work_dir):
        cfg.resume, cfg.load_from = True, None
    if iters is not None:
        cfg.train_cfg.max_iters = iters
    return Runner.from_cfg(cfg).train()
