"""Lying on a floor, a bed or grass: on the back, the front, a side. Limbs lie on the ground or rise from
it."""

from __future__ import annotations

from ajahr.poses.draft import HEAD, PELVIS, Archetype, Draft


def _supine(d: Draft) -> None:
    d.body(pitch=-90, flexion=d.n(1, 2), lateral=d.n(0, 5), turn=d.n(0, 3), neck_flexion=d.n(6, 5),
           neck_turn=d.n(0, 22), neck_lateral=d.n(0, 5))  # fmt: skip


def _prone(d: Draft) -> None:
    side = d.choice((0, 1))
    d.body(side, pitch=90, flexion=d.n(-2, 2), lateral=d.n(0, 5), turn=d.n(0, 2), neck_flexion=d.n(-10, 4),
           neck_turn=d.n(58, 8), neck_lateral=d.n(0, 4))  # fmt: skip


def _straight_leg(d: Draft, side: int) -> None:
    """Flat on the back: the foot falls outwards."""
    knee = abs(d.n(0, 4)) + 2
    d.leg(side, flexion=0.55 * knee + 2.5, abduction=d.n(2, 4), rotation=d.n(22, 8), knee=knee,
          dorsiflexion=d.n(-24, 6))  # fmt: skip


def _bent_leg(d: Draft, side: int) -> None:
    """On the back, knee up, foot on the ground."""
    knee = d.n(100, 12)
    d.leg(side, flexion=0.56 * knee, abduction=d.n(4, 4), rotation=d.n(3, 5), knee=knee,
          dorsiflexion=d.n(-30, 4))  # fmt: skip


def _beside(d: Draft, side: int, out: float = 16.0) -> None:
    """Arm on the ground beside a body on its back: elevation in the coronal plane, a little behind it."""
    d.hand(side)
    d.arm(side, elevation=d.n(out, 4), plane=d.n(-12, 5), rotation=d.n(0, 14), elbow=abs(d.n(6, 6)) + 3,
          pronation=d.n(20, 22), shrug=d.n(1, 3))  # fmt: skip


def supine(d: Draft) -> None:
    _supine(d)
    for side in d.both():
        _straight_leg(d, side)
        _beside(d, side)


def starfish(d: Draft) -> None:
    _supine(d)
    for side in d.both():
        _straight_leg(d, side)
        d.leg(side, abduction=d.n(18, 5))
        _beside(d, side, d.u(55, 105))
        d.arm(side, plane=d.n(-4, 2), rotation=d.n(-10, 12))


def _hand_on_belly(d: Draft, side: int, height: float) -> None:
    d.hand(side)
    d.reach(side, PELVIS, (d.n(0.09, 0.01), d.n(height, 0.01), 0.20), (1, -0.2, -0.45), 0.006)
    d.point(side, (-1, -0.1, 0), (0, 0, -1))


def hands_on_belly(d: Draft) -> None:
    _supine(d)
    for side in d.both():
        _straight_leg(d, side)
        _hand_on_belly(d, side, 0.17 if side == d.near else 0.10)


def hand_on_chest(d: Draft) -> None:
    supine(d)
    d.hand(d.near)
    d.reach(d.near, PELVIS, (d.n(0.07, 0.02), d.n(0.24, 0.04), 0.205), (1, -0.3, -0.45), 0.008)
    d.point(d.near, (-1, 0.2, 0), (0, 0, -1))


def hands_behind_head(d: Draft) -> None:
    _supine(d)
    d.body(neck_flexion=d.n(16, 4), neck_turn=d.n(0, 6))
    for side in d.both():
        _straight_leg(d, side)
        d.hand(side)
        d.reach(side, HEAD, (0.15, 0.05, -0.07), (1, 0.3, -0.1), 0.005)
        d.point(side, (-1, 0.15, -0.28), (-0.2, 0, 1))


def knees_up(d: Draft) -> None:
    supine(d)
    for side in d.both():
        _bent_leg(d, side)


def knee_up(d: Draft) -> None:
    supine(d)
    _bent_leg(d, d.stance)
    if d.chance(0.4):
        _hand_on_belly(d, d.near, 0.14)


