"""How well limb status is told: confusion matrices (Fig. 5), accuracy, precision, recall, F1 (Table 5), calibration,
and the two errors that matter to a user: a limb drawn that is not there, and one removed that is.

Labels and predictions are levels of four limbs; unknown labels (-1) count nowhere. Table 5 does not say how it
averaged over classes and heads, so each way is here under its own name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from ajahr.anatomy import NUM_LEVELS, NUM_LIMBS
from ajahr.errors import UserError


@dataclass(frozen=True)
class Scores:
    """Of one way to see the problem, 0..1; NaN where it has no answer."""

    accuracy: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """Confusion matrices of the four heads. They add up over batches, ranks and datasets."""

    counts: Int64[np.ndarray, "limbs=4 true=4 predicted=4"]

    @classmethod
    def of(
        cls, true: Int[np.ndarray, "people limbs=4"], predicted: Int[np.ndarray, "people limbs=4"]
    ) -> Confusion:
        """Counts of people.

        Raises:
            UserError: a prediction is no level.
        """
        if predicted.size and (predicted.min() < 0 or predicted.max() >= NUM_LEVELS):
            raise UserError(f"predicted levels are {predicted.min()}..{predicted.max()}; they must be 0..3")
        if true.size and (true.min() < -1 or true.max() >= NUM_LEVELS):
            raise UserError(
                f"true levels are {true.min()}..{true.max()}; they must be 0..3, or -1 for unknown"
            )
        counts = np.zeros((NUM_LIMBS, NUM_LEVELS, NUM_LEVELS), np.int64)
        limbs = np.broadcast_to(np.arange(NUM_LIMBS), true.shape)
        known = true >= 0
        np.add.at(counts, (limbs[known], true[known], predicted[known]), 1)
        return cls(counts)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    @property
    def limbs(self) -> int:
        """Limbs with a label."""
        return int(self.counts.sum())

    def by_prediction(self) -> Float64[np.ndarray, "limbs=4 true=4 predicted=4"]:
        """Each head's matrix with columns that add up to 1, as Fig. 5 has them; a column of nobody is NaN."""
        return _ratio(self.counts, self.counts.sum(1, keepdims=True))

    def by_label(self) -> Float64[np.ndarray, "limbs=4 true=4 predicted=4"]:
        """Rows that add up to 1: the recall of every class on the diagonal."""
        return _ratio(self.counts, self.counts.sum(2, keepdims=True))

    # ------------------------------------------------------------------------------------- scores

    def head(self, limb: int) -> tuple[Scores, Scores]:
        """Macro and weighted averages over the levels of one head."""
        return _averages(self.counts[limb])

    @property
    def macro(self) -> Scores:
        """Mean of the heads' macro averages: every level of every limb counts alike."""
        return _mean([self.head(limb)[0] for limb in range(NUM_LIMBS)])

    @property
    def weighted(self) -> Scores:
        """Mean of the heads' weighted averages, as the released evaluator has them."""
        return _mean([self.head(limb)[1] for limb in range(NUM_LIMBS)])

    @property
    def pooled(self) -> Scores:
        """Macro average over the levels with all limbs in one matrix."""
        return _averages(self.counts.sum(0))[0]

    @property
    def amputation(self) -> Scores:
        """Is this limb amputated at all, limb by limb: the F1 this project is held to."""
        lost = self.counts.sum(0)
        return _binary(
            int(lost[1:, 1:].sum()), int(lost[0, 1:].sum()), int(lost[1:, 0].sum()), int(lost[0, 0])
        )

    # ------------------------------------------------------------------------------- what users see

    @property
    def hallucinated_limb_rate(self) -> float:
        """Share of amputated limbs of which a part that is not there is drawn (a level below the true one)."""
        counts = self.counts.sum(0)
        below = int(np.tril(counts, -1).sum())
        return _share(below, int(counts[1:].sum()))

    @property
    def missed_amputation_rate(self) -> float:
        """Share of amputated limbs that are drawn whole."""
        counts = self.counts.sum(0)
        return _share(int(counts[1:, 0].sum()), int(counts[1:].sum()))

    @property
    def false_amputation_rate(self) -> float:
        """Share of intact limbs of which something is removed."""
        counts = self.counts.sum(0)
        return _share(int(counts[0, 1:].sum()), int(counts[0].sum()))


