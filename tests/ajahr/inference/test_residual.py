"""Residual limbs of predicted people: what is said, what is drawn and written, and what a fit adds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from puppet import ELBOW, HIP, INTACT, Puppet, picture

from ajahr.errors import UserError
from ajahr.inference.pictures import caption, length_in_words
from ajahr.inference.predictor import AJAHR
from ajahr.inference.surfaces import RESIDUAL_RED
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS
from ajahr.residual_limb.skin import topology

SIZE = (240, 320)
END = SEGMENT["left_above_elbow_res"]
K = 17 + SEGMENTS.index(END)


@pytest.fixture(scope="module")
def head(torch_body):
    return Puppet(torch_body, residual=(0.4, 0.05))


def with_end(model: AJAHR, fraction: float, off: float = 0.0) -> np.ndarray:
    """LDPose's 25 of the puppet's body, its left arm ending at ``fraction``, ``off`` px to the side."""
    person = model.predict(picture(ELBOW, SIZE)).people[0]
    joints = person.joints_2d
    points = np.zeros((1, 25, 3))
    points[0, :17, 2] = 1
    points[0, :17, :2] = 10
    anchor, upstream = joints[END.anchor], joints[END.upstream]
    along = (upstream - anchor) / np.linalg.norm(upstream - anchor)
    points[0, K] = (*(anchor + fraction * (upstream - anchor) + off * np.array([-along[1], along[0]])), 1)
    return points


def test_what_is_said_of_a_residual_limb(head, tmp_path) -> None:
    model = AJAHR(head, device="cpu")
    result = model.predict(picture(ELBOW, SIZE))
    person = result.people[0]
    end = person.residual_limbs[0]
    assert end is not None and end.segment == END and person.residual_limbs[1:] == (None,) * 3
    bone = np.linalg.norm(person.joints[END.anchor] - person.joints[END.upstream])
    assert end.length == pytest.approx(0.6 * bone, rel=1e-4)
    low, high = end.interval
    assert (high - low) / bone == pytest.approx(2 * 1.96 * 0.05, rel=1e-3) and low < end.length < high
    result.save(tmp_path)
    told = json.loads((tmp_path / "picture.json").read_text())["people"][0]["limbs"]["left_arm"]["residual"]
    assert told["segment"] == END.name and not told["scaled"] and told["method"] == "head"
    assert told["length_mm"] == pytest.approx(1000 * end.length, abs=0.1) and told["fit"] is None
    joints = person.joints + person.translation
    np.testing.assert_allclose(
        told["end_3d"], 0.6 * joints[END.anchor] + 0.4 * joints[END.upstream], atol=1e-3
    )


def test_the_mesh_ends_there_and_is_closed(head) -> None:
    result = AJAHR(head, device="cpu").predict(picture(ELBOW, SIZE))
    person, mesh = result.people[0], result.mesh()
    found = topology(mesh.vertices, mesh.faces)
    assert found.closed and found.volume > 0
    tip = 0.6 * person.joints[END.anchor] + 0.4 * person.joints[END.upstream]
    assert np.linalg.norm(mesh.vertices - tip, axis=1).min() < 0.002
    along = person.joints[END.anchor] - person.joints[END.upstream]
    beyond = (mesh.vertices - tip) @ (along / np.linalg.norm(along))
    near = np.linalg.norm(mesh.vertices - tip, axis=1) < 0.12
    assert beyond[near].max() < 0.004, "nothing of the arm goes on"
    red = (mesh.colours == RESIDUAL_RED).all(1)
    assert red[near].mean() > 0.5 and red.mean() < 0.1


def test_red_on_the_overlay_and_lengths_in_words(head) -> None:
    result = AJAHR(head, device="cpu", stature=1.8).predict(picture(ELBOW, SIZE))
    person = result.people[0]
    end = person.residual_limbs[0]
    assert end is not None and end.scaled
    middle = (end.end + person.joints[END.upstream] + person.translation) / 2
    x, y = person.camera.project(middle[None])[0].astype(int)
    red, green, blue = result.overlay()[y, x].astype(int)
    assert red > 1.8 * max(green, blue)
    words = length_in_words(end)
    assert words.startswith(f"left above elbow: {1000 * end.length:.0f} mm (") and "unscaled" not in words
    assert words in caption(person)


def test_intact_and_disarticulated_people_have_no_residual_limb(head) -> None:
    model = AJAHR(head, device="cpu")
    for levels in (INTACT, HIP):
        person = model.predict(picture(levels, SIZE)).people[0]
        assert person.residual_limbs == (None,) * 4 and person.surface is None


def test_stature_scales_lengths_alone(head) -> None:
    plain, tall = (AJAHR(head, device="cpu", stature=s).predict(picture(ELBOW, SIZE)) for s in (None, 2.0))
    a, b = plain.people[0].residual_limbs[0], tall.people[0].residual_limbs[0]
    assert a is not None and b is not None and b.length > 1.05 * a.length
    np.testing.assert_array_equal(a.end, b.end)
    with pytest.raises(UserError, match="is no person's"):
        AJAHR(head, stature=5.0)


def test_a_fit_to_a_given_end(head) -> None:
    model = AJAHR(head, device="cpu", refine="rafo")
    points = with_end(model, 0.6)
    box = [[0, 0, *SIZE]]
    end = model.predict(picture(ELBOW, SIZE), box, points).people[0].residual_limbs[0]
    assert end is not None and end.status == "accepted" and end.method == "head+rafo"
    assert 0.42 < end.fraction < 0.62 and end.sd < 0.05, "between the head's 0.4 and the image's 0.6"
    far = with_end(model, 0.6, off=90)
    kept = model.predict(picture(ELBOW, SIZE), box, far).people[0].residual_limbs[0]
    assert kept is not None and kept.status == "rejected" and kept.reason and kept.method == "head"
    assert kept.fraction == pytest.approx(0.4, abs=1e-6)
    unasked = AJAHR(head, device="cpu").predict(picture(ELBOW, SIZE), box, points).people[0].residual_limbs[0]
    assert unasked is not None and unasked.status == "" and unasked.fraction == pytest.approx(0.4, abs=1e-6)


def test_a_fit_without_a_head(torch_body) -> None:
    model = AJAHR(Puppet(torch_body), device="cpu", refine="rafo")
    points = with_end(model, 0.6)
    box = [[0, 0, *SIZE]]
    end = model.predict(picture(ELBOW, SIZE), box, points).people[0].residual_limbs[0]
    assert end is not None and end.method == "rafo" and end.fraction == pytest.approx(0.6, abs=0.02)
    far = model.predict(picture(ELBOW, SIZE), box, with_end(model, 0.6, off=90)).people[0]
    assert far.residual_limbs == (None,) * 4 and far.surface is None, "as AJAHR has it"
