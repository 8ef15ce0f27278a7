"""Labels follow the picture: every label against a naive computation, and pixels against upstream's formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_people import people_table, photo
from scipy.spatial.transform import Rotation

from ajahr.anatomy import J44, JOINT_FLIP
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.batch import Batch
from ajahr.data.hmr.augmentation import Placements
from ajahr.data.hmr.collate import IMAGE_MEAN, IMAGE_STD, Collate, PackedBatch, normalise, to_batch
from ajahr.data.hmr.dataset import CropConfig, Crops, HmrDataset
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.geometry.crops import apply_affine, crop_affine
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS

TRUTH = DetectorNoise(mode="truth")


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> Crops:
    table = people_table(tmp_path_factory.mktemp("photos"), 4)
    table.rows["levels"][1] = (0, 2, 0, 0)
    return HmrDataset([table], CropConfig(None)).__getitems__(range(4))


def placed(crops: Crops, rotation: float = 0.0, flip: bool = False, **changes: float) -> Crops:
    place = crops.placements
    count = len(crops)
    place = replace(place, rotation=np.full(count, rotation), flip=np.full(count, flip), **changes)
    return replace(crops, placements=place)


def test_plain_crops(crops):
    batch = to_batch(crops, TRUTH)
    assert isinstance(batch, Batch) and len(batch) == 4
    columns = crops.columns
    affine = crop_affine(columns["center"][0], float(columns["side"][0]))
    expected = apply_affine(affine, columns["keypoints_2d"][0, :, :2]) / 256 - 0.5
    np.testing.assert_allclose(batch.keypoints_2d[0, :, :2], expected, atol=1e-5)
    np.testing.assert_allclose(batch.keypoints_3d, columns["keypoints_3d"].clip(None, 10), atol=1e-6)
    rotmat = Rotation.from_rotvec(columns["pose"].reshape(-1, 3)).as_matrix().reshape(4, 24, 3, 3)
    np.testing.assert_allclose(batch.pose_rotmat, rotmat, atol=1e-5)
    np.testing.assert_allclose(batch.box_center, columns["center"])
    np.testing.assert_allclose(batch.box_size, columns["side"])
    assert batch.image_size.tolist() == [[320, 240]] * 4
    assert batch.focal_length[0] == pytest.approx(5000 / 256 * 320), "HMR's guess where the file says nothing"
    assert batch.keys[2] == "people/2.jpg"
    np.testing.assert_array_equal(batch.residual, columns["residual"])
    np.testing.assert_allclose(batch.residual_3d, columns["residual_3d"], atol=1e-6)


def test_rotation_turns_root_and_3d_and_nothing_else(crops):
    angle = 0.5
    plain, turned = to_batch(crops, TRUTH), to_batch(placed(crops, rotation=angle), TRUTH)
    about_z = torch.tensor(Rotation.from_rotvec([0, 0, -angle]).as_matrix(), dtype=torch.float32)
    torch.testing.assert_close(turned.keypoints_3d[..., :3], plain.keypoints_3d[..., :3] @ about_z.T)
    torch.testing.assert_close(turned.pose_rotmat[:, 0], about_z @ plain.pose_rotmat[:, 0])
    torch.testing.assert_close(turned.pose_rotmat[:, 1:], plain.pose_rotmat[:, 1:])
    torch.testing.assert_close(turned.residual_3d[..., :3], plain.residual_3d[..., :3] @ about_z.T)
    torch.testing.assert_close(turned.residual, plain.residual)
    # a point right of the centre moves up (facts 3.9): the same turn in the picture
    known = plain.keypoints_2d[..., 2] > 0
    expected = plain.keypoints_2d[..., :2] @ about_z[:2, :2].T
    torch.testing.assert_close(turned.keypoints_2d[..., :2][known], expected[known], atol=1e-5, rtol=0)


def test_flip_changes_sides_of_everything(crops):
    plain, mirrored = to_batch(crops, TRUTH), to_batch(placed(crops, flip=True), TRUTH)
    assert mirrored.limb_levels[1].tolist() == [2, 0, 0, 0], "the right forearm is now the left one"
    left, right = J44.index["left_ankle"], J44.index["right_ankle"]
    np.testing.assert_allclose(mirrored.keypoints_2d[0, left, 0], -plain.keypoints_2d[0, right, 0], atol=1e-5)
    np.testing.assert_allclose(mirrored.keypoints_2d[0, left, 1], plain.keypoints_2d[0, right, 1], atol=1e-5)
    np.testing.assert_allclose(
        mirrored.keypoints_3d[0, left] * torch.tensor([-1, 1, 1, 1]), plain.keypoints_3d[0, right]
    )
    here, there = (
        SEGMENTS.index(SEGMENT["left_below_knee_res"]),
        SEGMENTS.index(SEGMENT["right_below_knee_res"]),
    )
    torch.testing.assert_close(mirrored.residual[:, here], plain.residual[:, there])
    torch.testing.assert_close(
        mirrored.residual_3d[:, here], plain.residual_3d[:, there] * torch.tensor([-1, 1, 1, 1])
    )
    sign = torch.diag(torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(mirrored.pose_rotmat, sign @ plain.pose_rotmat[:, list(JOINT_FLIP)] @ sign)
    np.testing.assert_allclose(mirrored.box_center[:, 0], 320 - plain.box_center[:, 0])
    shown = plain.bpac_keypoints[1].numpy()
    assert (shown[:, 2] == 0).sum() == 2 and mirrored.bpac_keypoints[1][2, 2] == 0, "left elbow"


def test_mirrored_and_turned_labels_describe_one_body():
    """Twin: mirror and turn the posed embedded body's own joints, against posing it with the new labels."""
    body = FastBody(load_body())
    rng = np.random.default_rng(0)
    pose, betas = rng.normal(0, 0.4, (24, 3)), np.zeros(10, np.float32)
    joints = body(betas, Rotation.from_rotvec(pose).as_matrix()).joints.astype(np.float64)
    columns = {
        "pose": pose[None].astype(np.float32), "has_pose": np.ones((1, 24), bool), "betas": betas[None],
        "keypoints_2d": np.zeros((1, 44, 3), np.float32), "keypoints_3d": np.zeros((1, 44, 4), np.float32),
        "has_betas": np.ones(1, bool), "trusted_3d": np.ones(1, bool), "levels": np.zeros((1, 4), np.int8),
        "intact_2d": np.full((1, 12, 2), np.nan, np.float32), "hidden": np.zeros((1, 12), bool),
        "focal_length": np.full(1, 1000, np.float32), "image_size": np.full((1, 2), 300, np.float32),
        "residual": np.full((1, 8), np.nan, np.float32), "residual_3d": np.zeros((1, 8, 4), np.float32),
        "center": np.full((1, 2), 150, np.float32), "side": np.full(1, 200, np.float32),
    }  # fmt: skip
    place = Placements(np.full((1, 2), 150.0), np.full(1, 200.0), np.array([0.4]), np.array([True]))
    crop = Crops(
        ["x"], np.zeros((1, 256, 256, 3), np.uint8), columns, place, np.ones((1, 3)), np.zeros((1, 12), bool),
        np.full((1, 200), 0.5),
    )  # fmt: skip
    batch = Collate(TRUTH)(crop).unpack()
    assert batch.focal_length.item() == 1000
    expected = joints[list(JOINT_FLIP)] * (-1, 1, 1)
    about_z = Rotation.from_rotvec([0, 0, -0.4]).as_matrix()
    expected = (expected - expected[:1]) @ about_z.T
    posed = body(betas, batch.pose_rotmat[0].double().numpy()).joints.astype(np.float64)
    np.testing.assert_allclose(
        posed - posed[:1], expected, atol=3e-3
    )  # the embedded body is almost symmetric


