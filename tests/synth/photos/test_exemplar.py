import numpy as np
import pytest

from synth.photos import exemplar
from synth.photos.exemplar import exemplar_fill
from synth.photos.inpaint import DiffusionInpainter


def bricks(height=96, width=120) -> np.ndarray:
    """A periodic wall with a floor of another colour and a little noise."""
    y, x = np.mgrid[:height, :width]
    joint = (y % 12 < 2) | ((x + 10 * (y // 12 % 2)) % 20 < 2)
    wall = np.where(joint[..., None], (210, 205, 195), (150, 70, 50))
    floor = np.where(((x // 6 + y // 6) % 2)[..., None], (60, 60, 80), (90, 90, 110))
    image = np.where((y > 0.7 * height)[..., None], floor, wall)
    return np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def hole_in(image: np.ndarray, rows=(20, 80), columns=(45, 75)) -> np.ndarray:
    hole = np.zeros(image.shape[:2], bool)
    hole[slice(*rows), slice(*columns)] = True
    return hole


# law


def test_outside_stays_and_same_input_gives_same_bytes():
    image = bricks()
    hole = hole_in(image)
    before = image.copy()
    filled = exemplar_fill(image, hole)
    assert (filled[~hole] == image[~hole]).all() and (image == before).all()
    assert (filled == exemplar_fill(image, hole)).all()


def test_what_was_in_the_hole_does_not_matter():
    image = bricks()
    hole = hole_in(image)
    painted = image.copy()
    painted[hole] = (255, 0, 255)
    assert (exemplar_fill(painted, hole) == exemplar_fill(image, hole)).all()


def test_every_filled_pixel_is_a_pixel_of_the_picture():
    image = bricks()
    hole = hole_in(image)
    filled = exemplar_fill(image, hole)
    there = {tuple(pixel) for pixel in image[~hole].tolist()}
    assert all(tuple(pixel) in there for pixel in filled[hole].tolist())


def test_a_pattern_goes_on_through_the_hole():
    image = bricks()
    hole = hole_in(image)
    error = np.abs(exemplar_fill(image, hole)[hole].astype(int) - image[hole]).mean()
    smear = np.abs(DiffusionInpainter("telea")(image, hole)[hole].astype(int) - image[hole]).mean()
    assert error < 0.5 * smear


def test_floor_stays_below_and_wall_above():
    image = bricks()
    hole = hole_in(image, rows=(10, 96))
    filled = exemplar_fill(image, hole).astype(int)
    red = filled[..., 0] > filled[..., 2] + 15  # bricks are red, the floor is bluish
    assert red[15:55, 45:75].mean() > 0.6 and red[76:, 45:75].mean() < 0.05


# twin


def test_first_fill_equals_a_plain_search():
    rng = np.random.default_rng(1)
    image = rng.uniform(0, 255, (14, 17, exemplar._CHANNELS)).astype(np.float32)
    hole = np.zeros((14, 17), bool)
    hole[5:8, 12:15] = True
    level = exemplar._level(image, hole)
    rings = np.ceil(level.inward).astype(np.int32) * hole
    assert rings.max() == 2
    got, match = image.copy(), np.zeros((14, 17, 2), np.int32)
    exemplar._peel(got, hole, rings, level.source, match, np.float32(500), np.float32(200))

    want, known, radius = image.astype(float), ~hole, exemplar.RADIUS
    for ring in (1, 2):
        for y, x in np.argwhere(rings == ring):
            best = (np.inf, 0, 0)
            for sy, sx in np.argwhere(level.source):
                errors = [
                    ((want[y + dy, x + dx] - want[sy + dy, sx + dx]) ** 2).sum()
                    for dy in range(-radius, radius + 1)
                    for dx in range(-radius, radius + 1)
                    if 0 <= y + dy < 14 and 0 <= x + dx < 17 and known[y + dy, x + dx]
                ]
                price = 500 * ((y - sy) / 14) ** 2 + 200 * ((x - sx) / 14) ** 2
                best = min(best, (np.mean(errors) + price, sy, sx))
            assert tuple(match[y, x]) == best[1:]
            want[y, x] = want[best[1], best[2]]
        known = known | (rings == ring)
    assert np.allclose(got, want, atol=1e-3)


def test_search_comes_close_to_the_best_matches():
    image = bricks(48, 60)
    hole = hole_in(image, (15, 35), (25, 40))
    level = exemplar._pyramid(image, hole)[0]
    picture = level.picture
    match = np.zeros((*hole.shape, 2), np.int32)
    match[level.target] = np.argwhere(level.source)[0]
    cost = np.full(hole.shape, 1e30, np.float32)
    state = np.array([1], np.uint32)
    exemplar._search(picture, level.source, level.target, match, cost, state, 20, np.float32(0))
    radius = exemplar.RADIUS
    patches = {
        (y, x): picture[y - radius : y + radius + 1, x - radius : x + radius + 1]
        for y, x in map(tuple, np.argwhere(level.source | level.target))
    }
    sources = np.stack([patches[tuple(s)] for s in np.argwhere(level.source)])
    found, best = [], []
    for y, x in np.argwhere(level.target)[::7]:
        here = patches[(y, x)]
        errors = ((sources - here) ** 2).sum(axis=(1, 2, 3)) / (2 * radius + 1) ** 2
        best.append(errors.min())
        found.append(cost[y, x])
        my, mx = match[y, x]
        assert level.source[my, mx]
        assert cost[y, x] == pytest.approx(((patches[(my, mx)] - here) ** 2).sum() / 49, rel=1e-3)
    assert np.mean(found) < 1.2 * np.mean(best)


# edge


def test_no_hole_is_a_copy():
    image = bricks(20, 30)
    filled = exemplar_fill(image, np.zeros((20, 30), bool))
    assert (filled == image).all() and filled is not image


@pytest.mark.parametrize("rows, columns", [((0, 96), (0, 30)), ((0, 30), (0, 120)), ((60, 96), (90, 120))])
def test_holes_at_the_border(rows, columns):
    image = bricks()
    hole = hole_in(image, rows, columns)
    filled = exemplar_fill(image, hole)
    assert (filled[~hole] == image[~hole]).all()
    assert 0.5 < filled[hole].std() / image[hole].std() < 2


def test_one_patch_is_enough_and_none_is_an_error():
    image = bricks(40, 40)
    hole = np.ones((40, 40), bool)
    hole[10:17, 20:27] = False
    filled = exemplar_fill(image, hole)
    assert (filled[~hole] == image[~hole]).all()
    hole[10] = True
    with pytest.raises(ValueError, match="no patch"):
        exemplar_fill(image, hole)
