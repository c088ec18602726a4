"""What the command lines of detectors share: options and the experiment."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..spec import QuantSpec
from .custom_imports import add_custom_imports, import_custom

if TYPE_CHECKING:  # need mmdet, which --help does not
    from mmengine.config import Config

    from ..studies.experiment import Experiment

# Where configs/ and demo/ lie: the project, or copies in an installation.
MIM = Path(__file__).resolve().parents[1] / '.mim'
ROOT = (MIM / 'configs').resolve().parent
DEMO_CONFIG = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
DEMO_CHECKPOINT = ROOT / 'demo/swin_mini_mask_rcnn.safetensors'

LAYERS = ('parts', 'include', 'exclude')
SETTING = ('w_bits', 'a_bits', 'groups', 'method')


def add_detector(parser: argparse.ArgumentParser) -> None:
    """Adds CONFIG and CHECKPOINT; without them the demo is taken."""
    parser.add_argument('config', nargs='?', help='an mmdet 3.x config')
    parser.add_argument('checkpoint', nargs='?', help='its float weights')


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Adds which layers are quantized."""
    parser.add_argument(
        '--parts',
        default='detector',
        help='detector, backbone, or parts such as neck,rpn',
    )
    for name in ('--include', '--exclude'):
        parser.add_argument(
            name, nargs='+', default=(), help='patterns of layer names'
        )


def add_images(parser: argparse.ArgumentParser, how_many: bool = True) -> None:
    """Adds which images calibrate.

    Args:
        parser (ArgumentParser): It is changed.
        how_many (bool): Add ``--calib-images``. Defaults to True.
    """
    if how_many:
        parser.add_argument(
            '--calib-images', type=int, default=1, help='how many, default 1'
        )
    parser.add_argument(
        '--calib-on-eval',
        action='store_true',
        help='allow calibration images that are evaluated on',
    )


def add_run(
    parser: argparse.ArgumentParser, work_dir: str, files: str
) -> None:
    """Adds where a command works and how much it says.

    Args:
        parser (ArgumentParser): It is changed.
        work_dir (str): Default of ``--work-dir``.
        files (str): What it writes there.
    """
    parser.add_argument(
        '--work-dir', default=work_dir, help=f'for {files}, default {work_dir}'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value, as in mmdet'
    )
    add_custom_imports(parser)
    parser.add_argument('--threads', type=int, help='of torch')


def check_detector(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Ends the command line if a config has no weights."""
    if args.config and not args.checkpoint:
        parser.error('CONFIG needs a CHECKPOINT')


def layers_of(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of a spec that :func:`add_layers` asked for."""
    return {name: getattr(args, name) for name in LAYERS}


def setting_of(args: argparse.Namespace) -> QuantSpec:
    """The one setting that options name."""
    fields = {name: getattr(args, name) for name in SETTING}
    return QuantSpec(**fields, **layers_of(args))


def at_root(
    args: argparse.Namespace, paths: Iterable[str] = ('work_dir',)
) -> None:
    """Makes paths absolute; for the demo, goes where its paths begin.

    Args:
        args (Namespace): With ``config`` and ``checkpoint``; it is changed.
        paths (Iterable[str]): Further options that are paths. Defaults to
            ('work_dir',).
    """
    for name in (*paths, 'checkpoint', 'config'):
        value = getattr(args, name)
        if value and '://' not in value:
            setattr(args, name, os.path.abspath(value))
    if args.config is None:
        os.chdir(ROOT)
        args.config, args.checkpoint = str(DEMO_CONFIG), str(DEMO_CHECKPOINT)


def open_config(args: argparse.Namespace) -> 'Config':
    """The config that options name; settings may name what it imports.

    Args:
        args (Namespace): After :func:`at_root`.
    """
    from ..detection.models.config import load_config

    import_custom(args)
    return load_config(args.config, args.cfg_options)


def open_experiment(
    args: argparse.Namespace, config: 'Config', quiet: bool, **options: Any
) -> 'Experiment':
    """The detector of a config, with its float weights if given.

    Args:
        args (Namespace): After :func:`at_root`.
        config (Config): From :func:`open_config`.
        quiet (bool): No progress bars.
        **options: Of :class:`Experiment`.
    """
    from ..detection.evaluation.runner import use_threads
    from ..studies.experiment import Experiment

    use_threads(args.threads)
    experiment = Experiment(config, args.work_dir, quiet, **options)
    if args.checkpoint:
        experiment.load_float(args.checkpoint)
    return experiment
