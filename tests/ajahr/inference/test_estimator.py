import numpy as np
import pytest
import torch
from puppet import ELBOW, HIP, INTACT, picture

from ajahr.data.images import LoadedImage
from ajahr.errors import UserError
from ajahr.inference.estimator import Crops, Estimator, cut_people
from ajahr.inference.people import People
from ajahr.inference.predictor import as_loaded


def keypoints_at(*points):
    found = np.zeros((1, 17, 3))
    for k, point in enumerate(points):
        found[0, 5 + k] = point
    return found


def crops_of(*levels):
    return Crops.joined([cut_people(as_loaded(picture(one)), People.whole((160, 120))) for one in levels])


# crops


def test_a_crop_is_the_box_grown_to_three_to_four_and_nothing_more():
    image = np.zeros((200, 300, 3), np.uint8)
    image[50:150, 100:140] = 255
    crops = cut_people(as_loaded(image), People.of([[100, 50, 140, 150]]))
    assert crops.centres.tolist() == [[120, 100]] and crops.sides.tolist() == [100]
    white = crops.images[0, :, :, 0] > 127
    rows, columns = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
    assert (rows[0], rows[-1]) == (0, 255)
    assert abs(columns[0] - 256 * 0.3) <= 1 and abs(columns[-1] + 1 - 256 * 0.7) <= 1


def test_keypoints_come_in_crop_units_or_in_pixels_of_the_picture():
    people = People.of([[100, 50, 140, 150]], None, keypoints_at((120, 100, 0.8), (170, 50, 1), (3, 4, 0)))
    image = as_loaded(np.zeros((200, 300, 3), np.uint8))
    found = cut_people(image, people).keypoints[0]
    assert np.allclose(found[:3], [[0, 0, 0.8], [0.5, -0.5, 1], [0, 0, 0]])
    assert np.allclose(cut_people(image, people, "image").keypoints[0, :2], [[120, 100, 0.8], [170, 50, 1]])


def test_a_reduced_picture_gives_the_same_crop():
    y, x = np.mgrid[:400, :600]
    image = np.stack([x / 3, y / 2, (x + y) / 5], -1).astype(np.uint8)
    small = image.reshape(200, 2, 300, 2, 3).mean((1, 3)).astype(np.uint8)
    people = People.of([[200, 40, 400, 360]])
    whole = cut_people(as_loaded(image), people)
    reduced = cut_people(LoadedImage(small, 1, (600, 400), 2), people)
    assert np.abs(whole.images.astype(int) - reduced.images).max() <= 2
    assert np.array_equal(whole.centres, reduced.centres) and np.array_equal(whole.sides, reduced.sides)


def test_outside_the_picture_is_black():
    crops = cut_people(as_loaded(picture(HIP)), People.of([[-200, 0, 40, 120]]))
    assert crops.images[0, :, :100].max() == 0 and crops.images[0, 100:150, 240:].min() > 0


# estimates


def test_batches_do_not_matter(puppet):
    crops = crops_of(INTACT, ELBOW, HIP, INTACT, HIP)
    together = Estimator(puppet, batch_size=5)(crops)
    apart = Estimator(puppet, batch_size=2)(crops)
    assert [len(one) for one in (together, apart)] == [5, 5]
    assert together.limb_levels.tolist() == [list(x) for x in (INTACT, ELBOW, HIP, INTACT, HIP)]
    for name in ("limb_levels", "limb_probabilities", "vertices", "joints", "betas"):
        assert np.allclose(getattr(together, name), getattr(apart, name), atol=1e-6)


def test_given_levels_overrule_limb_by_limb(puppet):
    given = np.array([[0, 0, 0, 1], [-1, -1, -1, -1]])
    found = Estimator(puppet)(crops_of(ELBOW, ELBOW), given)
    assert found.limb_levels.tolist() == [[0, 0, 0, 1], list(ELBOW)]
    assert found.limb_probabilities[0].argmax(1).tolist() == list(ELBOW)  # what was seen is still said


def test_the_regressor_sees_imagenet_normalised_rgb():
    class Eye(torch.nn.Module):
        def forward(self, image, keypoints, *, limb_levels=None):
            self.seen = image
            raise StopIteration

    eye = Eye()
    with pytest.raises(StopIteration):
        Estimator(eye)(
            cut_people(as_loaded(np.full((64, 48, 3), (255, 0, 51), np.uint8)), People.whole((48, 64)))
        )
    middle = eye.seen[0, :, 128, 128].numpy()
    assert np.allclose(middle * [0.229, 0.224, 0.225] + [0.485, 0.456, 0.406], [1, 0, 0.2], atol=1e-5)
    assert eye.seen.shape == (1, 3, 256, 256)


def test_bf16_keeps_geometry_in_float32(weights):
    from ajahr.models.pretrained import load_pretrained

    crops = crops_of(INTACT, ELBOW)
    full, half = (Estimator(load_pretrained(weights), precision=p)(crops) for p in ("fp32", "bf16"))
    assert half.vertices.dtype == np.float32
    assert 0 < np.abs(full.limb_probabilities - half.limb_probabilities).max() < 0.05


def test_numbers_that_are_not_finite_are_an_error(puppet):
    puppet.body.J_template[0, 0] += float("nan")
    try:
        with pytest.raises(UserError, match="not finite"):
            Estimator(puppet)(crops_of(INTACT))
    finally:
        from ajahr.body.data import load_body

        puppet.body.J_template.copy_(type(puppet.body)(load_body()).J_template)


def test_batch_size():
    with pytest.raises(UserError, match="at least 1"):
        Estimator(torch.nn.Identity(), batch_size=0)
