"""Numbers of a report into the backends of an mmengine visualizer."""

from collections.abc import Mapping
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.visualization import (
    MLflowVisBackend,
    TensorboardVisBackend,
    Visualizer,
    WandbVisBackend,
)

from .scalars import flat, hyper_parameters, scalars


@master_only
def publish(
    visualizer: Visualizer,
    run: Mapping[str, Any],
    full: Mapping[str, Any] | None,
    step: int = 0,
) -> None:
    """Sends a run to every backend; only the main process does.

    mmengine's own ``LoggerHook`` keeps test metrics in a file and sends
    them nowhere (mmengine issues 1450, 1482 and 1582).

    Args:
        visualizer (Visualizer): Whose backends receive it.
        run (Mapping): An entry of ``runs`` in a report.
        full (Mapping, optional): Its entry ``float``.
        step (int): On the horizontal axis. Defaults to 0.
    """
    numbers = scalars(run, full)
    parameters = hyper_parameters(run)
    for backend in visualizer._vis_backends.values():
        if isinstance(backend, TensorboardVisBackend):
            _tensorboard_parameters(backend, parameters, numbers)
        elif isinstance(backend, MLflowVisBackend):
            backend.experiment.log_params(flat(parameters))
        elif isinstance(backend, WandbVisBackend):
            backend.experiment.config.update(parameters, allow_val_change=True)
    visualizer.add_scalars(numbers, step=step)


def _tensorboard_parameters(
    backend: TensorboardVisBackend,
    parameters: Mapping[str, Any],
    numbers: Mapping[str, float],
) -> None:
    from torch.utils.tensorboard.summary import hparams

    plain = {
        # torch would write True as 1
        name: value if type(value) in (int, float) else str(value)
        for name, value in flat(parameters).items()
    }
    shown = {n: v for n, v in numbers.items() if not n.startswith('sqnr/')}
    # SummaryWriter.add_hparams would open a run of its own for them
    writer = backend.experiment._get_file_writer()
    for summary in hparams(plain, shown):
        writer.add_summary(summary)


def evaluation_step(runner: Runner) -> int:
    """Where mmengine's ``LoggerHook`` draws a validation.

    Args:
        runner (Runner): That evaluates, perhaps during training.

    Returns:
        int: Epochs trained, or iterations where the loop or the
        ``LoggerHook`` counts those; 0 without training.
    """
    loop = runner._train_loop
    if loop is None or isinstance(loop, Mapping):
        return 0  # asking the runner would build the training data
    loggers = [h for h in runner.hooks if isinstance(h, LoggerHook)]
    by_epoch = all(hook.log_metric_by_epoch for hook in loggers)
    if by_epoch and not isinstance(loop, IterBasedTrainLoop):
        return runner.epoch
    return runner.iter
