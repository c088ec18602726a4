"""Modules of the user's own, imported before anything names what they add."""

import argparse
from importlib import import_module

from ..errors import IGQError, MissingDependencyError


def add_custom_imports(parser: argparse.ArgumentParser) -> None:
    """Adds ``--custom-imports``, like the field of configs.

    Args:
        parser (ArgumentParser): It is changed.
    """
    parser.add_argument(
        '--custom-imports',
        nargs='+',
        default=[],
        metavar='MODULE',
        help='modules to import first, such as that of a method of your own; '
        'their folder must be in PYTHONPATH',
    )


def import_custom(args: argparse.Namespace) -> None:
    """Imports what :func:`add_custom_imports` asked for.

    Args:
        args (Namespace): Parsed.

    Raises:
        MissingDependencyError: A module cannot be imported; names it.
    """
    for name in args.custom_imports:
        try:
            import_module(name)
        except IGQError:
            raise
        except Exception as error:  # a module is a program
            raise MissingDependencyError(
                f'--custom-imports: {name} cannot be imported ({error}); is '
                'its folder in PYTHONPATH?'
            ) from error
