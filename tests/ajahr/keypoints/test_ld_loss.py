"""The three forms of LDLoss against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ajahr.anatomy import LDPOSE25
from ajahr.data.ldpose import PAIRS, presence_targets
from ajahr.errors import UserError
from ajahr.keypoints.ld_loss import (
    LDLoss,
    algorithm1_loss,
    pairwise_loss,
    presence_loss,
    released_loss,
)

LIMB = [k for pair in PAIRS for k in pair]
FLIP = list(LDPOSE25.flip)
SHUFFLED = tuple(PAIRS[i] for i in (3, 0, 7, 1, 5, 2, 6, 4))


def visibility_of(*labelled: int) -> np.ndarray:
    v = np.zeros(25, np.int64)
    v[list(labelled)] = 2
    return v


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores, labelled, presence of people with mixed limbs."""
    rng = np.random.default_rng(0)
    people = np.stack(
        [
            visibility_of(7, 8, 9, 10, 13, 14, 15, 16),
            visibility_of(17, 8, 10, 13, 23, 14, 16),
            visibility_of(7, 19, 18, 21, 22),
            visibility_of(),
            visibility_of(13, 17, 9),  # the left arm's labels contradict each other
        ]
    )
    scores = torch.from_numpy(rng.normal(size=(5, 25)))
    return scores, torch.from_numpy(people > 0), torch.from_numpy(presence_targets(people)).long()


def test_algorithm1_is_binary_cross_entropy_of_every_limb_point(batch) -> None:
    u, labelled, _ = batch
    logits = torch.stack([torch.zeros_like(u), u], -1)
    expected = F.binary_cross_entropy_with_logits(u[:, LIMB], labelled[:, LIMB].double())
    assert torch.isclose(algorithm1_loss(logits, labelled), expected, atol=1e-12)


def test_algorithm1_counts_unlabelled_points_as_absent_unless_told(batch) -> None:
    u, labelled, _ = batch
    logits = torch.stack([torch.zeros_like(u), u], -1).requires_grad_()
    algorithm1_loss(logits, torch.zeros_like(labelled)).backward()
    assert (logits.grad[:, LIMB] != 0).all()
    nothing = algorithm1_loss(logits, labelled, known=torch.zeros_like(labelled))
    assert nothing == 0 and nothing.requires_grad


def test_released_is_its_closed_form(batch) -> None:
    scores, labelled, _ = batch
    total = 0.0
    for s, y in zip(scores.numpy(), labelled.numpy(), strict=True):
        log_sum = math.log(sum(math.exp(s[k]) for k in LIMB))
        total += sum(log_sum - s[k] for k in LIMB if y[k])
    assert float(released_loss(scores, labelled)) == pytest.approx(total / len(scores), abs=1e-12)
    eight = torch.from_numpy(visibility_of(7, 8, 9, 10, 13, 14, 15, 16) > 0)[None]
    assert float(released_loss(torch.zeros(1, 25), eight)) == pytest.approx(8 * math.log(16), abs=1e-5)


def test_pairwise_is_cross_entropy_inside_the_pairs_that_differ(batch) -> None:
    scores, _, presence = batch
    losses = []
    for s, t in zip(scores, presence.tolist(), strict=True):
        for i, j in PAIRS:
            if sorted((t[i], t[j])) == [0, 1]:
                losses.append(F.cross_entropy(s[[i, j]] / 0.1, torch.tensor(t[j])))
    assert len(losses) == 8 + (1 + 2 + 2 + 2) + (2 + 1 + 1 + 1) + 1  # distal unknown: the knee's pair only
    assert torch.isclose(pairwise_loss(scores, presence, 0.1), torch.stack(losses).mean(), atol=1e-12)


@pytest.mark.parametrize("form", ["algorithm1", "released", "pairwise"])
def test_order_of_pairs_and_side_do_not_matter(batch, form) -> None:
    scores, labelled, presence = batch

    def loss(s, y, t, pairs=PAIRS):
        if form == "algorithm1":
            return algorithm1_loss(torch.stack([-s, s], -1), y, pairs)
        if form == "released":
            return released_loss(s, y, pairs)
        return pairwise_loss(s, t, 1.0, pairs)

    value = loss(scores, labelled, presence)
    assert torch.isclose(loss(scores, labelled, presence, SHUFFLED), value, atol=1e-12)
    assert torch.isclose(loss(scores[:, FLIP], labelled[:, FLIP], presence[:, FLIP]), value, atol=1e-12)


def test_pairwise_falls_as_the_right_one_rises(batch) -> None:
    scores, _, presence = batch
    before = pairwise_loss(scores, presence)
    for i, j in PAIRS:
        differ = (presence[:, [i, j]] >= 0).all(1) & (presence[:, i] != presence[:, j])
        raised = scores.clone()
        raised[:, i] += differ & (presence[:, i] == 1)
        raised[:, j] += differ & (presence[:, j] == 1)
        assert pairwise_loss(raised, presence) < before


def test_what_is_unknown_has_no_gradient(batch) -> None:
    scores, _, presence = batch
    scores = scores.clone().requires_grad_()
    pairwise_loss(scores, presence).backward()
    assert (scores.grad[presence < 0] == 0).all()
    assert (scores.grad[1, [17, 7, 23, 15]] != 0).all()
    empty = pairwise_loss(scores, torch.full_like(presence, -1))
    assert empty == 0
    empty.backward()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("size", [300.0, -300.0])
def test_huge_logits_stay_finite(batch, size) -> None:
    _, labelled, presence = batch
    scores = torch.zeros(5, 25)
    scores[:, ::2] = size
    scores.requires_grad_()
    total = (
        algorithm1_loss(torch.stack([-scores, scores], -1), labelled)
        + released_loss(scores, labelled)
        + pairwise_loss(scores, presence, 0.1)
        + presence_loss(torch.stack([-scores, scores], -1), presence)
    )
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(scores.grad).all()


def test_the_switch(batch) -> None:
    peaks, labelled, presence = batch
    peaks = peaks.float()
    logits = torch.stack([torch.zeros_like(peaks), peaks], -1)
    assert torch.isclose(
        LDLoss(weight=2.0)(peaks, None, labelled, presence), 2 * pairwise_loss(peaks, presence, 0.1)
    )
    assert torch.isclose(
        LDLoss("pairwise", 1.0)(torch.zeros_like(peaks), logits, labelled, presence),
        pairwise_loss(peaks, presence),
    )
    assert torch.isclose(
        LDLoss("released")(peaks, None, labelled, presence), 1e-4 * released_loss(peaks, labelled)
    )
    with pytest.raises(UserError, match="presence head"):
        LDLoss("algorithm1")(peaks, None, labelled, presence)
    with pytest.raises(UserError, match="temperature"):
        LDLoss(temperature=0.0)


def test_presence_loss_skips_the_unknown(batch) -> None:
    peaks, _, presence = batch
    logits = torch.stack([torch.zeros_like(peaks), peaks], -1).float()
    known = presence >= 0
    expected = F.binary_cross_entropy_with_logits(peaks[known], presence[known].double())
    assert torch.isclose(presence_loss(logits, presence), expected.float(), atol=1e-6)
    assert presence_loss(logits, torch.full_like(presence, -1)) == 0
