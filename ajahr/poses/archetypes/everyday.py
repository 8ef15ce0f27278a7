"""What people do on their feet all day: standing, walking, handling things; and standing on one leg with
support."""

from __future__ import annotations

import math

import numpy as np

from ajahr.poses.draft import HEAD, PELVIS, Archetype, Draft

# one stride of level walking, from heel strike, by tenths of the cycle (Perry and Burnfield, Gait Analysis)
_CYCLE = np.linspace(0, 1, 11)
_HIP = np.array([28, 25, 16, 6, -4, -10, -3, 14, 27, 31, 28])
_KNEE = np.array([4, 16, 15, 8, 4, 9, 36, 60, 46, 15, 4])
_ANKLE = np.array([0, -4, 3, 7, 10, 6, -16, -7, 1, 2, 0])  # dorsiflexion


def _stride(draft: Draft, effort: float) -> tuple[float, float]:
    """Sets both legs at a random moment of walking; returns the arms' flexion, left and right."""
    phase = draft.u(0, 1)
    swing = [0.0, 0.0]
    for side in (0, 1):
        t = (phase + 0.5 * side) % 1.0
        hip = float(np.interp(t, _CYCLE, _HIP)) * effort
        knee = max(float(np.interp(t, _CYCLE, _KNEE)) * (0.4 + 0.6 * effort), 1.0)
        ankle = float(np.interp(t, _CYCLE, _ANKLE)) * effort
        draft.leg(side, flexion=hip + draft.n(0, 2), abduction=draft.n(-2.5, 1.2), rotation=draft.n(6, 4),
                  knee=knee + abs(draft.n(0, 2)), dorsiflexion=ankle, inversion=draft.n(0, 2),
                  toes=max(0.0, -ankle) * 0.9)  # fmt: skip
        swing[side] = -22 * effort * math.cos(2 * math.pi * t) + 4
    twist = 5 * effort * math.cos(2 * math.pi * phase)
    draft.body(turn=draft.n(twist, 2), pitch=draft.n(3, 2))
    return swing[0], swing[1]


def _walk_arm(draft: Draft, side: int, flexion: float) -> None:
    draft.hang(side)
    bend = max(22 + 0.5 * flexion + draft.n(0, 7), 5)
    draft.arm_swing(side, flexion + draft.n(0, 4), draft.n(12, 2), rotation=draft.n(8, 8), elbow=bend)


def standing_relaxed(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hang(d.near)
    d.hang(d.far, d.n(12, 2))


def standing_wide(d: Draft) -> None:
    d.posture()
    d.stand(d.u(7, 14))
    for side in d.both():
        d.hang(side, d.u(12, 26))


def hands_clasped_front(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 5))
    height = d.n(-0.02, 0.03)
    for side in d.both():
        d.clasp_in_front(side, PELVIS, height, 0.235)


def hands_behind_back(d: Draft) -> None:
    d.posture(-2)
    d.stand(d.u(0, 7))
    height = d.n(0.08, 0.03)
    for side in d.both():
        d.behind_back(side, height)


def arms_crossed(d: Draft) -> None:
    d.posture()
    d.stand(d.u(0, 7))
    height = d.n(-0.05, 0.02)
    for side, lift, front in ((d.near, 0.04, 0.265), (d.far, -0.04, 0.22)):
        d.cross(side, height + lift, front)


def hand_on_hip(d: Draft) -> None:
    d.posture()
    d.stand(d.u(0, 6))
    d.hand_on_hip(d.near)
    d.hang(d.far)
    if d.chance(0.3):
        d.gesture(d.far)


def hands_on_hips(d: Draft) -> None:
    d.posture(-2)
    d.stand(d.u(2, 9))
    for side in d.both():
        d.hand_on_hip(side)


