"""Sport and exercise on two legs (or, in yoga, on one)."""

from __future__ import annotations

import math

import numpy as np

from ajahr.poses.draft import HEAD, PELVIS, THORAX, Archetype, Draft

# one stride of running from foot strike, by tenths (Novacheck 1998, Gait and Posture 7:77, rounded)
_CYCLE = np.linspace(0, 1, 11)
_HIP = np.array([36, 30, 14, 0, -8, -5, 12, 34, 50, 48, 36])
_KNEE = np.array([18, 40, 34, 20, 18, 55, 95, 105, 78, 32, 18])
_ANKLE = np.array([4, 18, 12, -12, -22, -12, -4, 2, 4, 4, 4])


def running(d: Draft) -> None:
    effort = d.u(0.75, 1.15)
    phase = d.u(0, 1)
    d.posture(4)
    d.body(pitch=d.n(9, 3) * effort, turn=d.n(12, 2) * effort * math.cos(2 * math.pi * phase))
    for side in d.both():
        t = (phase + 0.5 * side) % 1.0
        hip, knee, ankle = (float(np.interp(t, _CYCLE, table)) * effort for table in (_HIP, _KNEE, _ANKLE))
        d.leg(side, flexion=hip + d.n(6, 3), abduction=d.n(-2, 1.5), rotation=d.n(4, 4),
              knee=knee + d.n(2, 3), dorsiflexion=ankle, inversion=d.n(2, 3),
              toes=max(0.0, -ankle))  # fmt: skip
        d.hand(side, 35)
        swing = -36 * effort * math.cos(2 * math.pi * t)
        d.arm_swing(side, swing - 4 + d.n(0, 5), d.n(16, 4), rotation=d.n(18, 8),
                    elbow=d.n(88, 10) + 0.35 * swing, pronation=d.n(5, 12))  # fmt: skip
    d.look(0)


def sprint_start(d: Draft) -> None:
    """Just out of the blocks: a deep lean, one leg driving, the other pushing."""
    d.posture(8)
    d.body(pitch=d.n(42, 6), neck_flexion=d.n(-12, 6))
    d.leg(d.stance, flexion=d.n(6, 5), abduction=d.n(-2, 2), knee=d.n(18, 6), dorsiflexion=d.n(-12, 6),
          toes=d.n(25, 6))  # fmt: skip
    d.leg(d.swing, flexion=d.n(98, 6), abduction=d.n(0, 3), knee=d.n(98, 8), dorsiflexion=d.n(8, 5))
    for side, flexion in ((d.stance, 62), (d.swing, -50)):
        d.hand(side, 30)
        d.arm_swing(side, d.n(flexion, 6), d.n(20, 3), rotation=d.n(16, 8), elbow=d.n(92, 10))


def jumping(d: Draft) -> None:
    """In the air, stretched."""
    d.posture(-8)
    lift = d.u(0, 1)
    for side in d.both():
        bend = abs(d.n(10, 8))
        d.leg(side, flexion=d.n(2, 7), abduction=d.n(4, 6), rotation=d.n(6, 4), knee=bend + 3,
              dorsiflexion=d.n(-32, 7))  # fmt: skip
        d.raise_hand(side)
        d.arm_swing(side, d.n(60 + 90 * lift, 10), d.n(22, 10), elbow=d.n(22, 12), rotation=d.n(20, 12))
    d.look(-10)


def tuck_jump(d: Draft) -> None:
    d.posture(14)
    flexion = d.u(60, 100)
    for side in d.both():
        d.leg(side, flexion=flexion + d.n(0, 5), abduction=d.n(8, 4), knee=flexion + d.n(14, 8),
              dorsiflexion=d.n(-20, 8))  # fmt: skip
        d.hand(side)
        d.arm_swing(side, d.n(52, 16), d.n(34, 9), elbow=d.n(40, 15), rotation=d.n(0, 12))


