"""Where the body goes."""

import numpy as np
import pytest

from ajahr.anatomy import absent_joint_mask
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from synth.background_bank import Slot
from synth.config import RenderConfig
from synth.record import Drop, Person, Record
from synth.stages.place import Place, person_camera

UPRIGHT = np.zeros((24, 3), np.float32)
UPRIGHT[0] = (np.pi, 0, 0)


@pytest.fixture(scope="module")
def body() -> FastBody:
    return FastBody(load_body())


def placed(
    body: FastBody, slot: Slot, projection: str = "weak", levels=(0, 0, 0, 0), source: str = "sampled"
):
    person = Person(slot, levels, levels, UPRIGHT, source, source, absent=absent_joint_mask(levels))
    record = Record(0, 0, False, np.random.default_rng(0), camera=Camera.hmr(640, 480), people=[person])
    Place(body, RenderConfig(projection=projection))(record)
    return record, person


@pytest.mark.parametrize("projection", ["weak", "perspective"])
def test_a_sampled_pose_stands_on_the_slots_ground_at_its_scale(body, projection):
    record, person = placed(body, Slot((0, 0, 1, 1), 200.0, 320.0, 450.0), projection)
    pixels = person_camera(record, person, projection).project(person.mesh.vertices)
    height_m = np.ptp(person.mesh.vertices[:, 1])
    assert pixels[:, 1].max() == pytest.approx(450, abs=8)
    assert np.ptp(pixels[:, 1]) == pytest.approx(200 * height_m, rel=0.02)
    assert abs(pixels[:, 0].mean() - 320) < 40


def test_both_twins_stand_in_the_same_place(body):
    slot = Slot((0, 0, 1, 1), 150.0, 300.0, 440.0)
    _, intact = placed(body, slot)
    _, amputee = placed(body, slot, levels=(0, 0, 3, 3))
    assert np.array_equal(intact.transl, amputee.transl)
    assert np.ptp(amputee.mesh.vertices[:, 1]) < 0.75 * np.ptp(intact.mesh.vertices[:, 1])


def test_a_fitted_pose_stays_where_it_was_fitted(body):
    slot = Slot((0, 0, 1, 1), 150.0, 0.0, 0.0, UPRIGHT.tolist(), [0.0] * 10, (411.0, 222.0), 0.01)
    record, person = placed(body, slot, source="fitted")
    pelvis = person_camera(record, person, "weak").project(person.mesh.joints[0])
    assert pelvis == pytest.approx([411, 222], abs=0.01)


def test_the_translation_is_smpls(body):
    _, person = placed(body, Slot((0, 0, 1, 1), 150.0, 300.0, 440.0))
    posed = body(person.betas, np.tile(np.eye(3), (24, 1, 1)))
    assert person.mesh.joints[0] == pytest.approx(posed.joints[0] + person.transl, abs=1e-5)


def test_who_would_stand_outside_the_picture_is_dropped(body):
    with pytest.raises(Drop) as drop:
        placed(body, Slot((0, 0, 1, 1), 150.0, 3000.0, 440.0))
    assert drop.value.reason == "out_of_frame"


def test_a_cut_outside_the_picture_is_dropped_for_both_twins(body):
    slot = Slot((0, 0, 1, 1), 400.0, 320.0, 700.0)  # the knees are below the picture
    placed(body, slot)
    with pytest.raises(Drop) as drop:
        placed(body, slot, levels=(0, 0, 1, 0))
    assert drop.value.reason == "cut_out_of_frame"
    placed(body, slot, levels=(2, 0, 0, 0))


def test_perspective_so_close_that_the_camera_is_inside_is_dropped(body):
    record = Record(0, 0, False, np.random.default_rng(0), camera=Camera.centred(640, 480, 20.0))
    record.people = [Person(Slot((0, 0, 1, 1), 200.0, 320.0, 450.0), (0,) * 4, (0,) * 4, UPRIGHT, "sampled")]
    with pytest.raises(Drop) as drop:
        Place(body, RenderConfig(projection="perspective"))(record)
    assert drop.value.reason == "too_close"