def arm_up_supine(d: Draft) -> None:
    """One arm on the ground above the head."""
    supine(d)
    d.hand(d.near)
    d.arm(d.near, elevation=d.n(142, 10), plane=d.n(0, 4), rotation=d.n(-88, 8), elbow=d.n(45, 15),
          pronation=d.n(0, 15))  # fmt: skip


def phone_supine(d: Draft) -> None:
    """A phone held above the face."""
    supine(d)
    d.hand(d.near, 45)
    d.reach(d.near, HEAD, (d.n(0.03, 0.02), d.n(-0.08, 0.03), d.n(0.36, 0.03)), (1, -0.8, -0.2), 0.01)
    d.point(d.near, (-0.2, 0.45, 0.85), (-0.2, 0.4, -1))
    d.body(neck_turn=d.n(0, 5))
    _bent_leg(d, d.stance) if d.chance(0.5) else None


def prone_arms_beside(d: Draft) -> None:
    _prone(d)
    for side in d.both():
        _prone_leg(d, side)
        d.hand(side)
        d.arm(side, elevation=d.n(20, 4), plane=d.n(12, 4), rotation=d.n(35, 12), elbow=abs(d.n(6, 6)) + 4,
              pronation=d.n(35, 15))  # fmt: skip


def _prone_leg(d: Draft, side: int) -> None:
    d.leg(side, flexion=d.n(5.5, 1.2), abduction=d.n(4, 5), rotation=d.n(8, 8), knee=abs(d.n(0, 3)) + 2,
          dorsiflexion=d.n(-48, 5))  # fmt: skip


def prone_arms_up(d: Draft) -> None:
    """Hands on the ground beside the head, as in sleep."""
    _prone(d)
    for side in d.both():
        _prone_leg(d, side)
        d.hand(side)
        d.arm(side, elevation=d.n(104, 8), plane=d.n(8, 3), rotation=d.n(-86, 5), elbow=d.n(88, 14),
              pronation=d.n(25, 12))  # fmt: skip


def prone_head_on_hands(d: Draft) -> None:
    """Forehead or cheek on the folded hands."""
    _prone(d)
    d.body(neck_flexion=d.n(-22, 4), flexion=d.n(-9, 2))
    for side in d.both():
        _prone_leg(d, side)
        d.hand(side)
        d.reach(side, HEAD, (d.n(0.12, 0.01), d.n(-0.02, 0.02), 0.12), (1, 0.3, 0.25), 0.008)
        d.point(side, (-1, 0.2, 0.1), (0, 0, 1))


def prone_on_elbows(d: Draft) -> None:
    """Reading, chest off the ground."""
    _prone(d)
    d.body(pitch=d.n(82, 1.5), flexion=d.n(-27, 1), neck_flexion=d.n(-32, 6), neck_turn=d.n(0, 12),
           lateral=0, turn=0)  # fmt: skip
    for side in d.both():
        _prone_leg(d, side)
        d.leg(side, flexion=d.n(-2, 1.5))
        if d.chance(0.3):
            d.leg(side, knee=d.u(50, 105))
        d.hand(side)
        d.arm_swing(side, d.n(69, 3), d.n(10, 4), rotation=d.n(18, 7), elbow=d.n(90, 4))
        d.point(side, (-0.15, 0.8, 0.55), (0, -0.5, 0.85))


def prone_leg_drawn_up(d: Draft) -> None:
    """Half on the front, one knee drawn up to the side."""
    prone_arms_up(d)
    d.leg(d.stance, flexion=d.n(31, 5), abduction=d.n(48, 3), rotation=d.n(46, 4), knee=d.n(70, 10),
          dorsiflexion=d.n(-30, 6))  # fmt: skip
    d.body(d.stance, spin=0)


