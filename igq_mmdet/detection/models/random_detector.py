"""mmdet detectors with random weights and random images, for checks."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn


def random_detector(
    config: str | Config,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> nn.Module:
    """Builds a detector without loading or downloading any weights.

    Args:
        config (str | Config): An mmdet config, ``mmdet::...``, a path, or
            read already; the options are then applied to it.
        options (Mapping, optional): Changes of ``model`` by dotted key.
        seed (int): Seed of the weights. Defaults to 0.

    Returns:
        nn.Module: In evaluation mode.
    """
    init_default_scope('mmdet')
    loaded = config
    if isinstance(loaded, str):
        is_name = '::' in loaded
        loaded = get_config(loaded) if is_name else Config.fromfile(loaded)
    loaded.merge_from_dict(
        {f'model.{key}': value for key, value in (options or {}).items()}
    )
    torch.manual_seed(seed)
    with _marked_memory():
        detector: nn.Module = MODELS.build(loaded.model)
    detector.requires_grad_(False)
    for values in detector.parameters():
        if values.isnan().any():  # drawn in init_weights only
            nn.init.normal_(values)
    return detector.eval()


@contextmanager
def _marked_memory() -> Iterator[None]:
    """Memory that nobody has written reads as NaN."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def random_batch(
    height: int, width: int, count: int = 2, seed: int = 0
) -> dict[str, Any]:
    """What ``test_step`` takes: images of noise, each of its own contrast.

    Args:
        height (int): In pixels.
        width (int): In pixels.
        count (int): Number of images. Defaults to 2.
        seed (int): Seed of the images. Defaults to 0.
    """
    generator = torch.Generator().manual_seed(seed)
    images, samples = [], []
    for index in range(count):
        low = 255 * index // (count + 1)
        noise = torch.randint(
            low, 256, (3, height, width), generator=generator
        )
        images.append(noise.to(torch.uint8))
        sample = DetDataSample(
            metainfo={
                'img_id': index,
                'img_shape': (height, width),
                'ori_shape': (height, width),
                'scale_factor': (1.0, 1.0),
            }
        )
        samples.append(sample)
    return {'inputs': images, 'data_samples': samples}


def single_batches(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The images of a batch as batches of one."""
    return [
        {'inputs': [image], 'data_samples': [copy.deepcopy(sample)]}
        for image, sample in zip(
            batch['inputs'], batch['data_samples'], strict=True
        )
    ]


def raw_outputs(detector: Any, batch: Mapping[str, Any]) -> list[Tensor]:
    """The heads' tensors, before anything is selected.

    Args:
        detector (nn.Module): An mmdet detector.
        batch (Mapping): See :func:`random_batch`.
    """
    with torch.no_grad():
        data = detector.data_preprocessor(copy.deepcopy(batch), False)
        out = detector(data['inputs'], data['data_samples'], mode='tensor')
    return list(_tensors(out))


def detections(detector: Any, batch: Mapping[str, Any]) -> list[Tensor]:
    """Every tensor of the predictions, image by image."""
    with torch.no_grad():
        results = detector.test_step(copy.deepcopy(batch))
    found: list[Tensor] = []
    for result in results:
        for name in sorted(result.keys()):  # instances, a panoptic map
            if name.startswith('pred_'):
                values = result.get(name).to_dict()
                found += [values[key] for key in sorted(values)]
    return found


def _tensors(value: Any) -> Any:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
