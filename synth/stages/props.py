"""Put on prostheses, wheelchairs and crutches: meshes in the camera frame, drawn together with the body."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, Limb
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.props.crutches import CrutchLook, crutch
from synth.props.prostheses import Look, Prosthetist
from synth.props.skeleton import joint_rotations
from synth.props.wheelchair import WheelchairLook, upright_frame, wheelchair
from synth.record import Person, Record
from synth.stages.place import SOLE_M


class PutOn:
    """Everything is built on the intact skeleton: a chair is the same in both twins, a prosthesis as long as the leg.

    Colours are drawn for what the scene has, also where a twin does not wear it.
    """

    def __init__(self, body: FastBody) -> None:
        self.body = body
        self.prosthetist = Prosthetist(body.data)

    def __call__(self, record: Record) -> Record:
        (rng,) = record.rng.spawn(1)
        for person in record.people:
            if any(person.worn):
                look = Look.draw(rng) if person.texture is None else Look.draw(rng, person.texture.group)
                if any(person.prosthesis):
                    self.prostheses(person, look)
            if "wheelchair" in person.cases:
                frame, ground = self.ground(person)
                look = WheelchairLook.draw(rng)
                person.props.append(wheelchair(look, person.joints_intact, frame, ground))
            if person.crutch_hands:
                frame, ground = self.ground(person)
                look = CrutchLook.draw(rng)
                rotations = joint_rotations(person.pose_rotvec)
                person.props += [
                    crutch(look, Limb(hand), person.joints_intact, rotations, frame, ground)
                    for hand in person.crutch_hands
                ]
        return record

    def prostheses(self, person: Person, look: Look) -> None:
        """Built on the surface of the same person with nothing lost."""
        rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
        intact = self.body(person.betas, rotmats, None, person.transl)
        rotations = joint_rotations(person.pose_rotvec)
        for limb in LIMBS:
            kind = person.prosthesis[limb]
            if kind is not None:
                person.props.append(
                    self.prosthetist(
                        kind, limb, look, intact.joints, rotations, intact.vertices, person.fractions[limb]
                    )
                )

    @staticmethod
    def ground(person: Person) -> tuple[np.ndarray, float]:
        """The person's upright frame, and the height of the ground in it."""
        assert person.T_cam_world is not None
        frame = upright_frame(person.T_cam_world[:, 1], joint_rotations(person.pose_rotvec)[0])
        lowest = float((person.joints_intact @ frame[:, 1]).min())
        return frame, lowest - SOLE_M - person.clearance_m