def _side_lying(d: Draft, toward: int) -> None:
    """On the side ``toward``."""
    d.body(toward, pitch=-90, flexion=d.n(14, 6), lateral=d.n(-3, 2), turn=d.n(0, 4),
           neck_flexion=d.n(10, 6), neck_lateral=d.n(14, 4), neck_turn=d.n(0, 6))  # fmt: skip
    d.trunk[7] = d.n(90, 3.5) * (1 if toward == 0 else -1)


def fetal(d: Draft) -> None:
    """On the side, hips and knees bent, hands before the chest."""
    down = d.stance
    _side_lying(d, down)
    for side in d.both():
        low = side == down
        d.leg(side, flexion=d.n(72 if low else 60, 9), abduction=d.n(-4 if low else -10, 1.5),
              rotation=d.n(-4, 4), knee=d.n(92, 14), dorsiflexion=d.n(-15, 8))  # fmt: skip
        d.hand(side)
        d.arm_swing(side, d.n(78 if low else 58, 7), d.n(-2 if low else 2, 3),
                    rotation=d.n(40 if low else 34, 7), elbow=d.n(88, 14), pronation=d.n(0, 15),
                    protraction=d.n(12, 3))  # fmt: skip


def side_straight(d: Draft) -> None:
    """On the side, legs nearly straight, head on the lower arm."""
    down = d.stance
    _side_lying(d, down)
    d.body(flexion=d.n(4, 3))
    for side in d.both():
        bend = abs(d.n(12, 8))
        d.leg(side, flexion=bend, abduction=d.n(-2 if side == down else -7, 1), rotation=d.n(0, 4),
              knee=1.6 * bend + 3, dorsiflexion=d.n(-20, 6))  # fmt: skip
    d.hand(down)
    d.arm_swing(down, d.n(150, 6), d.n(-2, 4), rotation=d.n(20, 8), elbow=d.n(35, 14), pronation=d.n(0, 15))
    d.hand(1 - down)
    d.choice((_arm_along_top, _arm_before))(d, 1 - down)


def _arm_along_top(d: Draft, side: int) -> None:
    """The upper arm of somebody on the side, along the flank, hand on the thigh."""
    d.arm_swing(
        side, d.n(2, 5), d.n(9, 2), rotation=d.n(8, 8), elbow=abs(d.n(10, 8)) + 4, pronation=d.n(15, 12)
    )


def _arm_before(d: Draft, side: int) -> None:
    d.arm_swing(side, d.n(60, 8), d.n(0, 4), rotation=d.n(28, 8), elbow=d.n(70, 15), pronation=d.n(20, 15))


def propped_on_elbow(d: Draft) -> None:
    """On the side, head in the hand of the arm that props it."""
    down = d.near
    _side_lying(d, down)
    d.body(down, pitch=-90, lateral=d.n(-24, 2), flexion=d.n(6, 3), neck_lateral=d.n(-4, 4), turn=d.n(-4, 3))
    for side in d.both():
        bend = d.n(24, 9) if side == down else d.n(34, 10)
        d.leg(side, flexion=bend, abduction=d.n(-2 if side == down else -7, 1), rotation=d.n(0, 4),
              knee=1.7 * bend, dorsiflexion=d.n(-18, 6))  # fmt: skip
    d.to_ear(down)
    d.hand(1 - down)
    d.choice((_arm_along_top, _arm_before))(d, 1 - down)


LYING: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "lying", make, weight, 0, hands, lies=True)
    for make, weight, hands in (
        (supine, 2.5, 0),
        (starfish, 1.0, 0),
        (hands_on_belly, 1.2, 0),
        (hand_on_chest, 1.0, 0),
        (hands_behind_head, 1.0, 0),
        (knees_up, 1.2, 0),
        (knee_up, 1.2, 0),
        (arm_up_supine, 1.0, 0),
        (phone_supine, 0.8, 1),
        (prone_arms_beside, 1.0, 0),
        (prone_arms_up, 1.2, 0),
        (prone_head_on_hands, 0.9, 0),
        (prone_on_elbows, 1.0, 0),
        (prone_leg_drawn_up, 0.8, 0),
        (fetal, 1.5, 0),
        (side_straight, 1.2, 0),
        (propped_on_elbow, 0.7, 1),
    )
)
