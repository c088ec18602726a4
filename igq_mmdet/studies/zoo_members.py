"""Which configs of mmdet's zoo stand for all of it, made small."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmdet
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config

from ..errors import one_line

SIDE = 64  # of the images, in pixels
WIDE = (256, 1024)
NARROWED = ('ResNet', 'Res2Net', 'ResNeSt')
FEW = 100  # queries, and detections where they are the best so many


@dataclass(frozen=True)
class Member:
    """One config for all of its folder with the same kinds of heads.

    Args:
        config (str): Relative to mmdet's folder of configs.
        heads (tuple[str, ...]): Class of the detector and of its heads.
        others (int): How many configs more it stands for.
        problem (str): Why it cannot be read; empty if it can.
    """

    config: str
    heads: tuple[str, ...] = ()
    others: int = 0
    problem: str = ''


def zoo_root() -> Path:
    """Where the wheel of mmdet keeps its configs."""
    return Path(mmdet.__file__).parent / '.mim' / 'configs'


def zoo_members(
    root: Path, bar: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> list[Member]:
    """A config of every folder and combination of heads, the smallest.

    Trackers and models of videos are no detectors and are left out.

    Args:
        root (Path): See :func:`zoo_root`.
        bar (Callable): Shows progress. Defaults to none.
    """
    groups: dict[tuple[str, ...], list[tuple[Any, str]]] = {}
    unreadable: dict[str, Member] = {}
    files = [
        path
        for path in sorted(root.glob('*/*.py'))
        if not path.parent.name.startswith('_')
    ]
    for path in bar(files):
        name = str(path.relative_to(root))
        folder = path.parent.name
        try:
            config = Config.fromfile(path)
        except Exception as error:  # a config is a program
            package = re.search(r"'imports': \['(\w+)", str(error))
            said = one_line(error, 200)
            if package:
                said = f'needs the package {package.group(1)}'
            unreadable.setdefault(folder, Member(name, problem=said))
            continue
        if is_detector(config):
            heads = tuple(head_classes(config.model))
            size = _size(config.model), len(name), name
            groups.setdefault((folder, *heads), []).append((size, name))
    found = [
        Member(min(configs)[1], heads, len(configs) - 1)
        for (_, *heads_), configs in groups.items()
        for heads in (tuple(heads_),)
    ]
    readable = {folder for folder, *_ in groups}
    found += [m for name, m in unreadable.items() if name not in readable]
    return sorted(found, key=lambda member: member.config)


def is_detector(config: Mapping[str, Any]) -> bool:
    """Whether a config's model is a detector of single images."""
    name = (config.get('model') or {}).get('type')
    kind = name and MODELS.get(name)
    return isinstance(kind, type) and issubclass(kind, BaseDetector)


def head_classes(model: Mapping[str, Any]) -> Iterator[str]:
    """Class names of a detector and of its heads, the last of a cascade.

    Args:
        model (Mapping): A config of a detector, or of one around another.
    """
    yield model['type']
    inner = model.get('detector') or model
    for holder in (inner, inner.get('roi_head') or {}):
        for name in sorted(holder):
            head = holder[name]
            if isinstance(head, list | tuple):
                head = head[-1] if head else None
            if name.endswith('_head') and isinstance(head, Mapping):
                yield str(head.get('type'))


def smaller(model: Mapping[str, Any]) -> dict[str, Any]:
    """Changes by dotted key that leave less to compute.

    Args:
        model (Mapping): A config of a detector.
    """
    options: dict[str, Any] = {}
    depths = _at(model, 'backbone.depths')
    if depths and len(depths) == 4:
        options['backbone.depths'] = (2, 2, 2, 2)
    for holder, layers in (
        ('encoder', 1),
        ('decoder', 2),
        ('panoptic_head.pixel_decoder.encoder', 1),
        ('panoptic_head.transformer_decoder', 2),
    ):
        if (_at(model, f'{holder}.num_layers') or 0) > layers:
            options[f'{holder}.num_layers'] = layers
    # fewer tokens than queries at this size otherwise
    if (_at(model, 'num_queries') or 0) > FEW:
        options['num_queries'] = FEW
        if _at(model, 'test_cfg.max_per_img'):
            options['test_cfg.max_per_img'] = FEW
    # random weights propose and detect something everywhere
    for key, most in (
        ('rpn.nms_pre', 100),
        ('rpn.max_per_img', 20),
        ('rcnn.max_per_img', 5),
    ):
        if (_at(model, f'test_cfg.{key}') or 0) > most:
            options[f'test_cfg.{key}'] = most
    return options


def narrower(model: Any, key: str = '') -> Any:
    """A config of a detector a fourth as wide; not all of them go together.

    Args:
        model (Any): The config, or a value in it.
        key (str): The value's dotted key. Defaults to ''.
    """
    name = key.rpartition('.')[2]
    if isinstance(model, Mapping):
        found = {
            inner: narrower(value, f'{key}.{inner}')
            for inner, value in model.items()
        }
        if key == '.backbone' and 'base_channels' not in found:
            if str(found.get('type')).endswith(NARROWED):
                found['base_channels'] = 64 // 4
        return found
    if isinstance(model, list | tuple):
        if name == 'in_channels' and key.startswith('.neck'):
            return [size // 4 for size in model]
        return [narrower(value, key) for value in model]
    if 'channel' in name and model in WIDE and not key.startswith('.backbone'):
        return model // 4 if model == 256 else 64
    return model


def image_side(model: Mapping[str, Any]) -> int:
    """Side of the images; anchors of SSD are made for one size only.

    Args:
        model (Mapping): A config of a detector.
    """
    return _at(model, 'bbox_head.anchor_generator.input_size') or SIDE


def _at(model: Any, key: str) -> Any:
    for name in key.split('.'):
        if not isinstance(model, Mapping):
            return None
        model = model.get(name)
    return model


def _size(model: Mapping[str, Any]) -> float:
    """Orders models of one kind by how long they take, roughly."""
    backbone = (model.get('detector') or model).get('backbone') or {}
    depth = backbone.get('depth')
    if not isinstance(depth, int):
        depth = 50
    depths = backbone.get('depths') or backbone.get('num_layers')
    if isinstance(depths, list | tuple):
        depth = 4 * sum(depths)
    for key in ('embed_dims', 'groups', 'deepen_factor', 'widen_factor'):
        if isinstance(backbone.get(key), int | float):
            depth = depth * backbone[key]
    return float(depth)