def any_amputation(
    true: Int[np.ndarray, "people limbs=4"], predicted: Int[np.ndarray, "people limbs=4"]
) -> Scores:
    """Is this person an amputee: what the tokenizer switch asks.

    People with unknown limbs and no known loss are left out.
    """
    amputee = np.any(true > 0, axis=1)
    known = amputee | np.all(true >= 0, axis=1)
    amputee, said = amputee[known], np.any(predicted > 0, axis=1)[known]
    return _binary(
        int((amputee & said).sum()), int((~amputee & said).sum()), int((amputee & ~said).sum()),
        int((~amputee & ~said).sum()),
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- calibration


@dataclass(frozen=True, eq=False)
class Calibration:
    """Does a probability mean what it says."""

    error: float
    """Expected calibration error: mean gap between confidence and accuracy, weighted by the limbs in a bin."""
    largest_gap: float
    """Of the bins that have anybody."""
    brier: float
    """Mean squared distance of the probabilities from the truth (0..2)."""
    negative_log_likelihood: float
    confidence: Float64[np.ndarray, " bins"]
    accuracy: Float64[np.ndarray, " bins"]
    count: Int64[np.ndarray, " bins"]


def calibration(
    probabilities: Float[np.ndarray, "people limbs=4 levels=4"],
    true: Int[np.ndarray, "people limbs=4"],
    bins: int = 15,
) -> Calibration:
    """Of the most likely level of each limb, in bins of equal width. NaN everywhere if nothing is labelled.

    Raises:
        UserError: probabilities that are not finite.
    """
    known = true >= 0
    p, label = probabilities[known].astype(np.float64), true[known]
    if not np.isfinite(p).all():
        raise UserError("limb probabilities are not finite; drop those people first, and name them")
    confidence, said = p.max(-1, initial=0.0), p.argmax(-1)
    right = said == label
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    mean_confidence = _ratio(np.bincount(place, confidence, bins), count)
    mean_accuracy = _ratio(np.bincount(place, right, bins), count)
    if not len(label):
        nothing = float("nan")
        return Calibration(nothing, nothing, nothing, nothing, mean_confidence, mean_accuracy, count)
    gaps = np.abs(mean_confidence - mean_accuracy)[count > 0]
    truth = np.eye(NUM_LEVELS)[label]
    likelihood = np.take_along_axis(p, label[:, None], -1)[:, 0]
    return Calibration(
        error=float((gaps * count[count > 0]).sum() / len(label)),
        largest_gap=float(gaps.max()),
        brier=float(np.square(p - truth).sum(-1).mean()),
        negative_log_likelihood=float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
        confidence=mean_confidence,
        accuracy=mean_accuracy,
        count=count,
    )


# ---------------------------------------------------------------------------------------------- helpers


def _averages(counts: Int64[np.ndarray, "true predicted"]) -> tuple[Scores, Scores]:
    """Macro and weighted averages over the classes that have a label. A class never predicted has precision 0."""
    support, said, right = counts.sum(1), counts.sum(0), np.diag(counts)
    there = support > 0
    if not there.any():
        nothing = Scores(*[float("nan")] * 4)
        return nothing, nothing
    precision = np.divide(right, said, out=np.zeros(len(right)), where=said > 0)
    recall = np.divide(right, support, out=np.zeros(len(right)), where=there)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(len(right)), where=both > 0)
    accuracy = float(right.sum() / support.sum())

    def average(weights: np.ndarray) -> Scores:
        return Scores(accuracy, *(float(np.average(v, weights=weights)) for v in (precision, recall, f1)))

    return average(there.astype(float)), average(support.astype(float))


def _binary(hits: int, false: int, missed: int, right_no: int) -> Scores:
    return Scores(
        accuracy=_share(hits + right_no, hits + false + missed + right_no),
        precision=_share(hits, hits + false),
        recall=_share(hits, hits + missed),
        f1=_share(2 * hits, 2 * hits + false + missed),
    )


def _mean(scores: list[Scores]) -> Scores:
    """Of those that have an answer."""
    values = np.array([[s.accuracy, s.precision, s.recall, s.f1] for s in scores])
    values = values[np.isfinite(values).all(1)]
    return Scores(*(float(v) for v in (values.mean(0) if len(values) else [np.nan] * 4)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
