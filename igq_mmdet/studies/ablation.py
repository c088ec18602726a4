"""Evaluates tables of settings on one detector; what is done is kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..detection.calibration.allocate import allocate_detector
from ..detection.calibration.ptq import DetectorCalibration
from ..detection.evaluation.precise_coco_metric import (
    keep_matches,
    kept_matches,
)
from ..files.results_file import ResultsFile, digest
from ..report import Report
from ..report.ablations.words import PAIRS
from ..report.differences import Resampled, difference, resampled
from ..report.environment import environment
from ..spec import QuantSpec
from ..version import __version__
from .ablation_settings import Row, Setting, Table, settings, tables
from .experiment import Experiment

__all__ = ['Ablation', 'Row', 'Table', 'tables']

SCHEMA = 'igq_mmdet.ablation/1'


class Ablation:
    """Evaluates tables of settings; finished ones are not repeated.

    Args:
        experiment (Experiment): With float weights loaded.
        folder (str): Where results are kept.
        base (QuantSpec): What all settings share.
        bits (Sequence[tuple[int, int]]): Of weights and activations.
        seeds (int): How many, from 0.
        allow_evaluation (bool): Whether calibration images may be
            evaluated on. Defaults to False.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: str,
        base: QuantSpec,
        bits: Sequence[tuple[int, int]],
        seeds: int,
        allow_evaluation: bool = False,
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.base = base
        self.bits = [(pair[0], pair[1]) for pair in bits]
        self.seeds = seeds
        self.allow_evaluation = allow_evaluation
        config = experiment.config
        parts = ['model', 'test_dataloader', 'calib_dataset']
        key = digest(
            experiment.detector.state_dict(),
            [__version__, *(str(config.get(part)) for part in parts)],
        )
        self.results = ResultsFile(folder, 'ablation', key)
        keep_matches(experiment.runner.test_loop.evaluator)

    def _seeds(self, table: Table) -> range:
        return range(min(self.seeds, table.seeds or self.seeds))

    def jobs(self, chosen: Mapping[str, Table]) -> list[Setting]:
        """Every evaluation once, those on the same images together."""
        every = {
            setting.key: setting
            for table in chosen.values()
            for row in table.rows
            for bits in self.bits
            for setting in settings(row, self.base, bits, self._seeds(table))
        }
        return sorted(every.values(), key=lambda s: (s.images, s.seed))

    def run(
        self,
        chosen: Mapping[str, Table],
        progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> dict[str, Any]:
        """Evaluates what is not finished.

        Args:
            chosen (Mapping[str, Table]): Tables by name.
            progress (Callable): Wraps the list of evaluations.

        Returns:
            dict: ``schema``, ``float``, ``environment``, ``tables`` (title
            and rows, each with the keys of its runs) and ``runs`` by key.
        """
        jobs = self.jobs(chosen)
        if 'float' not in self.results:
            report = Report()
            metrics, seconds = self.experiment.evaluate(
                self.experiment.detector, 'float'
            )
            size = self.experiment.float_bytes
            report.set_float(metrics, size, seconds)
            self.results.add('float', report.data['float'])
        calibrations: dict[tuple[int, int], DetectorCalibration] = {}
        for job in progress(jobs):
            if job.key in self.results:
                continue
            on = (job.images, job.seed)
            if on not in calibrations:
                calibrations.clear()  # statistics of one set at a time
                calibrations[on] = self._calibration(on, jobs)
            self.results.add(job.key, self._evaluate(job, calibrations[on]))
        return self.data(chosen)

    def _calibration(
        self, on: tuple[int, int], jobs: Sequence[Setting]
    ) -> DetectorCalibration:
        images = self.experiment.images(*on, self.allow_evaluation)
        specs = [
            job.spec
            for job in jobs
            if (job.images, job.seed) == on and job.key not in self.results
        ]
        return DetectorCalibration(self.experiment.detector, images, specs)

    def _evaluate(
        self, job: Setting, calibration: DetectorCalibration
    ) -> dict[str, Any]:
        spec, allocation = job.spec, None
        if job.allocated:
            found = allocate_detector(calibration, spec, None, self.folder)
            spec = found.spec
            allocation = {
                'bops': found.bops,
                'budget': found.budget,
                'measured': list(found.measured),
                'seconds': found.seconds,
            }
        qmodel, record = calibration.apply(spec)
        metrics, seconds = self.experiment.evaluate(qmodel, '')
        run = Report().add_run(qmodel, metrics, record.to_dict(), seconds)
        run['resampled'] = self._resampled()
        run['bops'] = sum(part['bops'] for part in run.pop('parts').values())
        run['allocation'] = allocation
        return run

    def _resampled(self) -> dict[str, Any]:
        """Figures of the last evaluation on images drawn anew."""
        found = kept_matches(self.experiment.runner.test_loop.evaluator)
        figures = {key: resampled(found[key]) for key in found}
        return {
            metric: {
                'identity': figure.identity,
                'values': figure.values.tolist(),
            }
            for metric, figure in figures.items()
            if np.isfinite(figure.values[0])  # else it is judged otherwise
        }

    def _differences(self, name: str, table: Table) -> list[dict[str, Any]]:
        """Of every row to the first, and of what words are about."""
        labels = [row.label for row in table.rows]
        pairs = [(label, labels[0]) for label in labels[1:]]
        found = []
        for bits in self.bits:
            figures = {
                row.label: self._figures(row, bits, self._seeds(table))
                for row in table.rows
            }
            for of, against in dict.fromkeys([*pairs, *PAIRS.get(name, ())]):
                one, other = figures.get(of, {}), figures.get(against, {})
                for metric in [key for key in one if key in other]:
                    off = difference(one[metric], other[metric])
                    about = {
                        'of': of,
                        'against': against,
                        'bits': list(bits),
                        'metric': metric,
                    }
                    found.append(about | off.to_dict())
        return found

    def _figures(
        self, row: Row, bits: tuple[int, int], seeds: range
    ) -> dict[str, dict[int, Resampled]]:
        """By metric and seed; empty where an earlier version kept none."""
        found: dict[str, dict[int, Resampled]] = {}
        for job in settings(row, self.base, bits, seeds):
            kept = self.results[job.key].get('resampled') or {}
            for metric, entry in kept.items():
                values = np.asarray(entry['values'])
                found.setdefault(metric, {})[job.seed] = Resampled(
                    entry['identity'], values
                )
        return found

    def data(self, chosen: Mapping[str, Table]) -> dict[str, Any]:
        """Finished results as a JSON-ready dict, see :meth:`run`."""
        runs = {job.key: job for job in self.jobs(chosen)}
        names = {key: f'run {i}' for i, key in enumerate(runs)}
        return {
            'schema': SCHEMA,
            'environment': environment(),
            'float': self.results['float'],
            'groups': self.base.groups,
            'bits': [list(pair) for pair in self.bits],
            'tables': {
                name: {
                    'title': table.title,
                    'differences': self._differences(name, table),
                    'rows': [
                        {
                            'label': row.label,
                            'bits': list(bits),
                            'runs': [
                                names[setting.key]
                                for setting in settings(
                                    row, self.base, bits, self._seeds(table)
                                )
                            ],
                        }
                        for bits in self.bits
                        for row in table.rows
                    ],
                }
                for name, table in chosen.items()
            },
            'runs': {
                names[key]: {
                    field: value
                    for field, value in self.results[key].items()
                    if field != 'resampled'
                }
                for key in runs
            },
        }
