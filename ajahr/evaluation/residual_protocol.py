"""What a number on residual limbs means."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ajahr.anatomy import COCO17
from ajahr.errors import UserError
from ajahr.residual_limb.segments import SEGMENTS

LabelsFrom = Literal["truth", "predicted"]
SegmentFrom = Literal["annotated", "predicted"]
BOX_SCALE = 1.2


@dataclass(frozen=True)
class ResidualProtocol:
    """What a number on residual limbs means. Equal hashes may be compared."""

    name: str = "residual"
    body_points: tuple[str, ...] = COCO17.names
    """"Intact"; with the ends, "Body"."""
    end_points: tuple[str, ...] = tuple(s.name for s in SEGMENTS)
    """"Res-Limb"."""
    average: Literal["micro"] = "micro"
    """All labelled points of all people are one pool."""
    labels: LabelsFrom = "truth"
    """Whose limb levels remove parts and choose the tokenizer; unknown true ones are the model's."""
    segment: SegmentFrom = "annotated"
    """Whose word is taken for the bone that an annotated end lies in. ``predicted``: where the model says that the limb
    ends elsewhere, all of that bone is left, or nothing."""
    silhouette: Literal["filled triangles"] = "filled triangles"
    box_scale: float = BOX_SCALE
    aligned_by: Literal["pelvis"] = "pelvis"
    """Ends in 3D."""

    def variant(self, **changes: Any) -> ResidualProtocol:
        """With other labels or segments.

        Raises:
            UserError: a value that there is not.
        """
        for name, kind in (("labels", LabelsFrom), ("segment", SegmentFrom)):
            if name in changes and changes[name] not in get_args(kind):
                raise UserError(f"{name} is {changes[name]!r}; give {' or '.join(get_args(kind))}")
        return dataclasses.replace(self, **changes)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of everything above."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def describe(self) -> str:
        """One line for a report."""
        whose = "the true" if self.labels == "truth" else "the model's"
        return (
            f"17 + 8 points, micro-averaged, px of the original picture; {whose} limb levels; the bone of an end as "
            f"{self.segment}; ends in 3D from the pelvis; boxes x {self.box_scale:g}"
        )
