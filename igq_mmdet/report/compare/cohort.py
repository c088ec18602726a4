"""Runs, and the sets of them that may be compared."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...methods import METHODS
from ...spec import QuantSpec
from ..by_field import KEY, fields_of
from ..differences import ImageValues, PerImage
from ..differences.compared import Compared, Load, compare_settings
from ..differences.pairs import FLOAT, reference_pairs
from ..metrics import METRICS
from ..predictions import read_predictions

HOW = (
    'tools/ptq_coco.py keeps the predictions of an evaluation in its '
    '--work-dir, of the float detector too; run it again with this version, '
    'without --skip-float'
)


@dataclass(frozen=True)
class Run:
    """One evaluation of one setting.

    Args:
        source (Path): Folder of its report.
        name (str): Of the run, as the report has it.
        setting (str): The name with everything that is not default; runs
            of one setting are repetitions.
        spec (QuantSpec): The setting.
        metrics (dict[str, float]): In percent.
        size (int): Bytes stored.
        bops (float): Bit operations of the mean calibration image.
        calib_seconds (float): Calibration.
        eval_seconds (float): Evaluation.
        calib_images (tuple[str, ...]): Ids.
        seed (int): They were drawn with.
        layers (dict[str, dict]): See ``layer_settings``; may be empty.
        sqnr (dict[str, dict[str, float]]): dB by layer and what is
            quantized there; may be empty.
        made_with (str): Versions, device and commit.
        where (dict[str, str]): What the calibration images were restricted
            to.
        hits (Mapping[str, ImageValues]): Of a classifier, image by image
            and by metric; may be empty.
    """

    source: Path
    name: str
    setting: str
    spec: QuantSpec
    metrics: dict[str, float]
    size: int
    bops: float
    calib_seconds: float
    eval_seconds: float
    calib_images: tuple[str, ...]
    seed: int
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sqnr: dict[str, dict[str, float]] = field(default_factory=dict)
    made_with: str = ''
    where: dict[str, str] = field(default_factory=dict)
    hits: Mapping[str, ImageValues] = field(default_factory=dict)


@dataclass
class Cohort:
    """Runs that may be compared: one detector, same images, same parts.

    Args:
        detector (str): Name of its config.
        parts (str): What is quantized.
        images (int, optional): How many are evaluated.
        classes (tuple[str, ...]): Names by label; may be empty.
        key (tuple): What makes it one.
        runs (list[Run]): In the order of the reports.
        full (dict[str, float]): Float metrics in percent; may be empty.
        full_size (int, optional): Bytes of the float model.
        warnings (list[str]): What a reader must know.
        by (dict[str, dict[str, int]]): Images by field, such as ``kind``,
            and value.
        full_hits (Mapping[str, ImageValues]): Of the float model.
        differences (Compared, optional): From :func:`add_differences`.
    """

    detector: str
    parts: str
    images: int | None
    classes: tuple[str, ...]
    key: tuple[Any, ...]
    runs: list[Run] = field(default_factory=list)
    full: dict[str, float] = field(default_factory=dict)
    full_size: int | None = None
    warnings: list[str] = field(default_factory=list)
    by: dict[str, dict[str, int]] = field(default_factory=dict)
    full_hits: Mapping[str, ImageValues] = field(default_factory=dict)
    differences: Compared | None = None

    @property
    def title(self) -> str:
        """One line that says what is compared."""
        return f'{self.detector}, {self.scope}'

    @property
    def scope(self) -> str:
        """What is quantized, and how many images are evaluated."""
        images = '' if self.images is None else f', {self.images} images'
        return f'parts: {self.parts}{images}'

    @property
    def metrics(self) -> list[str]:
        """What was measured on all images: known metrics first."""
        found = [key for key in self._measured() if not KEY.fullmatch(key)]
        return sorted(found, key=lambda k: ([*METRICS, k].index(k), k))

    @property
    def fields(self) -> dict[str, dict[str, list[str]]]:
        """What was measured by fields of the images.

        See :func:`fields_of`; values of most images come first.
        """
        found = fields_of(self._measured())
        for name, metrics in found.items():
            counts = self.by.get(name, {})
            for values in metrics.values():
                values.sort(key=lambda value: (-counts.get(value, 0), value))
        return found

    def _measured(self) -> dict[str, None]:
        found = dict.fromkeys(self.full)
        for run in self.runs:
            found |= dict.fromkeys(run.metrics)
        return found

    def settings(self) -> dict[str, list[Run]]:
        """Runs by setting: by bits, then from the plainest method on."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.setting, []).append(run)

        def place(item: tuple[str, list[Run]]) -> tuple[Any, ...]:
            setting, (run, *_) = item
            spec = run.spec
            return spec.w_bits, spec.a_bits, _rank(spec), spec.groups, setting

        return dict(sorted(found.items(), key=place))


def _rank(spec: QuantSpec) -> tuple[bool, int]:
    """From the plainest method to those that nothing can run."""
    runnable = METHODS[spec.method].runnable
    return not runnable, list(METHODS).index(spec.method)


def cohort_warnings(cohorts: Sequence[Cohort]) -> list[str]:
    """Why there is more than one set, in words.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`.
    """
    if len(cohorts) < 2:
        return []
    said = []
    for word, values in (
        ('detectors', {c.key[0] for c in cohorts}),
        ('parts', {c.parts for c in cohorts}),
    ):
        if len(values) > 1:
            said.append(f'{word} or images' if word == 'detectors' else word)
    return [
        f'{len(cohorts)} sets that must not be compared with each other: '
        f'they differ in {" and in ".join(said)}'
    ]


def add_differences(
    cohorts: Sequence[Cohort],
    reference: str | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Compares the settings of every cohort, each with its reference.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`; they are changed.
        reference (str, optional): See :func:`reference_pairs`.
        progress (Callable): Wraps the list of runs.

    Raises:
        DataError: No cohort has such a reference.
    """
    names = [list(_loads(cohort)) for cohort in cohorts]
    reference_pairs([name for own in names for name in own], reference)
    for cohort in cohorts:
        try:
            found = compare_settings(_loads(cohort), reference, progress)
        except DataError as error:
            found = Compared({}, {}, notes=[str(error)])
        if len(found.found) < len(found.against) and not cohort.full_hits:
            found.notes.append(HOW)
        cohort.differences = found


def _loads(cohort: Cohort) -> dict[str, dict[Any, Load]]:
    """What is known of every image, by setting and seed."""
    found: dict[str, dict[Any, Load]] = {}
    if cohort.full:
        found[FLOAT] = {None: partial(_of_float, cohort)}
    for setting, runs in cohort.settings().items():
        found[setting] = {run.seed: partial(_of_run, run) for run in runs}
    return found


def _of_run(run: Run) -> Mapping[str, PerImage]:
    if run.hits:
        return run.hits
    kept = read_predictions(run.source, run.name, run.seed, run.where)
    return kept.matches


def _of_float(cohort: Cohort) -> Mapping[str, PerImage]:
    if cohort.full_hits:
        return cohort.full_hits
    reasons = []
    for source in dict.fromkeys(run.source for run in cohort.runs):
        try:
            return read_predictions(source, FLOAT).matches
        except DataError as error:
            reasons.append(error)
    raise reasons[0]
