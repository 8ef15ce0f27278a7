"""Draw the hard cases of everybody, and the poses of those who sit in a wheelchair or walk with crutches."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, Limb
from ajahr.data.mask import MAX_PEOPLE
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from synth.config import HardCasesConfig, PoseConfig
from synth.props.prostheses import kinds_for
from synth.record import Person, Record
from synth.stages.scene import INTACT, Amputate

_FACE_CAMERA = np.diag([1.0, -1.0, -1.0])
_LEGS_OUT_DEG = 16.0
"""Feet on a wheelchair's rests lie so much farther out than on a chair's floor."""
_RESTS_M = 0.045
"""They keep the feet so high above the ground."""
_KNEES = (4, 5)


class HardCases:
    """Who is occluded by what, who sits, walks with crutches, wears a prosthesis.

    Drawn from a generator of its own and from the levels drawn for the scene, so that both twins get the same and
    everything else of the scene is what it would be without. Somebody who stands before a person to hide a limb
    of theirs is a person like the others, with limbs lost as often and labels as full.
    """

    def __init__(self, config: HardCasesConfig, amputate: Amputate) -> None:
        self.config, self.amputate = config, amputate

    def __call__(self, record: Record) -> Record:
        (rng,) = record.rng.spawn(1)
        config = self.config
        for person in list(record.people):
            hidden, aid = rng.random(2).tolist()
            person.worn = self.worn(person.levels, rng)
            if hidden < config.occluded_object:
                person.cases.add("occluded_object")
            elif hidden < config.occluded_object + config.border:
                person.cases.add("border")
            elif hidden < config.occluded_object + config.border + config.occluded_person:
                self.put_somebody_before(person, record, rng)
            if aid < config.wheelchair:
                person.cases.add("wheelchair")
            elif aid < config.wheelchair + config.crutches and walks_with_crutches(person):
                person.cases.add("crutches")
        return record

    def put_somebody_before(self, person: Person, record: Record, rng: np.random.Generator) -> None:
        """One more person, whom `Place` will put before a limb of this one; nobody where the mask has no room."""
        if len(record.people) == MAX_PEOPLE:
            return
        person.cases.add("occluded_person")
        front = Person(person.slot, INTACT, INTACT, in_front_of=person)
        self.amputate.lose(front, rng, record.is_twin)
        front.worn = self.worn(front.levels, rng)
        record.people.append(front)

    def worn(self, levels: tuple[int, ...], rng: np.random.Generator) -> tuple[str | None, ...]:
        """Kind of prosthesis on each limb."""
        worn: list[str | None] = []
        for limb in LIMBS:
            kinds = kinds_for(limb, levels[limb])
            wears = bool(kinds) and rng.random() < self.config.prosthesis
            worn.append(kinds[int(rng.integers(len(kinds)))] if wears else None)
        return tuple(worn)


def free_hands(person: Person) -> tuple[int, ...]:
    """Arms whose hand is there in both twins."""
    return tuple(int(limb) for limb in (Limb.LEFT_ARM, Limb.RIGHT_ARM) if not person.levels[limb])


def walks_with_crutches(person: Person) -> bool:
    """There is a hand to hold one and a leg, or a prosthesis, to stand on."""
    legs = (Limb.LEFT_LEG, Limb.RIGHT_LEG)
    return bool(free_hands(person)) and any(not person.pose_levels[limb] for limb in legs)


class TakeAids:
    """Poses of people in wheelchairs and on crutches, instead of whatever pose they were given."""

    def __init__(self, config: PoseConfig) -> None:
        self.config = config

    def __call__(self, record: Record) -> Record:
        (rng,) = record.rng.spawn(1)
        for person in record.people:
            if "wheelchair" in person.cases:
                self.take(person, rng, "wheelchair", person.levels)
                out = rotvec_to_rotmat(np.array([-np.deg2rad(_LEGS_OUT_DEG), 0.0, 0.0]))
                for knee in _KNEES:
                    bent = rotvec_to_rotmat(person.pose_rotvec[knee].astype(np.float64))
                    person.pose_rotvec[knee] = rotmat_to_rotvec(out @ bent)
                person.clearance_m = _RESTS_M
            elif "crutches" in person.cases:
                self.crutches(person, rng)
        return record

    def crutches(self, person: Person, rng: np.random.Generator) -> None:
        """Both hands on crutches, or one; the other then hangs or holds something."""
        hands = free_hands(person)
        levels = list(person.pose_levels)
        if len(hands) == 2 and rng.random() < 0.2:  # one crutch is enough
            hands = (hands[int(rng.integers(2))],)
        if len(hands) == 1:
            other = int(Limb(hands[0]).mirrored)
            levels[other] = max(levels[other], 1)  # the sampler then gives the crutch to this hand
            archetype = "single_crutch"
        else:
            archetype = "crutch_stance" if rng.random() < 0.55 else "crutch_walking"
        self.take(person, rng, "everyday", (levels[0], levels[1], levels[2], levels[3]), archetype)
        person.crutch_hands = hands

    def take(
        self,
        person: Person,
        rng: np.random.Generator,
        family: str,
        levels: tuple[int, ...],
        archetype: str | None = None,
    ) -> None:
        """A sampled pose, seen from any side by a camera that is tilted down a little."""
        sampled = sample_pose(rng, family, levels=levels, archetype=archetype)
        heading = rotvec_to_rotmat(np.array([0.0, rng.uniform(-np.pi, np.pi), 0.0]))
        pitch = np.deg2rad(rng.uniform(-0.25, 1.0) * self.config.camera_pitch_deg)
        tilt = rotvec_to_rotmat(np.array([pitch, 0.0, 0.0]))
        person.T_cam_world = tilt @ _FACE_CAMERA @ heading
        root = person.T_cam_world @ rotvec_to_rotmat(sampled.root_rotvec.astype(np.float64))
        person.pose_rotvec = np.concatenate(
            [rotmat_to_rotvec(root)[None], sampled.body_pose], dtype=np.float32
        )
        person.pose_source, person.pose_family = "sampled", family
