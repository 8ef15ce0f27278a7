from __future__ import annotations

import numpy as np

from synth.appearance.canvas import Canvas, bump, smoothstep


def test_law_smoothstep_and_bump():
    x = np.linspace(-2, 2, 101)
    rising, falling = smoothstep(-1, 1, x), smoothstep(1, -1, x)
    np.testing.assert_allclose(rising + falling, 1, atol=1e-12)
    assert rising[0] == 0 and rising[-1] == 1 and (np.diff(rising) >= 0).all()
    assert bump(np.array([0.3]), 0.3, 0.1)[0] == 1


def test_law_layer_covers_inside_spares_outside_and_throws_a_shadow(atlas):
    canvas = Canvas(atlas, (200, 100, 50))
    y = atlas.xyz[:, 1]
    canvas.layer(-y, (10, 20, 30), shadow=0.5, shadow_width=0.03)
    far = 3 * atlas.texel_m
    assert (canvas.colours[y < -far] == (10, 20, 30)).all()
    assert (canvas.colours[y > 0.03 + far] == (200, 100, 50)).all()
    shadow = canvas.colours[(y > 0.7 * atlas.texel_m) & (y < 0.025)]
    assert len(shadow) and (shadow < (200, 100, 50)).all() and (shadow >= (99, 49, 24)).all()


def test_law_blend_takes_colours_of_the_subset_or_of_all(atlas):
    n = len(atlas.xyz)
    at = np.arange(0, n, 7)
    every = np.random.default_rng(0).uniform(0, 255, (n, 3)).astype(np.float32)
    a, b = Canvas(atlas, (0, 0, 0)), Canvas(atlas, (0, 0, 0))
    a.blend_at(at, np.full(n, 0.5, np.float32), every)
    b.blend_at(at, np.full(len(at), 0.5, np.float32), every[at])
    np.testing.assert_array_equal(a.colours, b.colours)
    np.testing.assert_allclose(a.colours[at], every[at] / 2, rtol=1e-5)
    assert not a.colours[at + 1 if at[-1] + 1 < n else at[:-1] + 1].any()
