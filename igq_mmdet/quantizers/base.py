"""What every activation quantizer is and does."""

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from ..kernels import recorded
from .uniform import max_code, qparams


class FitSettings(Protocol):
    """What fits depend on; a ``QuantSpec`` is one."""

    @property
    def static_percentiles(self) -> tuple[float, ...]:
        """Candidates for bounds, in percent."""

    @property
    def m_step(self) -> str:
        """What k-means moves a group to."""


class ActivationQuantizer(nn.Module):
    """Base of the activation quantizers; one instance (image) at a time.

    It lets values through until its bounds are set, hands them to
    ``observer`` while one is attached, and quantizes from then on. A derived
    class says what it ``observes`` and how it is fitted (:meth:`fit`) and
    quantizes (:meth:`quantize`).

    ``form`` is how layers multiply on integers what it quantizes:

    - ``common_step``: all values are multiples of one step, see
      :meth:`grid`;
    - ``grouped``: channels have one of several steps, see :meth:`assign`;
    - ``row_steps``: rows have one of several steps, see :meth:`row_steps`;
    - None: they do not, and products are simulated in float. That holds for
      a class that has a ``quantize`` of its own and names no form.

    ``batched`` says that :meth:`grid` and :meth:`assign` take several images
    at once, (I, N, C), and return (I, C).

    Args:
        bits (int): Width of a code in bits, 2 to 8.
        groups (int): Number of (lower, upper) pairs it owns, G.
        strict_zero_point (bool): Clip the zero point to the range of the
            codes. Defaults to False.

    Attributes:
        observes (type): The observer that calibration attaches.
        lower (Tensor): Lower bounds, (G,), float32.
        upper (Tensor): Upper bounds, (G,), float32.
        ranges (str): What groups are fitted to and chosen by, see
            ``QuantSpec``; for quantizers that know more than the mean.
        observer: An object with ``update(x)``, or None.
        ready (bool): Whether it has bounds.
        from_zero (bool): Whether it is ready and all zero points are 0.
    """

    observes: ClassVar[Any] = None
    form: ClassVar[str | None] = None
    batched: ClassVar[bool] = False
    lower: Tensor
    upper: Tensor
    scale: Tensor
    zero_point: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # integers would be made by the quantize of the class above
        if 'quantize' in vars(cls) and 'form' not in vars(cls):
            cls.form = None
        own = {'assign', 'grid'} & set(vars(cls))
        if own and 'batched' not in vars(cls):
            cls.batched = False

    def __init__(
        self, bits: int, groups: int = 1, strict_zero_point: bool = False
    ) -> None:
        super().__init__()
        self.bits = bits
        self.groups = groups
        self.strict_zero_point = strict_zero_point
        self.ranges = 'mean'
        self.observer: Any = None
        self.from_zero = False
        self.ready = False
        self.register_buffer('lower', torch.zeros(groups))
        self.register_buffer('upper', torch.zeros(groups))
        self.register_buffer('scale', torch.ones(groups), persistent=False)
        self.register_buffer(
            'zero_point', torch.zeros(groups), persistent=False
        )

    def fit(self, observer: Any, settings: FitSettings) -> tuple[Tensor, ...]:
        """Finds the bounds; the quantizer itself is not changed.

        Args:
            observer (Observer): Of class ``observes``, with what was seen.
            settings (FitSettings): What fits depend on.

        Returns:
            tuple[Tensor, ...]: What :meth:`set_bounds` takes.

        Raises:
            CalibrationError: Nothing was seen.
        """
        raise NotImplementedError

    def set_bounds(self, lower: Tensor, upper: Tensor) -> None:
        """Fixes the bounds; from now on the quantizer quantizes.

        Args:
            lower (Tensor): Lower bounds, (G,).
            upper (Tensor): Upper bounds, (G,).
        """
        if lower.shape != self.lower.shape or upper.shape != self.upper.shape:
            raise ValueError(
                f'expected {self.groups} bounds, got {tuple(lower.shape)} '
                f'and {tuple(upper.shape)}'
            )
        self.lower.copy_(lower)
        self.upper.copy_(upper)
        self.refresh()

    def refresh(self) -> None:
        """Recomputes what follows from the bounds."""
        scale, zero_point = qparams(
            self.lower, self.upper, self.bits, self.strict_zero_point
        )
        self.scale.copy_(scale)
        self.zero_point.copy_(zero_point)
        self.ready = True

    def forward(
        self,
        x: Tensor,
        counted: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Lets through, observes or quantizes ``x``.

        Args:
            x (Tensor): Values of one instance, (N, C).
            counted (Tensor, optional): The part of ``x`` that statistics
                are taken from. Defaults to all of it.
            out (Tensor, optional): Where to write; may be ``x``. Defaults
                to a new tensor.

        Returns:
            Tensor: (N, C); callers go on with it, whatever ``out`` is.
        """
        if counted is None:
            counted = x
        if self.observer is not None:
            self.observer.update(counted)
        elif self.ready and x.numel():
            return self.quantize(x, counted, out)
        return x if out is None or out is x else out.copy_(x)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        """Fake-quantizes ``x``, shapes as in :meth:`forward`."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether it has bounds."""
        return self._ready

    @ready.setter
    def ready(self, value: bool) -> None:
        self._ready = value
        # asked in every forward, where graphs know no values
        if value and not (recorded() or self.zero_point.is_meta):
            self.from_zero = not bool(self.zero_point.any())

    @property
    def grid_step(self) -> Tensor:
        """What all values are integer multiples of, (1,).

        Only with the form ``common_step``: sums of products can be taken
        over integers, see :meth:`grid`.
        """
        # torch.jit.trace asks every module which attributes it has
        raise AttributeError('grid_step')

    def grid(self, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How values of one instance become multiples of ``grid_step``.

        Args:
            counted (Tensor): What statistics are taken from, (N, C).

        Returns:
            tuple[Tensor, Tensor, Tensor]: Scale, zero point and the
            integer m of ``x / grid_step = m (q - z)``, one a channel, (C,),
            or one for all, (1,).
        """
        raise NotImplementedError

    def assign(self, counted: Tensor) -> Tensor:
        """The group of each channel, with the form ``grouped``.

        Args:
            counted (Tensor): Counted tokens of one instance, (N, C).

        Returns:
            Tensor: Indices into ``scale`` and ``zero_point``, (C,), int64.
        """
        raise NotImplementedError

    def grids(self, counted: Tensor) -> tuple[Tensor, ...]:
        """:meth:`grid` of several images.

        Args:
            counted (Tensor): (I, N, C).

        Returns:
            tuple[Tensor, Tensor, Tensor]: (I, C) each, or (1,).
        """
        if self.batched:
            return self.grid(counted)
        images = [self.grid(image) for image in counted]
        return tuple(torch.stack(x) for x in zip(*images, strict=True))

    def assigned(self, counted: Tensor) -> Tensor:
        """:meth:`assign` of several images, (I, N, C) to (I, C)."""
        if self.batched:
            return self.assign(counted)
        return torch.stack([self.assign(image) for image in counted])

    def row_steps(self) -> tuple[Tensor, Tensor]:
        """Edges between the groups of rows, (G - 1,), and steps, (G,).

        For softmax rows of the form ``row_steps`` or ``common_step``: a row
        whose maximum lies between two edges is quantized by that step.
        """
        raise NotImplementedError

    def largest_factor(self) -> int:
        """The largest ``m |q - z|`` that a weight is multiplied by."""
        return int(self._reach().max())

    def _reach(self) -> Tensor:
        """The largest ``|q - z|`` of each group, (G,), float64."""
        zero = self.zero_point.double()
        return torch.maximum(zero.abs(), (max_code(self.bits) - zero).abs())

    @property
    def padding(self) -> Tensor | None:
        """What stands for the float model's 0, (C,), where it is not 0."""
        return None

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, *args: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        # a float checkpoint has no bounds and calibrates nothing
        if prefix + 'lower' in state_dict and prefix + 'upper' in state_dict:
            self.refresh()

    def extra_repr(self) -> str:
        state = 'ready' if self.ready else 'not calibrated'
        return f'bits={self.bits}, groups={self.groups}, {state}'
