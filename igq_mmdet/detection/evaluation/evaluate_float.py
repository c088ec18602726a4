"""The float model through the loop that is about to run anyway."""

import time
from typing import Any

from mmengine.runner import Runner
from torch import nn

from ...report import Report


def evaluate_float(
    runner: Runner, loop: Any, detector: nn.Module
) -> dict[str, Any]:
    """Evaluates what the runner holds; for hooks of an epoch's beginning.

    Hooks of iterations run as usual, those of the epoch are running.

    Args:
        runner (Runner): With the float model in place.
        loop (BaseLoop): Its test or validation loop.
        detector (nn.Module): The float model itself, without wrappers.

    Returns:
        dict: The entry ``float`` of a report.
    """
    runner.logger.info('evaluating the float model first')
    start = time.perf_counter()
    runner.model.eval()
    for index, batch in enumerate(loop.dataloader):
        loop.run_iter(index, batch)
    metrics = loop.evaluator.evaluate(len(loop.dataloader.dataset))
    report = Report()
    size = sum(value.nbytes for value in detector.state_dict().values())
    report.set_float(metrics, size, time.perf_counter() - start)
    entry: dict[str, Any] = report.data['float']
    return entry
