"""What is worn on a residual limb, built on the intact skeleton so that its length is that of the lost part.

- ``pylon_foot``: socket over the thigh, knee unit, pylon, a foot;
- ``blade``: socket over the thigh, knee unit, a carbon spring like those of sprinters;
- ``foot``: a short socket over the shin and a foot;
- ``cosmetic_hand`` and ``cosmetic_arm``: socket, and a hand or forearm of one colour in the shape of the lost one.

On a limb that ends inside a bone the socket closes around its end, and a pylon, or an arm's shell, bridges what is lost
of the bone.

Sockets follow the sections of the limb they are worn on. Feet, hands and forearms are the surface of the person's
own body, closed where it was cut; hands hang, knees bend and feet stand as the lost ones would have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import JOINT, PARENTS, Limb, amputation_joint
from ajahr.body.data import BodyData
from ajahr.data.record import PROSTHESES
from synth.appearance.groups import Group, sample_monk, skin_albedo
from synth.props.mesh import Colour, Mesh, across, bar, box, coloured, ellipsoid, join, sweep, tube, unit

_SOCKETS: tuple[Colour, ...] = ((235, 232, 226), (40, 41, 44), (224, 190, 160), (70, 86, 120), (140, 44, 46))
_METALS: tuple[Colour, ...] = ((176, 180, 186), (128, 132, 138), (58, 60, 64), (196, 186, 160))
_SHOES: tuple[Colour, ...] = ((34, 34, 36), (238, 238, 236), (92, 62, 42), (60, 72, 98), (226, 190, 160))
_CARBON: Colour = (34, 35, 38)
_SOLE: Colour = (62, 62, 64)
_SKIN_GAP_M = 0.006
"""A socket lies so far above the skin."""


@dataclass(frozen=True)
class Look:
    """Colours of one prosthesis."""

    glove: Colour
    socket: Colour
    metal: Colour
    shoe: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator, group: Group = Group.WHITE) -> Look:
        """Gloves are made in the tones of the wearer's group, near their skin and seldom quite like it."""

        def pick(colours: tuple[Colour, ...]) -> Colour:
            colour = colours[int(rng.integers(len(colours)))]
            red, green, blue = np.clip(np.array(colour) * rng.uniform(0.9, 1.06), 0, 255).tolist()
            return red, green, blue

        red, green, blue = np.clip(skin_albedo(sample_monk(rng, group), group) * 1.05, 0, 255).tolist()
        return cls((red, green, blue), pick(_SOCKETS), pick(_METALS), pick(_SHOES))


def kinds_for(limb: Limb, level: int) -> tuple[str, ...]:
    """The kinds that fit a limb of this level; none at shoulder and hip, where nothing is left to wear them on."""
    return tuple(kind for kind, place in PROSTHESES.items() if place == (limb.is_arm, level))


@dataclass(frozen=True, eq=False)
class _Piece:
    """A part of the body's surface, closed by a fan at each opening."""

    vertices: np.ndarray
    faces: np.ndarray
    openings: tuple[np.ndarray, ...]

    @classmethod
    def of_parts(cls, body: BodyData, joints: tuple[int, ...]) -> _Piece:
        inside = np.isin(body.part_labels, joints)
        faces = body.faces[inside[body.faces].all(axis=1)]
        vertices, local = np.unique(faces, return_inverse=True)
        local = local.reshape(-1, 3)
        edges = np.concatenate([local[:, [0, 1]], local[:, [1, 2]], local[:, [2, 0]]])
        code = edges.min(1).astype(np.int64) * len(vertices) + edges.max(1)
        _, first, count = np.unique(code, return_index=True, return_counts=True)
        rim = edges[first[count == 1]]
        openings = _loops(rim)
        fans = [
            np.stack([rim_[:, 1], rim_[:, 0], np.full(len(rim_), len(vertices) + n)], 1)
            for n, rim_ in enumerate(openings)
        ]
        return cls(vertices, np.concatenate([local, *fans]), tuple(np.unique(rim_) for rim_ in openings))

    def mesh(self, body_vertices: np.ndarray, colour: Colour) -> Mesh:
        own = body_vertices[self.vertices]
        centres = [own[opening].mean(axis=0, keepdims=True) for opening in self.openings]
        return coloured(np.concatenate([own, *centres]), self.faces, colour)


def _loops(edges: np.ndarray) -> list[np.ndarray]:
    """Directed edges by the connected piece of rim they belong to."""
    label = {int(v): int(v) for v in np.unique(edges)}

    def root(v: int) -> int:
        while label[v] != v:
            label[v] = v = label[label[v]]
        return v

    for a, b in edges.tolist():
        label[root(a)] = root(b)
    roots = np.array([root(int(a)) for a in edges[:, 0]])
    return [edges[roots == one] for one in np.unique(roots)]