def star_jump(d: Draft) -> None:
    d.posture(-4)
    for side in d.both():
        d.leg(side, flexion=d.n(4, 4), abduction=d.n(27, 5), rotation=d.n(12, 5), knee=abs(d.n(0, 6)) + 2,
              dorsiflexion=d.n(-25, 7))  # fmt: skip
        d.hand(side, 6)
        d.arm(side, elevation=d.u(95, 148), plane=d.n(8, 6), rotation=d.n(-45, 12), elbow=abs(d.n(6, 8)) + 3,
              pronation=d.n(0, 15))  # fmt: skip


def throwing(d: Draft) -> None:
    """Overarm: cocked, or following through."""
    d.posture(-2)
    t = d.u(0, 1)
    front = 1 - d.near
    d.body(d.near, turn=d.n(30 - 58 * t, 5), lateral=d.n(-8, 3), pitch=d.n(-8 + 26 * t, 3))
    d.leg(front, flexion=d.n(38, 6), abduction=d.n(4, 3), rotation=d.n(4, 4), knee=d.n(30, 9),
          dorsiflexion=d.n(-4, 5))  # fmt: skip
    d.leg(d.near, flexion=d.n(-14, 4), abduction=d.n(6, 3), rotation=d.n(18, 5), knee=d.n(28, 9),
          dorsiflexion=d.n(-8, 7), toes=d.n(25, 8))  # fmt: skip
    d.hand(d.near, 35)
    d.arm(d.near, elevation=d.n(98, 7), plane=d.n(-14 + 78 * t, 7), rotation=d.n(-76 + 70 * t, 8),
          elbow=d.n(96 - 62 * t, 8), pronation=d.n(10, 15))  # fmt: skip
    d.hand(front)
    d.arm_swing(front, d.n(72 - 40 * t, 10), d.n(20, 8), elbow=d.n(30 + 45 * t, 10), rotation=d.n(20, 10))
    d.look(0, 18 - 30 * t, toward=front)


def kicking(d: Draft) -> None:
    """A ball, from the backswing to the follow-through."""
    d.posture(2)
    t = d.u(0, 1)
    d.stand_on(d.stance, -3)
    d.leg(d.stance, flexion=d.n(14, 4), knee=d.n(26, 6), dorsiflexion=d.n(12, 4))
    d.leg(d.swing, flexion=-20 + 92 * t + d.n(0, 4), abduction=d.n(6, 4), rotation=d.n(14, 5),
          knee=max(84 - 74 * t + d.n(0, 6), 4), dorsiflexion=d.n(-26, 6))  # fmt: skip
    d.body(d.swing, pitch=d.n(10 - 20 * t, 3), turn=d.n(12 - 26 * t, 4), lean=d.n(-5, 2))
    d.hand(d.stance)
    d.arm_swing(d.stance, d.n(-10 + 50 * t, 10), d.n(62, 12), elbow=d.n(28, 10), rotation=d.n(0, 10))
    d.hand(d.swing)
    d.arm_swing(d.swing, d.n(20 - 45 * t, 8), d.n(34, 8), elbow=d.n(34, 12), rotation=d.n(8, 10))
    d.look(18)


def lunging(d: Draft) -> None:
    d.posture(0)
    depth = d.u(0.55, 1.0)
    d.body(pitch=d.n(5, 3))
    d.leg(d.stance, flexion=92 * depth + d.n(4, 3), abduction=d.n(2, 2), rotation=d.n(3, 3),
          knee=90 * depth + d.n(2, 4), dorsiflexion=d.n(2, 4))  # fmt: skip
    d.leg(d.swing, flexion=d.n(-15, 4), abduction=d.n(1, 2), knee=d.n(66 * depth - 10, 6),
          dorsiflexion=d.n(12, 5), toes=d.n(42, 7))  # fmt: skip
    action = d.choice((d.hand_on_hip, d.hang, d.raise_hand))
    for side in d.both():
        action(side)


def squatting(d: Draft) -> None:
    """The exercise, arms in front."""
    d.posture(8)
    depth = d.u(0.45, 1.0)
    knee = 104 * depth
    flexion = 104 * depth
    for side in d.both():
        d.leg(side, flexion=flexion + d.n(2, 3), abduction=d.n(13, 3), rotation=d.n(12, 4),
              knee=knee + d.n(0, 3), dorsiflexion=min(30 * depth, 30))  # fmt: skip
        d.forward(side, d.n(84, 8), d.n(4, 4))
    d.body(pitch=30 * depth + d.n(2, 3), neck_flexion=d.n(-10, 5))


