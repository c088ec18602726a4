"""What the predictions of an evaluation depend on, as digests."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from torch import nn

from ...errors import DataError
from ...files.results_file import digest as state_digest
from ...report.environment import environment
from ...report.measured_rows import file_digest

# How a message names what has changed.
NAMES = {
    'model': 'weights or quantization setting',
    'config': "the config's model",
    'dataset': 'the evaluated images',
    'pipeline': 'how images are read and batched',
    'versions': 'versions or device',
}
VERSIONS = ('igq_mmdet', 'torch', 'mmengine', 'mmcv', 'mmdet')


def evaluation_identity(
    model: nn.Module, config: Config, dataset: str
) -> dict[str, str]:
    """Digests of all that a prediction depends on.

    Args:
        model (nn.Module): A detector, float or quantized.
        config (Config): Its test config.
        dataset (str): From :func:`dataset_digest`.

    Returns:
        dict[str, str]: By the keys of ``NAMES``.
    """
    spec: Any = getattr(model, 'igq_spec', None)
    setting = [
        None if spec is None else spec.to_dict(),
        hasattr(model, 'igq_runtime'),  # executed on integers
    ]
    loader = config['test_dataloader']
    batch_size = loader.get('batch_size', 1)
    return {
        'model': state_digest(model.state_dict(), setting),
        'config': text_digest(
            [config.get(key) for key in ('model', 'tta_model', 'test_cfg')]
        ),
        'dataset': dataset,
        'pipeline': text_digest(
            [
                _pipelines(loader['dataset']),
                batch_size,
                loader.get('sampler'),
                # which images share a batch decides how they are padded
                get_world_size() if batch_size > 1 else None,
            ]
        ),
        'versions': text_digest(version_list(model)),
    }


def version_list(model: nn.Module) -> list[Any]:
    """Versions and the device, on which floats depend.

    Args:
        model (nn.Module): A detector.
    """
    versions = environment()['versions']
    device = next((p.device.type for p in model.parameters()), 'cpu')
    return [*(versions.get(name) for name in VERSIONS), device]


def dataset_digest(dataset: Any) -> tuple[tuple[Any, ...], str]:
    """Ids of a dataset's images, and a digest of what it lists.

    Names, sizes, annotations and masks count; where the files lie does not.

    Args:
        dataset: An mmdet dataset, or a :class:`MapDataset`.

    Returns:
        tuple[tuple, str]: Ids in order of index, and SHA-256, hex.
    """
    sha = hashlib.sha256()
    ids = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        ids.append(info.get('img_id', index))
        name = os.path.basename(str(info.get('img_path', '')))
        listed = [info.get(key) for key in ('height', 'width', 'instances')]
        if 'segments' in info:
            listed.append(info['segments'])
        if info.get('mask_path'):
            listed.append(content_digest(info['mask_path']))
        sha.update(_text([ids[-1], name, *listed]).encode())
    meta = getattr(dataset, 'metainfo', None) or {}
    sha.update(_text([meta.get('classes')]).encode())
    return tuple(ids), sha.hexdigest()


def evaluator_digest(config: Config) -> str:
    """Digest of the metrics of a config and of their annotation files.

    Args:
        config (Config): A test config.
    """
    evaluators = config['test_evaluator']
    if isinstance(evaluators, Mapping):
        evaluators = [evaluators]
    files = []
    for evaluator in evaluators:
        name = evaluator.get('ann_file')
        if name and os.path.isfile(name):
            files.append(content_digest(name))
    by = [config['ap_by']] if config.get('ap_by') else []
    return text_digest([evaluators, files, *by])


def check_same(
    path: str | os.PathLike[str],
    names: Mapping[str, str],
    before: Mapping[str, str],
    now: Mapping[str, str],
) -> None:
    """Refuses what was kept of something else.

    Args:
        path (str | PathLike): Where it is kept.
        names (Mapping[str, str]): What digests are of, for the message.
        before (Mapping[str, str]): Digests it was kept with.
        now (Mapping[str, str]): Digests it would have to have.

    Raises:
        DataError: They differ; says in what.
    """
    changed = [
        name for key, name in names.items() if before.get(key) != now[key]
    ]
    if changed:
        raise DataError(
            f'{path}: kept by another run, {", ".join(changed)} changed; '
            'without --resume (resume=True) it is replaced'
        )


def content_digest(path: str) -> str:
    """SHA-256 of what is in a file, hex; the path itself if there is none."""
    return file_digest(path) if os.path.isfile(path) else path


def text_digest(value: Any) -> str:
    """SHA-256 of a JSON-ready value, hex; a type counts by its name."""
    return hashlib.sha256(_text(value).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _pipelines(dataset: Any) -> Any:
    """The pipelines of a dataset config, however wrapped."""
    if isinstance(dataset, Mapping):
        return {
            key: _pipelines(value) if key in ('dataset', 'datasets') else value
            for key, value in dataset.items()
            if key in ('type', 'pipeline', 'dataset', 'datasets')
        }
    if isinstance(dataset, list | tuple):
        return [_pipelines(one) for one in dataset]
    return dataset
