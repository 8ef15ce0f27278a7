"""Sitting: on a chair, a sofa, a bench or the floor, and in a wheelchair.

The pelvis is upright or tips a little; thighs are level on a seat, shins hang or feet stand on the floor.
"""

from __future__ import annotations

import math

from ajahr.poses.draft import PELVIS, Archetype, Draft


def _sit(d: Draft, slump: float = 8.0, pitch: float = 0.0, knee: float | None = None) -> None:
    """Posture and legs of somebody on a chair; arms come after, as hands may lie on the thighs."""
    d.posture(slump)
    d.body(pitch=d.n(pitch - 3, 3), lean=0.0)
    bend = d.n(84, 9) if knee is None else d.n(knee, 6)
    apart = d.n(6, 4)
    for side in d.both():
        d.sit_leg(side, bend + d.n(0, 5), apart + d.n(0, 2.5))
    if d.chance(0.35):
        d.sit_leg(d.swing, d.u(55, 110))


def hands_on_thighs(d: Draft) -> None:
    _sit(d)
    for side in d.both():
        d.on_thigh(side, d.n(0.25, 0.03))


def hands_in_lap(d: Draft) -> None:
    _sit(d, 12)
    for side in d.both():
        d.clasp_in_front(side, PELVIS, d.n(0.075, 0.008), 0.25)
    d.look(12)


def elbows_on_knees(d: Draft) -> None:
    _sit(d, 26, 30)
    for side in d.both():
        d.sit_leg(side, d.n(88, 7), d.n(14, 4))
        d.on_knee_elbow(side)
    d.look(d.u(-20, 12))


def arms_crossed(d: Draft) -> None:
    _sit(d, 6, -6)
    height = d.n(-0.06, 0.015)
    for side, lift, front in ((d.near, 0.04, 0.265), (d.far, -0.04, 0.22)):
        d.cross(side, height + lift, front)


def at_desk(d: Draft) -> None:
    """Typing, or forearms on a table."""
    _sit(d, 12, 4)
    height = d.n(0.16, 0.03)
    for side in d.both():
        d.hand(side)
        d.reach(side, PELVIS, (d.n(0.13, 0.03), height, d.n(0.38, 0.03)), (1, -1, -0.5), 0.01)
        d.point(side, (-0.15, 0, 1), (0, -1, 0))
    d.look(12)


def eating(d: Draft) -> None:
    _sit(d, 14, 6)
    d.to_face(d.near)
    d.hand(d.far)
    d.reach(d.far, PELVIS, (d.n(0.13, 0.03), d.n(0.17, 0.02), d.n(0.34, 0.03)), (1, -1, -0.5), 0.01)
    d.point(d.far, (-0.4, 0, 1), (0, -1, 0))
    d.look(12)


def reading_phone(d: Draft) -> None:
    _sit(d, 14)
    d.read_phone(d.near)
    d.on_thigh(d.far)
    d.look(28)


def phoning(d: Draft) -> None:
    _sit(d)
    d.to_ear(d.near)
    d.on_thigh(d.far)


def ankle_on_knee(d: Draft) -> None:
    """Figure four: the swing leg's ankle on the stance leg's thigh."""
    _sit(d, 14, -8)
    d.sit_leg(d.stance, d.n(86, 5), d.n(4, 3))
    d.body(pitch=d.n(-14, 2))
    d.sit_leg(d.stance, d.n(86, 5), d.n(2, 3))
    d.leg(d.swing, flexion=d.n(109, 2), abduction=d.n(32, 2), rotation=d.n(57, 1), knee=d.n(100, 3), tibia=0,
          dorsiflexion=d.n(0, 5), inversion=d.n(8, 4))  # fmt: skip
    d.on_thigh(d.swing, d.n(0.26, 0.02))
    d.hang(d.stance, 14)
    if d.chance(0.6):
        d.gesture(d.stance)


