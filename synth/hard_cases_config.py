"""The keys of a generation job that say which hard cases are in it, and how many."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass
class HardCasesConfig:
    """What makes a picture hard to read, besides the amputation. Shares are of people.

    Of the first three cases a person has at most one, likewise of wheelchair and crutches. None of it depends on
    what somebody has lost: amputees and intact people alike are occluded, sit in wheelchairs and walk with
    crutches, so that none of this tells the one from the other.

    Attributes:
        occluded_object: An object stands before one limb.
        occluded_person: Somebody else stands before one limb; pictures are allowed one more person for it.
        border: One limb is outside the picture.
        wheelchair: Sits in a wheelchair.
        crutches: Walks with crutches; people without a hand or without a leg to stand on do not.
        prosthesis: Share of residual limbs on which a prosthesis is worn (none is worn at shoulder and hip).
        objects: Where objects come from: ``procedural`` ones need no file; ``packaged`` ones are cut from
            photographs that scikit-image carries; ``coco`` ones by the masks of an annotation file.
        annotations: COCO's ``instances_*.json``, for ``coco``.
        images: Folder of its photographs.
        coco_limit: Cut no more objects than this from them.
    """

    occluded_object: float = 0.1
    occluded_person: float = 0.05
    border: float = 0.05
    wheelchair: float = 0.05
    crutches: float = 0.05
    prosthesis: float = 0.2
    objects: list[Literal["procedural", "packaged", "coco"]] = field(
        default_factory=lambda: ["procedural", "packaged"]
    )
    annotations: Path | None = None
    images: Path | None = None
    coco_limit: int = 500

    @classmethod
    def none(cls) -> HardCasesConfig:
        """No hard cases but the intact twins."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def problems(self) -> list[tuple[bool, str]]:
        """Pairs of whether a key is wrong and what to say about it."""
        shares = ("occluded_object", "occluded_person", "border", "wheelchair", "crutches", "prosthesis")
        coco = "coco" in self.objects
        return [
            *((not 0 <= getattr(self, key) <= 1, f"hard_cases.{key} is a share, 0..1") for key in shares),
            (self.occluded_object + self.occluded_person + self.border > 1,
             "hard_cases.occluded_object, occluded_person and border are shares of the same people, "
             "together at most 1"),
            (self.wheelchair + self.crutches > 1,
             "hard_cases.wheelchair and crutches are shares of the same people, together at most 1"),
            (self.occluded_object > 0 and not self.objects,
             "hard_cases.objects is empty; name procedural, packaged or coco, or set occluded_object to 0"),
            (coco and (self.annotations is None or self.images is None),
             "hard_cases.objects names coco, which needs hard_cases.annotations and hard_cases.images"),
            (self.coco_limit < 1, "hard_cases.coco_limit must be at least 1"),
        ]  # fmt: skip
