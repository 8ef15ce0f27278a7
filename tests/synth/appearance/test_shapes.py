from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synth.appearance import shapes
from synth.appearance.groups import Sex
from synth.appearance.shapes import HEIGHT_RANGE_M, sample_betas, stature_m


def test_twin_stature_is_the_meshs_height(body):
    rng = np.random.default_rng(0)
    for _ in range(5):
        betas = body.draw_betas(rng, "female")
        y = (body.v_template + body.shapedirs @ betas)[:, 1]
        assert stature_m(body, betas) == pytest.approx(y.max() - y.min(), abs=0.02)
    assert stature_m(body, np.zeros(3, np.float32)) == pytest.approx(np.ptp(body.v_template[:, 1]), abs=1e-5)


def test_law_adults_and_men_are_taller(body):
    def heights(sex):
        rng = np.random.default_rng(1)
        return np.array([stature_m(body, sample_betas(rng, sex, body)) for _ in range(300)])

    women, men = heights(Sex.FEMALE), heights(Sex.MALE)
    both = np.concatenate([women, men])
    assert both.min() >= HEIGHT_RANGE_M[0] and both.max() <= HEIGHT_RANGE_M[1]
    assert 0.06 < men.mean() - women.mean() < 0.2 and 0.03 < women.std() < 0.12


@pytest.mark.parametrize("sex", ["male", "female"])
def test_law_nobody_is_far_from_the_mean_of_their_sex(body, sex):
    rng, known = np.random.default_rng(3), body.betas_of_sex[sex]
    z = np.stack(
        [np.linalg.solve(known.cholesky, sample_betas(rng, sex, body) - known.mean) for _ in range(300)]
    )
    assert np.abs(z).max() <= shapes.MAX_DEVIATION + 1e-3
    assert z.std(0).min() > 0.7 and z.std(0).max() < 1.05  # and the spread is still theirs


def test_law_the_same_numbers_the_same_betas(body):
    a, b = (sample_betas(np.random.default_rng(4), "male", body) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert a.dtype == np.float32 and a.shape == (body.num_betas,)


def test_edge_without_an_adult_in_reach_the_mean_is_given(body, monkeypatch):
    monkeypatch.setattr(shapes, "HEIGHT_RANGE_M", (9.0, 9.1))
    betas = sample_betas(np.random.default_rng(0), "male", body)
    np.testing.assert_array_equal(betas, body.draw_betas(np.random.default_rng(0), "male", spread=0.0))


def test_edge_a_body_that_knows_no_sexes(body):
    plain = dataclasses.replace(body, betas_of_sex={})
    a, b = (sample_betas(np.random.default_rng(2), sex, plain) for sex in ("male", "female"))
    np.testing.assert_array_equal(a, b)
