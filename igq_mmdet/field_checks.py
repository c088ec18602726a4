"""Fields that users write: names and numbers, with one line if they slip."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import SpecError


def did_you_mean(value: object, choices: Any) -> str:
    """``; did you mean 'x'?`` or the list of choices."""
    names = [str(choice) for choice in choices]
    close = difflib.get_close_matches(str(value), names, n=1)
    if close:
        return f'; did you mean {close[0]!r}?'
    return '; choose from ' + ', '.join(names)


def checked_fields(
    name: str, value: Any, known: Iterable[str]
) -> dict[str, Any]:
    """A dict from a config, if it has no other fields than it may have.

    Args:
        name (str): Of the dict, for messages.
        value (Mapping, optional): Of the config; None is empty.
        known (Iterable[str]): Names of the fields.

    Raises:
        SpecError: It is no dict, or has an unknown field.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SpecError(
            f'{name} must be a dict of fields, got {reprlib.repr(value)}'
        )
    for field_name in value:
        if field_name not in known:
            raise SpecError(
                f'unknown field of {name} {reprlib.repr(field_name)}'
                f'{did_you_mean(field_name, known)}'
            )
    return dict(value)


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuses a name that is not among the choices; guesses which is meant."""
    if not isinstance(value, str) or value not in choices:
        raise SpecError(
            f'unknown {name} {value!r}{did_you_mean(value, choices)}'
        )


def check_int(name: str, value: object, limit: str, valid: range) -> None:
    """Refuses what is no integer, or not a valid one.

    Args:
        name (str): Of the field.
        value (object): Of a user.
        limit (str): Says what is valid.
        valid (range): The same, for the check.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(
            f'{name} must be an integer, got {reprlib.repr(value)}'
        )
    if value not in valid:
        # Python refuses to print integers of many digits
        number = f'{value}' if abs(value) < 1 << 99 else 'a huge number'
        raise SpecError(f'{name} must be {limit}, got {number}')


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Iterable):
        raise SpecError(f'{name} must be a list, got {value!r}')
    return tuple(value)


def check_strings(name: str, value: Any) -> tuple[str, ...]:
    """Names or patterns, of which one may stand alone.

    Args:
        name (str): Of the field.
        value (str | Iterable[str]): Of the field.

    Raises:
        SpecError: It is something else, or one is empty.
    """
    values = (value,) if isinstance(value, str) else _tuple(name, value)
    for item in values:
        if not isinstance(item, str) or not item:
            raise SpecError(
                f'{name} must hold names or patterns, got {item!r}'
            )
    return values


def check_percentiles(name: str, value: Any, top: int) -> tuple[float, ...]:
    """Percentiles within 50 percent of the end they are near.

    Args:
        name (str): Of the field.
        value (Iterable[float]): Of the field, in percent.
        top (int): The largest.

    Raises:
        SpecError: There is none, or one lies outside.
    """
    values = _tuple(name, value)
    if not values:
        raise SpecError(f'{name} is empty; give at least one')
    for item in values:
        if (
            isinstance(item, bool)
            or not isinstance(item, int | float)
            or not top - 50 <= item <= top
        ):
            raise SpecError(
                f'{name} must lie in {top - 50} to {top} percent, got {item!r}'
            )
    return values
