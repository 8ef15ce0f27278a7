"""One person through a video: what each frame says, and the one answer to limbs, lengths and shape."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import LIMBS, NUM_LIMBS
from ajahr.errors import UserError
from ajahr.inference.fusion import fuse, fuse_fractions
from ajahr.inference.limb_ends import LimbEnd
from ajahr.inference.person import Person
from ajahr.inference.residual import SeenEnds, bone_lengths, flagged, lost_segments
from ajahr.inference.surfaces import RestSurface, rest_surface
from ajahr.models.decision import decide_levels
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.decide import Method
from ajahr.residual_limb.segments import SEGMENTS, Segment

_HELD = 0.02, 0.06
"""A live lambda moves only by more than its standard deviation, or these bounds of it: 8 and 24 mm of a shank."""
_RECENT = 300
"""Frames that a live lambda remembers."""


@dataclass(eq=False)
class Sighting:
    """A person in one frame. Arrays as in `Person`; 3D ones are filled when the track's status is known."""

    frame: int
    box: np.ndarray
    score: float
    keypoints: np.ndarray
    probabilities: np.ndarray | None
    """(4, 4), of this frame alone; None for a frame filled in between two sightings."""
    amputee: bool
    """Which tokenizer decoded the pose."""
    pose_rotmat: np.ndarray
    betas: np.ndarray
    crop_camera: np.ndarray
    centre: np.ndarray
    side: float
    filled: bool = False
    from_bpac: np.ndarray | None = None
    from_keypoints: np.ndarray | None = None
    """(4, 4), what each witness said of this frame; `probabilities` is both together."""
    seen_ends: SeenEnds | None = None
    """Of residual limbs, by this frame alone."""
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3, np.float32))
    joints: np.ndarray = field(default_factory=lambda: np.zeros((24, 3), np.float32))
    keypoints_3d: np.ndarray = field(default_factory=lambda: np.zeros((44, 3), np.float32))
    ends: tuple[LimbEnd | None, ...] = (None,) * NUM_LIMBS
    """With places in this frame."""

    @classmethod
    def of(cls, frame: int, person: Person, seen_ends: SeenEnds | None = None) -> Sighting:
        return cls(
            frame,
            person.bbox_xyxy.copy(),
            person.score,
            person.keypoints.copy(),
            None if person.limb_probabilities is None else person.limb_probabilities.copy(),
            person.is_amputee,
            person.pose_rotmat.copy(),
            person.betas.copy(),
            person.crop_camera.copy(),
            person.crop_centre.copy(),
            person.crop_side,
            from_bpac=person.limbs_from_bpac,
            from_keypoints=person.limbs_from_keypoints,
            seen_ends=seen_ends,
        )


@dataclass(frozen=True)
class TrackEnd:
    """Where one limb of a person ends between two joints, the same in every frame."""

    segment: Segment
    fraction: float
    """Lambda."""
    sd: float
    method: Method
    frames: int
    """That had a say."""