def forehand(d: Draft) -> None:
    """Tennis: racket arm out, from turned away to through the ball."""
    d.posture(8)
    t = d.u(0, 1)
    for side in d.both():
        bend = d.n(26, 8)
        d.leg(side, flexion=bend * 0.8, abduction=d.n(12, 4), rotation=d.n(12, 5), knee=bend,
              dorsiflexion=bend * 0.3)  # fmt: skip
    d.body(d.near, turn=d.n(28 - 50 * t, 5), pitch=d.n(8, 3))
    d.hand(d.near, 70)
    d.arm(d.near, elevation=d.n(58 + 18 * t, 7), plane=d.n(-22 + 125 * t, 7), rotation=d.n(-28 + 40 * t, 10),
          elbow=d.n(34 + 40 * t, 12), pronation=d.n(10, 15), wrist=d.n(-25, 8))  # fmt: skip
    d.hand(d.far)
    d.arm_swing(d.far, d.n(48, 12), d.n(24, 9), elbow=d.n(42, 14), rotation=d.n(18, 10))
    d.look(6, 10, toward=d.near)


def smashing(d: Draft) -> None:
    """Serve, smash or spike: the far arm up or coming down, the near arm behind the head or at the top."""
    d.posture(-8)
    t = d.u(0, 1)
    d.body(d.near, turn=d.n(20 - 34 * t, 5), lateral=d.n(-10, 3), pitch=d.n(-4 + 10 * t, 3))
    for side in d.both():
        bend = abs(d.n(16, 8)) + 2
        d.leg(side, flexion=d.n(6, 8), abduction=d.n(6, 4), rotation=d.n(8, 5), knee=bend,
              dorsiflexion=d.n(-20, 8), toes=10)  # fmt: skip
    d.hand(d.near, 60)
    d.arm_swing(d.near, d.n(112 + 46 * t, 6), d.n(24 - 8 * t, 5), rotation=d.n(8 + 20 * t, 8),
                elbow=d.n(104 - 88 * t, 9))  # fmt: skip
    d.raise_hand(d.far)
    d.arm_swing(d.far, d.n(150 - 85 * t, 8), d.n(12, 6), elbow=d.n(14 + 40 * t, 8))
    d.look(-18)


def digging(d: Draft) -> None:
    """Volleyball: both forearms low in front, knees bent."""
    d.posture(14)
    bend = d.u(35, 85)
    for side in d.both():
        d.leg(side, flexion=0.95 * bend, abduction=d.n(11, 3), rotation=d.n(9, 4), knee=bend + d.n(0, 5),
              dorsiflexion=0.3 * bend)  # fmt: skip
        d.hand(side, 30)
        d.reach(side, THORAX, (0.06, d.n(-0.08, 0.02), 0.51), (1, -0.6, 0), 0.006)
        d.point(side, (-0.25, -0.35, 1), (-0.9, 0.5, 0))
    d.body(pitch=0.33 * bend + d.n(4, 3))
    d.look(-16)


def shooting(d: Draft) -> None:
    """Basketball: the ball above the forehead."""
    d.posture(-4)
    d.shoot_ball()
    for side in d.both():
        bend = abs(d.n(14, 10)) + 2
        d.leg(side, flexion=0.6 * bend, abduction=d.n(3, 3), rotation=d.n(5, 4), knee=bend,
              dorsiflexion=d.n(-8, 12), toes=8)  # fmt: skip


def boxing(d: Draft) -> None:
    """Guard, or the near fist on its way."""
    d.posture(10)
    d.body(d.near, turn=d.n(-22, 6), pitch=d.n(6, 3))
    for side, flexion in ((d.far, 24), (d.near, -6)):
        bend = d.n(24, 6)
        d.leg(side, flexion=d.n(flexion, 5), abduction=d.n(6, 3), rotation=d.n(12, 5), knee=bend,
              dorsiflexion=d.n(4, 5))  # fmt: skip
    for side in d.both():
        d.hand(side, 80)
        d.reach(side, HEAD, (d.n(0.08, 0.015), d.n(-0.10, 0.03), d.n(0.23, 0.03)), (0.5, -1, -0.1), 0.01)
        d.point(side, (-0.15, 0.75, 0.45), (-0.9, 0, -0.4))
    if d.chance(0.5):
        d.forward(d.near, d.n(94, 6), d.n(-4, 4))
        d.arm(d.near, fingers=d.n(80, 5), pronation=d.n(40, 12))
    d.look(10)


