"""Small invented records: a stick person in front of a camera, drawn and labelled consistently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ajahr.anatomy import (
    J44,
    JOINT,
    JOINT_LIMB,
    LDPOSE25,
    LIMBS,
    PARENTS,
    absent_joint_mask,
    amputation_joint,
    level_name,
    residual_end,
)
from ajahr.data.dataset import BodyStamp, Manifest, RunStamp, claim_folder, finish_dataset
from ajahr.data.mask import encode_mask, person_values
from ajahr.data.record import (
    OCCLUDED,
    VISIBLE,
    Appearance,
    ImageRecord,
    LimbStatus,
    PersonRecord,
    PoseSource,
    SourcePhoto,
)
from ajahr.data.residual_end import ResidualEnd, ldpose_3d, residual_lengths
from ajahr.data.shards import ShardWriter
from ajahr.geometry.cameras import Camera

WIDTH, HEIGHT = 160, 200
INTACT = (0, 0, 0, 0)

# a person facing the camera, camera frame (x right, y down): left is the viewer's right
_REST = {
    "pelvis": (0, 0), "left_hip": (0.1, 0.08), "right_hip": (-0.1, 0.08), "spine1": (0, -0.1),
    "left_knee": (0.12, 0.5), "right_knee": (-0.12, 0.5), "spine2": (0, -0.22), "left_ankle": (0.13, 0.9),
    "right_ankle": (-0.13, 0.9), "spine3": (0, -0.3), "left_foot": (0.15, 0.97), "right_foot": (-0.15, 0.97),
    "neck": (0, -0.5), "left_collar": (0.07, -0.43), "right_collar": (-0.07, -0.43), "head": (0, -0.62),
    "left_shoulder": (0.18, -0.42), "right_shoulder": (-0.18, -0.42), "left_elbow": (0.3, -0.17),
    "right_elbow": (-0.3, -0.17), "left_wrist": (0.38, 0.06), "right_wrist": (-0.38, 0.06),
    "left_hand": (0.4, 0.14), "right_hand": (-0.4, 0.14),
}  # fmt: skip


def stick_joints(levels: tuple[int, ...], centre: tuple[float, float, float]) -> np.ndarray:
    """(24, 3) joints; lost ones lie on their amputation joint."""
    joints = np.array([(*_REST[name], 0.0) for name in JOINT]) + np.array(centre)
    for limb in LIMBS:
        if levels[limb]:
            top = amputation_joint(limb, levels[limb])
            lost = absent_joint_mask(tuple(levels[i] if i == limb else 0 for i in LIMBS))
            joints[lost] = joints[top]
    return joints


def make_person(
    levels: tuple[int, ...] = INTACT,
    *,
    seed: int = 0,
    centre: tuple[float, float, float] = (0.0, -0.1, 3.0),
    weak: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    fractions: tuple[float, ...] = (0.0,) * 4,
) -> PersonRecord:
    """A consistent person: every label follows from ``levels``, the joints and the camera.

    Limbs with a lambda in ``fractions`` end inside a bone.
    """
    rng = np.random.default_rng(seed)
    camera = Camera.centred(*size, focal_length=240.0, weak_depth=centre[2] if weak else None)
    joints = stick_joints(levels, centre)
    keypoints = joints[list(J44.anchors)] + rng.normal(0, 0.01, (len(J44), 3))
    for i, name in enumerate(J44.names):  # limb keypoints lie on their joints, as the FK ones do
        if JOINT_LIMB[J44.anchors[i]] >= 0 or name.removesuffix("_extra") in JOINT:
            keypoints[i] = joints[J44.anchors[i]]

    def observed(points: np.ndarray, absent: np.ndarray) -> np.ndarray:
        pixels = camera.project(np.nan_to_num(points, nan=1.0))
        inside = (pixels >= 0).all(1) & (pixels < size).all(1)
        labelled = np.concatenate([pixels, np.where(inside, VISIBLE, OCCLUDED)[:, None]], 1)
        return np.where(absent[:, None], 0.0, labelled)

    keypoints_2d = observed(keypoints, J44.absent(levels))
    residual = tuple(residual_limb(joints, limb, levels[limb], fractions[limb]) for limb in LIMBS)
    ends = [one and one.end_3d for one in residual]
    ldpose = observed(ldpose_3d(keypoints, joints, levels, ends), LDPOSE25.absent(levels))
    pixels = camera.project(joints)
    return PersonRecord(
        bbox_xyxy=np.concatenate([pixels.min(0) - 6, pixels.max(0) + 6]),
        pose_rotvec=rng.normal(0, 0.2, (24, 3)),
        betas=rng.normal(0, 1, 10),
        body_gender="neutral",
        transl=np.array(centre) + 0.01,
        camera=camera,
        keypoints_2d=keypoints_2d,
        ldpose_2d=ldpose,
        joints_3d=joints,
        keypoints_3d=keypoints,
        limb_levels=tuple(levels),
        limb_status=tuple(LimbStatus.AMPUTATED if level else LimbStatus.INTACT for level in levels),
        occluded=(False,) * 4,
        residual_length=residual_lengths(joints, levels, fractions),
        residual_limbs=residual,
        appearance=Appearance("asian", "female", "asian-female-03"),
        pose_source=PoseSource("sampled", "everyday"),
    )


def residual_limb(joints: np.ndarray, limb: int, level: int, fraction: float) -> ResidualEnd | None:
    """A limb that ends on its bone; its measures are round numbers of about the right size."""
    name = residual_end(limb, level)
    if not fraction or name is None:
        return None
    joint = amputation_joint(limb, level)
    bone = joints[PARENTS[joint]] - joints[joint]
    length = (1 - fraction) * float(np.linalg.norm(bone))
    around = tuple(250.0 + k for k in range(int(length / 0.02)))
    return ResidualEnd(name, fraction, joints[joint] + fraction * bone, 1000 * length, 812.5, around)


def make_record(
    key: str = "000000000",
    *people: PersonRecord,
    scene_id: str | None = None,
    intact_twin: str | None = None,
    photo: str = "photo-1",
) -> ImageRecord:
    people = people or (make_person(),)
    camera = people[0].camera
    return ImageRecord(
        key=key,
        scene_id=scene_id or f"scene-{key}",
        intact_twin=intact_twin,
        split="train",
        width=camera.width,
        height=camera.height,
        photo=SourcePhoto(photo, "CC0-1.0"),
        people=people,
    )


def draw(record: ImageRecord) -> tuple[bytes, bytes]:
    """The picture as JPEG, and the part mask as PNG."""
    shape = (record.height, record.width)
    rng = np.random.default_rng(sum(record.photo.id.encode()))
    image = cv2.resize(rng.integers(0, 255, (5, 4, 3), np.uint8), shape[::-1], interpolation=cv2.INTER_CUBIC)
    mask = np.zeros(shape, np.uint8)
    for n, person in enumerate(record.people):
        pixels = person.camera.project(person.joints_3d)
        absent = absent_joint_mask(person.limb_levels)
        parts = np.zeros(shape, np.uint8)
        for joint, parent in enumerate(PARENTS):
            if parent >= 0 and not absent[parent]:  # the bone from the parent belongs to the parent
                ends = [tuple(int(v) for v in pixels[j]) for j in (parent, joint)]
                cv2.line(parts, *ends, color=parent + 1, thickness=4)
            if not absent[joint]:
                cv2.circle(parts, tuple(int(v) for v in pixels[joint]), 3, joint + 1, -1)
        image[parts > 0] = (200, 150, 120)
        mask = np.where(parts > 0, person_values(parts, n), mask)
    done, jpg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done
    return jpg.tobytes(), encode_mask(mask)


def twin_pair(number: int, *levels: tuple[int, ...], weak: bool = False) -> tuple[ImageRecord, ImageRecord]:
    """A picture and its intact twin, the people side by side."""
    keys = f"{2 * number:09d}", f"{2 * number + 1:09d}"
    spots = [(0.9 * (i - (len(levels) - 1) / 2), -0.1, 3.0) for i in range(len(levels))]
    size = (WIDTH + 60 * (len(levels) - 1), HEIGHT)

    def people(intact: bool) -> list[PersonRecord]:
        rows = enumerate(zip(levels, spots, strict=True))
        return [
            make_person(INTACT if intact else lost, seed=7 * number + i, centre=spot, weak=weak, size=size)
            for i, (lost, spot) in rows
        ]

    scene = {"scene_id": f"scene-{number}", "photo": f"photo-{number % 2}"}
    return (
        make_record(keys[0], *people(False), intact_twin=keys[1], **scene),
        make_record(keys[1], *people(True), **scene),
    )


def run_stamp(seed: int = 0, **config: object) -> RunStamp:
    return RunStamp(
        seed, {"num_people": 4, "render": {"samples": 4}, **config}, BodyStamp("fake", "CC0-1.0", {}), "abc"
    )


def write_shard(folder: Path, number: int, *records: ImageRecord) -> None:
    with ShardWriter(folder, number) as shard:
        for record in records:
            shard.add(record, *draw(record))
        shard.drop("no person left", 2)


DEMO_LEVELS = ((0, 2, 0, 0), (1, 0, 0, 0), (0, 0, 3, 0), (0, 0, 0, 2))


def write_dataset(folder: Path, shards: int = 2, weak: bool = False) -> Manifest:
    """A finished dataset of two scenes a shard, each with its twin; the second scene has two people."""
    stamp = claim_folder(folder, run_stamp())
    for number in range(shards):
        one = twin_pair(2 * number, DEMO_LEVELS[number % 4], weak=weak)
        two = twin_pair(2 * number + 1, INTACT, DEMO_LEVELS[(number + 1) % 4], weak=weak)
        write_shard(folder, number, *one, *two)
    return finish_dataset(folder, stamp, shards, {"unreadable photograph": 1})


def changed(person: PersonRecord, **values: object) -> PersonRecord:
    return replace(person, **values)


def describe(levels: tuple[int, ...]) -> str:
    return ",".join(level_name(limb, levels[limb]) for limb in LIMBS)
