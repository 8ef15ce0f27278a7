"""The motorcycle that scikit-image carries."""

import numpy as np

from synth.occluders.packaged import packaged_objects


def test_a_motorcycle_and_its_mirror_image_without_the_garage():
    one, other = packaged_objects()
    assert np.array_equal(one.rgba[:, ::-1], other.rgba)
    height, width = one.rgba.shape[:2]
    assert 1.2 < width / height < 1.8
    solid = one.rgba[..., 3] > 200
    assert 0.3 < solid.mean() < 0.7
    red = one.rgba[solid].astype(int)
    assert ((red[:, 0] > 150) & (red[:, 1] < 80)).mean() > 0.05
    # through the wheels and above the seat one sees nothing of the garage
    assert not solid[: height // 6, : width // 3].any()
    assert 1.0 < height / one.px_per_m < 1.6
    assert "Middlebury" in one.licence
