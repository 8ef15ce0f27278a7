"""The 25-point model in prediction: keypoints for BPAC-Net, limb status of two witnesses, ends of residual limbs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from puppet import ELBOW, HIP, INTACT, picture

from ajahr.data.ldpose import ABOVE, BELOW, LIMB_POINTS, presence_of_levels
from ajahr.errors import UserError
from ajahr.inference.limb_points import Keypoints25, LimbPointFinder, LimbPoints, is_keypoints25
from ajahr.inference.people import KeypointFinder
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.predictor import AJAHR, Request
from ajahr.inference.run import run
from ajahr.inference.shipped import find_keypoints
from ajahr.keypoints.calibration import KeypointCalibration, LimbCalibration, save_calibration
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.limb_status import FusionWeights, from_presence, fuse_status
from ajahr.keypoints.model import KeypointModel, save_keypoints
from ajahr.progress import Progress


class Seer:
    """Says of everybody that they have these limbs, at points that lie at fixed shares of their box."""

    def __init__(self, levels, sure: float = 0.99) -> None:
        exists = presence_of_levels(np.array(levels))
        self.presence = np.where(exists == 1, sure, 1 - sure).astype(np.float32)
        self.shares = np.random.default_rng(0).uniform(0, 1, (25, 2)).astype(np.float32)

    def limb_points(self, image, boxes_xyxy) -> LimbPoints:
        count = len(boxes_xyxy)
        corner, size = boxes_xyxy[:, None, :2], (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])[:, None]
        presence = np.tile(self.presence, (count, 1))
        sd = np.full((count, 25), 2, np.float32)
        status = from_presence(presence).astype(np.float32)
        return LimbPoints((corner + self.shares * size).astype(np.float32), presence, presence, sd, status)

    def __call__(self, image, boxes_xyxy):
        return self.limb_points(image, boxes_xyxy).coco


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    model = KeypointModel(KeypointConfig("shufflenet_v2_x0_5", head="wide", presence="pool"))
    return save_keypoints(model, tmp_path_factory.mktemp("weights") / "k25")


def test_both_witnesses_are_told_apart_and_the_surer_decides(puppet):
    model = AJAHR(puppet, keypoints=Seer(HIP, 0.999), device="cpu")
    person = model.predict(picture(INTACT)).people[0]
    assert person.limbs_from_bpac.argmax(1).tolist() == list(INTACT)
    assert person.limbs_from_keypoints.argmax(1).tolist() == list(HIP)
    assert person.limb_levels.tolist() == list(HIP)
    expected = fuse_status(person.limbs_from_bpac[None], person.limbs_from_keypoints[None])
    assert person.limb_probabilities == pytest.approx(expected[0], abs=1e-6)
    limb = person.document()["limbs"]["right_leg"]
    assert [limb[k]["status"] for k in ("from_bpac", "from_keypoints", "fused")] == ["intact", "hip", "hip"]
    assert limb["status"] == "hip" and limb["probabilities"] == limb["fused"]["probabilities"]


def test_whom_the_points_judge_otherwise_is_regressed_again_and_nobody_else(puppet):
    """The puppet's picture says which levels it was told; three of four people agree with it."""
    model = AJAHR(puppet, keypoints=Seer(ELBOW, 0.999), device="cpu", batch_size=8)
    requests = [Request(picture(levels)) for levels in (ELBOW, ELBOW, HIP, ELBOW)]
    people = [result.people[0] for result in model.predict_many(requests)]
    assert [len(call) for call in puppet.calls if call is not None] == [1]
    assert puppet.calls[-1].tolist() == [people[2].limb_levels.tolist()]
    # the arm's body collapses at the elbow in the second look, as for those who were told at once
    assert people[2].limb_levels[0] == 2 and people[2].vertices.shape == people[0].vertices.shape
    assert np.abs(people[0].vertices - people[1].vertices).max() == 0


def test_points_that_agree_change_nothing_but_the_report(puppet):
    plain = AJAHR(puppet, device="cpu").predict(picture(ELBOW)).people[0]
    with_points = AJAHR(puppet, keypoints=Seer(ELBOW), device="cpu").predict(picture(ELBOW)).people[0]
    assert np.array_equal(plain.vertices, with_points.vertices) and puppet.calls[-1] is None
    assert plain.limbs_from_keypoints is None and plain.detected_end(0) is None
    document = plain.document()["limbs"]["left_arm"]
    assert document["from_keypoints"] is None and document["from_bpac"] == document["fused"]


def test_the_detected_end_is_of_the_level_that_won(puppet):
    box = [10, 20, 110, 100]
    for levels, column in ((ELBOW, ABOVE), ((0, 0, 1, 0), BELOW)):
        seer = Seer(levels, 0.999)
        person = (
            AJAHR(puppet, keypoints=seer, device="cpu")
            .predict(picture(levels if levels == ELBOW else INTACT), [box])
            .people[0]
        )
        limb = int(np.flatnonzero(levels)[0])
        point = LIMB_POINTS[limb, column]
        expected = np.array([10, 20]) + seer.shares[point] * np.array([100, 80])
        assert person.detected_end(limb)[:2] == pytest.approx(expected, abs=1e-3)
        entry = person.document()["limbs"][("left_arm", "right_arm", "left_leg", "right_leg")[limb]]
        assert entry["detected_end_2d"] == pytest.approx(expected.tolist(), abs=0.01)
        assert entry["detected_end_sd_px"] == 2.0 and person.detected_end(1) is None


