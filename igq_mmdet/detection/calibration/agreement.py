"""Ranks compare what they are about to evaluate."""

from collections.abc import Mapping, Sequence
from itertools import chain

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...checkpoints.file import digest_of
from ...errors import RankError
from ...jobs.ranks import waiting_group
from ...modules.base import QuantModule
from ...registry import HOOKS
from ..models.inner_detector import inner_detector


def layer_digests(model: nn.Module) -> dict[str, str]:
    """What a model computes with, as a digest for every module.

    Args:
        model (nn.Module): Float or quantized.

    Returns:
        dict[str, str]: SHA-256 by name, hex: over parameters, buffers
        (also those that are not saved), weight codes and settings; the
        model itself, ``''``, includes the spec.
    """
    found = {}
    for name, module in model.named_modules():
        own = chain(
            module.named_parameters(recurse=False),
            module.named_buffers(recurse=False),
        )
        settings = {
            'class': type(module).__name__,
            'settings': module.extra_repr(),
        }
        if isinstance(module, QuantModule):
            settings['config'] = repr(module.config)
        if hasattr(module, 'igq_spec'):
            settings['spec'] = module.igq_spec.to_json()
        tensors = {key: value.detach().cpu() for key, value in own}
        found[name] = digest_of(tensors, settings)
    return found


def check_agreement(model: nn.Module) -> None:
    """Stops every rank unless all of them hold the same model.

    Args:
        model (nn.Module): Float or quantized, without wrappers.

    Raises:
        RankError: On every rank; names the ranks that differ from rank 0,
            and the first layer.
    """
    group = waiting_group()
    if group is None:
        return
    digests = all_gather_object(layer_digests(model), group)
    differ = [
        rank for rank, other in enumerate(digests) if other != digests[0]
    ]
    if differ:
        layer = _first_difference(digests, differ)
        raise RankError(
            f'ranks {differ} of {len(digests)} hold another model than rank '
            f'0, first in {layer or "the model itself"}; nothing was '
            'evaluated; see that all machines read the same checkpoint with '
            'the same versions'
        )


def _first_difference(
    digests: Sequence[Mapping[str, str]], differ: Sequence[int]
) -> str:
    main = digests[0]
    for name in main:
        for rank in differ:
            if digests[rank].get(name) != main[name]:
                return name
    # everything of rank 0 is there; another rank has more
    return next(n for rank in differ for n in digests[rank] if n not in main)


@HOOKS.register_module()
class AgreementHook(Hook):
    """Compares ranks at the last moment before they evaluate."""

    priority = 'LOWEST'

    def before_test_epoch(self, runner: Runner) -> None:
        """Compares what the test loop is going to call."""
        check_agreement(inner_detector(runner.model))
