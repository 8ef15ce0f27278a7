from __future__ import annotations

import numpy as np
import pytest

from synth.appearance.fabrics import cloth_colours, fold_shading
from synth.appearance.look import PATTERNS, Fabric


def fabric(pattern, wrinkles=0.5, period=0.08):
    return Fabric(pattern, (180.0, 40.0, 40.0), (40.0, 40.0, 180.0), period, wrinkles, 5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_law_colours_lie_between_the_two_up_to_the_weave(atlas, pattern):
    colours = cloth_colours(atlas, fabric(pattern))
    assert colours.shape == (len(atlas.xyz), 3) and np.isfinite(colours).all()
    red, green, blue = colours.T
    assert (green > 10).all() and (green < 75).all()
    if pattern in ("plain", "heather", "denim"):
        np.testing.assert_allclose(red, 4.5 * green, rtol=1e-3)  # one colour, lighter and darker
    else:
        assert red.max() > red.min() + 40 and np.corrcoef(red - green, blue - green)[0, 1] < -0.5
    assert np.array_equal(colours, cloth_colours(atlas, fabric(pattern)))


def test_law_stripes_follow_the_height_and_checks_close_behind(atlas):
    trunk = (atlas.arm < 0.01) & (atlas.leg < 0.01) & (atlas.weight[:, 4] < 0.01)
    blue = cloth_colours(atlas, fabric("stripes", period=0.2))[:, 2] > 110
    y = atlas.xyz[trunk, 1] / 0.2
    middle = np.abs(y - np.round(y)) < 0.05
    assert blue[trunk][middle].mean() > 0.9 and 0.1 < blue[trunk].mean() < 0.7
    check = cloth_colours(atlas, fabric("pinstripes"))[:, 2]
    behind = trunk & (np.abs(np.abs(atlas.angle) - np.pi) < 0.04) & (atlas.xyz[:, 1] < 0.3)
    left, right = check[behind & (atlas.angle > 0)], check[behind & (atlas.angle < 0)]
    assert abs(left.mean() - right.mean()) < 12  # the same stripe on both sides of the cut


def test_law_stiff_cloth_has_no_folds(atlas):
    limp, stiff = fold_shading(atlas, fabric("plain", 1.0)), fold_shading(atlas, fabric("plain", 0.0))
    relief = 1 - 0.08 * atlas.cavity.clip(-0.4, 1)
    np.testing.assert_allclose(stiff, relief, atol=1e-5)
    assert (limp - stiff).std() > 0.03
    assert limp.min() > 0.4 and limp.max() < 1.6
    elbow = np.abs(np.abs(atlas.xyz[:, 0]) - atlas.landmarks.joint("left_elbow")[0]) < 0.05
    upper = np.abs(np.abs(atlas.xyz[:, 0]) - 0.31) < 0.03
    assert (limp - stiff)[elbow & (atlas.arm > 0.9)].std() > 1.2 * (limp - stiff)[
        upper & (atlas.arm > 0.9)
    ].std()
