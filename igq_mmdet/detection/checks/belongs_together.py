"""Whether what is evaluated and what it is judged by belong together.

Evaluators say nothing when they do not: an image that only their annotation
file lists counts as missed, one that comes twice as detected wrongly, and
labels of another order as confused. The figure that comes out is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset, CocoPanopticDataset, LVISV05Dataset
from mmdet.evaluation import (
    CocoMetric,
    CocoPanopticMetric,
    LVISMetric,
    VOCMetric,
)
from mmdet.registry import METRICS

from ...errors import DataError, SpecError
from ..data.calibration_set import image_path
from ..data.coco_annotations import Listing, check_coco_file
from ..data.images_named import dataset_parts
from .coco_settings import check_coco_settings, metrics_of


@dataclass(frozen=True)
class Evaluated:
    """The images of a dataset.

    Args:
        source (str): Its annotation files, for messages.
        classes (Sequence[str], optional): By label.
        ids (list): In order.
        paths (list[str]): Where they lie.
        sizes (list): (height, width), or None where it is not listed.
        annotated (int, optional): Annotations that count; None where the
            dataset does not tell.
    """

    source: str
    classes: Sequence[str] | None
    ids: list[Any]
    paths: list[str]
    sizes: list[tuple[Any, Any] | None]
    annotated: int | None


def evaluated(dataset: Any) -> Evaluated:
    """Lists a dataset's images.

    Args:
        dataset: An mmdet dataset, perhaps wrapped.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    known = [info['instances'] for info in infos if 'instances' in info]
    annotated = None
    if known:
        annotated = sum(
            not instance.get('ignore_flag')
            for instances in known
            for instance in instances
        )
    return Evaluated(
        source_of(dataset),
        classes_of(dataset) or None,
        [info.get('img_id', index) for index, info in enumerate(infos)],
        [image_path(dataset, index) for index in range(len(infos))],
        [
            (info['height'], info['width'])
            if 'height' in info and 'width' in info
            else None
            for info in infos
        ],
        annotated,
    )


def classes_of(dataset: Any) -> tuple[str, ...]:
    """Names of a dataset's classes by label; empty if it has none.

    Args:
        dataset: An mmdet dataset.
    """
    meta = getattr(dataset, 'metainfo', None) or {}
    return tuple(meta.get('classes') or ())


def source_of(dataset: Any) -> str:
    """Annotation files of a dataset and its parts, for messages.

    Args:
        dataset: An mmdet dataset, perhaps wrapped.
    """
    files = [
        str(part.ann_file)
        for part in dataset_parts(dataset)
        if getattr(part, 'ann_file', None)
    ]
    return ' + '.join(dict.fromkeys(files)) or type(dataset).__name__


def metric_class(evaluator: Mapping[str, Any]) -> type:
    """The class that an evaluator's config names.

    Args:
        evaluator (Mapping): An entry of ``test_evaluator``.

    Raises:
        SpecError: There is none of this name.
    """
    kind = evaluator.get('type')
    if isinstance(kind, str):
        try:
            kind = METRICS.get(kind)
        except Exception:  # of a dotted name that cannot be imported
            kind = None
    if not isinstance(kind, type):
        raise SpecError(
            f'test_evaluator: no metric is called {evaluator.get("type")!r}'
        )
    return kind


