import json

import numpy as np
import pytest
from puppet import ELBOW, HIP, INTACT, picture

from ajahr.anatomy import J44, JOINT, absent_joint_mask, to_ajahr_index
from ajahr.geometry.cameras import project_crop
from ajahr.geometry.rotations_np import rotvec_to_rotmat


def person_of(model, levels, boxes=None, **options):
    return model.predict(picture(levels), boxes, **options).people[0]


@pytest.mark.parametrize(
    "box", [[0, 0, 160, 120], [20, 10, 60, 100], [-30, -40, 50, 90], [100, 60, 180, 150]]
)
def test_the_whole_pictures_camera_sees_what_the_crops_camera_saw(model, box):
    person = person_of(model, INTACT, [box])
    in_crop = project_crop(person.joints + np.array([0, -0.1, 2 * 5000 / 256], np.float32))
    expected = in_crop * person.crop_side + person.crop_centre
    # not the same camera, and far from the middle another perspective: under one per cent of the box
    assert np.abs(person.joints_2d - expected).max() < 0.012 * person.crop_side


def test_the_body_lies_in_its_box(model):
    person = person_of(model, INTACT, [[40, 10, 100, 110]])
    points = person.camera.project(person.vertices_cam)
    low, high = points.min(0), points.max(0)
    centre = (low + high) / 2
    assert np.abs(centre - [70, 60]).max() < 6
    assert 70 < high[1] - low[1] < 110


def test_a_known_focal_length_moves_the_body_and_not_its_picture(puppet):
    from ajahr.inference.predictor import AJAHR

    near = person_of(AJAHR(puppet, device="cpu", focal_length=200.0), INTACT, [[40, 10, 100, 110]])
    far = person_of(AJAHR(puppet, device="cpu"), INTACT, [[40, 10, 100, 110]])
    assert near.translation[2] == pytest.approx(far.translation[2] * 200 / far.camera.focal_length, rel=1e-5)
    pelvis = JOINT["pelvis"]
    assert np.abs(near.joints_2d[pelvis] - far.joints_2d[pelvis]).max() < 2


@pytest.mark.parametrize(
    "levels, words", [(INTACT, "intact"), (ELBOW, "left elbow"), (HIP, "right hip"), ((1, 0, 0, 3), None)]
)
def test_the_document_says_what_is_there_and_what_is_not(model, levels, words):
    person = person_of(model, INTACT if words is None else levels)
    if words is None:
        from dataclasses import replace

        person = replace(person, limb_levels=np.array(levels))
        words = "left hand, right hip"
    document = json.loads(json.dumps(person.document()))
    assert person.limbs_in_words == words and document["amputee"] is any(levels)
    absent = absent_joint_mask(levels)
    for key, gone in (("joints_3d", absent), ("joints_2d", absent), ("keypoints_3d", J44.absent(levels))):
        assert [value is None for value in document[key]] == gone.tolist()
    assert [JOINT[name] for name in document["smpl"]["absent_joints"]] == np.flatnonzero(absent).tolist()
    expected = [to_ajahr_index(limb, level) for limb, level in enumerate(levels) if level] or [12]
    assert document["ajahr_index"] == sorted(expected)
    for limb, level in zip(document["limbs"].values(), levels, strict=True):
        assert limb["level"] == level and sum(limb["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert ("end_3d" in limb) is (level > 0)


def test_the_documents_pose_is_the_persons(model):
    person = person_of(model, ELBOW)
    smpl = person.document()["smpl"]
    rotvec = np.array([smpl["global_orient"], *smpl["body_pose"]])
    assert np.abs(rotvec_to_rotmat(rotvec) - person.pose_rotmat).max() < 1e-4
    assert np.allclose(smpl["betas"], person.betas, atol=1e-5)


def test_the_end_of_a_residual_limb_is_its_amputation_joint(model):
    person = person_of(model, ELBOW)
    limb = person.document()["limbs"]["left_arm"]
    elbow = JOINT["left_elbow"]
    assert np.allclose(limb["end_2d"], person.joints_2d[elbow], atol=0.01)
    assert np.allclose(limb["end_3d"], person.joints[elbow] + person.translation, atol=1e-3)


def test_without_bpac_there_are_no_probabilities(model):
    from dataclasses import replace

    person = replace(person_of(model, INTACT), limb_probabilities=None)
    assert "probabilities" not in person.document()["limbs"]["left_arm"]
