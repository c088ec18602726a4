"""How far a quantized prediction is from the float one."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

# (model, batch of one image, copies) -> class logits, one tensor a stage;
# with copies, the rows of the copies follow each other: (copies * R, K)
Predict = Callable[[nn.Module, Any, int], Sequence[Tensor]]


def predict_classes(
    model: nn.Module, batch: Any, copies: int = 1
) -> list[Tensor]:
    """Class logits of an image classifier.

    Args:
        model (nn.Module): Takes images, (B, C, H, W), gives (B, K).
        batch (Tensor | Sequence): Images, or a sequence that starts with
            them.
        copies (int): How often to repeat the batch. Defaults to 1.

    Returns:
        list[Tensor]: One tensor, (copies * B, K).
    """
    images = batch if isinstance(batch, Tensor) else batch[0]
    return [model(images.repeat(copies, 1, 1, 1))]


def divergence(
    reference: Sequence[Tensor], prediction: Sequence[Tensor], copies: int = 1
) -> list[float]:
    """KL(float || quantized) of the class softmax (method, section 5).

    Args:
        reference (Sequence[Tensor]): Float logits, (R, K), one a stage.
        prediction (Sequence[Tensor]): Quantized logits, (copies * R, K).
        copies (int): Number of copies. Defaults to 1.

    Returns:
        list[float]: For each copy, the mean over rows (RoIs, queries or
        images), averaged over stages. Without rows it is 0.
    """
    totals = [0.0] * copies
    for truth, logits in zip(reference, prediction, strict=True):
        if truth.numel() == 0:
            continue
        log_p = truth.double().flatten(0, -2).log_softmax(-1)
        log_q = logits.double().log_softmax(-1)
        log_q = log_q.reshape(copies, *log_p.shape)
        kl = (log_p.exp() * (log_p - log_q)).sum(-1).mean(-1)
        for copy in range(copies):
            totals[copy] += float(kl[copy]) / len(reference)
    return totals
