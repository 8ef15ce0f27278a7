import numpy as np
import pytest
from skimage.metrics import structural_similarity

from synth.photos.quality import ssim


def picture(seed: int, size=(61, 83)) -> np.ndarray:
    """Smooth in places and noisy in others."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    smooth = np.stack([x * 2, y * 3, x + y], -1).astype(float)
    return np.clip(smooth + rng.normal(0, 25, (*size, 3)) * (x[..., None] > 40), 0, 255).astype(np.uint8)


def reference(a, b) -> float:
    return structural_similarity(
        a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )


# twin


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_image(seed):
    a, b = picture(seed), picture(seed + 10)
    half = a.copy()
    half[20:45, 10:50] = 255 - half[20:45, 10:50]
    for other in (b, half, a // 2, 255 - a, np.full_like(a, 200)):
        assert ssim(a, other) == pytest.approx(reference(a, other), abs=1e-4)


def test_flat_bright_pictures_keep_their_precision():
    # E[x^2] - E[x]^2 of a bright picture loses its digits in float32
    rng = np.random.default_rng(0)
    a = (250 + rng.integers(0, 3, (50, 50, 3))).astype(np.uint8)
    b = (250 + rng.integers(0, 3, (50, 50, 3))).astype(np.uint8)
    assert ssim(a, b) == pytest.approx(reference(a, b), abs=1e-3)


# law


def test_equal_pictures_are_one_and_order_does_not_matter():
    a, b = picture(0), picture(1)
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, b) == pytest.approx(ssim(b, a))


def test_more_damage_is_less_similar():
    a = picture(0)
    values = []
    for rows in (0, 10, 25, 61):
        b = a.copy()
        b[:rows] = 128
        values.append(ssim(a, b))
    assert values == sorted(values, reverse=True) and values[0] > values[-1] + 0.3


# edge


def test_pictures_that_cannot_be_compared():
    with pytest.raises(ValueError, match="11 px"):
        ssim(picture(0, (10, 40)), picture(0, (10, 40)))
    assert ssim(picture(0, (11, 11)), picture(0, (11, 11))) == pytest.approx(1)