def knee_over_knee(d: Draft) -> None:
    """Legs crossed, thigh over thigh."""
    _sit(d, 10, -5)
    d.sit_leg(d.stance, d.n(82, 5), d.n(-6, 1.5))
    d.leg(d.swing, flexion=d.n(110, 2), abduction=d.n(-15, 1.5), rotation=d.n(4, 4), knee=d.n(96, 5),
          dorsiflexion=d.n(-22, 7))  # fmt: skip
    d.on_thigh(d.swing, d.n(0.22, 0.02))
    d.choice((d.to_face, d.gesture))(d.stance)


def lounging(d: Draft) -> None:
    """Leaning back, legs stretched out, an arm on the armrest or the backrest."""
    _sit(d, 14, -24, 52)
    d.body(pitch=d.n(-27, 4), neck_flexion=d.n(18, 5))
    for side in d.both():
        flexion = d.n(62, 4)
        d.leg(side, flexion=flexion, abduction=d.n(8, 4), rotation=d.n(10, 5), knee=d.n(34, 10),
              dorsiflexion=d.n(-14, 6))  # fmt: skip
    d.on_thigh(d.near, 0.2)
    d.hand(d.far)
    d.arm_swing(d.far, d.n(-2, 8), d.n(48, 14), rotation=d.n(8, 10), elbow=d.n(45, 16), pronation=d.n(20, 15))


def arm_over_backrest(d: Draft) -> None:
    _sit(d, 6, -6)
    d.body(d.near, turn=d.n(14, 5))
    d.hand(d.near)
    d.arm_swing(
        d.near, d.n(-8, 5), d.n(72, 7), rotation=d.n(52, 10), elbow=d.n(52, 14), pronation=d.n(10, 15)
    )
    d.on_thigh(d.far)


def chin_on_hand(d: Draft) -> None:
    """The elbow on a table or the knee."""
    _sit(d, 22, 10)
    d.to_face(d.near)
    d.on_other_knee(d.far) if d.chance(0.3) else d.on_thigh(d.far)
    d.look(6, 8, toward=d.near)


def talking(d: Draft) -> None:
    _sit(d)
    d.gesture(d.near)
    d.on_thigh(d.far)
    if d.chance(0.4):
        d.gesture(d.far)


def raising_hand(d: Draft) -> None:
    _sit(d, 2)
    d.raise_hand(d.near)
    d.on_thigh(d.far)


def waving(d: Draft) -> None:
    _sit(d, 4)
    d.wave(d.near)
    d.on_thigh(d.far)


def hands_on_seat(d: Draft) -> None:
    """Hands on the edge of the seat beside the hips."""
    _sit(d, 6, 4)
    for side in d.both():
        d.hold_rail(side, (d.n(0.255, 0.012), d.n(0.0, 0.012), d.n(0.05, 0.02)), 0.01)
        d.arm(side, shrug=d.n(8, 3))


def on_armrests(d: Draft) -> None:
    _sit(d, 8, -8)
    for side in d.both():
        d.hand(side)
        d.reach(side, PELVIS, (d.n(0.28, 0.015), d.n(0.14, 0.015), d.n(0.25, 0.03)), (1, -0.8, -1), 0.01)
        d.point(side, (-0.05, -0.1, 1), (0, -1, 0))


def cross_legged(d: Draft) -> None:
    """On the floor, tailor fashion."""
    d.posture(16)
    d.body(pitch=d.n(-6, 3), lean=0.0)
    for side, knee, flexion in ((d.stance, 134, 104), (d.swing, 104, 108)):  # the inner and the outer leg
        d.leg(side, flexion=d.n(flexion, 3), abduction=d.n(38, 3), rotation=d.n(54, 2), knee=d.n(knee, 4),
              dorsiflexion=d.n(-16, 5), inversion=d.n(14, 4))  # fmt: skip
    for side in d.both():
        d.on_thigh(side, d.n(0.27, 0.03))


