"""Settings by config and command line: types, ranges, misspelled names."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import igq_mmdet as igq

from .damage import VALUES
from .trial import Case, Differs

BASE = dict(w_bits=4, a_bits=4, groups=12, method='igq', parts='detector')
SPEC = tuple(igq.QuantSpec().to_dict())
CALIB = ('num_images', 'seed', 'allow_evaluation', 'dataset')
ALLOCATE = ('candidates', 'others', 'copies')


def misspelled(name: str, random: Random) -> str:
    """A name with a slip of the finger, near enough to be guessed."""
    where = random.randrange(len(name))
    slips = [
        name[:where] + name[where + 1 :],
        name[: where + 1] + name[where:],
    ]
    if len(name) > where + 1:
        a, b = name[where], name[where + 1]
        slips.append(name[:where] + b + a + name[where + 2 :])
    return random.choice([slip for slip in slips if slip != name] or [''])


def odd(random: Random) -> Any:
    """A value that few fields take."""
    value = random.choice(VALUES)
    if random.random() < 0.3:
        value = random.choice(
            (
                ...,
                print,
                {1, 2},
                b'x',
                (1, 2),
                range(3),
                3 + 4j,
                -7,
                65537,
            )
        )
    return value


def _nothing(folder: Path) -> None:
    pass


def _spec(random: Random) -> tuple[str, Callable[[Path], None], str]:
    """Of the hook, the wrapper and Python: through from_dict."""
    fields: Any = dict(BASE)
    kind = random.choice(('value', 'value', 'name', 'part', 'whole'))
    if kind == 'whole':
        fields = odd(random)
        if isinstance(fields, dict) and not fields:
            fields = 'w4a4'
        return f'spec={fields!r:.40}', partial(_from_dict, fields), ''
    if kind == 'name':
        name = misspelled(random.choice(SPEC[2:]), random)
        fields[name] = 4
        return f'spec.{name}', partial(_from_dict, fields), name
    if kind == 'part':
        own: Any = {random.choice(('w_bits', 'groups', 'x')): odd(random)}
        fields['parts'] = {'backbone': random.choice((own, odd(random)))}
        return f'parts={own!r:.50}', partial(_from_dict, fields), ''
    name = random.choice(SPEC)
    fields[name] = odd(random)
    return (
        f'spec.{name}={fields[name]!r:.40}',
        partial(_from_dict, fields),
        name.removesuffix('s'),
    )


def _from_dict(fields: Any, folder: Path) -> None:
    spec = igq.QuantSpec.from_dict(fields)
    again = igq.QuantSpec.from_json(spec.to_json())
    if again != spec:
        raise Differs(f'{again} instead of {spec}')
    if not all(math.isfinite(p) for p in spec.static_percentiles):
        raise Differs('a percentile that is no number')


def _hook(random: Random) -> tuple[str, Callable[[Path], None], str]:
    """The hook's own fields."""
    from igq_mmdet.detection.plugin.igq_hook import IGQHook

    names = (
        *('spec', 'calib', 'save', 'allocate', 'predictions', 'resume'),
        *('evaluate_float', 'float_report', 'sqnr'),
    )
    name = random.choice(names)
    value = odd(random)
    if random.random() < 0.3:
        name = misspelled(name, random)

    def attempt(folder: Path) -> None:
        hook = IGQHook(**{'spec': BASE, name: value})
        if name not in names:
            raise Differs(f'took {name}')
        if name == 'save' and not isinstance(hook.save, str | None):
            raise Differs(f'save={value!r}')
        for flag in ('predictions', 'resume', 'evaluate_float', 'sqnr'):
            if not isinstance(getattr(hook, flag), bool):
                raise Differs(f'{flag}={value!r}')

    # a refused report or spec names its file or field instead
    named = '' if name in ('spec', 'float_report') else name
    return f'hook.{name}={value!r:.40}', attempt, named


def _calib(random: Random) -> tuple[str, Callable[[Path], None], str]:
    """Fields of calib, on the demo's calibration set."""
    from igq_mmdet.detection.data.calib_config import calibration_set

    name = random.choice(CALIB)
    value = odd(random)
    calib: Any = {name: value}
    if random.random() < 0.3:
        name = misspelled(name, random)
        calib = {name: 1}
    if random.random() < 0.2:
        calib, name = value, ''

    def attempt(folder: Path) -> None:
        images = calibration_set(calib, demo_dataset())
        if not 1 <= len(images) <= 8 or isinstance(images.seed, bool):
            raise Differs(f'{len(images)} images, seed {images.seed!r}')
        if name == 'allow_evaluation' and not isinstance(value, bool):
            raise Differs(f'allow_evaluation={value!r}')

    words = {'num_images': 'image', 'dataset': ''}
    return f'calib={calib!r:.60}', attempt, words.get(name, name)


def demo_dataset() -> dict[str, Any]:
    from igq_mmdet.detection.models.config import load_config

    config = load_config('configs/demo/mask-rcnn_swin-mini_demo.py')
    return config.calib_dataset.to_dict()


def _allocate(random: Random) -> tuple[str, Callable[[Path], None], str]:
    """Options of allocation, refused before anything is measured."""
    from igq_mmdet.detection.calibration.allocate import allocation_options

    name = random.choice(ALLOCATE)
    value = odd(random)
    options: Any = {name: value}
    if random.random() < 0.3:
        name = misspelled(name, random)
        options = {name: 1}
    if random.random() < 0.2:
        options, name = value, ''

    def attempt(folder: Path) -> None:
        found = allocation_options(options)
        if not set(found) <= set(ALLOCATE):
            raise Differs(f'took {found}')

    return f'allocate={options!r:.60}', attempt, name.removesuffix('s')


def _arguments(random: Random) -> tuple[str, Callable[[Path], None], str]:
    """Values on the command line, as text."""
    from igq_mmdet.detection.models.config import load_config

    texts = (
        '',
        'x',
        '=',
        'a=',
        '=b',
        'model=',
        'model.x.y.z=1',
        'a.b=[',
        '.=1',
    )
    option = random.choice(
        (
            *texts,
            f'model.backbone.depths={random.choice(texts)}',
            f'test_dataloader.dataset.{random.choice(texts)}',
            f'model.{chr(random.randrange(32, 3000))}=1',
            'a=' + '(' * 2000,
            'test_dataloader=' + random.choice(('1', '[]', '"', "{'a':1}")),
            'model.backbone.type.x=1',
            'custom_hooks.99999999.type=x',
        )
    )

    def attempt(folder: Path) -> None:
        load_config('configs/demo/mask-rcnn_swin-mini_demo.py', [option])

    return f'--cfg-options {option[:50]!r}', attempt, 'cfg-options'


def cases(random: Random, shared: Path) -> Iterator[Case]:
    """Without end."""
    makers = (_spec, _spec, _spec, _hook, _calib, _allocate, _arguments)
    weights = (5, 5, 5, 4, 1, 4, 1)
    while True:
        (maker,) = random.choices(makers, weights)
        label, attempt, names = maker(random)
        yield Case(label, _nothing, attempt, names)
