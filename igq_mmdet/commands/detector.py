"""What the command lines of detectors share: options and the experiment."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..report import where_text
from ..spec import QuantSpec
from .custom_imports import add_custom_imports, import_custom

if TYPE_CHECKING:  # need mmdet, which --help does not
    from mmengine.config import Config

    from ..detection.data.calibration_set import CalibrationSet
    from ..studies.experiment import Experiment

# Where configs/ and demo/ lie: the project, or copies in an installation.
MIM = Path(__file__).resolve().parents[1] / '.mim'
ROOT = (MIM / 'configs').resolve().parent
DEMO_CONFIG = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
DEMO_WEIGHTS = ROOT / 'demo/swin_mini_mask_rcnn.safetensors'

LAYERS = ('parts', 'include', 'exclude')
SETTING = ('w_bits', 'a_bits', 'groups', 'method')


def add_detector(parser: argparse.ArgumentParser) -> None:
    """Adds CONFIG and CHECKPOINT; without them the demo is taken."""
    parser.add_argument('config', nargs='?', help='an mmdet 3.x config')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="its float weights, default the config's load_from",
    )


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


def add_images(
    parser: argparse.ArgumentParser, how_many: int | None = 1
) -> None:
    """Adds which images calibrate.

    Args:
        parser (ArgumentParser): It is changed.
        how_many (int, optional): Default of ``--calib-images``; None leaves
            it out. Defaults to 1.
    """
    if how_many is not None:
        parser.add_argument(
            '--calib-images',
            type=int,
            default=how_many,
            help='how many, default %(default)s',
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


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Adds from which images, and how often, calibration images are drawn."""
    parser.add_argument(
        '--calib-where',
        nargs='+',
        default=[],
        metavar='FIELD=VALUE',
        help='calibrate only on images of which the annotation file says so',
    )
    parser.add_argument(
        '--calib-each',
        metavar='FIELD',
        help='calibrate on any images, then on those of each value of this '
        'field in turn; every setting is evaluated for each',
    )
    add_seeds(parser)


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """Adds how often calibration images are drawn."""
    parser.add_argument(
        '--seed',
        type=int,
        nargs='+',
        default=[0],
        help='of the calibration images; with several, every setting is '
        'evaluated for each and mean and spread are printed',
    )


def draws(
    experiment: 'Experiment', args: argparse.Namespace
) -> list['CalibrationSet']:
    """All draws that were asked for, so that a bad one shows at once.

    Args:
        experiment (Experiment): Draws from its config's images.
        args (Namespace): See :func:`add_images` and :func:`add_draws`.

    Returns:
        list[CalibrationSet]: For each value of ``--calib-each``, each seed.
    """
    from ..detection.data.calib_config import each_value

    return [
        experiment.images(args.calib_images, seed, args.calib_on_eval, where)
        for where in each_value(
            experiment.config.get('calib_dataset'),
            args.calib_where,
            args.calib_each,
        )
        for seed in dict.fromkeys(args.seed)
    ]


def draw_text(images: 'CalibrationSet') -> str:
    """One line that names the images of a draw."""
    where = where_text(images.where)
    ids = list(images.image_ids)
    return f'calibration images {ids}, seed {images.seed}' + (
        f', {where}' if where else ''
    )


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
        args.config = str(DEMO_CONFIG)
        args.checkpoint = args.checkpoint or str(DEMO_WEIGHTS)


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
    """The detector of a config, with its float weights.

    Args:
        args (Namespace): After :func:`at_root`; ``checkpoint`` becomes what
            was loaded, and is empty if ``--load`` needs none.
        config (Config): From :func:`open_config`.
        quiet (bool): No progress bars.
        **options: Of :class:`Experiment`.
    """
    from ..detection.evaluation.runner import use_threads
    from ..detection.models.config import float_weights
    from ..studies.experiment import Experiment

    use_threads(args.threads)
    own = config.model.get('brings_weights', False)
    args.checkpoint = float_weights(
        config,
        args.checkpoint,
        needed=not (own or getattr(args, 'load', None)),
    )
    experiment = Experiment(config, args.work_dir, quiet, **options)
    if args.checkpoint:
        experiment.load_float(args.checkpoint)
    return experiment