def test_missing_stays_missing_and_lost_is_hidden(crops):
    columns = {name: array.copy() for name, array in crops.columns.items()}
    columns["levels"][0] = -1
    columns["has_pose"][0, 5] = False
    columns["keypoints_2d"][0, 3, 2] = -1  # A3D's mark
    batch = to_batch(replace(placed(crops, flip=True), columns=columns), TRUTH)
    assert batch.limb_levels[0].tolist() == [-1] * 4
    assert not batch.has_pose[0, JOINT_FLIP.index(5)] and batch.has_pose[0].sum() == 23
    assert batch.keypoints_2d[..., 2].min() == 0 and not batch.keypoints_2d[0, J44.flip.index(3)].any()
    absent = J44.absent(batch.limb_levels[1].numpy())
    assert absent.sum() == 4 and not batch.keypoints_2d[1, absent].any()
    assert (batch.keypoints_3d[1, absent, 3] == 1).all(), "3D of what is lost stays supervised"


def test_bpac_falls_back_on_the_extra_block(crops):
    columns = {name: array.copy() for name, array in crops.columns.items()}
    slot = BPAC_J44[10]
    extra = J44.index["left_ankle_extra"]
    columns["keypoints_2d"][0, slot, 2] = 0
    columns["keypoints_2d"][0, extra] = (160, 120, 1)
    batch = to_batch(replace(crops, columns=columns), TRUTH)
    torch.testing.assert_close(batch.bpac_keypoints[0, 10], batch.keypoints_2d[0, extra])


# pixels


@pytest.mark.parametrize("coloured", [True, False])
def test_normalised_as_upstream(coloured):
    pixels = np.stack([photo(64, 64, seed) for seed in range(3)])
    colour = np.array([[0.8, 1.0, 1.2], [1.2, 1.1, 0.9], [1, 1, 1]])
    factor = colour if coloured else np.ones((3, 3))
    expected = np.clip(pixels * factor[:, None, None], 0, 255)
    expected = (expected - 255 * np.array(IMAGE_MEAN)) / (255 * np.array(IMAGE_STD))
    found = normalise(
        torch.from_numpy(pixels), torch.tensor(colour, dtype=torch.float32) if coloured else None
    )
    assert found.dtype == torch.float32 and found.is_contiguous()
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_packed_batch_moves_and_joins(crops):
    packed = Collate(TRUTH)([replace(crops, keys=list(crops.keys)), crops])
    assert isinstance(packed, PackedBatch) and len(packed) == 8 and packed.pixels.dtype == torch.uint8
    moved = packed.to("cpu").unpack()
    assert moved.keys == crops.keys * 2
    torch.testing.assert_close(moved.image[:4], moved.image[4:])


def test_collating_changes_no_crop(crops):
    before = {name: array.copy() for name, array in crops.columns.items()}
    first = to_batch(placed(crops, 0.3, True))
    assert all((before[name] == crops.columns[name]).all() or np.isnan(before[name]).any() for name in before)
    torch.testing.assert_close(first.bpac_keypoints, to_batch(placed(crops, 0.3, True)).bpac_keypoints)