def test_bpac_gets_the_seventeen_unless_it_came_with_some(puppet):
    model = AJAHR(puppet, keypoints=Seer(INTACT), device="cpu")
    given = np.zeros((2, 17, 3), np.float32)
    given[0] = [40, 30, 0.7]
    people = model.predict(picture(), [[0, 0, 80, 120], [80, 0, 160, 120]], given).people
    assert people[0].keypoints[:, 2] == pytest.approx(np.full(17, 0.7))
    assert people[1].keypoints[:, 2] == pytest.approx(np.full(17, 0.99))
    assert all(person.keypoints_ldpose25 is not None for person in people)


def test_weights_decide_who_is_believed(puppet):
    model = AJAHR(puppet, keypoints=Seer(HIP), fusion=FusionWeights(1, 0), device="cpu")
    assert model.predict(picture(ELBOW)).people[0].limb_levels.tolist() == list(ELBOW)


def test_points_of_reduced_pictures_are_told_in_the_files_pixels(puppet, tmp_path):
    Image.fromarray(np.kron(picture(INTACT, (300, 200)), np.ones((4, 4, 1), np.uint8))).save(
        tmp_path / "a.png"
    )
    seer, box = Seer(INTACT), [400, 100, 800, 700]
    model = AJAHR(puppet, keypoints=seer, device="cpu", max_pixels=60_000)
    person = model.predict(tmp_path / "a.png", [box]).people[0]
    expected = np.array([400, 100]) + seer.shares * np.array([400, 600])
    assert person.keypoints_ldpose25[:, :2] == pytest.approx(expected, abs=0.1)
    assert person.keypoints_ldpose25[0, 3] == pytest.approx(8)


def test_a_folder_is_told_from_a_vitpose_folder(folder, tmp_path):
    assert is_keypoints25(folder) and not is_keypoints25(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vitpose"}))
    assert not is_keypoints25(tmp_path)
    finder = find_keypoints(folder)
    assert isinstance(finder, LimbPointFinder) and isinstance(finder, KeypointFinder)


def test_a_models_own_calibration_is_used(folder, tmp_path):
    image, boxes = picture(), np.array([[0, 0, 80, 120]], np.float32)
    plain = Keypoints25(folder).limb_points(image, boxes)
    assert plain.limb_probabilities == pytest.approx(from_presence(plain.presence), abs=1e-5)
    mine = LimbCalibration(0.0, (0, 0, 0, 3))
    try:
        save_calibration(KeypointCalibration(limbs=mine), folder)
        assert (Keypoints25(folder).limb_points(image, boxes).limb_probabilities.argmax(-1) == 3).all()
    finally:
        (folder / "calibration.json").unlink()


def test_without_a_presence_head_and_with_seventeen_points(tmp_path):
    bare = save_keypoints(KeypointModel(KeypointConfig("shufflenet_v2_x0_5")), tmp_path / "bare")
    found = Keypoints25(bare).limb_points(picture(), np.array([[0, 0, 80, 120]], np.float32))
    assert np.isnan(found.presence).all() and found.limb_probabilities.sum(-1) == pytest.approx(
        np.ones((1, 4)), abs=1e-5
    )
    coco = save_keypoints(KeypointModel(KeypointConfig("shufflenet_v2_x0_5", points=17)), tmp_path / "coco")
    with pytest.raises(UserError, match=r"17 points and no residual-limb ends"):
        find_keypoints(coco)


def test_the_command_takes_the_folder(folder, weights, tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    config = PredictConfig(
        output=tmp_path / "out", weights=str(weights), keypoints=str(folder), device="cpu", mesh="none"
    )
    assert run(str(tmp_path / "a.png"), config, Progress(quiet=True)).people == 1
    limbs = json.loads((tmp_path / "out" / "a.json").read_text())["people"][0]["limbs"]
    for limb in limbs.values():
        for who in ("from_bpac", "from_keypoints", "fused"):
            assert sum(limb[who]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    with pytest.raises(UserError, match="made with other fusion"):
        run(
            str(tmp_path / "a.png"),
            PredictConfig(**{**vars(config), "fusion": FusionWeights(0.9, 0.1)}),
            Progress(quiet=True),
        )


def test_seen_ends_are_drawn(puppet):
    from ajahr.render.overlay import RESIDUAL_COLOUR

    seer = Seer(ELBOW)
    picture_of = AJAHR(puppet, keypoints=seer, device="cpu").predict(picture(ELBOW), [[0, 0, 160, 120]])
    end = picture_of.people[0].detected_end(0)
    found = np.argwhere(np.abs(picture_of.overlay().astype(int) - RESIDUAL_COLOUR).sum(-1) < 60)
    assert np.abs(found.mean(0)[::-1] - end[:2]).max() < 3