def hands_in_pockets(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hand_in_pocket(d.near)
    d.hang(d.far)
    if d.chance(0.6):
        d.hand_in_pocket(d.far)


def waving(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hang(d.far)
    d.wave(d.near)
    d.look(-2, 8, toward=d.near)


def raising_hand(d: Draft) -> None:
    d.posture(-2)
    d.stand(d.u(0, 6))
    d.hang(d.far)
    d.raise_hand(d.near)


def reading_phone(d: Draft) -> None:
    d.posture(3)
    d.stand(d.u(-1, 5))
    d.hang(d.far)
    d.read_phone(d.near)
    d.look(30)


def reading_phone_both(d: Draft) -> None:
    d.posture(3)
    d.stand(d.u(-1, 5))
    for side in d.both():
        d.read_phone(side, 0.1)
    d.look(30)


def phoning(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.to_ear(d.near)
    d.look(6, 0, 6, d.near)
    d.hang(d.far)
    if d.chance(0.35):
        d.gesture(d.far)


def photographing(d: Draft) -> None:
    d.posture()
    d.stand(d.u(0, 6))
    for side in d.both():
        d.hand(side, 45)
        d.reach(side, HEAD, (0.10, -0.07, 0.21), (0.8, -1, 0), 0.008)
        d.point(side, (-0.35, 0.8, 0.35), (-0.8, 0, -0.5))
    d.look(2)


def selfie(d: Draft) -> None:
    d.posture()
    d.stand(d.u(0, 6))
    d.hang(d.far)
    d.forward(d.near, d.n(92, 10), d.n(18, 8))
    d.arm(d.near, pronation=d.n(0, 15), fingers=d.n(45, 6))
    d.look(-3, 8, toward=d.near)


def reaching_forward(d: Draft) -> None:
    d.posture(6)
    d.stand(d.u(0, 6))
    d.hang(d.far)
    d.forward(d.near, d.u(50, 105))
    d.body(d.far, turn=d.n(9, 5))
    d.look(8)


def reaching_up(d: Draft) -> None:
    d.posture(-6)
    d.stand(d.u(-1, 5))
    d.hang(d.far)
    d.raise_hand(d.near)
    d.look(-22)
    for side in d.both():
        d.stand_on(side)
        d.leg(side, dorsiflexion=-16, toes=16)


def reaching_up_both(d: Draft) -> None:
    d.posture(-6)
    d.stand(d.u(-1, 5))
    lift = d.n(0, 12)
    for side in d.both():
        d.raise_hand(side)
        d.arm_swing(side, d.n(140, 5) + lift, d.n(12, 5))
    d.look(-20)


def pointing(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hang(d.far)
    d.forward(d.near, d.u(62, 112), d.u(5, 45))
    d.arm(d.near, fingers=d.n(12, 5))
    d.look(-2, 22, toward=d.near)


def carrying_bag(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 5))
    d.hang(d.far)
    d.hand(d.near, 70)
    d.arm_swing(
        d.near, d.n(2, 5), d.n(11, 1.5), elbow=abs(d.n(0, 5)) + 4, rotation=d.n(8, 8), shrug=d.n(-3, 2)
    )
    d.body(d.far, lateral=d.n(7, 3))


def carrying_box(d: Draft) -> None:
    d.posture(-4)
    d.stand(d.u(0, 6))
    width, height, front = d.u(0.13, 0.24), d.u(0.05, 0.28), d.u(0.28, 0.38)
    for side in d.both():
        d.hand(side, 10)
        d.reach(side, PELVIS, (width, height, front), (1, -0.8, -0.5), 0.008)
        d.point(side, (0, 0.1, 1), (-1, 0.4, 0))


def carrying_child_or_bag_on_arm(d: Draft) -> None:
    d.posture(-4)
    d.stand(d.u(0, 6))
    d.hang(d.far)
    d.hand(d.near)
    d.reach(d.near, PELVIS, (d.n(0.08, 0.02), d.n(0.17, 0.03), 0.27), (1, -0.7, -0.2), 0.015)
    d.point(d.near, (-0.9, 0.2, 0.2), (-0.2, 0.5, -0.8))
    d.body(d.far, lateral=d.n(5, 3))


def drinking(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hang(d.far)
    d.to_face(d.near)
    d.look(-4)


def thinking(d: Draft) -> None:
    """Hand at the chin, the other arm under the elbow."""
    d.posture(3)
    d.stand(d.u(0, 6))
    d.to_face(d.near)
    d.cross(d.far, -0.11, 0.24)
    d.look(10, 6, toward=d.near)


def hand_to_head(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    d.hang(d.far)
    d.on_head(d.near)
    d.look(6, 10, 4, d.near)


def talking(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 7))
    d.gesture(d.near)
    d.hang(d.far)
    if d.chance(0.5):
        d.gesture(d.far)


def looking_round(d: Draft) -> None:
    d.posture()
    d.stand(d.u(-1, 6))
    for side in d.both():
        d.hang(side)
    d.body(d.near, turn=d.n(20, 6))
    d.look(2, 42, toward=d.near)


def walking(d: Draft) -> None:
    d.posture()
    for side, flexion in enumerate(_stride(d, d.u(0.6, 1.15))):
        _walk_arm(d, side, flexion)


def walking_busy(d: Draft) -> None:
    """Walking while the near hand does something."""
    d.posture()
    flexion = _stride(d, d.u(0.6, 1.0))
    _walk_arm(d, d.far, flexion[d.far])
    d.choice((d.read_phone, d.to_ear, d.hand_in_pocket, d.to_face, d.gesture))(d.near)


def climbing_step(d: Draft) -> None:
    d.posture(4)
    lift = d.n(58, 12)
    d.stand_on(d.stance)
    d.leg(d.swing, flexion=lift, abduction=d.n(0, 3), rotation=d.n(5, 4), knee=lift * d.n(1.15, 0.1),
          dorsiflexion=d.n(8, 4))  # fmt: skip
    _walk_arm(d, d.stance, d.n(18, 8))
    _walk_arm(d, d.swing, d.n(-12, 8))
    d.body(pitch=d.n(8, 3))


def picking_up(d: Draft) -> None:
    """Bending to something low, knees bent."""
    d.posture(30)
    depth = d.u(25, 60)
    pitch = d.n(38, 8)
    for side in d.both():
        d.leg(side, flexion=pitch + 0.55 * depth, abduction=d.n(4, 3), rotation=d.n(8, 4),
              knee=depth + d.n(0, 6), dorsiflexion=0.42 * depth)  # fmt: skip
    d.body(pitch=pitch)
    d.hand(d.near)
    d.arm_swing(d.near, d.n(78, 10), d.n(6, 5), elbow=abs(d.n(12, 10)) + 4, rotation=d.n(12, 10),
                pronation=d.n(30, 15))  # fmt: skip
    d.hand(d.far)
    d.arm_swing(d.far, d.n(48, 14), d.n(16, 5), elbow=d.n(30, 12), rotation=d.n(12, 10))
    d.look(10)


def crouching(d: Draft) -> None:
    """A deep squat, arms in front."""
    d.posture(24)
    pitch = d.n(22, 5)
    for side in d.both():
        knee = d.n(128, 6)
        flexion = d.n(112, 4)
        d.leg(side, flexion=flexion, abduction=d.n(17, 5), rotation=d.n(12, 5), knee=knee,
              dorsiflexion=min(pitch - flexion + knee, 32))  # fmt: skip
        d.hand(side)
        d.arm_swing(
            side, d.n(66, 8), d.n(2, 5), elbow=d.n(42, 15), rotation=d.n(30, 12), pronation=d.n(25, 15)
        )
    d.body(pitch=pitch)
    d.look(-8)


def kneeling_one_knee(d: Draft) -> None:
    d.posture()
    d.leg(d.stance, flexion=d.n(88, 5), abduction=d.n(5, 4), rotation=d.n(4, 4), knee=d.n(88, 6))
    d.leg(d.swing, flexion=d.n(-4, 3), abduction=d.n(0, 3), knee=d.n(86, 5), dorsiflexion=d.u(-35, 20),
          toes=d.u(5, 50))  # fmt: skip
    d.body(pitch=d.n(4, 3))
    d.on_thigh(d.near) if d.near == d.stance else d.hang(d.near)
    d.hang(d.far)


def leaning_on_wall(d: Draft) -> None:
    """Back or shoulder against a wall, the free leg relaxed."""
    d.posture()
    lean = d.n(-9, 3)
    d.stand_on(d.stance)
    d.leg(d.stance, flexion=d.n(6, 2), dorsiflexion=-8)
    flexion = d.n(26, 10)
    d.leg(d.swing, flexion=flexion, abduction=d.n(2, 2), knee=d.n(62, 14), dorsiflexion=d.n(4, 5),
          rotation=d.n(6, 5))  # fmt: skip
    d.body(pitch=lean)
    d.choice((d.hang, d.hand_in_pocket))(d.near)
    d.choice((d.hang, d.behind_back))(d.far)


def perched(d: Draft) -> None:
    """Half sitting on a high edge, hands beside the hips."""
    d.posture(6)
    for side in d.both():
        flexion = d.n(48, 7)
        knee = d.n(42, 9)
        d.leg(
            side, flexion=flexion, abduction=d.n(5, 4), rotation=d.n(6, 5), knee=knee, dorsiflexion=d.n(0, 5)
        )
        d.hold_rail(side, (d.n(0.25, 0.015), d.n(0.0, 0.02), d.n(-0.02, 0.02)))
    d.body(pitch=d.n(4, 2))


def sitting_on_ground(d: Draft) -> None:
    """Legs out in front, knees somewhat bent, leaning on the hands or upright."""
    d.posture(14)
    pitch = d.n(-12, 5)
    d.body(pitch=pitch)
    for side in d.both():
        knee = d.u(2, 75)
        d.leg(side, flexion=90 + pitch + 0.5 * knee, abduction=d.n(8, 5), rotation=d.n(12, 6), knee=knee,
              dorsiflexion=d.n(-18, 8))  # fmt: skip
        d.on_thigh(side, 0.24)


EVERYDAY: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "everyday", make, weight, legs, hands)
    for make, weight, legs, hands in (
        (standing_relaxed, 3.0, 2, 0),
        (standing_wide, 1.0, 2, 0),
        (hands_clasped_front, 1.0, 2, 2),
        (hands_behind_back, 1.0, 2, 2),
        (arms_crossed, 1.2, 2, 2),
        (hand_on_hip, 1.4, 2, 1),
        (hands_on_hips, 1.0, 2, 2),
        (hands_in_pockets, 1.4, 2, 1),
        (waving, 1.2, 2, 1),
        (raising_hand, 0.6, 2, 1),
        (reading_phone, 1.4, 2, 1),
        (reading_phone_both, 0.8, 2, 2),
        (phoning, 1.0, 2, 1),
        (photographing, 0.7, 2, 2),
        (selfie, 0.7, 2, 1),
        (reaching_forward, 1.0, 2, 1),
        (reaching_up, 0.8, 2, 1),
        (reaching_up_both, 0.6, 2, 0),
        (pointing, 0.9, 2, 1),
        (carrying_bag, 1.2, 2, 1),
        (carrying_box, 1.0, 2, 2),
        (carrying_child_or_bag_on_arm, 0.8, 2, 1),
        (drinking, 0.8, 2, 1),
        (thinking, 0.6, 2, 2),
        (hand_to_head, 0.7, 2, 1),
        (talking, 1.5, 2, 1),
        (looking_round, 0.8, 2, 0),
        (walking, 4.0, 2, 0),
        (walking_busy, 2.0, 2, 1),
        (climbing_step, 0.8, 2, 0),
        (picking_up, 0.7, 2, 1),
        (crouching, 0.6, 2, 0),
        (kneeling_one_knee, 0.6, 2, 0),
        (leaning_on_wall, 0.8, 2, 0),
        (perched, 0.7, 1, 0),
        (sitting_on_ground, 0.7, 0, 0),
    )
)
