"""A float model becomes the quantized one of the file it is given.

mmengine builds a model from its config and then copies a state dict into it;
a quantized file asks for other layers. Every model of OpenMMLab is a
``BaseModel``, which is where torch asks a module how it loads; mmengine
defines nothing there.
"""

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from .. import checkpoints
from ..errors import CheckpointError

# The key of a checkpoint, and of a state dict's metadata, with the content
# of a quantized file.
QUANTIZED = 'igq_checkpoint'


def load_into(
    model: Any,
    state_dict: dict[str, Tensor],
    prefix: str,
    local_metadata: dict[str, Any],
    *args: Any,
) -> None:
    """See ``torch.nn.Module._load_from_state_dict``.

    Raises:
        CheckpointError: The quantized file was made for another model, or
            the model is quantized already.
    """
    checkpoint = local_metadata.get(QUANTIZED)
    if checkpoint is not None:
        if hasattr(model, 'igq_spec'):
            raise CheckpointError(
                f'{checkpoint.path}: this model is quantized already; load '
                'the file into a float one'
            )
        checkpoints.restore_(model, checkpoint)
        # the caller goes on to the layers, with what it has of each
        own = model.state_dict()
        state_dict.clear()
        state_dict.update({f'{prefix}{key}': own[key] for key in own})
    super(BaseModel, model)._load_from_state_dict(
        state_dict, prefix, local_metadata, *args
    )


BaseModel._load_from_state_dict = load_into
