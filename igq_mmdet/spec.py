"""What to quantize and how: frozen, validated, with a JSON round trip."""

import dataclasses
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import SpecError
from .field_checks import (
    check_choice,
    check_int,
    check_percentiles,
    check_strings,
)
from .fitting.kmeans import M_STEPS
from .methods import METHODS, ROUNDINGS

SPEC_VERSION = 1
MIN_BITS, MAX_BITS = 2, 8
# more than any layer has channels; a layer holds memory for every group
MAX_GROUPS = 1 << 16

# Named sets of parts; results of one must not be compared with the other's.
PRESETS: dict[str, tuple[str, ...] | None] = {
    'detector': None,  # every part the model has
    'backbone': ('backbone',),
}
# Fields that came later; written only where they say something, so that
# earlier versions read everything else.
LATER = {'weights': 'nearest', 'ranges': 'mean'}
WEIGHT_SCOPES = ('channel', 'layer')
RANGES = ('mean', 'fitted')
TARGETS = ('both', 'linear', 'softmax')


@dataclass(frozen=True)
class PartSpec:
    """Settings of one part that differ from the whole.

    Args:
        w_bits (int, optional): Width of weight codes in bits.
        a_bits (int, optional): Width of activation codes in bits.
        groups (int, optional): Number of groups.
    """

    w_bits: int | None = None
    a_bits: int | None = None
    groups: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self, 'PartSpec')