def long_sitting(d: Draft) -> None:
    """On the floor or a bed, legs out, leaning back on the hands."""
    d.posture(2)
    pitch = d.n(-26, 4)
    d.body(pitch=pitch, lean=0.0, neck_flexion=d.n(14, 6))
    for side in d.both():
        knee = d.choice((d.u(2, 18), d.u(30, 80)))
        d.leg(side, flexion=88 + pitch + 0.52 * knee, abduction=d.n(6, 4), rotation=d.n(10, 6), knee=knee,
              dorsiflexion=d.n(-18, 7))  # fmt: skip
        d.hand(side)
        d.arm_swing(side, d.n(-30, 5), d.n(18, 5), rotation=d.n(-12, 8), elbow=abs(d.n(0, 6)) + 3)
        d.point(side, (0.3, -0.35, -0.9), (0, -0.9, 0.45))


def knees_hugged(d: Draft) -> None:
    """On the floor, arms round the shins."""
    d.posture(52)
    pitch = d.n(-27, 2)
    d.body(pitch=pitch, lean=0.0)
    knee = d.n(108, 3)
    flexion = 89 + 0.53 * knee + pitch
    for side in d.both():
        d.leg(side, flexion=flexion, abduction=d.n(-1, 1), knee=knee, rotation=d.n(2, 2),
              dorsiflexion=d.n(-20, 5))  # fmt: skip
        d.hug_shin(side)
    d.look(8)


# ------------------------------------------------------------------------------------------- wheelchair

_AXLE = (-0.17, -0.02)  # of the wheels: height and depth from the pelvis, metres
_RIM = 0.29  # radius at which the hand holds


def push_rim(d: Draft, side: int, angle: float) -> None:
    """Hand on the push rim; ``angle`` in degrees from the top of the wheel, forwards. Knuckles face
    outwards."""
    d.hand(side, 65)
    a = math.radians(angle)
    # the wrist lies above the hand that holds the rim
    radius = _RIM + 0.05
    target = (d.n(0.285, 0.008), _AXLE[0] + radius * math.cos(a), _AXLE[1] + radius * math.sin(a))
    d.reach(side, PELVIS, target, (0.9, -0.1, -1.0), 0.006)
    d.point(side, (-0.05, -1.0, 0.25 + 0.4 * math.sin(a)), (-1, 0, 0))


def sit_in_chair(d: Draft, slump: float = 10.0, pitch: float = 0.0) -> None:
    """Posture and legs in a wheelchair: thighs level or rising a little, feet on the rests in front."""
    d.posture(slump)
    d.body(pitch=d.n(pitch - 5, 3), lean=0.0)
    bend = d.n(78, 7)
    lift = d.n(2, 3)
    apart = d.n(3, 2.5)
    for side in d.both():
        d.sit_leg(side, bend + d.n(0, 2), apart + d.n(0, 1.5))
        d.legs[side][0] += lift


def pushing(d: Draft) -> None:
    """Any moment of the push: hands from behind the top of the wheel to well in front of it."""
    t = d.u(0, 1)
    sit_in_chair(d, 12 + 8 * t, 2 + 10 * t)
    angle = -22 + 68 * t
    for side in d.both():
        push_rim(d, side, angle + d.n(0, 3))


def turning(d: Draft) -> None:
    """One hand forwards, the other back."""
    sit_in_chair(d, 12, 4)
    push_rim(d, d.near, d.n(32, 8))
    push_rim(d, d.far, d.n(-14, 6))
    d.look(4, 22, toward=d.far)


def hands_on_rims(d: Draft) -> None:
    sit_in_chair(d)
    angle = d.n(4, 9)
    for side in d.both():
        push_rim(d, side, angle + d.n(0, 2))


def one_hand_on_rim(d: Draft) -> None:
    sit_in_chair(d)
    push_rim(d, d.near, d.n(6, 9))
    d.choice((d.on_thigh, d.gesture, d.wave))(d.far)


