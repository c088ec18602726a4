"""What a model reads only where it trains, by the source of its classes."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

# methods whose name holds one of these run in training or before it
FOR_TRAINING = ('loss', 'train')
BEFORE = 'init'
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def training_only(model: nn.Module) -> set[str]:
    """Names of attributes that no forward run in evaluation mode reads.

    Such are read in methods for training and below ``if self.training``
    alone, by all classes of the model.

    Args:
        model (nn.Module): Any.

    Returns:
        set[str]: Empty if the source of a class cannot be found.
    """
    try:
        methods = list(_methods(model))
    except (LookupError, OSError, SyntaxError, ValueError):
        return set()
    reads: dict[str, bool] = {}
    for method in methods:
        trains = any(word in method.name for word in FOR_TRAINING)
        for name, only in _reads(method.body, trains):
            reads[name] = reads.get(name, True) and only
    return {name for name, only in reads.items() if only}


def _methods(model: nn.Module) -> Iterator[ast.FunctionDef]:
    kinds = {
        kind
        for module in model.modules()
        for kind in type(module).__mro__
        if kind.__module__.partition('.')[0] not in ('torch', 'builtins')
    }
    files: dict[str, list[ast.ClassDef]] = {}
    for kind in kinds:
        if '[' in kind.__name__:
            continue  # a variant, whose methods are those of its bases
        path = getattr(sys.modules.get(kind.__module__), '__file__', None)
        if not path:
            raise LookupError(kind)
        if path not in files:
            nodes = ast.walk(ast.parse(Path(path).read_text('utf-8')))
            files[path] = [n for n in nodes if isinstance(n, ast.ClassDef)]
        for node in files[path]:
            if node.name == kind.__name__:
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        if BEFORE not in part.name:
                            yield part


def _reads(node: Any, trains: bool) -> Iterator[tuple[str, bool]]:
    """Attributes read, and whether in training only.

    Args:
        node (ast.AST | list): A part of a method, or a block of it.
        trains (bool): Whether it is reached in training only.
    """
    if isinstance(node, list):
        for part in node:
            yield from _reads(part, trains)
            if isinstance(part, ast.If) and isinstance(part.body[-1], ENDS):
                trains = trains or _in_training(part.test, False)
    elif isinstance(node, ast.If | ast.IfExp):
        # the test itself may only ask whether there is such a module
        yield from _reads(node.body, trains or _in_training(node.test, True))
        yield from _reads(
            node.orelse, trains or _in_training(node.test, False)
        )
    elif isinstance(node, ast.AST):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr, trains
        for _, value in ast.iter_fields(node):
            yield from _reads(value, trains)


def _in_training(test: ast.expr, outcome: bool) -> bool:
    """Whether a test can have an outcome in training only."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _in_training(test.operand, not outcome)
    if isinstance(test, ast.BoolOp):
        # all parts of an 'and' that holds hold, none of an 'or' that fails
        if isinstance(test.op, ast.And) == outcome:
            return any(_in_training(part, outcome) for part in test.values)
        return False
    training = isinstance(test, ast.Attribute) and test.attr == 'training'
    return training and outcome