def batting(d: Draft) -> None:
    """Baseball, golf, cricket: both hands together, the trunk turned."""
    d.posture(8)
    t = d.u(0, 1)
    d.body(d.near, turn=d.n(34 - 60 * t, 5), pitch=d.n(12, 4))
    for side in d.both():
        bend = d.n(24, 7)
        d.leg(side, flexion=bend, abduction=d.n(10, 3), rotation=d.n(9, 5), knee=bend, dorsiflexion=d.n(6, 4))
    # the hands go from the near shoulder round the front; the far arm reaches across
    angle = math.radians(42 - 64 * t)
    out, front, height = 0.42 * math.sin(angle), 0.42 * math.cos(angle) + 0.02, d.n(-0.02, 0.05)
    for side in d.both():
        d.hand(side, 80)
        sideways = out if side == d.near else -out
        gap = 0.035 if side == d.near else -0.035
        d.reach(side, THORAX, (sideways, height + gap, front), (1, -0.8, 0), 0.005)
    d.look(4, 20, toward=d.far)


def skating(d: Draft) -> None:
    """Speed skating: trunk level, one leg pushing to the side."""
    d.posture(24)
    d.body(d.swing, pitch=d.n(44, 5), neck_flexion=d.n(-30, 6))
    d.leg(d.stance, flexion=d.n(108, 5), abduction=d.n(2, 2), knee=d.n(88, 6), dorsiflexion=d.n(20, 5))
    d.leg(d.swing, flexion=d.n(52, 8), abduction=d.n(36, 6), rotation=d.n(8, 5), knee=d.n(28, 10),
          dorsiflexion=d.n(4, 6))  # fmt: skip
    d.behind_back(d.stance, 0.12)
    d.hand(d.swing)
    d.arm_swing(d.swing, d.n(58, 12), d.n(16, 8), elbow=d.n(48, 18), rotation=d.n(20, 10))


def cycling(d: Draft) -> None:
    d.posture(22)
    d.body(pitch=d.n(36, 5), neck_flexion=d.n(-26, 5), turn=0, lateral=0, neck_turn=d.n(0, 8))
    crank = d.u(0, 2 * math.pi)
    for side in d.both():
        up = 0.5 + 0.5 * math.cos(crank + math.pi * side)  # 1: pedal at the top
        front = math.sin(crank + math.pi * side)
        d.leg(side, flexion=66 + 46 * up + 6 * front, abduction=d.n(0, 1.5), rotation=d.n(2, 3),
              knee=30 + 74 * up - 8 * front, dorsiflexion=d.n(-4, 4) + 8 * front)  # fmt: skip
        d.hand(side, 70)
        d.reach(side, PELVIS, (d.n(0.21, 0.01), d.n(0.22, 0.02), d.n(0.60, 0.02)), (1, -0.4, -0.3), 0.006)
        d.point(side, (-0.3, -0.6, 1), (-0.4, -1, -0.3))


def rowing(d: Draft) -> None:
    """From the catch to the finish."""
    t = d.u(0, 1)
    d.posture(20 - 12 * t)
    d.body(pitch=d.n(10 - 32 * t, 3), lean=0.0, turn=0, lateral=0, neck_turn=0)
    for side in d.both():
        knee = 98 - 86 * t
        pitch = d.trunk[6]
        d.leg(side, flexion=82 + pitch + 0.34 * knee, abduction=d.n(4, 2), rotation=d.n(4, 3),
              knee=knee + d.n(0, 3), dorsiflexion=d.n(-4, 4))  # fmt: skip
        d.hand(side, 75)
        d.reach(
            side, THORAX, (d.n(0.17, 0.01), 0.04 - 0.13 * t, 0.56 - 0.30 * t), (1, -0.5 * t, -0.9 * t), 0.008
        )
        d.point(side, (-0.2, 0.0, 1), (0, -1, 0))