def resting_hands_on_thighs(d: Draft) -> None:
    sit_in_chair(d)
    for side in d.both():
        d.on_thigh(side, d.n(0.23, 0.03))


def resting_hands_in_lap(d: Draft) -> None:
    sit_in_chair(d, 12)
    for side in d.both():
        d.clasp_in_front(side, PELVIS, d.n(0.08, 0.008), 0.25)


def resting_on_armrests(d: Draft) -> None:
    sit_in_chair(d, 8)
    for side in d.both():
        d.hand(side)
        d.reach(side, PELVIS, (d.n(0.275, 0.01), d.n(0.13, 0.015), d.n(0.22, 0.03)), (1, -0.8, -1), 0.01)
        d.point(side, (-0.05, -0.15, 1), (0, -1, 0))


def reaching_out(d: Draft) -> None:
    sit_in_chair(d, 14, 8)
    d.forward(d.near, d.u(55, 110), d.u(5, 35))
    push_rim(d, d.far, d.n(8, 6))


def reading_phone_in_chair(d: Draft) -> None:
    sit_in_chair(d, 14)
    d.read_phone(d.near)
    d.on_thigh(d.far, 0.23)
    d.look(26)


def drinking(d: Draft) -> None:
    sit_in_chair(d)
    d.to_face(d.near)
    d.on_thigh(d.far, 0.23)


def leaning_forward(d: Draft) -> None:
    """Forearms on the thighs."""
    sit_in_chair(d, 24, 30)
    for side in d.both():
        d.sit_leg(side, d.n(80, 5), d.n(11, 3))
        d.on_knee_elbow(side)
    d.look(d.u(-20, 8))


def celebrating(d: Draft) -> None:
    sit_in_chair(d, -2)
    for side in d.both():
        d.raise_hand(side)
        d.arm_swing(side, d.n(140, 10), d.n(14, 6), elbow=d.n(25, 12))
    d.look(-12)


SEATED: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "seated", make, weight, legs, hands)
    for make, weight, legs, hands in (
        (hands_on_thighs, 2.0, 0, 0),
        (hands_in_lap, 1.5, 0, 0),
        (elbows_on_knees, 1.2, 0, 0),
        (arms_crossed, 1.0, 0, 2),
        (at_desk, 1.6, 0, 0),
        (eating, 1.0, 0, 1),
        (reading_phone, 1.4, 0, 1),
        (phoning, 0.7, 0, 1),
        (ankle_on_knee, 0.8, 2, 0),
        (knee_over_knee, 1.0, 2, 0),
        (lounging, 1.2, 0, 0),
        (arm_over_backrest, 0.7, 0, 0),
        (chin_on_hand, 0.8, 0, 1),
        (talking, 1.4, 0, 1),
        (raising_hand, 0.6, 0, 1),
        (waving, 0.6, 0, 1),
        (hands_on_seat, 0.8, 0, 2),
        (on_armrests, 1.0, 0, 0),
        (cross_legged, 0.9, 2, 0),
        (long_sitting, 0.9, 0, 0),
        (knees_hugged, 0.5, 2, 2),
    )
)

WHEELCHAIR: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "wheelchair", make, weight, 0, hands)
    for make, weight, hands in (
        (pushing, 5.0, 2),
        (turning, 1.0, 2),
        (hands_on_rims, 2.5, 2),
        (one_hand_on_rim, 1.5, 1),
        (resting_hands_on_thighs, 1.5, 0),
        (resting_hands_in_lap, 1.2, 0),
        (resting_on_armrests, 1.2, 0),
        (reaching_out, 0.8, 1),
        (reading_phone_in_chair, 1.0, 1),
        (drinking, 0.7, 1),
        (leaning_forward, 0.7, 0),
        (celebrating, 0.5, 0),
    )
)
