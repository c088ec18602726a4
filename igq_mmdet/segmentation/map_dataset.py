"""Images with one mask each, as an mmengine dataset."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import BaseDataset

from ..detection.data.coco_annotations import check_coco_file
from ..errors import DataError
from ..registry import CHILDREN
from .map_folders import list_pairs


@CHILDREN['dataset'].register_module()
class MapDataset(BaseDataset):
    """Sets of images and masks in folders, or COCO instances as masks.

    Args:
        data_root (str): Holds a folder for each of ``sets``; without sets
            it is the one set, and holds ``Imgs/`` and ``GT/`` itself. See
            :func:`list_pairs`.
        sets (Sequence[str], optional): Folders such as ``COD10K``, which are
            judged one by one.
        folders (Sequence[str], optional): See :func:`list_pairs`.
        mask_suffix (str): See :func:`list_pairs`. Defaults to nothing.
        with_masks (bool): False for calibration on images without masks.
            Defaults to True.
        ann_file (str): A COCO file instead of folders of masks; the union of
            an image's instances is its mask. Relative to ``data_root``, like
            ``data_prefix['img']``.
        set_name (str, optional): What the one set is called; by default
            after its folder or file.
        filter_cfg (dict, optional): ``filter_empty_gt=True`` leaves out
            images of a COCO file without instances.
        **options: Of ``BaseDataset``.

    Raises:
        DataError: There are no images, or some without mask or image.
    """

    def __init__(
        self,
        data_root: str = '',
        sets: Sequence[str] | None = None,
        folders: Sequence[str] | None = None,
        mask_suffix: str = '',
        with_masks: bool = True,
        ann_file: str = '',
        set_name: str | None = None,
        filter_cfg: dict | None = None,
        **options: Any,
    ) -> None:
        self.sets = sets
        self.folders = folders
        self.mask_suffix = mask_suffix
        self.with_masks = with_masks
        self.set_name = set_name
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            filter_cfg=filter_cfg,
            **{'data_prefix': dict(img=''), **options},
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """What is known of each image, see ``BaseDataset``.

        Returns:
            list[dict]: ``img_id`` (``SET/NAME``, or COCO's), ``img_path``,
            ``set_name`` and ``mask_path`` or ``segments``.
        """
        if self.ann_file:
            return self._of_coco()
        found = []
        for name in self._set_names():
            folder = os.path.join(self.data_root, name)
            called = name or self.set_name or _called(self.data_root)
            for pair in list_pairs(
                folder, self.folders, self.mask_suffix, self.with_masks
            ):
                found.append(
                    {
                        'img_id': f'{called}/{pair.name}',
                        'img_path': pair.image,
                        'set_name': called,
                        'mask_path': pair.mask,
                    }
                )
        return found

    def _set_names(self) -> list[str]:
        if self.sets is None:
            return ['']
        names = list(map(str, self.sets))
        if not names or '' in names or len(set(names)) < len(names):
            raise DataError(
                f'sets: must name folders of {self.data_root}, each once, '
                f'got {names}'
            )
        return names

    def _of_coco(self) -> list[dict[str, Any]]:
        check_coco_file(self.ann_file)
        with open(self.ann_file, encoding='utf-8') as file:
            data: Mapping[str, Any] = json.load(file)
        segments: dict[Any, list[Any]] = {}
        for entry in data['annotations']:
            own = segments.setdefault(entry['image_id'], [])
            own.append(entry['segmentation'])
        called = self.set_name or _called(self.ann_file)
        folder = self.data_prefix['img'] or self.data_root
        empty = not (self.filter_cfg or {}).get('filter_empty_gt', False)
        found = [
            {
                'img_id': image['id'],
                'img_path': os.path.join(folder, image['file_name']),
                'set_name': called,
                'segments': segments.get(image['id'], []),
                'height': image['height'],
                'width': image['width'],
            }
            for image in data['images']
            if empty or image['id'] in segments
        ]
        if not found:
            raise DataError(f'{self.ann_file}: annotates no image')
        return found


def _called(path: str) -> str:
    name = os.path.basename(os.path.abspath(path))
    return os.path.splitext(name)[0]
