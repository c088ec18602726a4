"""One row of a results table: a preset, COCO and a checkpoint."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..errors import DataError, SpecError
from ..field_checks import did_you_mean
from ..report.measured_rows import file_digest
from ..spec import QuantSpec
from .experiment import Experiment

HOOK = 'igq_mmdet.IGQHook'
# what COCO 2017 looks like on disk
LAYOUT = (
    'annotations/instances_train2017.json',
    'annotations/instances_val2017.json',
    'train2017',
    'val2017',
)


def find_rows(configs: str | os.PathLike[str]) -> dict[str, Path]:
    """The rows that can be measured: the COCO presets.

    Args:
        configs (str | PathLike): The project's folder of configs.

    Returns:
        dict[str, Path]: Preset by name of the row.
    """
    presets = sorted(Path(configs).glob('*/*_coco_w?a?_g*.py'))
    return {path.stem: path for path in presets}


def find_row(configs: str | os.PathLike[str], name: str) -> Path:
    """The preset of one row.

    Args:
        configs (str | PathLike): The project's folder of configs.
        name (str): Name of the row.

    Raises:
        SpecError: There is no such row.
    """
    rows = find_rows(configs)
    if name not in rows:
        raise SpecError(f'unknown row {name!r}{did_you_mean(name, rows)}')
    return rows[name]


def preset_spec(config: Mapping[str, Any]) -> QuantSpec:
    """The setting that a preset's hook carries.

    Args:
        config (Mapping): A preset.

    Raises:
        SpecError: The config has no IGQHook.
    """
    for hook in config.get('custom_hooks') or []:
        if hook.get('type') == HOOK:
            return QuantSpec(**hook['spec'])
    raise SpecError(f'the preset has no custom hook of type {HOOK}')


def use_coco(config: Config, folder: str) -> None:
    """Points a config to COCO 2017.

    Args:
        config (Config): On mmdet's COCO base; it is changed.
        folder (str): Holds ``annotations``, ``train2017``, ``val2017``.

    Raises:
        DataError: Something is not in the folder; names it.
    """
    for name in LAYOUT:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            raise DataError(
                f'--coco {folder}: there is no {name}; give the folder that '
                'holds annotations/, train2017/ and val2017/'
            )
    root = os.path.join(folder, '')
    for dataset in (config.calib_dataset, config.test_dataloader.dataset):
        dataset.data_root = root
    config.test_evaluator.ann_file = root + LAYOUT[1]


def measure_row(
    name: str,
    config: Config,
    checkpoint: str,
    work_dir: str,
    num_images: int = 1,
    seed: int = 0,
    with_float: bool = True,
    quiet: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Quantizes and evaluates, and makes a row of it.

    Args:
        name (str): Name of the row.
        config (Config): Its preset, after :func:`use_coco`.
        checkpoint (str): File of float weights.
        work_dir (str): For logs and the report.
        num_images (int): Calibration images. Defaults to 1.
        seed (int): Their seed. Defaults to 0.
        with_float (bool): Evaluate the float detector too. Defaults to
            True.
        quiet (bool): No progress bars. Defaults to False.

    Returns:
        tuple[dict, dict]: The row and the report it was taken from.
    """
    spec = preset_spec(config)
    experiment = Experiment(config, work_dir, quiet)
    experiment.load_float(checkpoint)
    images = experiment.images(num_images, seed, False)
    experiment.run_settings([spec], images, with_float=with_float)
    report = experiment.report.data
    experiment.write()
    row = {
        'row': name,
        'checkpoint': os.path.basename(checkpoint),
        'checkpoint_sha256': file_digest(checkpoint),
        'evaluation_images': len(experiment.evaluation),
        'float': report['float'],
        'environment': report['environment'],
        **report['runs'][0],
    }
    return row, report