@dataclass(eq=False)
class PersonTrack:
    """One person through the video."""

    number: int
    sightings: list[Sighting]
    limb_levels: np.ndarray = field(default_factory=lambda: np.zeros(4, np.int64))
    limb_probabilities: np.ndarray | None = None
    """(4, 4), fused over the track."""
    from_bpac: np.ndarray | None = None
    from_keypoints: np.ndarray | None = None
    """(4, 4), each witness by itself over the track."""
    betas: np.ndarray = field(default_factory=lambda: np.zeros(10, np.float32))
    loss_threshold: float | None = None
    """`decide_levels`'s."""
    ends: tuple[TrackEnd | None, ...] = (None,) * NUM_LIMBS
    """In `Limb` order; None of limbs that are whole, lost at hip or shoulder, or of which no more is known."""
    limb_ends: tuple[LimbEnd | None, ...] = (None,) * NUM_LIMBS
    """The same with lengths and what became of the cut, but without places, which are each frame's."""
    surface: RestSurface | None = None
    """Cut there, to be posed in every frame."""

    @property
    def is_amputee(self) -> bool:
        return bool(self.limb_levels.any())

    def settle(self) -> None:
        """Limb status and shape from every frame."""
        seen = [one for one in self.sightings if one.probabilities is not None]
        if seen:
            probabilities = np.stack([one.probabilities for one in seen])  # type: ignore[arg-type]
            weights = np.array([max(one.score, 0.0) for one in seen])
            self.limb_probabilities = fuse(probabilities, weights).astype(np.float32)
            self.limb_levels = decide_levels(self.limb_probabilities, self.loss_threshold).astype(np.int64)
        self.hear_apart()
        self.settle_ends()
        self.betas = np.median([one.betas for one in self.sightings], axis=0).astype(np.float32)

    def hear_apart(self) -> None:
        """What each witness says by itself, over the track."""
        for name in ("from_bpac", "from_keypoints"):
            told = [
                (getattr(s, name), max(s.score, 0.0)) for s in self.sightings if getattr(s, name) is not None
            ]
            if told:
                values, weights = np.stack([v for v, _ in told]), np.array([w for _, w in told])
                setattr(self, name, fuse(values, weights).astype(np.float32))

    def settle_ends(self, *, live: bool = False) -> None:
        """Where residual limbs end, from every frame, by what is lost.

        Args:
            live: from the last frames, and held where it is until it has moved for certain.
        """
        told = [one for one in self.sightings if one.seen_ends is not None][-_RECENT if live else 0 :]
        ends: list[TrackEnd | None] = []
        for limb, segment in zip(LIMBS, lost_segments(self.limb_levels), strict=True):
            found = None if segment is None else _fused(told, segment)
            ends.append(_held(found, self.ends[limb]) if live else found)
        self.ends = tuple(ends)

    def cut(self, cutter: LimbCutter, stature: float | None) -> None:
        """Lengths and surface by the ends and the shape; a surface that cannot be cut is left out, with the reason."""
        lengths = bone_lengths(cutter.body, self.betas, stature)
        nowhere = np.full(3, np.nan)
        self.surface, self.limb_ends = None, tuple(
            None
            if one is None
            else LimbEnd(
                one.segment, one.fraction, one.sd, one.method,
                (1 - one.fraction) * float(lengths[SEGMENTS.index(one.segment)]),
                float(lengths[SEGMENTS.index(one.segment)]), stature is not None, nowhere, nowhere, "", "",
            )
            for one in self.ends
        )  # fmt: skip
        wanted = {one.segment: one.fraction for one in self.ends if one is not None}
        if not wanted:
            return
        try:
            self.surface = rest_surface(cutter, self.betas, self.limb_levels, wanted)
        except UserError as error:
            self.limb_ends = flagged(self.limb_ends, {}, f"not_cut: {error}")
        else:
            told = {end.segment: end.flags for end in self.surface.cut.ends}
            self.limb_ends = flagged(self.limb_ends, told)

    def ends_in(self, joints: Float[np.ndarray, "joints=24 3"]) -> tuple[LimbEnd | None, ...]:
        """The ends where a frame has them, on the bones as they were regressed.

        Args:
            joints: of the frame, camera frame, m.
        """
        found: list[LimbEnd | None] = []
        for one in self.limb_ends:
            if one is not None:
                anchor, upstream = joints[one.segment.anchor], joints[one.segment.upstream]
                one = replace(one, anchor=anchor, end=anchor + one.fraction * (upstream - anchor))
            found.append(one)
        return tuple(found)

    def fill_gaps(self, max_gap: int) -> list[Sighting]:
        """Sightings between those at most ``max_gap`` frames apart: boxes and keypoints on straight lines."""
        filled = []
        for a, b in zip(self.sightings, self.sightings[1:], strict=False):
            for frame in range(a.frame + 1, b.frame) if b.frame - a.frame <= max_gap + 1 else ():
                t = np.float32((frame - a.frame) / (b.frame - a.frame))
                keypoints = (1 - t) * a.keypoints + t * b.keypoints
                keypoints[:, 2] = np.minimum(a.keypoints[:, 2], b.keypoints[:, 2])
                box = (1 - t) * a.box + t * b.box
                filled.append(
                    Sighting(
                        frame, box, min(a.score, b.score), keypoints, None, a.amputee, a.pose_rotmat,
                        a.betas, a.crop_camera, (1 - t) * a.centre + t * b.centre,
                        float((1 - t) * a.side + t * b.side), filled=True,
                    )
                )  # fmt: skip
        self.sightings = sorted([*self.sightings, *filled], key=lambda one: one.frame)
        return filled


def _held(now: TrackEnd | None, before: TrackEnd | None) -> TrackEnd | None:
    """What is known now, where it was before unless it has moved by more than it may be wrong."""
    if now is None or before is None or before.segment != now.segment:
        return now
    least = min(max(_HELD[0], now.sd), _HELD[1])
    return replace(now, fraction=before.fraction) if abs(now.fraction - before.fraction) < least else now


def _fused(told: list[Sighting], segment: Segment) -> TrackEnd | None:
    """One bone's end from the frames that know more of it than a class; where some were fitted, from those."""
    k = SEGMENTS.index(segment)
    seen = [(one, one.seen_ends) for one in told if one.seen_ends is not None and one.seen_ends.known[k]]
    fitted = [(one, ends) for one, ends in seen if ends.ends.fitted[0, k]]
    counted = fitted or seen
    if not counted:
        return None
    fraction, sd = fuse_fractions(
        np.array([ends.ends.fraction[0, k] for _, ends in counted]),
        np.array([ends.ends.sd[0, k] for _, ends in counted]),
        np.array([max(one.score, 0.0) for one, _ in counted]),
    )
    method: Method = counted[0][1].method if fitted else "head"
    return TrackEnd(segment, fraction, sd, method, len(counted))
