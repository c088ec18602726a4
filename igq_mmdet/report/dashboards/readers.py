"""Runs read back from dashboards, each by its own reader."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import DataError, MissingDependencyError
from .scalars import flat
from .wandb_file import wandb_records

# where TensorBoard's plugin keeps hyper-parameters
HPARAMS = '_hparams_/session_start_info'


@dataclass
class DashboardRun:
    """What a dashboard has of one run.

    Args:
        name (str): As the dashboard shows it.
        scalars (dict[str, dict[int, float]]): By name, then by step; W&B
            counts its own steps.
        parameters (dict[str, Any]): Hyper-parameters by dotted name.
    """

    name: str
    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, step: int, value: float) -> None:
        """Takes in one number; a later one of the same step wins."""
        self.scalars.setdefault(name, {})[step] = value


def read_dashboard(kind: str, place: str) -> list[DashboardRun]:
    """Reads every run of one dashboard.

    Args:
        kind (str): Key of ``READERS``.
        place (str): A folder, which is searched, or an MLflow address.

    Returns:
        list[DashboardRun]: Sorted by name.

    Raises:
        DataError: There is nothing, or it is damaged.
        MissingDependencyError: The dashboard's package is not installed.
    """
    if '://' not in place and not os.path.isdir(place):
        raise DataError(f'{place}: no such folder')
    try:
        runs = [run for run in READERS[kind](place) if run.scalars]
    except ImportError as error:
        raise MissingDependencyError(
            f'reading {kind} needs its package ({error})'
        ) from error
    if not runs:
        raise DataError(f'{place}: no {kind} run with numbers in it')
    return sorted(runs, key=lambda run: run.name)


def _local(place: str) -> Iterable[DashboardRun]:
    for path in Path(place).rglob('scalars.json'):
        run = DashboardRun(_name(path.parent, place))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                values = json.loads(line)
                step = int(values.pop('step', 0))
            except (ValueError, AttributeError, TypeError) as error:
                raise DataError(
                    f'{path}, line {number}: not a line of scalars'
                ) from error
            for name, value in values.items():
                if isinstance(value, int | float):
                    run.add(name, step, value)
        yield run


def _tensorboard(place: str) -> Iterable[DashboardRun]:
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = Path(place).rglob('events.out.tfevents.*')
    for folder in sorted({path.parent for path in events}):
        run = DashboardRun(_name(folder, place))
        # 0: keep every number
        reader = EventAccumulator(str(folder), size_guidance={'scalars': 0})
        reader.Reload()
        for name in reader.Tags()['scalars']:
            for event in reader.Scalars(name):
                run.add(name, event.step, event.value)
        try:
            content = reader.PluginTagToContent('hparams')[HPARAMS]
        except KeyError:
            content = b''
        session = HParamsPluginData.FromString(content).session_start_info
        for name, value in session.hparams.items():
            run.parameters[name] = getattr(value, value.WhichOneof('kind'))
        yield run


def _mlflow(place: str) -> Iterable[DashboardRun]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=_mlflow_address(place))
    for experiment in client.search_experiments():
        for found in client.search_runs([experiment.experiment_id]):
            name = f'{experiment.name}/{found.info.run_name}'
            run = DashboardRun(name, parameters=dict(found.data.params))
            for key in found.data.metrics:
                for metric in client.get_metric_history(
                    found.info.run_id, key
                ):
                    run.add(key, metric.step, metric.value)
            yield run


def _mlflow_address(place: str) -> str:
    if '://' in place:
        return place
    folder = Path(place).absolute()
    for database in sorted(folder.rglob('mlflow.db')):
        return f'sqlite:///{database}'
    # STORE/EXPERIMENT/meta.yaml, and deeper ones of runs
    stores = sorted(folder.rglob('meta.yaml'), key=lambda p: len(p.parts))
    if not stores:
        raise DataError(f'{place}: no mlflow run with numbers in it')
    # newer versions refuse plain files unless they are told to
    os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
    return stores[0].parents[1].as_uri()


def _wandb(place: str) -> Iterable[DashboardRun]:
    for path in sorted(Path(place).rglob('*.wandb')):
        run = DashboardRun(path.stem)
        for record in wandb_records(path):
            for change in (record.run.config, record.config):
                for item in change.update:
                    name = item.key or '.'.join(item.nested_key)
                    setting = {name: json.loads(item.value_json)}
                    run.parameters.update(flat(setting))
            if record.run.display_name:
                run.name = record.run.display_name
            for item in record.history.item:
                name = item.key or '.'.join(item.nested_key)
                value = json.loads(item.value_json)
                if isinstance(value, float | int) and name[0] != '_':
                    run.add(name, record.history.step.num, value)
        yield run


def _name(folder: Path, place: str) -> str:
    name = folder.relative_to(place).as_posix()
    return name if name != '.' else folder.absolute().name


READERS: dict[str, Callable[[str], Iterable[DashboardRun]]] = {
    'local': _local,
    'tensorboard': _tensorboard,
    'mlflow': _mlflow,
    'wandb': _wandb,
}