@dataclass(frozen=True)
class QuantSpec:
    """The whole of a quantization setting.

    Example:
        >>> spec = QuantSpec(w_bits=4, a_bits=4, groups=12)
        >>> QuantSpec.from_json(spec.to_json()) == spec
        True

    Args:
        w_bits (int): Width of weight codes, 2 to 8. Defaults to 4.
        a_bits (int): Width of activation codes, 2 to 8. Defaults to 4.
        groups (int): Number of groups of every layer; the paper's "group
            size". Defaults to 12.
        method (str): ``igq``, ``igq_integral`` (group steps are multiples
            of one, an extension), ``layerwise`` (one group),
            ``consecutive`` or ``sorted`` (groups fixed at calibration),
            ``repq`` (RepQ-ViT), ``upper_bound`` (every channel and row
            its own range) or one of your own, see docs/add_a_method.md.
            Defaults to ``igq``.
        parts (str | Sequence[str] | Mapping[str, PartSpec | dict]): A
            preset (``detector``: every part, ``backbone``), part names, or
            part names with settings of their own. Defaults to
            ``detector``.
        include (Sequence[str]): Shell patterns of layer names; when given,
            only layers that match one are quantized. Defaults to ().
        exclude (Sequence[str]): Shell patterns of layer names that stay in
            float. Defaults to ().
        targets (str): Where ``method`` applies: ``linear`` (FC inputs),
            ``softmax`` or ``both``; the other kind is layer-wise. Defaults
            to ``both``.
        layer_groups (Mapping[str, int]): Number of groups by layer name,
            as allocation chose them. Defaults to {}.
        input_bits (int): Width of the codes of the picture itself, the
            input of the patch embedding. Defaults to 8.
        strict_zero_point (bool): Clip zero points to the range of the
            codes. Defaults to False.
        weight_percentiles (Sequence[float]): Candidates for the bounds of
            a weight, in percent; the best by squared error is taken.
            Defaults to (0, 0.01, 0.1, 0.5, 1).
        weight_scope (str): Whether each ``channel`` takes its own best
            percentile or the whole ``layer`` one. Defaults to
            ``channel``.
        static_percentiles (Sequence[float]): Candidates for the bounds of
            a static activation quantizer, in percent; the best by squared
            error. The two below 99.9 matter at 2 to 4 bits. Defaults to
            (99, 99.5, 99.9, 99.99, 99.999, 100).
        m_step (str): What k-means moves a group to: the ``mean`` of its
            points or their ``envelope``. Defaults to ``mean``.
        weights (str): How weights are rounded: to the ``nearest`` code,
            by ``gptq``, which pushes the error of each on to those still to
            be rounded, by ``ridge+gptq``, which fits them to the quantized
            inputs first (both extensions), or in a way of your own.
            Defaults to ``nearest``.
        ranges (str): What the ranges of groups are fitted to, and channels
            and rows choose one by: the ``mean`` minimum and maximum of its
            members, as in the paper, or, ``fitted``, the error that is to
            be expected at these bits (an extension). Defaults to ``mean``.

    Raises:
        SpecError: A value is out of range; names the field and the value.
    """

    w_bits: int = 4
    a_bits: int = 4
    groups: int = 12
    method: str = 'igq'
    parts: Any = 'detector'
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    targets: str = 'both'
    layer_groups: Mapping[str, int] = field(default_factory=dict)
    input_bits: int = 8
    strict_zero_point: bool = False
    weight_percentiles: tuple[float, ...] = (0, 0.01, 0.1, 0.5, 1)
    weight_scope: str = 'channel'
    static_percentiles: tuple[float, ...] = (
        99,
        99.5,
        99.9,
        99.99,
        99.999,
        100,
    )
    m_step: str = 'mean'
    weights: str = 'nearest'
    ranges: str = 'mean'

    def __post_init__(self) -> None:
        _check_numbers(self, 'QuantSpec')
        METHODS.check(self.method)
        ROUNDINGS.check(self.weights)
        check_choice('targets', self.targets, TARGETS)
        check_choice('ranges', self.ranges, RANGES)
        object.__setattr__(self, 'parts', _normal_parts(self.parts))
        for name in ('include', 'exclude'):
            object.__setattr__(
                self, name, check_strings(name, getattr(self, name))
            )
        check_choice('m_step', self.m_step, M_STEPS)
        check_choice('weight_scope', self.weight_scope, WEIGHT_SCOPES)
        for name, top in (
            ('weight_percentiles', 50),
            ('static_percentiles', 100),
        ):
            values = getattr(self, name)
            values = check_percentiles(name, values, top)
            object.__setattr__(self, name, values)
        if not isinstance(self.layer_groups, Mapping):
            raise SpecError(
                'layer_groups must give a number by layer name, got '
                f'{self.layer_groups!r}'
            )
        groups = dict(self.layer_groups)
        for layer, value in groups.items():
            _check_groups(f'layer_groups[{layer!r}]', value)
        object.__setattr__(self, 'layer_groups', groups)
        if not isinstance(self.strict_zero_point, bool):
            raise SpecError(
                'strict_zero_point must be true or false, got '
                f'{self.strict_zero_point!r}'
            )

    def part_settings(self, part: str) -> tuple[int, int, int]:
        """``w_bits``, ``a_bits`` and ``groups`` of one part."""
        own = PartSpec()
        if isinstance(self.parts, dict):
            own = self.parts.get(part, own)
        return (
            own.w_bits or self.w_bits,
            own.a_bits or self.a_bits,
            own.groups or self.groups,
        )

    def part_names(self) -> tuple[str, ...] | None:
        """The parts asked for, or None for every part."""
        if isinstance(self.parts, str):
            return PRESETS[self.parts]
        return tuple(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict with ``type`` and ``version``."""
        fields = json.loads(json.dumps(dataclasses.asdict(self)))
        for name, default in LATER.items():
            if fields[name] == default:
                del fields[name]
        return {'type': 'QuantSpec', 'version': SPEC_VERSION, **fields}

    def to_json(self) -> str:
        """The inverse of :meth:`from_json`."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'QuantSpec':
        """Builds a spec from a dict of its fields.

        Args:
            data (Mapping[str, Any]): Fields; ``type`` and ``version`` may
                be left out.

        Raises:
            SpecError: An unknown field, a newer version or a bad value.
        """
        if not isinstance(data, Mapping):
            raise SpecError(
                f'a spec must be a dict of fields, got {reprlib.repr(data)}'
            )
        fields = dict(data)
        kind = fields.pop('type', 'QuantSpec')
        version = fields.pop('version', SPEC_VERSION)
        if kind != 'QuantSpec':
            raise SpecError(f'type {kind!r} is not a QuantSpec')
        if version != SPEC_VERSION:
            raise SpecError(
                f'spec version {version!r} is not supported; '
                f'this igq_mmdet reads version {SPEC_VERSION}'
            )
        known = [f.name for f in dataclasses.fields(cls)]
        for name in fields:
            check_choice('field', name, known)
        return cls(**fields)

    @classmethod
    def from_json(cls, text: str) -> 'QuantSpec':
        """Builds a spec from what :meth:`to_json` wrote."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f'spec is not JSON: {error}') from error
        if not isinstance(data, dict):
            raise SpecError('spec is not a JSON object')
        return cls.from_dict(data)


def _check_groups(name: str, value: object) -> None:
    low = not isinstance(value, int) or value < 1
    limit = 'at least 1' if low else f'at most {MAX_GROUPS}'
    check_int(name, value, limit, range(1, MAX_GROUPS + 1))


def _check_numbers(spec: Any, kind: str) -> None:
    for name in ('w_bits', 'a_bits', 'input_bits', 'groups'):
        value = getattr(spec, name, None)
        if value is None and (kind == 'PartSpec' or not hasattr(spec, name)):
            continue
        if name == 'groups':
            _check_groups(name, value)
        else:
            limit = f'{MIN_BITS} to {MAX_BITS}'
            check_int(name, value, limit, range(MIN_BITS, MAX_BITS + 1))


def _normal_parts(parts: Any) -> Any:
    if isinstance(parts, str):
        if parts in PRESETS:
            return parts
        parts = [name.strip() for name in parts.split(',')]
    names = check_strings('parts', parts)
    if not names:
        raise SpecError('parts is empty; name at least one')
    if isinstance(parts, Mapping):
        return {
            name: own if isinstance(own, PartSpec) else _part_spec(name, own)
            for name, own in parts.items()
        }
    return names


def _part_spec(name: str, own: Any) -> PartSpec:
    if not isinstance(own, Mapping):
        raise SpecError(
            f'part {name!r} must have settings like {{"w_bits": 8}}, '
            f'got {own!r}'
        )
    known = [f.name for f in dataclasses.fields(PartSpec)]
    for key in own:
        check_choice(f'field of part {name!r}', key, known)
    return PartSpec(**own)
