"""Evaluates tables of settings on one detector; what is done is kept."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ..detection.calibration.allocate import allocate_detector
from ..detection.calibration.ptq import DetectorCalibration
from ..detection.evaluation.precise_coco_metric import (
    keep_matches,
    kept_parts,
)
from ..files.results_file import ResultsFile, digest
from ..report import Report
from ..report.ablations.claims import pairs_of
from ..report.ablations.results_file import SCHEMA
from ..report.differences import Resampled, difference, resampled
from ..report.environment import environment
from ..spec import QuantSpec
from ..version import __version__
from .ablation_settings import Draw, Row, Setting, Table, settings, tables
from .experiment import Experiment

__all__ = ['Ablation', 'Row', 'Table', 'tables']

# of :meth:`Report.add_run`
FIELDS = ('name', 'spec', 'metrics', 'bytes', 'calibration', 'eval_seconds')


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
        by_table (bool): Finish one table after another, instead of all
            that is calibrated on the same images. Defaults to False.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: str,
        base: QuantSpec,
        bits: Sequence[tuple[int, int]],
        seeds: int,
        allow_evaluation: bool = False,
        by_table: bool = False,
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.base = base
        self.bits = [(pair[0], pair[1]) for pair in bits]
        self.seeds = seeds
        self.allow_evaluation = allow_evaluation
        self.by_table = by_table
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

    def _bits(self, table: Table) -> Sequence[tuple[int, int]]:
        return table.bits or self.bits

    def jobs(self, chosen: Mapping[str, Table]) -> list[Setting]:
        """Every evaluation once, those on the same images together."""
        every: dict[str, tuple[int, Setting]] = {}
        for place, table in enumerate(chosen.values()):
            for bits in self._bits(table):
                for row in table.rows:
                    seeds = self._seeds(table)
                    for setting in settings(row, self.base, bits, seeds):
                        every.setdefault(setting.key, (place, setting))
        found = sorted(
            every.values(),
            key=lambda one: (self.by_table and one[0], one[1].draw),
        )
        return [setting for _, setting in found]

    def left(self, chosen: Mapping[str, Table]) -> list[Setting]:
        """Those that are not finished."""
        return [x for x in self.jobs(chosen) if x.key not in self.results]

    def run_float(self) -> dict[str, Any]:
        """Evaluates the float detector, once; its part of the results."""
        if 'float' not in self.results:
            report = Report()
            metrics, seconds = self.experiment.evaluate(
                self.experiment.detector, 'float'
            )
            size = self.experiment.float_bytes
            report.set_float(metrics, size, seconds)
            found = report.data['float'] | {'made_with': _made_with()}
            found['resampled'] = self._resampled()
            self.results.add('float', found)
        return self.results['float']

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
            dict: See :meth:`data`.
        """
        self.run_float()
        left = self.left(chosen)
        calibrations: dict[Draw, DetectorCalibration] = {}
        for place, job in enumerate(progress(left)):
            start = time.perf_counter()
            if job.draw not in calibrations:
                calibrations.clear()  # statistics of one set at a time
                same = takewhile(
                    lambda other, job=job: other.draw == job.draw,  # type: ignore[misc]
                    left[place:],
                )
                calibrations[job.draw] = self._calibration(job.draw, same)
            found = self._evaluate(job, calibrations[job.draw])
            found['seconds'] = time.perf_counter() - start
            self.results.add(job.key, found)
        return self.data(chosen)

    def _calibration(
        self, draw: Draw, jobs: Iterable[Setting]
    ) -> DetectorCalibration:
        images = self.experiment.images(
            draw.images,
            draw.seed,
            self.allow_evaluation,
            dict(draw.where),
            draw.annotations,
        )
        specs = {repr(job.spec): job.spec for job in jobs}
        return DetectorCalibration(
            self.experiment.detector, images, list(specs.values())
        )

    def _evaluate(
        self, job: Setting, calibration: DetectorCalibration
    ) -> dict[str, Any]:
        spec, allocation = job.spec, None
        if job.allocated:
            options = {'others': job.others}
            chosen = allocate_detector(calibration, spec, options, self.folder)
            spec = chosen.spec
            allocation = {
                'bops': chosen.bops,
                'budget': chosen.budget,
                'measured': list(chosen.measured),
                'seconds': chosen.seconds,
            }
        qmodel, record = calibration.apply(spec)
        metrics, seconds = self.experiment.evaluate(qmodel, '')
        run = Report().add_run(qmodel, metrics, record.to_dict(), seconds)
        found = {field: run[field] for field in FIELDS}
        found['resampled'] = self._resampled()
        found['bops'] = sum(part['bops'] for part in run['parts'].values())
        found['allocation'] = allocation
        found['made_with'] = _made_with()
        return found

    def _resampled(self) -> dict[str, Any]:
        """Figures of the last evaluation on images drawn anew."""
        found = kept_parts(self.experiment.runner.test_loop.evaluator)
        figures = {key: resampled(found[key]) for key in found}
        return {
            metric: figure.to_dict()
            for metric, figure in figures.items()
            if figure.defined  # else it is judged otherwise
        }

    def _differences(self, name: str, table: Table) -> list[dict[str, Any]]:
        """Of every row to the first, and of what words are about."""
        labels = [row.label for row in table.rows]
        pairs = [(label, labels[0]) for label in labels[1:]]
        found = []
        for bits in self._bits(table):
            figures = {
                row.label: self._figures(row, bits, self._seeds(table))
                for row in table.rows
            }
            full = _unpacked(self.results['float'])
            figures['float'] = {key: {None: full[key]} for key in full}
            for of, against in dict.fromkeys([*pairs, *pairs_of(name)]):
                one, other = figures.get(of, {}), figures.get(against, {})
                for metric in [key for key in one if key in other]:
                    if not _in_common(one[metric], other[metric]):
                        continue
                    about = {
                        'of': of,
                        'against': against,
                        'bits': list(bits),
                        'metric': metric,
                    }
                    off = difference(one[metric], other[metric])
                    found.append(about | off.to_dict())
        return found

    def _figures(
        self, row: Row, bits: tuple[int, int], seeds: range
    ) -> dict[str, dict[Any, Resampled]]:
        """By metric and seed; empty where none were kept."""
        found: dict[str, dict[Any, Resampled]] = {}
        for job in settings(row, self.base, bits, seeds):
            kept = self.results[job.key] if job.key in self.results else {}
            for metric, figure in _unpacked(kept).items():
                found.setdefault(metric, {})[job.draw.seed] = figure
        return found

    def data(self, chosen: Mapping[str, Table]) -> dict[str, Any]:
        """Finished results as a JSON-ready dict.

        Args:
            chosen (Mapping[str, Table]): Tables by name.

        Returns:
            dict: ``schema``, ``float``, ``environment``, ``tables`` (title
            and rows, each with the keys of its runs and how many there
            will be) and ``runs`` by key.
        """
        every = {
            job.key: f'run {i}' for i, job in enumerate(self.jobs(chosen))
        }
        names = {key: every[key] for key in every if key in self.results}
        return {
            'schema': SCHEMA,
            'environment': environment(),
            'float': _shown(self.results['float']),
            'groups': self.base.groups,
            'bits': [list(pair) for pair in self.bits],
            'tables': {
                name: self._table(name, table, names)
                for name, table in chosen.items()
            },
            'runs': {names[key]: _shown(self.results[key]) for key in names},
        }

    def _table(
        self, name: str, table: Table, names: Mapping[str, str]
    ) -> dict[str, Any]:
        rows = []
        for bits in self._bits(table):
            for row in table.rows:
                jobs = settings(row, self.base, bits, self._seeds(table))
                done = [names[job.key] for job in jobs if job.key in names]
                rows.append(
                    {
                        'label': row.label,
                        'bits': list(bits),
                        'planned': len(jobs),
                        'runs': done,
                    }
                )
        return {
            'title': table.title,
            'bits': [list(pair) for pair in self._bits(table)],
            'differences': self._differences(name, table),
            'rows': rows,
        }


def _shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what differences are made from."""
    return {k: v for k, v in result.items() if k != 'resampled'}


def _unpacked(result: Mapping[str, Any]) -> dict[str, Resampled]:
    """The other part, by metric; empty where none was kept."""
    kept = result.get('resampled') or {}
    return {metric: Resampled.from_dict(kept[metric]) for metric in kept}


def _in_common(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Whether there is a pair of seeds yet."""
    return None in one or None in other or bool(set(one) & set(other))


def _made_with() -> dict[str, Any]:
    """What a result depends on that may change before the next one."""
    return {'version': __version__, 'commit': environment()['commit']}
