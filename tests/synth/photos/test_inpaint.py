import numpy as np
import pytest

from synth.photos.inpaint import ExemplarInpainter, make_inpainter


def scene(noise: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :160]
    base = np.stack([80 + x * 0.5, 90 + y * 0.6, 120 + 0 * x], -1)
    image = np.clip(base + rng.normal(0, noise, (120, 160, 1)), 0, 255).astype(np.uint8)
    hole = np.zeros((120, 160), bool)
    hole[30:110, 60:100] = True
    return image, hole


# law


@pytest.mark.parametrize("name", ["exemplar", "telea", "ns"])
def test_fills_the_hole_and_nothing_else(name):
    image, hole = scene()
    person = image.copy()
    person[hole] = (255, 0, 0)
    inpaint = make_inpainter(name)
    filled = inpaint(person, hole)
    assert filled.dtype == np.uint8 and (filled[~hole] == image[~hole]).all()
    assert np.abs(filled[hole].astype(int) - image[hole]).mean() < 20, "the person is gone, the ramp goes on"
    assert (filled == inpaint(person, hole)).all()


@pytest.mark.parametrize("name", ["exemplar", "telea", "ns"])
@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_the_fill_is_as_grainy_as_the_picture(name, noise):
    image, hole = scene(noise)
    filled = make_inpainter(name)(image, hole).astype(float)

    def grain(part: np.ndarray) -> float:
        return float((part[:, 1:] - part[:, :-1]).std())

    inside, outside = grain(filled[40:100, 65:95]), grain(filled[40:100, 105:155])
    assert 0.6 < inside / outside < 1.5


def test_methods_of_opencv_differ():
    image, hole = scene()
    assert (make_inpainter("telea")(image, hole) != make_inpainter("ns")(image, hole)).any()


# edge


@pytest.mark.parametrize("name", ["exemplar", "telea", "ns"])
def test_no_hole_is_a_copy(name):
    image, hole = scene()
    filled = make_inpainter(name)(image, np.zeros_like(hole))
    assert (filled == image).all() and filled is not image


@pytest.mark.parametrize("name", ["exemplar", "telea", "ns"])
def test_nothing_left_is_an_error(name):
    image, hole = scene()
    with pytest.raises(ValueError, match="nothing to fill"):
        make_inpainter(name)(image, np.ones_like(hole))


def test_too_little_to_copy_is_filled_by_diffusion():
    image, hole = scene()
    hole[:] = True
    hole[::9] = False  # single rows: no 7 x 7 patch
    filled = ExemplarInpainter()(image, hole)
    assert (filled == make_inpainter("telea")(image, hole)).all()


def test_unknown_method():
    with pytest.raises((KeyError, TypeError)):
        make_inpainter("magic")  # type: ignore[arg-type]