class Prosthetist:
    """Makes prostheses for people with one body's surface.

    Args:
        body: whose parts give the shapes of hands and feet, and the sections of residual limbs.
    """

    def __init__(self, body: BodyData) -> None:
        self._pieces: dict[tuple[str, str], _Piece] = {}
        self._thick: dict[int, np.ndarray] = {}
        for side in ("left", "right"):
            hand = (JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"])
            self._pieces[side, "hand"] = _Piece.of_parts(body, hand)
            self._pieces[side, "arm"] = _Piece.of_parts(body, (JOINT[f"{side}_elbow"], *hand))
            foot = (JOINT[f"{side}_ankle"], JOINT[f"{side}_foot"])
            self._pieces[side, "foot"] = _Piece.of_parts(body, foot)
            for name in ("shoulder", "elbow", "hip", "knee"):
                joint = JOINT[f"{side}_{name}"]
                self._thick[joint] = np.flatnonzero(body.part_labels == joint)

    def __call__(
        self,
        kind: str,
        limb: Limb,
        look: Look,
        joints: Float[np.ndarray, "joints=24 3"],
        rotations: Float[np.ndarray, "joints=24 3 3"],
        vertices: Float[np.ndarray, "vertices 3"],
        fraction: float = 0.0,
    ) -> Mesh:
        """One prosthesis.

        Args:
            kind: one of `kinds_for` the limb and its level.
            limb: on which it is worn.
            look: its colours.
            joints, vertices: of the intact person in this pose, m, any one frame.
            rotations: from the rest pose to that frame (`synth.props.skeleton.joint_rotations`).
            fraction: lambda of a limb that ends inside the bone above the joint of its level.
        """
        joints, vertices = joints.astype(np.float64), vertices.astype(np.float64)
        build = {
            "cosmetic_hand": self._hand,
            "cosmetic_arm": self._arm,
            "foot": self._foot,
            "pylon_foot": self._pylon_foot,
            "blade": self._blade,
        }[kind]
        cut = amputation_joint(limb, PROSTHESES[kind][1])
        if not fraction:
            return join(build(limb.side, cut, look, joints, rotations, vertices))
        return join(
            [
                self._cup(cut, joints, rotations, vertices, look.socket, 1 - fraction),
                *build(limb.side, cut, look, joints, rotations, vertices)[
                    1:
                ],  # without the socket at the joint
                self._bridge(kind, cut, look, joints, rotations, vertices, 1 - fraction),
            ]
        )

    # ---------------------------------------------------------------------------------------------- arms

    def _hand(self, side, cut, look, joints, rotations, vertices) -> list[Mesh]:
        socket = self._socket(cut, joints, rotations, vertices, look.socket, start=0.42, tip=0.012)
        return [socket, self._pieces[side, "hand"].mesh(vertices, look.glove)]

    def _arm(self, side, cut, look, joints, rotations, vertices) -> list[Mesh]:
        socket = self._socket(cut, joints, rotations, vertices, look.socket, start=0.45, tip=0.01)
        hinge = rotations[PARENTS[cut]] @ np.array([0.0, 1.0, 0.0])
        elbow = tube([joints[cut] - 0.042 * hinge, joints[cut] + 0.042 * hinge], 0.036, look.metal, 14)
        return [socket, elbow, self._pieces[side, "arm"].mesh(vertices, look.glove)]

    # ---------------------------------------------------------------------------------------------- legs

    def _foot(self, side, cut, look, joints, rotations, vertices) -> list[Mesh]:
        socket = self._socket(cut, joints, rotations, vertices, look.socket, start=0.4, tip=0.015)
        return [socket, self._pieces[side, "foot"].mesh(vertices, look.shoe)]

    def _pylon_foot(self, side, cut, look, joints, rotations, vertices) -> list[Mesh]:
        ankle = joints[JOINT[f"{side}_ankle"]]
        down = unit(ankle - joints[cut])
        return [
            *self._knee(cut, look, joints, rotations, vertices, down),
            tube([joints[cut] + 0.03 * down, ankle + 0.015 * down], 0.0155, look.metal, 12),
            tube([ankle - 0.05 * down, ankle - 0.03 * down, ankle + 0.005 * down, ankle + 0.02 * down],
                 [0.019, 0.024, 0.03, 0.036], _CARBON, 12),
            self._pieces[side, "foot"].mesh(vertices, look.shoe),
        ]  # fmt: skip

    def _blade(self, side, cut, look, joints, rotations, vertices) -> list[Mesh]:
        knee, ankle = joints[cut], joints[JOINT[f"{side}_ankle"]]
        down = unit(ankle - knee)
        forwards = across(down, rotations[cut] @ np.array([0.0, 0.0, 1.0]))
        foot = vertices[self._pieces[side, "foot"].vertices]
        length = float(((foot - knee) @ down).max())  # from the knee to the ground under the lost foot
        spring = knee + np.outer(_BLADE[:, 0] * length, down) + np.outer(_BLADE[:, 1], forwards)
        strip = bar(spring, np.cross(down, forwards), _BLADE[:, 2], 0.006, _CARBON)
        sole = bar(spring[-4:] + 0.004 * down, np.cross(down, forwards), _BLADE[-4:, 2], 0.005, _SOLE)
        return [
            *self._knee(cut, look, joints, rotations, vertices, down),
            tube([knee + 0.03 * down, knee + 0.3 * length * down], 0.0155, look.metal, 12),
            box(knee + 0.27 * length * down - 0.006 * forwards, (0.02, 0.045, 0.016), look.metal,
                np.stack([np.cross(down, forwards), down, forwards])),
            strip,
            sole,
        ]  # fmt: skip

    def _knee(self, cut, look, joints, rotations, vertices, down) -> list[Mesh]:
        """Socket over the thigh and a hinge under it."""
        socket = self._socket(cut, joints, rotations, vertices, look.socket, start=0.4, tip=0.03)
        hinge = rotations[PARENTS[cut]] @ np.array([1.0, 0.0, 0.0])
        knee = joints[cut]
        housing = np.stack([hinge, across(hinge, down), np.cross(hinge, across(hinge, down))])
        return [
            socket,
            tube([knee - 0.034 * hinge, knee + 0.034 * hinge], 0.03, look.metal, 14),
            ellipsoid(knee + 0.045 * down, (0.027, 0.05, 0.03), _CARBON, housing),
        ]

    # ----------------------------------------------------------------------- limbs that end inside a bone

    def _bridge(self, kind, cut, look, joints, rotations, vertices, end: float) -> Mesh:
        """What stands for the lost part of the bone, from under the socket to the joint of the level."""
        start, stop = joints[PARENTS[cut]], joints[cut]
        at = start + (end - 0.01) * (stop - start)
        if kind in ("foot", "pylon_foot", "blade"):
            return tube([at, stop], 0.0155, look.metal, 12)
        # an arm's shell narrows from the socket to the hand, or to the hinge of the elbow
        u, v, along = self._axes(cut, joints, rotations)
        _, _, _, wide, deep = self._outline(cut, joints, vertices, u, v, along, np.array([0.9 * end])).T
        last = 0.030 if kind == "cosmetic_hand" else 0.036
        shares = np.linspace(0, 1, 5)[:, None]
        first = 0.8 * np.concatenate([wide, deep])
        radii = first + shares * (np.minimum(first, last) - first)
        ones = np.ones((5, 1))
        return sweep(at + shares * (stop - at), radii, ones * u, ones * v, look.socket, 20)

    @staticmethod
    def _axes(cut, joints, rotations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Two directions across the bone above a joint, and the one along it."""
        along = unit(joints[cut] - joints[PARENTS[cut]])
        u = across(along, rotations[PARENTS[cut]] @ np.array([0.0, 0.0, 1.0]))
        return u, np.cross(along, u), along

    def _outline(self, cut, joints, vertices, u, v, along, shares) -> np.ndarray:
        """Sections of a limb: place along the bone (m), its middle and half its widths along ``u`` and ``v``."""
        above = PARENTS[cut]
        length = float(np.linalg.norm(joints[cut] - joints[above]))
        flesh = vertices[self._thick[above]] - joints[above]
        place, x, y = flesh @ along / length, flesh @ u, flesh @ v
        rings = []
        for share in shares:
            near = np.abs(place - share) < 0.05
            if near.sum() < 8:  # a body of few vertices: the nearest ones
                near = np.argsort(np.abs(place - share))[:12]
            low, high = (f(np.stack([x[near], y[near]], 1), axis=0) for f in (np.min, np.max))
            middle, half = (low + high) / 2, (high - low) / 2
            # an ellipse as wide as the section leaves its corners out
            beyond = np.sqrt(((((x[near], y[near]) - middle[:, None]) / half[:, None]) ** 2).sum(0).max())
            rings.append((share * length, *middle, *half * min(beyond, 1.12)))
        return np.array(rings)

    def _cup(self, cut, joints, rotations, vertices, colour: Colour, end: float) -> Mesh:
        """A socket over a residual limb of which the share ``end`` of its bone is left; all of it inside.

        It begins two thirds of the way up, or so near the joint above as the limb is that short.
        """
        u, v, along = self._axes(cut, joints, rotations)
        length = float(np.linalg.norm(joints[cut] - joints[PARENTS[cut]]))
        start = max(end - max(0.62 * end, 0.06 / length), 0.12 * end)
        table = self._outline(cut, joints, vertices, u, v, along, np.linspace(start, end, 8))
        # never narrower than what has to go through it, and no funnel under a buttock
        wide = np.maximum.accumulate(table[::-1, 3:], axis=0)[::-1]
        padded = np.pad(table[:, 1:3], ((1, 1), (0, 0)), "edge")
        middle = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
        table[:, 3:] = np.minimum(wide + np.abs(middle - table[:, 1:3]), 1.2 * wide[-1]) + _SKIN_GAP_M
        table[:, 1:3] = middle
        rim = table[0] * [1, 1, 1, 1.035, 1.035]
        tip = 0.45 * float(table[-1, 3:].mean())
        for share, narrow in ((0.3, 0.93), (0.7, 0.7), (1.0, 0.36)):
            last = table[7] * [1, 1, 1, narrow, narrow] + [share * tip, 0, 0, 0, 0]
            table = np.concatenate([table, last[None]])
        table = np.concatenate([[rim, rim + np.array([0.006, 0, 0, 0, 0])], table[1:]])
        origin, ones = joints[PARENTS[cut]], np.ones((len(table), 1))
        centres = origin + np.outer(table[:, 0], along) + table[:, 1:2] * u + table[:, 2:3] * v
        return sweep(centres, table[:, 3:], ones * u, ones * v, colour, 20)

    # -------------------------------------------------------------------------------------------- socket

    def _socket(self, cut, joints, rotations, vertices, colour: Colour, start: float, tip: float) -> Mesh:
        """A cup over the end of the residual limb.

        Args:
            cut: the amputation joint.
            start: where it begins, as a share of the way from the joint above.
            tip: how far it reaches beyond the joint, m.
        """
        above = PARENTS[cut]
        origin, end = joints[above], joints[cut]
        length = float(np.linalg.norm(end - origin))
        along = unit(end - origin)
        u = across(along, rotations[above] @ np.array([0.0, 0.0, 1.0]))
        v = np.cross(along, u)
        flesh = vertices[self._thick[above]] - origin
        place, x, y = flesh @ along / length, flesh @ u, flesh @ v
        shares = np.linspace(start, 0.95, 7)
        rings = []
        for share in shares:
            near = np.abs(place - share) < 0.07
            if near.sum() < 8:  # a body of few vertices: the nearest ones
                near = np.argsort(np.abs(place - share))[:12]
            low_x, high_x, low_y, high_y = x[near].min(), x[near].max(), y[near].min(), y[near].max()
            rings.append((share * length, (low_x + high_x) / 2, (low_y + high_y) / 2,
                          (high_x - low_x) / 2, (high_y - low_y) / 2))  # fmt: skip
        table = np.array(rings)
        table[:, 3:] = (
            np.minimum.accumulate(table[:, 3:], axis=0) + _SKIN_GAP_M
        )  # never wider towards the end
        padded = np.pad(table[:, 1:3], ((1, 1), (0, 0)), "edge")
        table[:, 1:3] = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
        rim = table[0] * [1, 1, 1, 1.035, 1.035]
        for share, narrow in ((0.25, 0.9), (0.7, 0.66), (1.0, 0.4)):
            last = np.array([length + share * tip, *(1 - share) * table[6, 1:3], *narrow * table[6, 3:]])
            table = np.concatenate([table, last[None]])
        table = np.concatenate([[rim, rim + np.array([0.006, 0, 0, 0, 0])], table[1:]])
        centres = origin + np.outer(table[:, 0], along) + np.outer(table[:, 1], u) + np.outer(table[:, 2], v)
        ones = np.ones((len(table), 1))
        return sweep(centres, table[:, 3:], ones * u, ones * v, colour, 20)


_BLADE = np.array(
    [
        # share of the way to the ground, metres forwards of the shin's axis, half width
        (0.20, -0.022, 0.026),
        (0.32, -0.026, 0.028),
        (0.44, -0.034, 0.030),
        (0.56, -0.056, 0.031),
        (0.67, -0.088, 0.032),
        (0.77, -0.106, 0.033),
        (0.86, -0.092, 0.034),
        (0.93, -0.048, 0.035),
        (0.972, 0.008, 0.036),
        (0.990, 0.058, 0.037),
        (0.986, 0.100, 0.036),
        (0.968, 0.135, 0.030),
    ]
)
"""The spring's line from the knee to the toe."""
