"""The sheet an archetype fills in: random draws, clinical angles, and the vocabulary of arms and legs.

An archetype is a function of a `Draft`. It speaks of a *near* and a *far* arm and of a *stance* and a *swing*
leg; which side that is, chance and missing limbs decide. Lengths are metres on the embedded body, angles
degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ajahr.anatomy import JOINT, Level, Limb
from ajahr.poses.articulation import Arm, Leg, Trunk

T = TypeVar("T")
Vector = tuple[float, float, float]

PELVIS, THORAX, HEAD = JOINT["pelvis"], JOINT["spine3"], JOINT["head"]
_HIP, _KNEE = (JOINT["left_hip"], JOINT["right_hip"]), (JOINT["left_knee"], JOINT["right_knee"])

_ARM_FIELDS = {field.name.lower(): int(field) for field in Arm}
_LEG_FIELDS = {field.name.lower(): int(field) for field in Leg}
_TRUNK_FIELDS = {field.name.lower(): int(field) for field in Trunk}
_SIDED = {int(Trunk.LATERAL), int(Trunk.TURN), int(Trunk.NECK_LATERAL), int(Trunk.NECK_TURN), int(Trunk.LEAN)}


@dataclass(frozen=True)
class Archetype:
    """A kind of pose.

    ``legs`` and ``hands`` say what it cannot do without: 2 both, 1 the stance leg or the near hand, 0 none. A
    leg or hand that is missing at any level is missing.
    """

    name: str
    family: str
    make: Callable[[Draft], None]
    weight: float = 1.0
    legs: int = 0
    hands: int = 0
    one_legged: bool = False
    """Made for somebody who stands on one leg; people with two legs do it rarely."""
    lies: bool = False
    """Lies on the floor: nothing may reach below it."""


class Draft:
    """Clinical angles of one pose in the making.

    Args:
        rng: every random number comes from here, in blocks.
        near, stance: side (0 left, 1 right) of the near arm and of the stance leg.
        levels: limb levels in `Limb` order: hands do not rest on a thigh that is not there.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        near: int = 0,
        stance: int = 0,
        levels: tuple[int, ...] = (0, 0, 0, 0),
    ) -> None:
        self.leg_levels = levels[Limb.LEFT_LEG], levels[Limb.RIGHT_LEG]
        self._rng = rng
        self._normal: list[float] = []
        self._uniform: list[float] = []
        self.near, self.far = near, 1 - near
        self.stance, self.swing = stance, 1 - stance
        self.clear()

    def clear(self) -> None:
        """Back to the T-pose with hanging arms."""
        self.trunk = [0.0] * len(Trunk)
        self.arms = [[0.0] * len(Arm) for _ in range(2)]
        self.legs = [[0.0] * len(Leg) for _ in range(2)]
        for arm in self.arms:
            arm[Arm.ANCHOR] = -1.0

    # ------------------------------------------------------------------------------------------- chance

    def n(self, mean: float, sd: float) -> float:
        """Normal, cut at 2.2 standard deviations: a joint does not stray without bound."""
        while True:
            if not self._normal:
                self._normal = self._rng.standard_normal(96).tolist()
            z = self._normal.pop()
            if -2.2 < z < 2.2:
                return mean + sd * z

    def u(self, low: float, high: float) -> float:
        if not self._uniform:
            self._uniform = self._rng.random(48).tolist()
        return low + (high - low) * self._uniform.pop()

    def chance(self, probability: float) -> bool:
        return self.u(0, 1) < probability

    def choice(self, options: Sequence[T]) -> T:
        return options[min(int(self.u(0, len(options))), len(options) - 1)]

    # -------------------------------------------------------------------------------------------- setting

    def body(self, toward: int = 0, **angles: float) -> None:
        """Sets trunk angles. Sideways ones (lateral, turn, lean ...) point to side ``toward``."""
        for name, value in angles.items():
            k = _TRUNK_FIELDS[name]
            self.trunk[k] = -value if toward == 1 and k in _SIDED else value

    def arm(self, side: int, **angles: float) -> None:
        fields = self.arms[side]
        for name, value in angles.items():
            fields[_ARM_FIELDS[name]] = value

    def arm_swing(self, side: int, flexion: float, abduction: float, **angles: float) -> None:
        """Upper arm by flexion (forwards) and abduction instead of elevation and plane."""
        f, a = math.radians(flexion), math.radians(abduction)
        x, y, z = math.sin(a), -math.cos(a) * math.cos(f), math.cos(a) * math.sin(f)
        elevation = math.degrees(math.acos(max(min(-y, 1.0), -1.0)))
        self.arm(side, elevation=elevation, plane=math.degrees(math.atan2(z, x)), **angles)

    def reach(
        self,
        side: int,
        anchor: int,
        target: Vector,
        pole: Vector,
        spread: float = 0.02,
        **angles: float,
    ) -> None:
        """Puts the wrist at ``target`` (metres, from joint ``anchor``, x away from the middle), give or take
        ``spread``, with the elbow towards ``pole``. Hanging by angles elsewhere is cancelled."""
        x, y, z = target
        px, py, pz = pole
        self.arm(side, anchor=anchor, x=self.n(x, spread), y=self.n(y, spread), z=self.n(z, spread),
                 pole_x=self.n(px, 0.12), pole_y=self.n(py, 0.12), pole_z=self.n(pz, 0.12),
                 **angles)  # fmt: skip

    def leg(self, side: int, **angles: float) -> None:
        fields = self.legs[side]
        for name, value in angles.items():
            fields[_LEG_FIELDS[name]] = value

    def both(self) -> tuple[int, int]:
        return (0, 1)

    # ---------------------------------------------------------------------------------- the whole person

    def posture(self, slump: float = 0.0) -> None:
        """Everybody holds themselves a little differently; ``slump`` in degrees of spine."""
        self.body(flexion=self.n(4 + slump, 4), lateral=self.n(0, 2.5), turn=self.n(0, 4),
                  neck_flexion=self.n(6, 7), neck_lateral=self.n(0, 4), neck_turn=self.n(0, 14),
                  pitch=self.n(1, 2), lean=self.n(0, 1.2))  # fmt: skip

    def look(self, down: float, turn: float = 0.0, tilt: float = 0.0, toward: int = 0) -> None:
        self.body(
            toward, neck_flexion=self.n(down, 6), neck_turn=self.n(turn, 9), neck_lateral=self.n(tilt, 4)
        )

    # ------------------------------------------------------------------------------------------ arm words

    def hand(self, side: int, grip: float = 18.0) -> None:
        """A relaxed hand, or one that holds something."""
        self.arm(side, wrist=self.n(-4, 8), ulnar=self.n(4, 5), fingers=self.n(grip, 6), fingers_x=0.0,
                 fingers_y=0.0, fingers_z=0.0)  # fmt: skip

    def point(self, side: int, fingers: Vector, palm: Vector) -> None:
        """Turns the hand, as far as the wrist goes, so that fingers point and the palm faces there; the frame
        is that of the wrist's target, or the thorax's. Pronation, wrist and ulnar become what a person
        deviates from it."""
        self.arm(side, fingers_x=fingers[0], fingers_y=fingers[1], fingers_z=fingers[2], palm_x=palm[0],
                 palm_y=palm[1], palm_z=palm[2], pronation=self.n(0, 7), wrist=self.n(0, 6),
                 ulnar=self.n(0, 4))  # fmt: skip

    def hang(self, side: int, out: float = 11.0) -> None:
        self.hand(side)
        bend = abs(self.n(0, 12)) + 6
        self.arm_swing(side, self.n(2, 7), self.n(out, 2.5), rotation=self.n(8, 12), elbow=bend,
                       pronation=self.n(15, 15), shrug=self.n(1, 2.5), protraction=self.n(2, 4))  # fmt: skip

    def hand_on_hip(self, side: int) -> None:
        self.hand(side, 22)
        target = (0.215, self.n(0.115, 0.015), self.n(-0.045, 0.015))
        self.reach(side, PELVIS, target, (1, -0.1, -0.6), 0.008, shrug=self.n(4, 3))
        self.point(side, (-0.12, -0.45, 0.85), (-1, 0, -0.1))

    def hand_in_pocket(self, side: int) -> None:
        self.hand(side, 12)
        self.reach(side, PELVIS, (0.23, -0.03, 0.055), (0.75, -0.2, -1), 0.012)
        self.point(side, (-0.12, -1, 0.15), (-1, 0, -0.2))

    def behind_back(self, side: int, height: float = 0.08) -> None:
        self.hand(side, 30)
        self.reach(side, PELVIS, (self.n(0.07, 0.006), height, -0.15), (1, -0.2, -0.5), 0.005)
        self.point(side, (-1, -0.35, -0.1), (0, -0.2, -1))

    def gesture(self, side: int) -> None:
        """Talking with the hand, in front of the body."""
        self.hand(side)
        self.arm_swing(side, self.n(22, 14), self.n(20, 7), rotation=self.n(18, 16), elbow=self.n(82, 20),
                       pronation=self.n(-10, 30), wrist=self.n(-8, 14), fingers=self.n(14, 8))  # fmt: skip

    def to_face(self, side: int) -> None:
        """Hand at the mouth or the chin."""
        self.hand(side, 45)
        self.reach(side, HEAD, (0.06, -0.105, 0.185), (0.7, -1, 0.1), 0.012)
        self.point(side, (-0.5, 0.8, -0.1), (-0.5, 0.1, -1))

    def to_ear(self, side: int) -> None:
        self.hand(side, 35)
        self.reach(side, HEAD, (0.128, -0.05, 0.09), (1, -0.8, 0.25), 0.008)
        self.point(side, (-0.02, 0.95, -0.45), (-1, 0, 0.1))

    def on_head(self, side: int) -> None:
        """Hand at the hair or the back of the head."""
        self.hand(side)
        self.reach(side, HEAD, (0.16, 0.075, self.n(-0.01, 0.03)), (1, 0.25, 0.3), 0.012)
        self.point(side, (-0.45, 0.85, -0.3), (-0.9, -0.4, 0))

    def read_phone(self, side: int, inward: float = 0.07) -> None:
        self.hand(side, 50)
        self.reach(
            side, THORAX, (self.n(inward, 0.02), self.n(0.0, 0.04), self.n(0.32, 0.03)), (0.8, -1, -0.2), 0.01
        )
        self.point(side, (-0.25, 0.65, 0.6), (-0.45, 0.55, -0.7))

    def wave(self, side: int) -> None:
        self.hand(side, 3)
        self.arm_swing(side, self.n(22, 12), self.n(68, 14), rotation=self.n(-78, 12), elbow=self.n(85, 18))
        self.point(side, (self.n(0.1, 0.3), 1, 0), (0, 0.2, 1))

    def raise_hand(self, side: int) -> None:
        """Up beside the head, nearly straight."""
        self.hand(side, 8)
        self.arm_swing(side, self.n(157, 8), self.n(9, 6), rotation=self.n(40, 12),
                       elbow=abs(self.n(10, 12)) + 3, pronation=self.n(10, 25),
                       wrist=self.n(-5, 10))  # fmt: skip

    def forward(self, side: int, height: float, out: float = 12.0) -> None:
        """Reaching out in front; ``height`` is the flexion of the shoulder."""
        self.hand(side)
        self.arm_swing(side, height, self.n(out, 8), rotation=self.n(10, 14), elbow=abs(self.n(12, 14)) + 4,
                       pronation=self.n(25, 25), wrist=self.n(-10, 10), protraction=self.n(8, 4))  # fmt: skip

    def on_thigh(self, side: int, along: float = 0.27) -> None:
        """Palm on the own thigh, ``along`` metres from the hip; beside the hip where no thigh is."""
        if self.leg_levels[side] >= Level.HIP:
            self.hold_rail(side, (self.n(0.26, 0.012), self.n(-0.03, 0.02), self.n(0.05, 0.02)))
            return
        self.hand(side)
        self.reach(side, _HIP[side], (self.n(0.015, 0.015), -along, 0.125), (0.8, -0.6, -0.5), 0.008)
        self.point(side, (-0.2, -1, -0.1), (0, 0, -1))

    def on_knee_elbow(self, side: int) -> None:
        """Forearm resting on the thigh of someone leaning forwards."""
        if self.leg_levels[side] >= Level.KNEE:
            self.on_thigh(side, 0.22)
            return
        self.hand(side, 22)
        self.reach(side, _KNEE[side], (self.n(-0.07, 0.02), self.n(-0.01, 0.02), self.n(0.15, 0.02)),
                   (1, -0.25, -0.3), 0.012, pronation=self.n(25, 20), wrist=self.n(15, 12))  # fmt: skip

    def on_other_knee(self, side: int, height: float = 0.13) -> None:
        if self.leg_levels[1 - side] >= Level.KNEE:
            self.on_thigh(side)
            return
        self.hand(side)
        self.reach(side, _KNEE[1 - side], (-0.02, 0.08, height), (0.8, -0.8, 0), 0.012)
        self.point(side, (-0.6, -0.7, -0.1), (0, 0, -1))

    def clasp_in_front(self, side: int, anchor: int, height: float, front: float) -> None:
        """The hand that meets the other one before the body."""
        self.hand(side, 35)
        self.reach(side, anchor, (0.075, height, front), (1, -0.4, -0.3), 0.005)
        self.point(side, (-0.8, -0.5, 0.15), (-0.3, -0.1, -1))

    def hug_shin(self, side: int) -> None:
        """The hand before the own shin, the arm round the knee."""
        self.hand(side, 30)
        self.reach(side, _KNEE[side], (-0.06, self.n(-0.09, 0.015), 0.10), (1, -0.2, 0), 0.006)
        self.point(side, (-0.95, -0.3, 0.1), (0, 0, -1))

    def cross(self, side: int, height: float, front: float) -> None:
        """One of two crossed arms: the hand at the other elbow."""
        self.hand(side)
        self.reach(side, THORAX, (-0.04, height, front), (1, -0.6, 0.2), 0.005)
        self.point(side, (-1, 0.1, -0.12), (-0.1, -0.1, -1))

    def shoot_ball(self) -> None:
        """Both hands at a ball above the forehead, the near one behind it."""
        lift = self.n(0.0, 0.04)
        for side, fingers, palm in (
            (self.near, (-0.1, 1, 0.1), (-0.4, 0.2, 1)),
            (self.far, (-0.1, 1, 0.3), (-1, 0, 0.2)),
        ):
            self.hand(side, 20)
            self.reach(
                side, HEAD, (self.n(0.12, 0.01), 0.17 + lift, self.n(0.22, 0.02)), (0.6, -0.6, 1), 0.008
            )
            self.point(side, fingers, palm)
        self.look(-14)

    def hold_rail(self, side: int, target: Vector, spread: float = 0.02) -> None:
        """Palm down on a rail, a table, the edge of a seat; target from the pelvis."""
        self.hand(side, 30)
        self.reach(side, PELVIS, target, (0.6, -0.6, -0.8), spread)
        self.point(side, (0.1, -0.25, 1), (0, -1, 0))

    # ------------------------------------------------------------------------------------------ leg words

    def stand_on(self, side: int, apart: float = 0.0) -> None:
        """A leg that carries; ``apart`` in degrees beyond the rest pose's narrow stance."""
        bend = abs(self.n(0, 3.5))
        flexion = self.n(1, 2.5) + bend
        self.leg(side, flexion=flexion, abduction=self.n(apart - 2.0, 1.5), rotation=self.n(7, 5),
                 knee=2 * bend, dorsiflexion=2 * bend - flexion + self.n(1, 1.5), inversion=self.n(0, 2),
                 tibia=self.n(0, 3))  # fmt: skip

    def relax_leg(self, side: int) -> None:
        """The unloaded leg of somebody standing at ease: knee forward, foot flat or on its ball."""
        flexion = self.n(14, 6)
        knee = flexion * self.n(1.7, 0.15)
        self.leg(side, flexion=flexion, abduction=self.n(3, 4), rotation=self.n(14, 8), knee=knee,
                 dorsiflexion=knee - flexion, inversion=self.n(0, 3))  # fmt: skip

    def stand(self, apart: float = 0.0) -> None:
        """Both legs: even, or weight on the stance leg."""
        width = self.n(apart, 1.5)
        for side in (0, 1):
            self.stand_on(side, width)
        if self.chance(0.45):
            self.relax_leg(self.swing)
            self.body(self.stance, lateral=self.n(3, 2), lean=self.n(1.5, 1))

    def sit_leg(self, side: int, knee: float | None = None, apart: float | None = None) -> None:
        """Thigh level on a seat, foot flat on the floor in front of it."""
        flexion = self.n(88, 4) + self.trunk[Trunk.PITCH]
        bend = self.n(84, 9) if knee is None else knee
        self.leg(side, flexion=flexion, abduction=self.n(6, 5) if apart is None else apart,
                 rotation=self.n(2, 5), knee=bend, dorsiflexion=max(min(bend - 88 + self.n(0, 4), 22), -30),
                 inversion=self.n(0, 2))  # fmt: skip

    def dangle_residual(self, side: int) -> None:
        """The leg that carries nothing, of somebody who stands on the other one: hip and knee a little
        bent."""
        flexion = self.n(16, 9)
        self.leg(side, flexion=flexion, abduction=self.n(1, 3), rotation=self.n(5, 5),
                 knee=self.n(42, 16) + flexion, dorsiflexion=self.n(-18, 8), toes=self.n(5, 5))  # fmt: skip
