"""The field's figures of binary maps, set by set."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from ..errors import DataError
from ..registry import METRICS
from ..report.differences import ImageValues, names_digest
from .judge import judge
from .maps import at_size

SINGLE = (
    *('Smeasure', 'MAE', 'wFmeasure', 'adpFmeasure', 'adpEmeasure', 'AUC'),
)
CURVES = ('Fmeasure', 'Emeasure')
# Of which differences between settings get an interval.
COMPARED = ('Smeasure', 'MAE')


@METRICS.register_module()
class MapMetric(BaseMetric):
    """S-measure, MAE, F, E and AUC of maps, as fractions.

    Protocol (method, section 10): the map is resized to the mask's size,
    scaled by its own minimum and maximum, and judged by pysodmetrics. Each
    set of images has figures of its own, ``SET/Smeasure``. F and E are means
    over images at each of 256 thresholds, of which ``mean`` and ``max`` are
    taken; an image of which a figure is undefined does not count for it.

    Args:
        collect_device (str): See ``BaseMetric``. Defaults to 'gpu',
            mmengine's name for gathering without files in a folder.
        prefix (str, optional): See ``BaseMetric``.
        collect_dir (str, optional): See ``BaseMetric``.

    Attributes:
        keep_matches (bool): Whether an evaluation leaves ``matches``.
        matches (Mapping[str, ImageValues]): Of the last evaluation, image
            by image, by key of the figure.
    """

    keep_matches = False
    matches: Mapping[str, ImageValues] = MappingProxyType({})

    def __init__(
        self,
        collect_device: str = 'gpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        if collect_dir is not None:
            collect_device = 'cpu'  # the only one that may have a folder
        # sets stand where a prefix would, of whose lack mmengine warns
        super().__init__(collect_device, prefix or 'maps', collect_dir)
        self.prefix = prefix

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Judges the maps of a batch.

        Args:
            data_batch (Any): Not looked at.
            data_samples (Sequence[dict]): With ``pred_map`` (h, w) from
                :func:`map_codes`, ``gt_mask`` bool (H, W), ``img_id`` and
                ``set_name``.

        Raises:
            DataError: A sample has no mask or no map.
        """
        for sample in data_samples:
            for field in ('gt_mask', 'pred_map'):
                if sample.get(field) is None:
                    raise DataError(
                        f'image {sample.get("img_id")!r}: MapMetric needs '
                        f'its {field}; see docs/segmentation.md'
                    )
            mask = sample['gt_mask'].cpu()
            size = int(mask.shape[0]), int(mask.shape[1])
            values = at_size(sample['pred_map'].cpu(), size)
            self.results.append(
                {
                    'set': str(sample.get('set_name') or 'all'),
                    'img_id': sample['img_id'],
                    **judge(values.numpy(), mask.to(torch.bool).numpy()),
                }
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means over the images of each set.

        Args:
            results (list): From :meth:`process`, of all ranks.

        Returns:
            dict[str, float]: NaN where no image defines a figure.
        """
        sets: dict[str, list[Mapping[str, Any]]] = {}
        for result in results:
            sets.setdefault(result['set'], []).append(result)
        metrics: dict[str, float] = {}
        self.matches = {}
        for name, own in sets.items():
            metrics |= {f'{name}/{k}': v for k, v in _means(own).items()}
            if self.keep_matches:
                self.matches |= _image_values(name, own)
        return metrics


def _means(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found = {key: _mean([x[key] for x in results]) for key in SINGLE}
    for key in CURVES:
        curve = np.mean([result[key] for result in results], axis=0)
        found[f'mean{key}'] = float(curve.mean())
        found[f'max{key}'] = float(curve.max())
    return found


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float('nan')


def _image_values(
    name: str, results: Sequence[Mapping[str, Any]]
) -> dict[str, ImageValues]:
    identity = names_digest([name, *(str(x['img_id']) for x in results)])
    return {
        f'{name}/{key}': ImageValues(
            identity, np.array([result[key] for result in results])
        )
        for key in COMPARED
    }
