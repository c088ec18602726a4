"""A progress bar with time left over the images of an evaluation."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...jobs.progress import Progress
from ...registry import HOOKS


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows a bar on stderr while testing.

    Args:
        quiet (bool): It shows nothing. Defaults to False.

    Attributes:
        label (str): What is being evaluated.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.label = ''
        self._bar: Any = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Opens the bar."""
        self._bar = Progress(
            total=len(runner.test_dataloader),
            desc=self.label,
            unit='image',
            disable=self.quiet,
        )

    def after_test_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        """Moves the bar."""
        self._bar.update()

    def after_test_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Closes the bar, also after an error."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
