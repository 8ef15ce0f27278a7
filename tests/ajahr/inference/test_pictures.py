from dataclasses import replace

import numpy as np
import pytest
from puppet import ELBOW, HIP, INTACT, picture

from ajahr.inference.pictures import MAX_PICTURE, MAX_TILES, _free_plate, caption, encode_jpeg, fit
from ajahr.render.overlay import RESIDUAL_COLOUR


def changed(model, result):
    """Where the mesh is: pixels that differ from the picture, labels and boxes left out by drawing none."""
    people = result.people
    drawn = result.image.pixels.copy()
    for person in people:
        model.painter._draw(drawn, person.vertices_cam, result.camera, person)
    return (drawn != result.image.pixels).any(2), drawn


def test_a_mesh_is_drawn_in_its_box_and_nowhere_else(model):
    result = model.predict(picture(INTACT, (300, 200)), [[100, 40, 160, 160]])
    mask, _ = changed(model, result)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert 35 <= rows[0] < 60 and 140 < rows[-1] <= 165
    assert 70 <= columns[0] < 120 and 140 < columns[-1] <= 190


def test_left_is_orange_and_the_end_of_a_limb_magenta(model):
    result = model.predict(picture(ELBOW, (300, 300)), [[0, 0, 300, 300]])
    _, drawn = changed(model, result)
    person = result.people[0]
    x, y = person.joints_2d[18]  # the left elbow, where the arm ends now
    colour = drawn[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].reshape(-1, 3).astype(float)
    hue = colour / np.linalg.norm(colour, axis=1, keepdims=True)
    magenta = np.array(RESIDUAL_COLOUR) / np.linalg.norm(RESIDUAL_COLOUR)
    assert (hue @ magenta).max() > 0.99
    # she faces us: her left is at the picture's right
    assert x > person.joints_2d[0, 0]


def test_the_nearer_person_is_on_top(model):
    result = model.predict(picture(INTACT, (300, 200)), [[100, 40, 160, 160], [110, 45, 150, 125]])
    image = np.zeros((200, 300, 3), np.uint8)
    a, b = result.people
    alone = model.painter.overlay(image, result.camera, [a])
    both = model.painter.overlay(image, result.camera, [a, b])
    swapped = model.painter.overlay(image, result.camera, [b, a])
    body = slice(80, 95), slice(126, 134)
    assert a.translation[2] < b.translation[2]
    assert np.array_equal(both[body], alone[body]) and np.array_equal(swapped[body], alone[body])


def test_a_body_behind_the_camera_or_beside_the_picture_draws_nothing(model):
    result = model.predict(picture())
    person = result.people[0]
    for place in ([0, 0, -30], [500, 0, 39]):
        away = replace(person, translation=np.array(place, np.float32))
        drawn = np.zeros((120, 160, 3), np.uint8)
        model.painter._draw(drawn, away.vertices_cam, result.camera, away)
        assert not drawn.any()


def test_a_large_picture_is_drawn_smaller_with_the_mesh_in_its_place(model):
    size = (3200, 2400)
    result = model.predict(picture(INTACT, size), [[1000, 600, 1600, 1800]])
    drawn = result.overlay()
    assert drawn.shape == (1200, MAX_PICTURE, 3)
    mask = np.abs(drawn.astype(int) - np.array([20, 90, 90])).max(2) > 20
    rows, columns = np.nonzero(mask[350:])
    assert 350 < columns.min() < columns.max() < 950 and rows.max() + 350 < 930


def test_the_side_view_is_from_the_pictures_right(model):
    result = model.predict(picture(INTACT, (200, 200)))
    person = result.people[0]
    sheet = model.painter.side_view(result.people, 200)
    mask = np.abs(sheet.astype(int) - 244).max(2) > 40
    mask[:30] = mask[:, :4] = False
    # she faces the camera, so her toes point to the picture's left: her feet reach further there than her shins
    bottom = np.flatnonzero(mask.any(1))[-1]
    foot, shin = (np.flatnonzero(mask[bottom - up]).min() for up in (5, 25))
    assert person.joints[10, 2] < person.joints[7, 2]  # her foot is nearer the camera than her ankle
    assert foot < shin - 2


def test_a_crowd_gets_a_tile_each_up_to_a_number(model):
    result = model.predict(picture(), [[0, 0, 40, 120]] * 3)
    many = [replace(result.people[0], number=k) for k in range(MAX_TILES + 3)]
    sheet = model.painter.side_view(many, 400)
    assert sheet.shape[0] == 400 and 200 < sheet.shape[1] < 1200
    assert model.painter.side_view([], 100).shape[0] == 100


def test_captions(model):
    people = [model.predict(picture(levels)).people[0] for levels in (INTACT, ELBOW, HIP)]
    assert [caption(person) for person in people] == ["intact 66 %", "left elbow 90 %", "right hip 90 %"]
    both = replace(people[1], limb_levels=np.array([2, 0, 0, 3]))
    assert caption(both) == "left elbow 90 %\nright hip 3 %"
    assert caption(replace(people[1], limb_probabilities=None)) == "left elbow"


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5)])
def test_pictures_of_any_shape(model, size):
    result = model.predict(picture(INTACT, size))
    drawn = result.picture()
    assert max(result.overlay().shape[:2]) <= MAX_PICTURE and drawn.shape[0] == result.overlay().shape[0]
    assert encode_jpeg(drawn)[:2] == b"\xff\xd8"


def test_labels_do_not_cover_each_other():
    taken, size = [], (50, 20)
    for x, y in ((10, 5), (40, 12), (10, 30), (200, 0), (-9, -9)):
        taken.append(_free_plate(size, x, y, (120, 100), taken))
    assert taken[:2] == [(10, 5, 60, 25), (40, 25, 90, 45)] and taken[2][1] == 45  # one below the other
    for k, (a, t, r, b) in enumerate(taken):
        assert a >= 0 and t >= 0 and r <= 100 and b <= 120 and (r - a, b - t) == size
        for c, u, s, d in taken[:k]:
            assert r <= c or s <= a or b <= u or d <= t
    assert _free_plate(size, 0, 0, (30, 100), [(0, 0, 100, 20)])[:2] == (0, 0), "no room: where it was wanted"


def test_fit_copies_what_fits():
    image = picture()
    small = fit(image, 1000)
    small[:] = 0
    assert image.any() and fit(image, 80).shape == (60, 80, 3)