def press_up(d: Draft) -> None:
    """Plank and press-up: straight body on the hands and toes."""
    d.posture(0)
    t = d.u(0, 1)
    d.body(pitch=d.n(77 + 9 * t, 1.5), neck_flexion=d.n(-18, 6), flexion=d.n(2, 2), turn=0, lateral=0, lean=0)
    for side in d.both():
        d.leg(side, flexion=d.n(2, 2), abduction=d.n(-1, 2), rotation=d.n(2, 2), knee=abs(d.n(0, 2)) + 2,
              dorsiflexion=d.n(12, 4), toes=d.n(50, 6))  # fmt: skip
        d.hand(side, 0)
        # the hands stay below the shoulders, the chest comes down to them
        d.reach(side, THORAX, (d.n(0.26, 0.02), d.n(0.07, 0.015), 0.50 - 0.26 * t), (1, -0.7, -0.4), 0.006)
        d.point(side, (-0.1, 1, 0.15), (0, 0, 1))


def stretching_sideways(d: Draft) -> None:
    d.posture(0)
    d.stand(d.u(6, 12))
    d.raise_hand(d.near)
    d.arm_swing(d.near, d.n(150, 5), d.n(4, 4), elbow=d.n(24, 8))
    d.hand_on_hip(d.far)
    d.body(d.far, lateral=d.n(24, 4), neck_lateral=d.n(8, 4), lean=d.n(4, 1))


def touching_toes(d: Draft) -> None:
    d.posture(48)
    pitch = d.n(64, 7)
    d.body(pitch=pitch, neck_flexion=d.n(12, 6), turn=0)
    for side in d.both():
        d.leg(side, flexion=pitch + d.n(2, 2), abduction=d.n(0, 2), knee=abs(d.n(4, 5)) + 2,
              dorsiflexion=d.n(3, 2))  # fmt: skip
        d.forward(side, d.n(98, 9), d.n(3, 4))


def warrior(d: Draft) -> None:
    """Yoga: a sideways lunge, arms level."""
    d.posture(-2)
    d.leg(d.stance, flexion=d.n(70, 5), abduction=d.n(36, 3), rotation=d.n(42, 3), knee=d.n(74, 6),
          dorsiflexion=d.n(5, 4))  # fmt: skip
    d.leg(d.swing, flexion=d.n(2, 3), abduction=d.n(38, 3), rotation=d.n(10, 4), knee=abs(d.n(0, 3)) + 2,
          dorsiflexion=d.n(6, 4), inversion=d.n(-8, 4))  # fmt: skip
    for side in d.both():
        d.hand(side, 3)
        d.arm(side, elevation=d.n(88, 4), plane=d.n(2, 4), rotation=d.n(5, 8), elbow=abs(d.n(0, 4)) + 2,
              pronation=d.n(5, 8))  # fmt: skip
    d.look(0, 55, toward=d.stance)


def tree(d: Draft) -> None:
    """Yoga: on one leg, the other foot at the knee, hands together over the head or before the chest."""
    d.posture(-4)
    d.stand_on(d.stance, -3)
    d.body(d.stance, lean=d.n(3, 1))
    d.leg(d.swing, flexion=d.n(46, 3), abduction=d.n(40, 3), rotation=d.n(46, 3), knee=d.n(112, 4),
          dorsiflexion=d.n(-22, 6))  # fmt: skip
    if d.chance(0.5):
        for side in d.both():
            d.hand(side, 3)
            d.reach(side, HEAD, (0.045, d.n(0.34, 0.01), d.n(0.02, 0.02)), (1, 0.2, 0), 0.003)
            d.point(side, (-0.1, 1, 0), (-1, 0, 0))
    else:
        for side in d.both():
            d.hand(side, 3)
            d.reach(side, THORAX, (0.05, d.n(-0.03, 0.01), 0.27), (1, -0.5, -0.2), 0.003)
            d.point(side, (-0.25, 1, 0.15), (-1, 0, 0))


