"""One float classifier, many quantization settings, one test set."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from .. import checkpoints
from ..calibration import (
    collect,
    fit,
    freeze,
    needs_passes,
    quantize,
    round_weights,
)
from ..errors import DataError
from ..inspection.coverage import coverage
from ..jobs.progress import Progress
from ..report import Report, run_name, write_report
from ..report.differences import (
    PerImage,
    names_digest,
    pack_hits,
    unpack_hits,
)
from ..report.report_differences import report_differences
from ..spec import QuantSpec
from .data import Images

TOP = (1, 5)


class ClassifierExperiment:
    """Evaluates a classifier, float and quantized.

    Args:
        model (nn.Module): Float, (B, C, H, W) to (B, classes).
        test (Images): What to evaluate on.
        work_dir (str): For the report.
        batch_size (int): Images a batch. Defaults to 64.
        workers (int): Processes that read images. Defaults to 0.
        quiet (bool): No progress bars. Defaults to False.

    Raises:
        DataError: Labels that the model cannot predict.
    """

    def __init__(
        self,
        model: nn.Module,
        test: Images,
        work_dir: str,
        batch_size: int = 64,
        workers: int = 0,
        quiet: bool = False,
    ) -> None:
        classes = getattr(model, 'num_classes', test.classes)
        if test.classes > classes:
            raise DataError(
                f'{test.classes} class folders, but the model predicts '
                f'{classes} classes'
            )
        self.model = model.eval()
        self.test = test
        self.work_dir = work_dir
        self.batch_size = batch_size
        self.workers = workers
        self.quiet = quiet
        self.report = Report()
        self.report.data['images'] = {
            'count': len(test),
            'names': names_digest(test.names),
        }
        self._coverage: dict[Any, dict[str, Any]] = {}

    @property
    def float_bytes(self) -> int:
        """Bytes of the float model's state."""
        return sum(x.nbytes for x in self.model.state_dict().values())

    def run_float(self) -> None:
        """Evaluates the float model."""
        metrics, hits, seconds = self.evaluate(self.model, 'float')
        self.report.set_float(metrics, self.float_bytes, seconds)
        self.report.data['float']['hits'] = hits

    def run_settings(
        self,
        specs: Sequence[QuantSpec],
        images: Images,
        count: int,
        seed: int,
        save: str | None = None,
    ) -> None:
        """Calibrates once and evaluates every setting.

        Args:
            specs (Sequence[QuantSpec]): The settings.
            images (Images): What calibration images are drawn from.
            count (int): How many.
            seed (int): Of the draw.
            save (str, optional): Where to write the checkpoint of the
                first setting, before it is evaluated.
        """
        chosen = images.draw(count, seed)
        start = time.perf_counter()
        statistics = collect(
            quantize(self.model, specs[0]),
            (x for x, _ in images.batches(self.batch_size, chosen)),
            models=[quantize(self.model, spec) for spec in specs[1:]],
        )
        collected = time.perf_counter() - start
        for spec in specs:
            start = time.perf_counter()
            qmodel = quantize(self.model, spec)
            fit(qmodel, statistics)
            if needs_passes(qmodel):
                self._round(qmodel, images.batches(self.batch_size, chosen))
            freeze(qmodel)
            record = {
                'image_ids': [images.names[index] for index in chosen],
                'num_images': count,
                'seed': seed,
                'evaluation_images': (
                    [images.names[i] for i in chosen]
                    if images is self.test
                    else []
                ),
                'seconds': collected + time.perf_counter() - start,
            }
            if save is not None:
                checkpoints.save(qmodel, save, {'calibration': record})
                save = None
            self._run(qmodel, record)

    def _round(self, qmodel: nn.Module, batches: Iterable[Any]) -> None:
        """Rounds weights where that takes passes of its own."""

        def bar(steps: Any) -> Any:
            label = 'rounding weights'
            return Progress(steps, desc=label, unit='call', disable=self.quiet)

        spec: Any = qmodel.igq_spec
        round_weights(
            qmodel,
            quantize(self.model, spec),
            [x for x, _ in batches],
            progress=bar,
        )

    def run_checkpoint(self, filename: str) -> None:
        """Evaluates a quantized checkpoint.

        Args:
            filename (str): From :func:`igq_mmdet.save`.
        """
        loaded = checkpoints.read(filename)
        qmodel = checkpoints.restore(self.model, loaded)
        self._run(qmodel, loaded.info.get('calibration', {}))

    def evaluate(
        self, model: nn.Module, label: str
    ) -> tuple[dict[str, float], dict[str, str], float]:
        """Top-1 and top-5 in percent.

        Args:
            model (nn.Module): Float or quantized.
            label (str): For the progress bar.

        Returns:
            tuple[dict, dict, float]: Metrics; which images are right, from
            :func:`pack_hits`, by metric; seconds.
        """
        start = time.perf_counter()
        right: dict[str, list[np.ndarray]] = {f'top{k}': [] for k in TOP}
        batches = self.test.batches(self.batch_size, workers=self.workers)
        bar = Progress(
            total=len(self.test), desc=label, unit='image', disable=self.quiet
        )
        with torch.inference_mode(), bar:
            for images, labels in batches:
                scores = model(images)
                ranked = scores.topk(min(max(TOP), scores.shape[1])).indices
                hits = ranked == labels[:, None]
                for top in TOP:
                    own = hits[:, :top].any(dim=1)
                    right[f'top{top}'].append(own.cpu().numpy())
                bar.update(len(labels))
        every = {key: np.concatenate(own) for key, own in right.items()}
        metrics = {
            key: 100 * int(own.sum()) / len(self.test)
            for key, own in every.items()
        }
        packed = {key: pack_hits(own) for key, own in every.items()}
        return metrics, packed, time.perf_counter() - start

    def add_differences(self, reference: str | None = None) -> None:
        """Compares the settings of the report, see
        :func:`report_differences`.

        Args:
            reference (str, optional): What with, see
                :func:`reference_pairs`.
        """
        data = self.report.data

        def load(run: Mapping[str, Any] | None) -> Mapping[str, PerImage]:
            entry = data['float'] if run is None else run
            return unpack_hits(entry['hits'], data['images'])

        data['differences'] = report_differences(data, load, reference)

    def write(self) -> str:
        """Writes the report and returns its path."""
        path = os.path.join(self.work_dir, 'igq_report.json')
        write_report(self.report, path)
        return path

    def _run(self, qmodel: nn.Module, record: Mapping[str, Any]) -> None:
        spec: Any = qmodel.igq_spec
        metrics, hits, seconds = self.evaluate(qmodel, run_name(spec))
        run = self.report.add_run(qmodel, metrics, record, seconds)
        run['hits'] = hits
        key = (spec.method, spec.include, spec.exclude)
        if key not in self._coverage:
            ((image, _),) = self.test.batches(1, [0])
            self._coverage[key] = coverage(qmodel, image).to_dict()
        run['coverage'] = self._coverage[key]
        self.write()
