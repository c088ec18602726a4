"""A quiet Runner that evaluates many models in one process."""

import contextlib
import copy
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch import nn

from ...errors import IGQError, SpecError
from ..data.images_named import name_images, worker_errors
from .unrounded import report_unrounded


def prepare_config(config: Config, work_dir: str) -> None:
    """Makes a test config fit for evaluating many models in one process.

    Args:
        config (Config): It is changed: no hooks that quantize, warnings
            only on the terminal.
        work_dir (str): For logs.
    """
    config.work_dir = work_dir
    config.load_from = None
    config.resume = False
    config.log_level = 'WARNING'
    config.launcher = config.get('launcher', 'none')
    config.custom_hooks = [
        hook
        for hook in config.get('custom_hooks') or []
        if getattr(hook.get('type'), '__name__', hook.get('type'))
        not in ('igq_mmdet.IGQHook', 'IGQHook')
    ]


def build_runner(config: Config) -> Runner:
    """Builds a Runner whose log goes to stderr, not between the results.

    Args:
        config (Config): From :func:`prepare_config`.

    Raises:
        SpecError: mmengine cannot build what the config says.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            runner = Runner.from_cfg(for_ranks(config))
        with contextlib.redirect_stdout(io.StringIO()):
            report_unrounded(runner.test_evaluator)
            collect_by_network(runner.test_evaluator)
            name_images(runner.test_loop)
    except IGQError:
        raise
    except Exception as error:  # a config can name any code
        raise SpecError(
            f'the config cannot be built ({type(error).__name__}: {error})'
        ) from error
    return runner


def for_ranks(config: Config) -> Config:
    """The config as a Runner of one of several processes wants it.

    Args:
        config (Config): Stays as it is, so that what is saved of it does
            not tell how many processes there were.

    Returns:
        Config: A changed copy; in a single process ``config`` itself.
    """
    if not is_distributed():
        return config
    config = copy.deepcopy(config)
    config.launcher = 'pytorch'  # the processes have joined: any will do
    if not torch.cuda.is_available() and not config.get('model_wrapper_cfg'):
        # mmengine's default names a GPU
        config.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
        )
    return config


def collect_by_network(evaluator: Evaluator) -> None:
    """Lets metrics gather the results of all ranks without a folder.

    By default they go through pickles in ``.dist_test``, which all machines
    must share, and which stay there when a process is killed.

    Args:
        evaluator (Evaluator): Of a test loop; it is changed.
    """
    if not is_distributed():
        return
    for metric in evaluator.metrics:
        if metric.collect_dir is None:
            metric.collect_device = 'gpu'  # mmengine's name for it


@contextlib.contextmanager
def testing(
    runner: Runner, model: nn.Module
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Puts a model in the place of the runner's, and silences the metrics.

    Args:
        runner (Runner): From :func:`build_runner`.
        model (nn.Module): What its test loop shall run.

    Yields:
        Callable: Runs the loop; returns metrics.

    Raises:
        DataError: A worker cannot use an image; names it.
    """
    before, runner.model = runner.model, model
    try:
        with worker_errors(), contextlib.redirect_stdout(io.StringIO()):
            yield runner.test
    finally:
        runner.model = before


def use_threads(threads: int | None) -> None:
    """Sets torch's threads, if asked for.

    Args:
        threads (int, optional): At least 1.

    Raises:
        SpecError: Not a number of threads.
    """
    if threads is None:
        return
    if threads < 1:
        raise SpecError(f'threads must be at least 1, got {threads}')
    torch.set_num_threads(threads)