def climbing(d: Draft) -> None:
    d.posture(2)
    for side, high in ((d.near, 1.0), (d.far, 0.35)):
        d.hand(side, 60)
        d.arm_swing(side, d.n(95 + 55 * high, 8), d.n(22, 7), rotation=d.n(32, 8),
                    elbow=d.n(80 - 45 * high, 12), pronation=d.n(40, 15))  # fmt: skip
    for side, lift in ((d.stance, d.u(5, 25)), (d.swing, d.u(50, 88))):
        d.leg(side, flexion=lift, abduction=d.n(20, 6), rotation=d.n(24, 6), knee=lift * 1.15,
              dorsiflexion=d.n(2, 8))  # fmt: skip
    d.look(-24)


def dancing(d: Draft) -> None:
    d.posture(-2)
    d.stand_on(d.stance, 0)
    lift = d.u(0, 60)
    d.leg(d.swing, flexion=d.n(0.4 * lift, 8), abduction=d.n(8 + 0.4 * lift, 4), rotation=d.n(26, 6),
          knee=d.n(12, 8) + 0.3 * lift, dorsiflexion=d.n(-30, 6))  # fmt: skip
    for side in d.both():
        d.hand(side, 6)
        d.arm(side, elevation=d.u(55, 135), plane=d.n(24, 14), rotation=d.n(-20, 16), elbow=d.n(32, 16),
              pronation=d.n(0, 20))  # fmt: skip
    d.body(d.stance, lateral=d.n(6, 5), turn=d.n(0, 9), lean=d.n(2, 1))


def swimming(d: Draft) -> None:
    """Freestyle: one arm ahead, one leg beating down."""
    d.posture(-4)
    d.body(d.near, pitch=90, spin=0, flexion=d.n(-3, 2), turn=d.n(8, 3), neck_turn=d.n(20, 12),
           neck_flexion=d.n(-6, 5), lean=0)  # fmt: skip
    d.raise_hand(d.near)
    d.arm_swing(d.near, d.n(158, 5), d.n(4, 3), rotation=d.n(30, 8), elbow=d.n(8, 4))
    d.hand(d.far)
    d.arm_swing(d.far, d.u(-30, 60), d.n(18, 5), rotation=d.n(20, 10), elbow=d.n(35, 20))
    beat = d.n(0, 6)
    for side, sign in ((d.stance, 1), (d.swing, -1)):
        d.leg(side, flexion=sign * beat + 3, abduction=d.n(-1, 1.5), knee=max(10 - sign * beat, 3),
              dorsiflexion=d.n(-45, 5))  # fmt: skip


SPORT: tuple[Archetype, ...] = tuple(
    Archetype(make.__name__, "sport", make, weight, legs, hands)
    for make, weight, legs, hands in (
        (running, 4.0, 2, 0),
        (sprint_start, 0.8, 2, 0),
        (jumping, 1.2, 2, 0),
        (tuck_jump, 0.7, 2, 0),
        (star_jump, 0.8, 2, 0),
        (throwing, 1.4, 2, 1),
        (kicking, 1.6, 2, 0),
        (lunging, 1.0, 2, 0),
        (squatting, 1.0, 2, 0),
        (forehand, 1.2, 2, 1),
        (smashing, 1.2, 2, 1),
        (digging, 0.7, 2, 2),
        (shooting, 1.0, 2, 2),
        (boxing, 1.0, 2, 2),
        (batting, 0.9, 2, 2),
        (skating, 0.7, 2, 0),
        (cycling, 1.2, 2, 2),
        (rowing, 0.7, 2, 2),
        (press_up, 0.8, 2, 2),
        (stretching_sideways, 0.7, 2, 1),
        (touching_toes, 0.6, 2, 0),
        (warrior, 0.8, 2, 0),
        (climbing, 0.8, 2, 2),
        (dancing, 1.0, 2, 0),
        (swimming, 0.7, 0, 1),
    )
) + tuple(
    Archetype(make.__name__, "sport", make, weight, 1, hands, one_legged=True)
    for make, weight, hands in ((tree, 1.5, 2),)
)
