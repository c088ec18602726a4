"""Chooses one candidate a layer under a budget, exactly."""

from collections.abc import Mapping

import numpy as np
import scipy  # imports what of it is used on use: 0.3 s of each start

MAX_SOLVES = 100

Table = Mapping[str, Mapping[int, float]]


def choose_groups(loss: Table, cost: Table, budget: float) -> dict[str, int]:
    """Minimises the sum of losses; the sum of costs stays in budget.

    ``minimise sum_l KL_l(g_l) subject to sum_l BOPs_l(g_l) <= B`` (method,
    section 5), an integer linear program solved by HiGHS. The solver's
    tolerance is not the budget's: a choice that exceeds it by rounding is
    ruled out and the program solved again.

    Args:
        loss (Mapping): Loss of each layer by candidate.
        cost (Mapping): Cost of each layer by candidate; same keys.
        budget (float): What the costs may add up to.

    Returns:
        dict[str, int]: The candidate of each layer.

    Raises:
        ValueError: No choice is within the budget.
    """
    pairs = [(layer, g) for layer in loss for g in loss[layer]]
    if not pairs:
        return {}
    values = np.array([loss[layer][g] for layer, g in pairs])
    costs = np.array([cost[layer][g] for layer, g in pairs])
    layers = {layer: row for row, layer in enumerate(loss)}
    once = np.zeros((len(layers), len(pairs)))
    for column, (layer, _) in enumerate(pairs):
        once[layers[layer], column] = 1
    # the smallest cost of a layer is unavoidable; what is left to spend is
    # scaled so that tolerances mean the same whatever the network
    floor = {layer: min(cost[layer].values()) for layer in loss}
    extra = costs - np.array([floor[layer] for layer, _ in pairs])
    room = budget - sum(floor.values())
    if room < 0:
        raise ValueError('no choice of groups is within the budget')
    possible = (extra <= room).astype(float)
    scale = float((extra * possible).max()) or 1.0
    spread = float(np.abs(values).max()) or 1.0
    constraints = [
        scipy.optimize.LinearConstraint(once, 1, 1),
        scipy.optimize.LinearConstraint(
            extra[None] / scale, -np.inf, room / scale
        ),
    ]
    for _ in range(MAX_SOLVES):
        result = scipy.optimize.milp(
            values / spread,
            integrality=np.ones(len(pairs)),
            bounds=scipy.optimize.Bounds(0, possible),
            constraints=constraints,
            options={'mip_rel_gap': 0.0},
        )
        if result.x is None:
            break
        picked = result.x > 0.5
        chosen = {pairs[i][0]: pairs[i][1] for i in np.flatnonzero(picked)}
        if sum(cost[name][g] for name, g in chosen.items()) <= budget:
            return chosen
        constraints.append(
            scipy.optimize.LinearConstraint(
                picked[None].astype(float), -np.inf, len(loss) - 1
            )
        )
    # only choices that exceed the budget by rounding were found
    return {name: min(row, key=row.__getitem__) for name, row in cost.items()}
