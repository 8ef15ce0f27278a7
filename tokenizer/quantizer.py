"""The codebook: nearest code, exponential-moving-average updates, reset of dead codes.

The update (van den Oord et al. 2017, appendix; TokenHMR's rule): per code, running sum and running count of
its latents; code = sum / count. A code whose running count falls below the threshold is replaced by a latent
of the batch. All of the state (codebook, sums, counts, whether it was initialised, how many updates it saw)
is in the checkpoint, so a resumed run continues; upstream forgets the flag and starts the codebook anew.

No array of codes x tokens is ever made whole: distances go through a few rows at a time, and sums per code
are taken over latents sorted by code, which is also the same on every run and device.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_DISTANCES = 1 << 21
"""Distances held at once: 8 MiB, which a last-level cache holds."""
_ROWS = 1 << 19
"""Numbers of latents worked on at once by the straight-through estimator: 2 MiB in float32."""
_GROUP = 64
"""Codes whose least distance is taken together."""
_PERPLEXITY_EPSILON = 1e-7


class Quantized(NamedTuple):
    """What the quantizer returns."""

    codes: Float[Tensor, "batch tokens code_dim"]
    """The nearest codes; their gradient passes straight through to the latents."""
    indices: Int[Tensor, "batch tokens"]
    commitment_loss: Float[Tensor, ""]
    """Mean squared distance of latents and codes, which pulls the latents."""
    perplexity: Float[Tensor, ""]
    """exp of the entropy of this batch's code usage: 1 (one code) to the number of codes (all alike)."""


