"""One dashboard run for every setting of an experiment."""

import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.visualization import Visualizer, WandbVisBackend

from ...errors import IGQError, MissingDependencyError, SpecError
from ...field_checks import did_you_mean
from ..predictions import slug
from .publish import publish
from .scalars import hyper_parameters

# name on the command line -> mmengine's class, what has to be installed
BACKENDS = {
    'local': ('LocalVisBackend', None),
    'tensorboard': ('TensorboardVisBackend', 'tensorboard'),
    'mlflow': ('MLflowVisBackend', 'mlflow'),
    'wandb': ('WandbVisBackend', 'wandb'),
}


class Dashboards:
    """Opens, fills and closes one run of every backend for each setting.

    Runs lie in ``WORK_DIR/dashboards/BACKEND``; those of one call of the
    command line share a folder (TensorBoard, local), an experiment
    (MLflow) or a group (W&B), and their numbers have the same names.

    Args:
        config (Config): Its ``visualizer.vis_backends`` are taken out but
            for local ones: mmengine would open one run for all settings.
        work_dir (str): Where files go.
        names (Sequence[str], optional): Keys of ``BACKENDS``, instead of
            what the config says.

    Raises:
        SpecError: An unknown name.
        MissingDependencyError: What a backend needs is not installed.
    """

    def __init__(
        self,
        config: Config,
        work_dir: str,
        names: Sequence[str] | None = None,
    ) -> None:
        backends = _take_backends(config)
        if names is not None:
            backends = [_named(name) for name in names]
        self.folder = os.path.abspath(os.path.join(work_dir, 'dashboards'))
        filename = config.filename or 'config'
        self.title = os.path.splitext(os.path.basename(filename))[0]
        self.stamp = time.strftime('%Y%m%d_%H%M%S')
        self._backends = [(_kind(backend), backend) for backend in backends]
        for kind, _ in self._backends:
            needs = BACKENDS.get(kind, ('', None))[1]
            if needs is not None and importlib.util.find_spec(needs) is None:
                raise MissingDependencyError(
                    f'dashboard {kind}: pip install {needs}'
                )

    @master_only
    def publish(
        self, run: Mapping[str, Any], full: Mapping[str, Any] | None
    ) -> None:
        """Sends one setting; only the main process does.

        Args:
            run (Mapping): An entry of ``runs`` in a report.
            full (Mapping, optional): Its entry ``float``.

        Raises:
            IGQError: A backend failed; says which ones were asked.
        """
        if not self._backends:
            return
        seed = run['calibration'].get('seed')
        where = run['calibration'].get('where') or {}
        name = ' '.join(
            [run['name'], *(f'{k} {v}' for k, v in where.items())]
            + ([] if seed is None else [f'seed {seed}'])
        )
        kinds = ', '.join(kind for kind, _ in self._backends)
        try:
            visualizer = Visualizer(
                name=f'{name} {self.stamp}',
                vis_backends=[
                    self._for_run(
                        kind,
                        backend,
                        name,
                        slug(run['name'], seed or 0, where),
                    )
                    for kind, backend in self._backends
                ],
            )
            self._fill(visualizer, run, full)
        except Exception as error:  # servers, disks, accounts
            raise IGQError(
                f'dashboard ({kinds}): {name} could not be written '
                f'({type(error).__name__}: {error}); its numbers are in '
                'igq_report.json'
            ) from error

    def _fill(self, visualizer: Visualizer, run: Any, full: Any) -> None:
        config = Config(hyper_parameters(run))
        config.title = self.title
        # mmengine's MLflow backend looks there for files to copy
        config.work_dir = self.folder
        try:
            for backend in visualizer._vis_backends.values():
                # its add_config copies every Python file below the current
                # folder; publish sets the parameters
                if not isinstance(backend, WandbVisBackend):
                    backend.add_config(config)
            publish(visualizer, run, full)
        finally:
            visualizer.close()

    def lines(self) -> list[str]:
        """How to look at each dashboard."""
        found = []
        for kind, backend in self._backends:
            folder = os.path.join(self.folder, kind)
            if kind == 'tensorboard':
                found.append(f'tensorboard --logdir {folder}')
            elif kind == 'mlflow':
                uri = _mlflow_uri(backend, folder)
                found.append(_mlflow_line(uri, folder))
            elif kind == 'wandb' and _wandb_mode() == 'offline':
                found.append(f'wandb sync {folder}/wandb/offline-run-*')
        return found

    def _for_run(
        self, kind: str, backend: Mapping[str, Any], name: str, stem: str
    ) -> dict[str, Any]:
        fields = dict(backend)
        folder = os.path.join(self.folder, kind)
        if kind == 'mlflow':
            fields.setdefault('exp_name', self.title)
            fields.setdefault('run_name', name)
            # every run would carry a copy of the files of all others
            fields.setdefault('artifact_suffix', ())
            uri = _mlflow_uri(fields, folder)
            if uri is not None:
                fields['tracking_uri'] = uri
                fields.setdefault(
                    'artifact_location', os.path.join(folder, 'artifacts')
                )
        elif kind == 'wandb':
            options = dict(fields.get('init_kwargs') or {})
            options.setdefault('project', 'igq_mmdet')
            options.setdefault('group', f'{self.title} {self.stamp}')
            options.setdefault('name', name)
            options.setdefault('mode', _wandb_mode())
            options.setdefault('settings', {'silent': True, 'console': 'off'})
            fields['init_kwargs'] = options
        else:
            folder = os.path.join(folder, self.stamp, stem)
        fields.setdefault('save_dir', folder)
        return fields


def _take_backends(config: Config) -> list[dict[str, Any]]:
    visualizer = config.get('visualizer') or {}
    backends = visualizer.get('vis_backends') or []
    if isinstance(backends, Mapping):
        backends = [backends]
    if backends:
        local = [b for b in backends if _kind(b) == 'local']
        config.visualizer.vis_backends = local
    return [dict(backend) for backend in backends]


def _kind(backend: Mapping[str, Any]) -> str:
    """The name a backend has on the command line, or its class's."""
    cls = backend['type']
    name = cls if isinstance(cls, str) else cls.__name__
    name = name.rpartition('.')[2]
    for kind, (known, _) in BACKENDS.items():
        if known == name:
            return kind
    return name


def _named(name: str) -> dict[str, Any]:
    if name not in BACKENDS:
        raise SpecError(
            f'unknown dashboard {name!r}{did_you_mean(name, BACKENDS)}'
        )
    return {'type': BACKENDS[name][0]}


def _mlflow_uri(backend: Mapping[str, Any], folder: str) -> str | None:
    """Where MLflow keeps runs; None for plain files in ``folder``."""
    if backend.get('tracking_uri') or 'save_dir' in backend:
        return backend.get('tracking_uri')
    for module in ('sqlalchemy', 'alembic'):
        if importlib.util.find_spec(module) is None:
            # mlflow-skinny has no database, and newer versions refuse
            # plain files unless they are told to
            os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
            return None
    os.makedirs(folder, exist_ok=True)
    return f'sqlite:///{folder}/mlflow.db'


def _mlflow_line(uri: str | None, folder: str) -> str:
    if uri is not None:
        return f'mlflow ui --backend-store-uri {uri}'
    allow = 'MLFLOW_ALLOW_FILE_STORE=true'
    return f'{allow} mlflow ui --backend-store-uri {folder}'


def _wandb_mode() -> str:
    """Nothing leaves the machine unless the user says so."""
    return os.environ.get('WANDB_MODE', 'offline')
