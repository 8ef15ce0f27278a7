"""Everything that decides what a person looks like, as values: painting depends on nothing else.

Lengths along a limb are shares: 0 at the shoulder or hip, 1 at the wrist or ankle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synth.appearance.groups import Group, Sex

Rgb = tuple[int | float, int | float, int | float]

NECKLINES = ("crew", "v", "scoop", "collar", "turtleneck", "tank")
PATTERNS = ("plain", "stripes", "pinstripes", "check", "dots", "heather", "denim", "camouflage", "floral")
FOOTWEAR = ("sneakers", "shoes", "boots", "sandals", "barefoot")


@dataclass(frozen=True)
class Fabric:
    """Colour, pattern and stiffness of a cloth."""

    pattern: str
    colour: Rgb
    second: Rgb
    period_m: float
    """Stripe, check or dot spacing."""
    wrinkles: float
    """Depth of the folds' shading, 0..1."""
    seed: int


@dataclass(frozen=True)
class Top:
    fabric: Fabric
    sleeve: float
    """0 is sleeveless, 1 reaches the wrist."""
    neckline: str
    hem: float
    """y of the hem as a share of the way from the waist (0) to the crotch (1); larger hangs lower."""
    tucked: bool
    open_front: Fabric | None
    """The shirt under a jacket that is worn open; None when the top is closed."""
    buttons: bool
    print_: str
    """``none``, ``block``, ``text``, ``number`` or ``band`` on the chest."""
    print_colour: Rgb


@dataclass(frozen=True)
class Bottom:
    fabric: Fabric
    length: float
    """0.25 is shorts, 1 reaches the ankle."""
    belt: Rgb | None
    side_stripe: Rgb | None


@dataclass(frozen=True)
class Feet:
    kind: str
    colour: Rgb
    sole: Rgb
    sock: Rgb
    sock_height_m: float
    """Above the ankle; 0 shows no sock."""


@dataclass(frozen=True)
class Hair:
    style: str
    """``bald``, ``buzz``, ``short``, ``medium``, ``long``, ``tied``, ``headscarf`` or ``beanie``."""
    colour: Rgb
    curl: float
    """0 straight, 1 tight curls."""
    recession: float
    """How far the temples have drawn back, 0..1."""
    parting: float
    """x of the parting as a share of half the head's width; 0 has none."""
    beard: str
    """``none``, ``stubble``, ``moustache``, ``goatee`` or ``full``."""
    cloth: Fabric
    """Of a headscarf or beanie."""


@dataclass(frozen=True)
class Look:
    """A person's appearance, complete."""

    sex: Sex
    group: Group
    age: float
    monk: float
    eye_colour: str
    hair_colour: str
    lipstick: float
    brow: float
    freckles: float
    nails: Rgb | None
    hair: Hair
    top: Top | None
    bottom: Bottom
    feet: Feet
    seed: int

    def summary(self) -> dict[str, Any]:
        """What a dataset records about a texture, as plain JSON values."""
        top = self.top
        return {
            "sex": str(self.sex),
            "group": str(self.group),
            "monk": round(self.monk, 2),
            "age": round(self.age),
            "sleeve_length": None if top is None else round(top.sleeve, 3),
            "neckline": None if top is None else top.neckline,
            "top": None if top is None else top.fabric.pattern,
            "trouser_length": round(self.bottom.length, 3),
            "trousers": self.bottom.fabric.pattern,
            "shoes": self.feet.kind,
            "hair": self.hair.style,
            "hair_colour": self.hair_colour,
            "beard": self.hair.beard,
            "eye_colour": self.eye_colour,
        }