def check_together(
    dataset: Any,
    evaluators: Sequence[Mapping[str, Any]],
    loader: str = 'test_dataloader',
) -> None:
    """Refuses an evaluation whose figures would mean something else.

    Args:
        dataset: What is evaluated.
        evaluators (Sequence[Mapping]): Configs of its metrics.
        loader (str): What the config calls it; its evaluator is called
            alike. Defaults to ``test_dataloader``.

    Raises:
        DataError: Images, annotations or classes do not belong together;
            names both files.
        SpecError: A setting of a metric that makes its figures undefined.
    """
    images = evaluated(dataset)
    judge = loader.replace('dataloader', 'evaluator')
    _check_twice(images.paths, images, loader)
    for evaluator in evaluators:
        kind = metric_class(evaluator)
        if evaluator.get('format_only'):
            continue
        if issubclass(kind, CocoMetric) and not issubclass(kind, LVISMetric):
            check_coco_settings(evaluator, judge)
        name = evaluator.get('ann_file')
        if issubclass(kind, CocoMetric | CocoPanopticMetric):
            _check_twice(images.ids, images, loader)
            if name and '://' not in name:
                listing = _listing(evaluator, kind, images.classes)
                _check_listing(name, listing, images, judge, loader)
                _check_annotated(f'{judge}: {name}', listing.annotated.total())
        if issubclass(kind, LVISMetric) and not name:
            raise SpecError(
                f'{judge}: {kind.__name__} needs ann_file, which says what '
                'is annotated exhaustively'
            )
        if issubclass(kind, CocoMetric | VOCMetric) and not name:
            _check_own_files(dataset, images.classes)
            _check_annotated(f'{loader}: {images.source}', images.annotated)


def _listing(
    evaluator: Mapping[str, Any], kind: type, classes: Sequence[str] | None
) -> Listing:
    form = 'coco'
    if issubclass(kind, CocoPanopticMetric):
        form = 'panoptic'
    elif issubclass(kind, LVISMetric):
        form = 'lvis'
    return check_coco_file(
        evaluator['ann_file'],
        classes,
        'segm' in metrics_of(evaluator),
        form,
        bool(evaluator.get('sort_categories')),
    )


def _check_own_files(dataset: Any, classes: Sequence[str] | None) -> None:
    """Labels of a dataset are those of its file, in the file's order."""
    for part in dataset_parts(dataset):
        name = getattr(part, 'ann_file', None)
        if not isinstance(part, CocoDataset) or not name or '://' in name:
            continue
        if not isinstance(part, CocoPanopticDataset | LVISV05Dataset):
            check_coco_file(name, classes, masks=False)


def _check_twice(values: list[Any], images: Evaluated, loader: str) -> None:
    met: dict[Any, int] = {}
    for index, value in enumerate(values):
        first = met.setdefault(value, index)
        if first != index:
            one, other = (Path(images.paths[x]).name for x in (first, index))
            names = one if one == other else f'{one} and {other}'
            raise DataError(
                f'{loader}: {images.source} gives image '
                f'{images.ids[index]!r} twice ({names}), which counts one of '
                'them as detected wrongly; evaluate each image once, each '
                'with an id of its own'
            )


def _check_listing(
    name: str, listing: Listing, images: Evaluated, judge: str, loader: str
) -> None:
    """Both must list the same images by the same ids."""
    both = 'name the same ann_file in both'
    for image_id, path, size in zip(
        images.ids, images.paths, images.sizes, strict=True
    ):
        if image_id not in listing.images:
            raise DataError(
                f'{name}: {judge} does not list image {image_id!r} of '
                f'{loader} ({images.source}); {both}'
            )
        file, *listed = listing.images[image_id]
        if file != Path(path).name or size not in (None, tuple(listed)):
            raise DataError(
                f'{name}: image {image_id!r} of {judge} is {file}, '
                f'{listed[1]} x {listed[0]}, that of {loader} '
                f'({images.source}) is {Path(path).name}'
                f'{_as_text(size)}; {both}'
            )
    seen = set(images.ids)
    more = [x for x in listing.images if x not in seen]
    if more:
        raise DataError(
            f'{name}: {judge} lists {len(listing.images)} images, '
            f'{loader} ({images.source}) evaluates {len(images.ids)} of '
            f'them, so image {more[0]!r} would count as missed; {both}, and '
            'leave out indices and filters'
        )


def _as_text(size: tuple[Any, Any] | None) -> str:
    return '' if size is None else f', {size[1]} x {size[0]}'


def _check_annotated(where: str, annotations: int | None) -> None:
    if annotations == 0:
        raise DataError(
            f'{where} annotates nothing of the classes that are evaluated, '
            'so every figure would be undefined; name a file with '
            'annotations'
        )
