"""Sums over the inputs of a layer, from which its weight is rounded."""

import torch
from torch import Tensor

RIDGE = 0.05  # of the mean of the Hessian's diagonal


class Moments:
    """What rounding needs to know of a layer's inputs and float outputs.

    Sums only, so that images are let go one by one and the shares of
    several processes add up. Products are float32, their sums float64: the
    order of images then hardly matters, and codes are chaotic in them.

    Attributes:
        paired (bool): Whether every row came with its float output.
        rows (Tensor): How many there were, (1,), float64.
        hessian (Tensor): Sum of ``x x^T``, (G, K, K), float64.
        cross (Tensor): Sum of ``y x^T``, (G, D / G, K), float64.
        inputs (Tensor): Sum of ``x``, (G, K), float64.
        outputs (Tensor): Sum of ``y``, (G, D / G), float64.
    """

    def __init__(
        self, groups: int, inputs: int, outputs: int, paired: bool
    ) -> None:
        self.paired = paired
        self.rows = torch.zeros(1, dtype=torch.float64)
        self.hessian = torch.zeros(groups, inputs, inputs, dtype=torch.float64)
        own = outputs // groups if paired else 0
        self.cross = torch.zeros(groups, own, inputs, dtype=torch.float64)
        self.inputs = torch.zeros(groups, inputs, dtype=torch.float64)
        self.outputs = torch.zeros(groups, own, dtype=torch.float64)

    def merge(self, other: 'Moments') -> None:
        """Adds what another process has seen."""
        self.paired &= other.paired
        for name in ('rows', 'hessian', 'cross', 'inputs', 'outputs'):
            getattr(self, name).add_(getattr(other, name))

    def update(self, x: Tensor, y: Tensor | None = None) -> None:
        """Takes in what one call saw.

        Args:
            x (Tensor): Quantized inputs, (G, R, K).
            y (Tensor, optional): Float outputs without bias, (R, D); where
                they are missing, or of other rows, none count.
        """
        self.rows += x.shape[1]
        self.hessian += (x.transpose(1, 2) @ x).to(self.hessian)
        if self.paired and (y is None or len(y) != x.shape[1]):
            self.paired = False
        if y is None or not self.paired:
            return
        y = y.unflatten(1, (len(x), -1)).movedim(1, 0)
        self.cross += (y.transpose(1, 2) @ x).to(self.cross)
        self.inputs += x.sum(1, dtype=torch.float64).to(self.inputs)
        self.outputs += y.sum(1, dtype=torch.float64).to(self.outputs)

    def mean_hessian(self) -> Tensor:
        """Estimates the mean of ``x x^T``, (G, K, K), float64.

        That of few rows is drawn towards a multiple of the identity: with
        fewer rows than channels nothing is known of most directions.
        """
        found = self.hessian / self.rows
        for own, total in zip(found, self.hessian, strict=True):
            share, level = self._estimate(total)
            own.mul_(1 - share).diagonal().add_(share * level)
        return found

    def target(self, weight: Tensor) -> Tensor:
        """The weight that best turns these inputs into float outputs.

        Ridge regression around ``weight`` (method, section 9).

        Args:
            weight (Tensor): (D, K).

        Returns:
            Tensor: (D, K), float32.
        """
        found = []
        for own, hessian, cross in zip(
            weight.double().chunk(len(self.hessian)),
            self.hessian,
            self.cross / self.rows,
            strict=True,
        ):
            share, level = self._estimate(hessian)
            near = (share + RIDGE) * level
            if not near > 0:  # queries that begin as zeros
                found.append(own)
                continue
            right = cross.mul_(1 - share).add_(own, alpha=near)
            left = hessian * ((1 - share) / float(self.rows))
            left.diagonal().add_(near)
            found.append(torch.linalg.solve(left, right, left=False))
        return torch.cat(found).float()

    def bias(self, weight: Tensor) -> Tensor:
        """The mean that a weight leaves of the float outputs.

        Few rows do not tell it; it is drawn to 0 as they are.

        Args:
            weight (Tensor): Rounded, (D, K).

        Returns:
            Tensor: To be added to the bias, (D,), float32.
        """
        rows = weight.double().unflatten(0, (len(self.inputs), -1))
        left = self.outputs - (rows @ self.inputs[..., None])[..., 0]
        trusted = [1 - self._estimate(own)[0] for own in self.hessian]
        left *= torch.tensor(trusted, dtype=torch.float64)[:, None]
        return (left / self.rows).flatten().float()

    def _estimate(self, total: Tensor) -> tuple[float, float]:
        """How much to trust a sum of few rows.

        Args:
            total (Tensor): Sum of ``x x^T``, (K, K).

        Returns:
            tuple[float, float]: The share of the identity, by oracle
            approximating shrinkage (Chen et al. 2010), and what the identity
            is multiplied by to have the trace of the mean of ``x x^T``.
        """
        size, rows = len(total), float(self.rows)
        trace = float(total.trace()) / rows
        square = (float(torch.linalg.matrix_norm(total)) / rows) ** 2
        spread = (rows + 1 - 2 / size) * (square - trace**2 / size)
        share = 1.0
        if spread > 0:
            share = min(1.0, ((1 - 2 / size) * square + trace**2) / spread)
        return share, trace / size
