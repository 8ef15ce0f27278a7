"""Limb status as probabilities that mean what they say: one temperature per head (Guo et al. 2017); and standard
deviations of residual limbs that are those of the errors.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ajahr.errors import UserError

_LOG_LIMIT = 3.0
"""Temperatures stay within e^-3 .. e^3."""


def fit_temperatures(
    logits: Float[Tensor, "samples limbs=4 levels=4"], levels: Int[Tensor, "samples limbs=4"]
) -> Float[Tensor, "limbs=4"]:
    """The temperatures that make the likelihood of held-out levels greatest, by L-BFGS.

    Each counts as if one more sample said that it is 1 (a normal prior on its logarithm): a head without labels
    keeps 1, and one that is never wrong does not run off to 0.

    Args:
        logits: Of the validation data. Never of training data, on which every net is too sure.
        levels: Their true levels; -1 where unknown.

    Raises:
        UserError: NaN or infinite logits.
    """
    if not bool(logits.isfinite().all()):
        raise UserError(
            "validation logits are not finite; calibrate a checkpoint from before training diverged"
        )
    known = levels >= 0
    inputs, targets = logits.detach().double().cpu(), levels.clamp(min=0).long().cpu()
    weights = known.double().cpu()
    log_temperature = torch.zeros(logits.shape[1], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        bounded = _LOG_LIMIT * torch.tanh(log_temperature / _LOG_LIMIT)
        scaled = inputs / bounded.exp()[:, None]
        losses = F.cross_entropy(scaled.flatten(0, 1), targets.flatten(), reduction="none")
        prior = log_temperature.square().sum() / 2
        loss = ((losses * weights.flatten()).sum() + prior) / max(len(inputs), 1)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    bounded = _LOG_LIMIT * torch.tanh(log_temperature.detach() / _LOG_LIMIT)
    return bounded.exp().to(logits)


_AS_GOOD = 0.01
"""Of F1: less than two seeds differ by."""


def fit_loss_threshold(
    probabilities: Float[Tensor, "samples limbs=4 levels=4"], levels: Int[Tensor, "samples limbs=4"]
) -> float:
    """The probability of a loss from which on to call a limb lost: where F1 of held-out limbs is greatest.

    F1 is flat about its greatest value. Of thresholds within `_AS_GOOD` of it the highest is taken: it removes the
    fewest intact limbs, above all of people who stand behind something, of whom there are few in a validation set.

    Args:
        probabilities: Calibrated.
        levels: True ones; -1 where unknown. Nobody lost anything: 0.5.
    """
    known = levels >= 0
    chance, lost = (1 - probabilities[..., 0])[known], (levels > 0)[known]
    if not bool(lost.any()):
        return 0.5
    grid = torch.arange(0.1, 0.91, 0.02, device=chance.device)
    called = chance[:, None] > grid
    right = (called & lost[:, None]).sum(0)
    scores = 2 * right / (called.sum(0) + lost.sum())
    return float(grid[scores >= scores.max() - _AS_GOOD].max())


def fit_std_scales(
    squares: Float[Tensor, "segments"], counts: Float[Tensor, "segments"]
) -> Float[Tensor, "segments"]:
    """What standard deviations must be multiplied by to make the likelihood of held-out errors greatest.

    As above, each counts as if one more error had been as large as was said: without errors it is 1.

    Args:
        squares: Sums over the validation data of (error / standard deviation)², not scaled yet.
        counts: How many each is of.
    """
    return ((squares + 1) / (counts + 1)).sqrt()
