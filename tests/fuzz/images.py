"""Images that are odd: evaluated and calibrated on by a real detector."""

import json
import math
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import igq_mmdet as igq

from . import detector
from .odd_images import Odd, draw
from .trial import REFUSED, Case, Differs

ORIGINALS = Path('demo/images')
SPEC = igq.QuantSpec(
    parts='backbone', method='layerwise', weight_percentiles=(1.0,)
)


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    files = listed()
    for use in (evaluate, calibrate):
        whole(use, str(shared))  # not on the clock of the first case
    while True:
        index = random.randrange(len(files))
        name = files[index]['file_name']
        odd = draw(random, ORIGINALS / name)
        evaluated = random.random() < 0.6
        right = random.random() < 0.75
        must = odd.must
        if evaluated and not right:
            must = REFUSED  # COCO would count it as badly detected
        label = 'evaluated' if evaluated else 'calibrated on'
        label += f' {odd.label}{"" if right else ", annotated otherwise"}'
        use = evaluate if evaluated else calibrate
        yield Case(
            label,
            partial(_prepare, odd, index, right),
            partial(_use, use, odd, index, shared),
            name,
            must=must,
        )


@cache
def listed() -> Any:
    return json.loads(detector.annotations())['images']


def _prepare(odd: Odd, index: int, right: bool, folder: Path) -> None:
    data = json.loads(detector.annotations())
    image = data['images'][index]
    size = odd.size or (image['width'], image['height'])
    if not right:
        size = size[1] + 1, size[0]
    if size != (image['width'], image['height']):
        image['width'], image['height'] = size
        # their masks would be refused first, for the same reason
        data['annotations'] = [
            one
            for one in data['annotations']
            if one['image_id'] != image['id']
        ]
    detector.put(folder, json.dumps(data))
    path = folder / 'images' / image['file_name']
    path.unlink()
    odd.put(path)


def _use(use: Any, odd: Odd, index: int, shared: Path, folder: Path) -> None:
    """Images whose pixels are as ever come out as ever."""
    found, expected = use(folder, str(shared)), whole(use, str(shared))
    for number, image in enumerate(listed()):
        key = image['id']
        # calibration is of all images together
        same = odd.exact or (use is evaluate and number != index)
        if same and found[key] != expected[key]:
            raise Differs(f'image {key} comes out otherwise')


@cache
def whole(use: Any, shared: str) -> Any:
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        detector.put(Path(folder), detector.annotations())
        return use(Path(folder), shared)


def evaluate(folder: Path, shared: str) -> dict[int, Any]:
    """What the command line does; gives what was predicted by image id."""
    from igq_mmdet.report.predictions import read_predictions
    from igq_mmdet.studies.experiment import Experiment

    # mmengine's visualizer is one for the process and keeps its folder
    work_dir = str(Path(shared) / 'image')
    config = detector.config_of(folder)
    experiment = Experiment(config, work_dir, quiet=True)
    experiment.load_float(detector.FLOAT)
    experiment.keep()
    metrics, _ = experiment.evaluate(experiment.detector, 'float', {})
    if not all(map(math.isfinite, metrics.values())):
        raise Differs(f'metrics {metrics}')
    kept = dict(read_predictions(work_dir, 'float'))
    sizes = {
        one['id']: [one['height'], one['width']]
        for one in json.loads((folder / 'ann.json').read_text())['images']
    }
    for key, entry in kept.items():
        if entry['ori_shape'] != sizes[key]:
            raise Differs(f'{key} of size {entry["ori_shape"]}')
        del entry['seconds'], entry['img_path']
    return kept


def calibrate(folder: Path, shared: str) -> dict[int, Any]:
    """Calibrates on all images; the model's digest stands for each."""
    from igq_mmdet.detection.calibration.ptq import DetectorCalibration
    from igq_mmdet.detection.data.calib_config import calibration_set
    from igq_mmdet.files.results_file import digest

    float_model = detector.experiment(shared).detector
    with detector.silent():
        images = calibration_set(
            dict(num_images=detector.IMAGES),
            detector.config_of(folder).calib_dataset,
        )
    calibration = DetectorCalibration(float_model, images, [SPEC])
    qmodel, _ = calibration.apply(SPEC)
    found = digest(qmodel.state_dict(), [])
    return dict.fromkeys(images.image_ids, found)
