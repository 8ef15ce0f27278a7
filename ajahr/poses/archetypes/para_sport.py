"""Para-sport: football on crutches, jumps from one leg, throws from a frame, chairs for racing and games."""

from __future__ import annotations

import math

from ajahr.poses.archetypes.seated import push_rim, sit_in_chair
from ajahr.poses.draft import HEAD, PELVIS, Archetype, Draft


def crutch_football(d: Draft) -> None:
    """Amputee football: between the crutches, the only leg kicks."""
    d.posture(6)
    t = d.u(0, 1)
    d.leg(d.stance, flexion=-14 + 78 * t + d.n(0, 4), abduction=d.n(0, 2), rotation=d.n(8, 4),
          knee=max(72 - 62 * t + d.n(0, 6), 4), dorsiflexion=d.n(-20, 7))  # fmt: skip
    d.dangle_residual(d.swing)
    d.leg(d.swing, flexion=d.n(18, 6) - 14 * t, knee=d.n(52, 10))
    d.body(pitch=d.n(14 - 20 * t, 3))
    for side in d.both():
        d.hand(side, 80)
        d.reach(side, PELVIS, (d.n(0.31, 0.02), d.n(0.05, 0.02), d.n(0.14, 0.05) - 0.12 * t),
                (0.3, -0.3, -1), 0.012, shrug=d.n(9, 3))  # fmt: skip
        d.point(side, (0, -1, 0.35), (-1, 0, 0))
    d.look(16)


def one_leg_jump(d: Draft) -> None:
    """High and long jump from one leg."""
    d.posture(-4)
    bend = d.u(5, 60)
    d.leg(d.stance, flexion=0.7 * bend, abduction=-2, rotation=d.n(5, 4), knee=bend, dorsiflexion=d.n(-28, 8))
    d.dangle_residual(d.swing)
    d.leg(d.swing, flexion=d.n(45, 14), knee=d.n(62, 12))
    for side in d.both():
        d.hand(side)
        d.arm_swing(side, d.u(30, 135), d.n(30, 12), elbow=d.n(35, 15), rotation=d.n(10, 12))
    d.body(pitch=d.n(4, 6))


def seated_throw(d: Draft) -> None:
    """Shot, discus or javelin from a throwing frame."""
    sit_in_chair(d, 0)
    t = d.u(0, 1)
    d.body(d.near, turn=d.n(28 - 46 * t, 5), pitch=d.n(-10 + 14 * t, 3), lateral=d.n(-7, 3))
    for side in d.both():
        d.sit_leg(side, d.n(86, 6), d.n(8, 3))
    d.hand(d.near, 40)
    d.arm(d.near, elevation=d.n(92 + 30 * t, 6), plane=d.n(-10 + 78 * t, 6), rotation=d.n(-70 + 55 * t, 8),
          elbow=d.n(98 - 75 * t, 8), pronation=d.n(10, 12))  # fmt: skip
    d.hand(d.far, 60)
    d.arm_swing(d.far, d.n(48, 10), d.n(34, 8), elbow=d.n(40, 12), rotation=d.n(15, 10))
    d.look(-10, 0)


def chair_racing(d: Draft) -> None:
    """Racing chair: kneeling low over the wheels, hands driving the rims down."""
    t = d.u(0, 1)
    d.posture(38)
    d.body(pitch=d.n(36 + 8 * t, 3), neck_flexion=d.n(-34, 5), turn=0, lateral=0, lean=0)
    for side in d.both():
        d.leg(side, flexion=d.n(122, 2), abduction=d.n(2, 2), rotation=d.n(0, 3), knee=d.n(124, 4),
              dorsiflexion=d.n(-35, 6))  # fmt: skip
        d.hand(side, 75)
        angle = math.radians(-25 + 120 * t)
        target = (d.n(0.33, 0.01), -0.02 + 0.26 * math.cos(angle), 0.22 + 0.26 * math.sin(angle))
        d.reach(side, PELVIS, target, (1, 0.1, -0.9), 0.008)
        d.point(side, (-0.2, -1, 0.2), (-1, 0, 0))


def chair_basketball(d: Draft) -> None:
    sit_in_chair(d, -2)
    d.shoot_ball()


def chair_tennis(d: Draft) -> None:
    sit_in_chair(d, 6)
    t = d.u(0, 1)
    d.body(d.near, turn=d.n(28 - 46 * t, 5))
    d.hand(d.near, 75)
    d.arm(d.near, elevation=d.n(62 + 20 * t, 7), plane=d.n(-20 + 115 * t, 7), rotation=d.n(-28 + 38 * t, 10),
          elbow=d.n(34 + 36 * t, 12), wrist=d.n(-25, 8))  # fmt: skip
    push_rim(d, d.far, d.n(6, 8))


def chair_sprint(d: Draft) -> None:
    """A hard push in a sports chair, trunk folded forwards."""
    t = d.u(0, 1)
    sit_in_chair(d, 18, 14 + 16 * t)
    angle = -12 + 66 * t
    for side in d.both():
        push_rim(d, side, angle + d.n(0, 3))
    d.look(-18)


def sitting_volleyball(d: Draft) -> None:
    """On the floor, hands up to the ball."""
    d.posture(2)
    pitch = d.n(-6, 5)
    d.body(pitch=pitch, lean=0.0)
    for side in d.both():
        knee = d.u(5, 70)
        d.leg(side, flexion=88 + pitch + 0.5 * knee, abduction=d.n(12, 5), rotation=d.n(10, 5), knee=knee,
              dorsiflexion=d.n(-12, 7))  # fmt: skip
        d.hand(side, 5)
        d.reach(side, HEAD, (d.n(0.13, 0.02), d.n(0.17, 0.04), d.n(0.24, 0.03)), (0.8, -0.7, 0.5), 0.012)
        d.point(side, (-0.2, 1, 0.2), (-0.2, 0.2, 1))
    d.look(-20)


PARA_SPORT: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "sport", make, weight, 0, hands)
    for make, weight, hands in (
        (seated_throw, 0.8, 1),
        (chair_racing, 0.8, 2),
        (chair_basketball, 0.8, 2),
        (chair_tennis, 0.7, 1),
        (chair_sprint, 0.8, 2),
        (sitting_volleyball, 0.8, 0),
    )
) + tuple(
    Archetype(make.__name__, "sport", make, weight, 1, hands, one_legged=True)
    for make, weight, hands in ((crutch_football, 2.5, 2), (one_leg_jump, 2.0, 0))
)
