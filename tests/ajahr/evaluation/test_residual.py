"""People whom a puppet predicts exactly, so that every error is the error of where their limbs end."""

from __future__ import annotations

import numpy as np
import pytest
from puppet import Puppet
from residual_people import TruthfulFinder, people_like

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.readers.residual_people import ResidualPeople
from ajahr.errors import UserError
from ajahr.evaluation.residual import evaluate_residual, iou
from ajahr.evaluation.residual_measured import ResidualMeasured
from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.inference.predictor import AJAHR
from ajahr.residual_limb.decide import METHODS
from ajahr.residual_limb.segments import SEGMENT

ENDS = [
    {SEGMENT["left_below_knee_res"]: 0.3},
    {SEGMENT["right_above_knee_res"]: 0.4, SEGMENT["left_below_elbow_res"]: 0.7},
    {SEGMENT["right_above_elbow_res"]: 0.2},
]
SAID = 0.45


@pytest.fixture(scope="module")
def model() -> AJAHR:
    return AJAHR(Puppet(Body(load_body()), residual=(SAID, 0.1)), device="cpu")


@pytest.fixture(scope="module")
def people(model: AJAHR) -> ResidualPeople:
    return people_like(model, model.estimator.regressor.body, ENDS)


@pytest.fixture(scope="module")
def results(model: AJAHR, people: ResidualPeople) -> dict[str, ResidualMeasured]:
    found = evaluate_residual("puppet", model, people, METHODS, finder=TruthfulFinder(people), batch_size=2)
    return {one.method: one for one in found}


def test_lengths_and_ends_are_off_by_lambda_and_nothing_else(results, people) -> None:
    true = people.truth.fraction
    bones = people.truth.length_mm / (1 - true)
    for method, said in (("joint", 0.0), ("midpoint", 0.5), ("head", SAID)):
        one = results[method]
        off = np.abs(said - true)
        np.testing.assert_allclose(one.lambda_error, off, atol=1e-6)
        np.testing.assert_allclose(one.length_mm, off * bones, atol=0.1)
        np.testing.assert_allclose(one.end_mm, off * bones, atol=0.1)
        assert np.isfinite(one.lambda_error).sum() == 4
    # bones of 30 px, which two pixels of the head's uncertainty move
    for method, most in (("rafo", 0.03), ("head+rafo", 0.1)):
        one = results[method]
        assert np.nanmax(one.lambda_error) < most and one.accepted_rate == 1
        assert one.interval("end_mm").value < results["head"].interval("end_mm").value / 2
        assert one.interval("volume_share").value < 0.2 < results["joint"].interval("volume_share").value


def test_points_in_pixels(results, people) -> None:
    one = results["midpoint"]
    labelled = people.points[..., 2] > 0
    np.testing.assert_array_equal(np.isfinite(one.points_px), labelled)
    assert one.interval("intact_px").value < 0.1
    values = one.points_px[labelled]
    assert one.interval("body_px").value == pytest.approx(values.mean()), "every point has the same say"
    assert one.interval("body_px").people == labelled.sum()
    ends = one.points_px[:, 17:]
    assert one.interval("res_limb_px").value == pytest.approx(np.nanmean(ends))
    assert results["head+rafo"].interval("res_limb_px").value < one.interval("res_limb_px").value / 3


def test_silhouettes_prefer_the_true_end(results) -> None:
    assert results["rafo"].iou.min() > 0.95
    assert results["rafo"].interval("miou").value > results["midpoint"].interval("miou").value
    assert results["midpoint"].interval("miou").value > results["joint"].interval("miou").value


def test_coverage_and_proxies_that_state_nothing(results) -> None:
    off = results["head"].lambda_error
    np.testing.assert_allclose(
        results["head"].interval("coverage_95").value, np.nanmean((off <= 0.196)[off >= 0])
    )
    assert np.isnan(results["midpoint"].interval("coverage_95").value)


def test_ends_seen_off_the_limb_fall_back_on_the_head(model, people) -> None:
    finder = TruthfulFinder(people, shift=60)
    both, alone = evaluate_residual("puppet", model, people, ("head+rafo", "rafo"), finder=finder)
    refused = np.asarray(both.status == "rejected")
    assert refused.sum() == 4 and both.accepted_rate == 0
    np.testing.assert_allclose(both.fraction[refused], SAID, atol=1e-6)
    assert (alone.fraction[refused] == 0).all()


def test_whose_word_is_taken_for_the_bone(model, people) -> None:
    """The puppet thinks that everybody is intact: by its own word nothing is missing of any bone."""
    own = ResidualProtocol().variant(segment="predicted", labels="predicted")
    (said,) = evaluate_residual("puppet", model, people, ("head",), own)
    assert (said.fraction[np.isfinite(said.fraction)] == 0).all()


def test_paired_with_the_midpoint(results) -> None:
    found = results["midpoint"].against(results["head+rafo"], "end_mm")
    assert found.difference.value < 0 and found.difference.people == 4
    itself = results["midpoint"].against(results["midpoint"], "res_limb_px")
    assert itself.difference.value == 0


def test_fits_need_detected_ends(model, people) -> None:
    with pytest.raises(UserError, match="rafo needs detected residual ends"):
        evaluate_residual("puppet", model, people, ("rafo",))
    headless = AJAHR(Puppet(Body(load_body())), device="cpu")
    with pytest.raises(UserError, match="residual head"):
        evaluate_residual("puppet", headless, people, ("head",))


def test_masks() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert np.isnan(iou(a, b)) and np.isnan(iou(a, np.ones((3, 4), bool)))
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(1 / 3)
