"""The trial: train on some scenes, ask about others, and the same with a leak that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.data.dataset import Dataset
from ajahr.data.shards import Sample
from ajahr.errors import UserError
from synth.leak.classifiers import DifferenceClassifier, Picture
from synth.leak.zone import hidden_zone

MIN_SEEN = 0.04
"""Scenes of which less is left to look at are not asked about."""
MIN_PAIRS = 8


@runtime_checkable
class Classifier(Protocol):
    name: str

    def fit(self, pictures: Sequence[Picture], labels: Bool[np.ndarray, " pictures"]) -> None: ...

    def scores(self, pictures: Sequence[Picture]) -> Float[np.ndarray, " pictures"]: ...


@dataclass(frozen=True, eq=False)
class Pair:
    """One scene: the amputee's picture, the intact twin's, and what is hidden in both."""

    amputee: UInt8[np.ndarray, "height width 3"]
    intact: UInt8[np.ndarray, "height width 3"]
    hidden: Bool[np.ndarray, "height width"]

    @property
    def identical(self) -> bool:
        """Whether not one byte differs outside the hidden zone."""
        return bool((self.amputee[~self.hidden] == self.intact[~self.hidden]).all())


@dataclass(frozen=True)
class Outcome:
    """How often one classifier was right about pictures of scenes it was not trained on.

    Attributes:
        correct: told right; a score of exactly 0 counts half.
        total: pictures asked about, half of them amputees; or pairs.
    """

    classifier: str
    correct: float
    total: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.correct, self.total)

    @property
    def by_chance(self) -> bool:
        """Whether chance explains the accuracy."""
        low, high = self.interval
        return low <= 0.5 <= high


def wilson(correct: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a share (Wilson 1927)."""
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float(centre - half), float(centre + half)


def read_pairs(dataset: Dataset, *, shadows: bool, limit: int | None = None) -> list[Pair]:
    """Scenes of a dataset of twins in which somebody has lost something.

    Args:
        dataset: made with ``twins``.
        shadows: whether it casts shadows, so that their zone is hidden too.
        limit: at most so many pairs.

    Raises:
        UserError: fewer than `MIN_PAIRS` such scenes.
    """
    pairs: list[Pair] = []
    for amputee, intact in _twins(dataset):
        if limit is not None and len(pairs) >= limit:
            break
        if not any(any(person.limb_levels) for person in amputee.record.people):
            continue
        hidden = hidden_zone([amputee, intact], shadows=shadows)
        if (~hidden).mean() >= MIN_SEEN:
            pairs.append(Pair(amputee.image(), intact.image(), hidden))
    if len(pairs) < MIN_PAIRS:
        raise UserError(
            f"{dataset.folder}: {len(pairs)} pairs of twins to compare, at least {MIN_PAIRS} are needed; "
            "make a larger dataset with 'twins: true'"
        )
    return pairs


def _twins(dataset: Dataset) -> Iterable[tuple[Sample, Sample]]:
    before: Sample | None = None
    for sample in dataset:
        if before is not None and before.record.intact_twin == sample.key:
            yield before, sample
        before = sample


Plant = Callable[[UInt8[np.ndarray, "height width 3"]], UInt8[np.ndarray, "height width 3"]]
"""Changes every amputee's picture: a leak that must be found."""


def run_trial(
    pairs: Sequence[Pair], classifiers: Sequence[Classifier], *, plant: Plant | None = None
) -> list[Outcome]:
    """Train classifiers of single pictures on the even pairs, ask about the odd ones."""
    train, test = ([picture for pair in half for picture in pair] for half in _halves(pairs, plant))
    outcomes = []
    for classifier in classifiers:
        classifier.fit(train, _labels(len(train)))
        scores = classifier.scores(test)
        outcomes.append(_outcome(classifier.name, np.where(_labels(len(test)), scores, -scores)))
    return outcomes


def run_side_by_side(pairs: Sequence[Pair], *, plant: Plant | None = None) -> Outcome:
    """As `run_trial`, with both twins in sight: which of the two is the amputee?"""
    train, test = _halves(pairs, plant)
    classifier = DifferenceClassifier()
    classifier.fit(train)
    return _outcome(classifier.name, classifier.scores(test))


def _outcome(name: str, right: Float[np.ndarray, " asked"]) -> Outcome:
    return Outcome(name, float((right > 0).sum() + 0.5 * (right == 0).sum()), len(right))


def _halves(pairs: Sequence[Pair], plant: Plant | None) -> list[list[tuple[Picture, Picture]]]:
    return [
        [
            (
                (pair.amputee if plant is None else plant(pair.amputee), pair.hidden),
                (pair.intact, pair.hidden),
            )
            for pair in half
        ]
        for half in (pairs[::2], pairs[1::2])
    ]


def _labels(count: int) -> Bool[np.ndarray, " pictures"]:
    return np.arange(count) % 2 == 0


def columns_lifted(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """A planted leak: every second column one grey level brighter."""
    lifted = image.copy()
    lifted[:, ::2] += lifted[:, ::2] < 255
    return lifted


def picture_lifted(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """A planted leak that only shows beside the twin: the whole picture one grey level brighter."""
    return image + (image < 255).astype(np.uint8)
