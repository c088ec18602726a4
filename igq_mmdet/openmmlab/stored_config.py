"""The config that a quantized file keeps: read as data, never run.

mmengine reads a config by executing it, takes any callable of any module as a
``type``, and mmcv evaluates some of these texts. A file that somebody sent
must not run code that way.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, Registry
from mmengine.utils import import_modules_from_strings

from ..checkpoints import QuantCheckpoint
from ..errors import CheckpointError

# Of a test config, what building a detector and reading images takes.
FIELDS = (
    'default_scope',
    'custom_imports',
    'model',
    'test_dataloader',
    'visualizer',
)
# Evaluates text of its config.
UNSAFE = ('CameraMotionCompensation',)


def stored_config(checkpoint: QuantCheckpoint) -> Config:
    """The part of a test config that inference needs.

    Modules that its ``custom_imports`` names are imported: like the
    classes of any config they have to be installed here.

    Args:
        checkpoint (QuantCheckpoint): Of a detector.

    Returns:
        Config: ``model``, ``test_dataloader`` with nothing but its
        ``dataset``, and what else of ``FIELDS`` there is.

    Raises:
        CheckpointError: The file keeps no config, the config is more than
            names and values, or it names what is not registered.
    """
    text = checkpoint.info.get('model_config')
    if not isinstance(text, str):
        raise CheckpointError(
            f'{checkpoint.path}: keeps no config; build the float model and '
            'use igq_mmdet.load(model, file)'
        )
    try:
        fields = _fields(text)
        config = Config({key: fields[key] for key in FIELDS if key in fields})
        config.test_dataloader = {'dataset': config.test_dataloader.dataset}
        scope = config.setdefault('default_scope', 'mmdet')
        imports = config.get('custom_imports') or {'imports': None}
        import_modules_from_strings(**imports)
        _check_types(set(_types(config._cfg_dict.to_dict())), scope)
    except Exception as error:  # whatever the text may hold
        raise CheckpointError(
            f'{checkpoint.path}: its config cannot be used '
            f'({type(error).__name__}: {error})'
        ) from error
    return config


def stored_meta(checkpoint: QuantCheckpoint) -> dict[str, Any]:
    """What mmdet looks for beside the weights.

    Args:
        checkpoint (QuantCheckpoint): Of any model.

    Returns:
        dict: ``cfg``, a text that mmengine may execute, and
        ``dataset_meta``; empty if the file's config cannot be used, which
        does not matter to who has a config.
    """
    try:
        config = stored_config(checkpoint)
        dataset = dataset_meta(config)
    except Exception:  # a config can name any class
        return {}
    fields = config._cfg_dict.to_dict()
    text = ''.join(f'{key} = {value!r}\n' for key, value in fields.items())
    return {'cfg': text, 'dataset_meta': dataset}


def dataset_meta(config: Config) -> dict[str, Any]:
    """Classes and palette, as far as the config's dataset tells.

    Args:
        config (Config): A test config.
    """
    dataset = config.test_dataloader.dataset
    while 'dataset' in dataset or 'datasets' in dataset:
        inner = [dataset.get('dataset'), *dataset.get('datasets', ())]
        dataset = next(one for one in inner if one is not None)
    scope = config.get('default_scope', 'mmdet')
    with DATASETS.switch_scope_and_registry(scope) as registry:
        kind = registry.get(dataset.type)
    # what building it would do first, before it reads annotations
    return dict(kind._load_metainfo(dataset.get('metainfo')))


def _fields(text: str) -> dict[str, Any]:
    """The assignments of a config's text.

    Raises:
        ValueError: It is more than names and values.
    """
    found = {}
    for node in ast.parse(text).body:
        if (
            not isinstance(node, ast.Assign)
            or len(node.targets) != 1
            or not isinstance(node.targets[0], ast.Name)
        ):
            raise ValueError(f'line {node.lineno} is no assignment')
        found[node.targets[0].id] = _value(node.value)
    return found


def _value(node: Any) -> Any:
    """A literal, in the forms that ``Config.pretty_text`` writes."""
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        given = _value(node.args[0]) if node.args else {}
        if len(node.args) > 1 or any(not x.arg for x in node.keywords):
            raise ValueError(f'line {node.lineno} is no plain dict')
        return {**given, **{x.arg: _value(x.value) for x in node.keywords}}
    return ast.literal_eval(node)


def _types(value: Any) -> Iterator[str]:
    """Everything that is named as a ``type``, at any depth."""
    if isinstance(value, Mapping):
        if 'type' in value:
            yield str(value['type'])
        value = value.values()
    if not isinstance(value, str | bytes) and hasattr(value, '__iter__'):
        for item in value:
            yield from _types(item)


def _check_types(names: set[str], scope: str) -> None:
    """A plain name can only be found; an address may be of anything.

    Args:
        names (set[str]): Such as ``MaskRCNN`` or ``mmdet.models.MaskRCNN``.
        scope (str): The config's default scope.

    Raises:
        ValueError: One is the address of what no registry has.
    """
    addresses = {
        name for name in names if not name.isidentifier() or name in UNSAFE
    }
    homes = _homes(scope) if addresses else {}
    for name in sorted(addresses):
        home, _, last = name.rpartition('.')
        if last in UNSAFE or not any(
            f'{there}.'.startswith(f'{home}.') for there in homes.get(last, ())
        ):
            raise ValueError(
                f'{name!r} is not registered; install the package it is of'
            )


def _homes(scope: str) -> dict[str, set[str]]:
    """Scopes and modules of everything registered, by name.

    Args:
        scope (str): Its package is imported.
    """
    found: dict[str, set[str]] = defaultdict(set)
    with MODELS.switch_scope_and_registry(scope):
        pass  # that imports it
    for root in vars(mmengine.registry).values():
        if not isinstance(root, Registry):
            continue
        for registry in (root, *root.children.values()):
            registry.import_from_location()
            for name, item in registry.module_dict.items():
                found[name] |= {registry.scope, item.__module__}
    return found