class Quantizer(nn.Module):
    """Vector quantization with a codebook that follows its latents.

    Args:
        num_codes, code_dim: Shape of the codebook.
        decay: Share of the old sums and counts an update keeps.
        dead_code_threshold: A running count below it makes a code dead.

    The codebook changes only in training mode while `updating` is true. It is float32 whatever autocast says.
    """

    codebook: Float[Tensor, "codes code_dim"]
    code_sum: Float[Tensor, "codes code_dim"]
    code_count: Float[Tensor, " codes"]
    initialized: Tensor
    num_updates: Tensor

    def __init__(
        self, num_codes: int, code_dim: int, decay: float = 0.99, dead_code_threshold: float = 1.0
    ) -> None:
        super().__init__()
        self.decay, self.dead_code_threshold = decay, dead_code_threshold
        self.updating = True
        self.register_buffer("codebook", torch.zeros(num_codes, code_dim))
        self.register_buffer("code_sum", torch.zeros(num_codes, code_dim))
        self.register_buffer("code_count", torch.zeros(num_codes))
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("num_updates", torch.tensor(0))

    @property
    def num_codes(self) -> int:
        return self.codebook.shape[0]

    @property
    def dead_code_fraction(self) -> Float[Tensor, ""]:
        """Share of codes that the last update found dead."""
        return (self.code_count < self.dead_code_threshold).float().mean()

    def forward(self, latents: Float[Tensor, "batch tokens code_dim"]) -> Quantized:
        flat = latents.detach().reshape(-1, latents.shape[-1]).float()
        if self.training and self.updating and not self.initialized:
            self.set_codebook(self._candidates(flat))
        indices = nearest_codes(flat, self.codebook)
        codes = F.embedding(indices, self.codebook).view(latents.shape)
        counts = torch.bincount(indices, minlength=self.num_codes)
        if self.training and self.updating:
            self._update(flat, indices, counts)  # takes effect from the next batch on
        straight_through, commitment_loss = _StraightThrough.apply(latents, codes)
        return Quantized(
            straight_through, indices.view(latents.shape[:-1]), commitment_loss, perplexity(counts)
        )

    def nearest(self, latents: Float[Tensor, "batch tokens code_dim"]) -> Int[Tensor, "batch tokens"]:
        """Indices alone; never moves the codebook, whatever the mode."""
        return nearest_codes(latents.detach().flatten(0, -2).float(), self.codebook).view(latents.shape[:-1])

    def lookup(self, indices: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens code_dim"]:
        """Codes of indices."""
        return F.embedding(indices, self.codebook)

    def soft_lookup(
        self, probabilities: Float[Tensor, "batch tokens codes"]
    ) -> Float[Tensor, "batch tokens code_dim"]:
        """Codes mixed by the regressor's softmax: differentiable, no argmax, no temperature."""
        return probabilities @ self.codebook.to(probabilities.dtype)

    def set_codebook(self, codebook: Float[Tensor, "codes code_dim"]) -> None:
        """Start from this codebook: sums equal to it, counts one, as after upstream's initialisation."""
        self.codebook.copy_(codebook)
        self.code_sum.copy_(codebook)
        self.code_count.fill_(1)
        self.initialized.fill_(True)

    @torch.no_grad()
    def _update(
        self,
        flat: Float[Tensor, "latents code_dim"],
        indices: Int[Tensor, " latents"],
        counts: Int[Tensor, " codes"],
    ) -> None:
        statistics = torch.cat((sum_by_code(flat, indices, counts), counts[:, None].to(flat.dtype)), dim=1)
        if _distributed():
            dist.all_reduce(statistics)
        # lerp keeps a count of exactly one at one, where decay * 1 + (1 - decay) * 1 may fall below it
        self.code_sum.lerp_(statistics[:, :-1], 1 - self.decay)
        self.code_count.lerp_(statistics[:, -1], 1 - self.decay)
        self.num_updates += 1
        dead = self.code_count < self.dead_code_threshold
        self.codebook.copy_(self.code_sum / self.code_count[:, None])
        if bool(dead.any()):  # the same on every rank: the counts are
            # the statistics of a dead code stay as they are (upstream's rule): it is replaced until it is
            # used
            self.codebook.copy_(torch.where(dead[:, None], self._candidates(flat), self.codebook))

    def _candidates(self, flat: Float[Tensor, "latents code_dim"]) -> Float[Tensor, "codes code_dim"]:
        """The batch's first latents, one per code; repeated with a little noise where there are too few."""
        repeats = -(-self.num_codes // len(flat))
        candidates = flat[: self.num_codes]
        if repeats > 1:
            generator = torch.Generator(flat.device).manual_seed(int(self.num_updates))  # resuming repeats it
            noise = torch.randn(
                repeats * len(flat), flat.shape[1], generator=generator, device=flat.device, dtype=flat.dtype
            )
            candidates = flat.repeat(repeats, 1) + noise * (0.01 / flat.shape[1] ** 0.5)
        candidates = candidates[: self.num_codes].contiguous()
        if _distributed():
            dist.broadcast(candidates, src=0)
        return candidates


def nearest_codes(
    latents: Float[Tensor, "latents code_dim"], codebook: Float[Tensor, "codes code_dim"]
) -> Int[Tensor, " latents"]:
    """Index of the nearest code (squared L2) of every latent; the lower index in a tie."""
    with torch.autocast(latents.device.type, enabled=False):
        half_norms = codebook.square().sum(1) / 2
        indices = latents.new_empty(len(latents), dtype=torch.long)
        by_column = codebook.t().contiguous()
        chunk = max(1, _DISTANCES // len(codebook))
        distances = latents.new_empty(min(chunk, len(latents)), len(codebook))
        for start in range(0, len(latents), chunk):
            some = latents[start : start + chunk]
            # |z - c|^2 / 2 without the |z|^2 that is the same for every code
            torch.addmm(half_norms, some, by_column, alpha=-1, out=distances[: len(some)])
            indices[start : start + chunk] = _argmin(distances[: len(some)])
    return indices


def _argmin(distances: Float[Tensor, "rows codes"]) -> Int[Tensor, " rows"]:
    """Lowest index of each row's least number.

    On a CPU torch's minimum is vectorised and its argmin is not (a tenth of the time): first the least of each
    group of codes, then the place within the best group.
    """
    rows, codes = distances.shape
    if codes % _GROUP:
        return distances.argmin(1)
    groups = distances.view(rows, codes // _GROUP, _GROUP)
    best = groups.amin(2).argmin(1)
    within = groups[torch.arange(rows, device=distances.device), best].argmin(1)
    return best * _GROUP + within


def sum_by_code(
    latents: Float[Tensor, "latents code_dim"],
    indices: Int[Tensor, " latents"],
    counts: Int[Tensor, " codes"],
) -> Float[Tensor, "codes code_dim"]:
    """Sum of each code's latents, in the latents' order: sorted by code, then one segment sum."""
    order = indices.argsort(stable=True)
    return F.embedding_bag(order, latents, counts.cumsum(0) - counts, mode="sum")


def perplexity(counts: Tensor) -> Float[Tensor, ""]:
    """exp(entropy) of code usage, upstream's epsilon included."""
    shares = counts.float() / counts.sum()
    return torch.exp(-(shares * torch.log(shares + _PERPLEXITY_EPSILON)).sum())


class _StraightThrough(torch.autograd.Function):
    """The codes, and the mean squared distance to them; backwards the identity and the pull of that distance.

    One function instead of a sum of stock ones, and a few rows at a time, because each pass over memory of the
    latents' size costs what the lookup saves.
    """

    @staticmethod
    def forward(ctx: Any, latents: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(latents, codes)
        rows, to_rows = latents.flatten(0, -2), codes.flatten(0, -2)
        # by rows first: over millions of numbers at once float32 would lose three digits
        squares = codes.new_empty(len(rows))
        for block in _row_blocks(rows):
            squares[block] = torch.linalg.vector_norm(to_rows[block] - rows[block], dim=-1)
        return codes.to(latents.dtype), squares.square_().mean() / codes.shape[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_codes: Tensor, grad_commitment: Tensor) -> tuple[Tensor, None]:
        latents, codes = ctx.saved_tensors
        pull = grad_commitment * (-2 / codes.numel())
        grad = torch.empty_like(latents, memory_format=torch.contiguous_format)
        out, given = grad.flatten(0, -2), grad_codes.reshape(-1, codes.shape[-1])
        rows, to_rows = latents.flatten(0, -2), codes.flatten(0, -2)
        for block in _row_blocks(rows):
            out[block] = torch.addcmul(given[block].float(), to_rows[block] - rows[block], pull)
        return grad, None


def _row_blocks(rows: Float[Tensor, "latents code_dim"]) -> list[slice]:
    """Rows to work on at once: a block of a CPU's cache; all of them on a GPU, which calls cost more."""
    step = max(1, _ROWS // rows.shape[1]) if rows.device.type == "cpu" else max(1, len(rows))
    return [slice(start, start + step) for start in range(0, len(rows), step)]


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
