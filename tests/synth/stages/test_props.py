"""Prostheses, wheelchairs and crutches in the scene."""

import numpy as np
import pytest

from synth.stages.place import person_camera
from synth.stages.props import PutOn


@pytest.fixture(scope="module")
def put_on(fast) -> PutOn:
    return PutOn(fast)


def test_a_prosthesis_is_worn_by_the_amputee_and_not_by_the_twin(scene, put_on):
    worn = (None, None, "pylon_foot", None)
    amputee = put_on(scene((0, 0, 2, 0), worn=worn)).people[0]
    twin = put_on(scene((0, 0, 2, 0), worn=worn, is_twin=True)).people[0]
    assert len(amputee.props) == 1 and twin.props == []
    # it ends where the leg of the twin does
    low = amputee.props[0].vertices[:, 1].max()
    assert low == pytest.approx(twin.mesh.vertices[:, 1].max(), abs=0.02)


@pytest.mark.parametrize("case", ["wheelchair", "crutches"])
def test_an_aid_is_the_same_in_both_twins(scene, put_on, case):
    amputee, twin = (
        put_on(scene((0, 0, 2, 0), cases=[case], seed=4, is_twin=is_twin)).people[0]
        for is_twin in (False, True)
    )
    assert len(amputee.props) == (1 if case == "wheelchair" else len(amputee.crutch_hands)) > 0
    for one, other in zip(amputee.props, twin.props, strict=True):
        assert np.array_equal(one.vertices, other.vertices) and np.array_equal(one.rgb, other.rgb)


@pytest.mark.parametrize("case", ["wheelchair", "crutches"])
@pytest.mark.parametrize("seed", range(3))
def test_an_aid_stands_on_the_slots_ground(scene, put_on, case, seed):
    record = put_on(scene((0, 0, 3, 0), cases=[case], seed=seed))
    person = record.people[0]
    camera = person_camera(record, person, "weak")
    low = max(camera.project(mesh.vertices.astype(float))[:, 1].max() for mesh in person.props)
    # a camera tilted down sees the far and the near foot at different heights
    assert low == pytest.approx(220, abs=16)


def test_who_has_nothing_gets_nothing(scene, put_on):
    assert put_on(scene((0, 3, 0, 0))).people[0].props == []
