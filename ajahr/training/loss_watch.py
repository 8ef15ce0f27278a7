"""Stops a run whose loss is not finite and names the samples, without making a GPU wait."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ajahr.errors import UserError

_NAMED = 5


class _Pending(NamedTuple):
    finite: Bool[Tensor, " batch"]
    copied: torch.cuda.Event
    keys: list[str]
    step: int


class LossWatch:
    """Looks at every step's losses. On a GPU the answer is copied in the background and read when it is there,
    a few steps later at most; `settle` waits for what is still under way, before a checkpoint is written.
    """

    def __init__(self) -> None:
        self._pending: deque[_Pending] = deque()

    def __call__(self, per_person: Float[Tensor, " batch"], keys: list[str], step: int) -> None:
        """Note a step's losses.

        Raises:
            UserError: one of them, or of the steps before, is not finite.
        """
        finite = torch.isfinite(per_person)
        if not finite.is_cuda:
            _check(finite, keys, step)
            return
        host = torch.empty(finite.shape, dtype=torch.bool, pin_memory=True)
        host.copy_(finite, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._pending.append(_Pending(host, event, keys, step))
        while self._pending and self._pending[0].copied.query():
            self._check_oldest()

    def settle(self) -> None:
        """Look at all steps noted so far.

        Raises:
            UserError: one of them is not finite.
        """
        while self._pending:
            self._pending[0].copied.synchronize()
            self._check_oldest()

    def _check_oldest(self) -> None:
        oldest = self._pending.popleft()
        _check(oldest.finite, oldest.keys, oldest.step)


def _check(finite: Bool[Tensor, " batch"], keys: list[str], step: int) -> None:
    if bool(finite.all()):
        return
    bad = [key for key, fine in zip(keys, finite.tolist(), strict=True) if not fine]
    if len(bad) == len(keys):
        raise UserError(
            f"the loss of step {step} is not finite for any of its {len(keys)} samples ({_some(bad)}), so the "
            "weights are not either; go on from an earlier checkpoint with a lower learning rate, or clip "
            "gradients (trainer.gradient_clip_val)"
        )
    raise UserError(
        f"the loss of step {step} is not finite for {_some(bad)}; look at these samples' labels and leave them out"
    )


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
