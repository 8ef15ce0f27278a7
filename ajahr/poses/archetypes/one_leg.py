"""Standing on one leg, with crutches, a rail or nothing; the other leg hangs, whether it is whole or not."""

from __future__ import annotations

from ajahr.poses.draft import PELVIS, Archetype, Draft


def _crutch(d: Draft, side: int, flexion: float) -> None:
    """Forearm crutch: the fist at hip height beside and in front of the body."""
    d.hand(side, 75)
    d.reach(side, PELVIS, (d.n(0.29, 0.02), d.n(0.03, 0.02), 0.10 + flexion), (0.25, -0.3, -1), 0.015,
            shrug=d.n(7, 3))  # fmt: skip
    d.point(side, (0, -1, 0.35), (-1, 0, 0))


def crutch_stance(d: Draft) -> None:
    d.posture(4)
    d.stand_on(d.stance, -3)
    d.dangle_residual(d.swing)
    d.body(pitch=d.n(4, 2))
    step = d.n(0.03, 0.03)
    for side in d.both():
        _crutch(d, side, step)


def _free_hand(d: Draft) -> None:
    """What the hand does that holds nothing to stand by."""
    actions = (
        d.hang,
        d.hang,
        d.gesture,
        d.hand_on_hip,
        d.hand_in_pocket,
        d.read_phone,
        d.to_ear,
        d.wave,
        d.raise_hand,
    )
    d.choice(actions)(d.far)


def single_crutch(d: Draft) -> None:
    d.posture(2)
    d.stand_on(d.stance, -3)
    d.dangle_residual(d.swing)
    d.body(d.near, lean=d.n(3, 1))
    _crutch(d, d.near, d.n(0.03, 0.02))
    _free_hand(d)


def crutch_walking(d: Draft) -> None:
    """Swing-through gait: both crutches ahead or behind, the leg the other way."""
    d.posture(6)
    t = d.u(-1, 1)
    hip = 18 * t
    d.leg(d.stance, flexion=hip + 4, abduction=-2, rotation=d.n(6, 4), knee=d.n(10, 3) + 8 * abs(t),
          dorsiflexion=d.n(2, 4))  # fmt: skip
    d.dangle_residual(d.swing)
    d.leg(d.swing, flexion=d.n(14, 7) + 6 * t)
    d.body(pitch=d.n(8, 3) - 4 * t)
    for side in d.both():
        _crutch(d, side, 0.06 - 0.10 * t)


def one_leg_support(d: Draft) -> None:
    """On one leg, the near hand on a rail, a table or a wall."""
    d.posture()
    d.stand_on(d.stance, -3)
    d.dangle_residual(d.swing)
    d.body(d.near, lean=d.n(3, 1.5))
    d.hold_rail(d.near, (d.n(0.36, 0.03), d.u(0.05, 0.4), d.n(0.24, 0.05)))
    _free_hand(d)


def one_leg_balance(d: Draft) -> None:
    """On one leg without support, arms out."""
    d.posture()
    d.stand_on(d.stance, -3)
    d.leg(d.stance, flexion=d.n(10, 3), knee=d.n(16, 4), dorsiflexion=d.n(7, 2))
    d.dangle_residual(d.swing)
    d.body(d.stance, lateral=d.n(2, 3), lean=d.n(4, 1), pitch=d.n(3, 1))
    for side in d.both():
        d.hand(side)
        d.arm_swing(
            side, d.n(15, 12), d.n(38, 14), elbow=d.n(30, 14), rotation=d.n(5, 12), pronation=d.n(30, 15)
        )


def leaning_on_one_leg(d: Draft) -> None:
    """Back against a wall, both hands free."""
    d.posture()
    d.stand_on(d.stance)
    d.leg(d.stance, flexion=d.n(6, 2), dorsiflexion=-8)
    d.dangle_residual(d.swing)
    d.body(pitch=d.n(-9, 3))
    for side in d.both():
        d.choice((d.hang, d.hand_in_pocket, d.gesture))(side)


def hopping(d: Draft) -> None:
    d.posture(4)
    bend = d.u(12, 45)
    d.leg(d.stance, flexion=0.7 * bend, abduction=-3, rotation=d.n(5, 4), knee=bend,
          dorsiflexion=d.n(-8, 12), toes=8)  # fmt: skip
    d.dangle_residual(d.swing)
    d.leg(d.swing, flexion=d.n(28, 10))
    d.body(pitch=d.n(8, 3))
    for side in d.both():
        d.hand(side, 30)
        d.arm_swing(side, d.n(18, 18), d.n(24, 8), elbow=d.n(60, 16), rotation=d.n(5, 12))


ONE_LEG: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "everyday", make, weight, 1, hands, one_legged=True)
    for make, weight, hands in (
        (crutch_stance, 2.5, 2),
        (single_crutch, 1.5, 1),
        (crutch_walking, 2.0, 2),
        (one_leg_support, 2.5, 1),
        (one_leg_balance, 1.2, 0),
        (leaning_on_one_leg, 1.5, 0),
        (hopping, 0.8, 0),
    )
)
