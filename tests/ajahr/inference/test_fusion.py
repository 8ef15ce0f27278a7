import numpy as np
import pytest

from ajahr.inference.fusion import LOOKS, LimbFusion, fuse, fuse_fractions
from ajahr.models.decision import decide_levels


def frame(level=0, sure=0.7):
    """Probabilities of a person whose left arm is at ``level``, everything else intact."""
    found = np.full((4, 4), (1 - sure) / 3)
    found[0, level] = sure
    found[1:, 0] = sure
    return found


def test_one_frame_is_what_it_says():
    assert np.allclose(fuse(frame(2)[None]), frame(2), atol=1e-12)


def test_agreement_makes_sure_but_never_surer_than_independent_looks():
    few, many = fuse(np.stack([frame(2)] * 3)), fuse(np.stack([frame(2)] * 1000))
    assert 0.7 < few[0, 2] < many[0, 2] < 1
    independent = frame(2)[0] ** LOOKS
    assert many[0, 2] == pytest.approx((independent / independent.sum())[2], abs=1e-6)
    assert np.allclose(many.sum(1), 1)


def test_a_moment_is_one_look():
    """Five frames of a sixth of a second say the same; they make nobody certain."""
    assert fuse(np.stack([frame(2)] * 5))[0, 2] < 0.85
    fusion = LimbFusion()
    for _ in range(5):
        fusion.update(frame(2))
    assert np.allclose(fusion.probabilities, fuse(np.stack([frame(2)] * 5)))


def test_the_majority_decides_and_not_the_end():
    frames = np.stack([frame(0)] * 60 + [frame(2)] * 40)
    assert fuse(frames)[0].argmax() == 0
    assert np.allclose(fuse(frames), fuse(frames[::-1]))


def test_weights_say_who_is_believed():
    frames = np.stack([frame(0), frame(2), frame(2)])
    assert fuse(frames)[0].argmax() == 2
    assert fuse(frames, np.array([1.0, 0.1, 0.1]))[0].argmax() == 0
    assert np.allclose(fuse(frames, np.zeros(3)), fuse(frames))


def test_one_certain_frame_does_not_overrule_many():
    frames = np.stack([frame(0, 0.8)] * 20 + [frame(3, 1.0)])
    assert fuse(frames)[0].argmax() == 0 and np.isfinite(fuse(frames)).all()


def test_live_status_does_not_flicker():
    rng = np.random.default_rng(0)
    fusion, seen, noisy = LimbFusion(), [], []
    for _ in range(200):
        says = frame(2 if rng.random() < 0.75 else 0, 0.6)
        fusion.update(says)
        seen.append(int(fusion.levels[0]))
        noisy.append(int(says[0].argmax()))
    changes = np.count_nonzero(np.diff(seen))
    assert np.count_nonzero(np.diff(noisy)) > 40 and changes <= 1 and seen[-1] == 2


def test_live_status_changes_when_it_must():
    fusion = LimbFusion(patience=3)
    for _ in range(30):
        fusion.update(frame(0))
    changed = []
    for _ in range(30):
        fusion.update(frame(2))
        changed.append(int(fusion.levels[0]))
    assert changed[0] == 0 and changed[-1] == 2 and sorted(changed) == changed
    assert fusion.probabilities[0].argmax() == 2


def test_before_the_first_frame_everything_is_intact():
    assert LimbFusion().levels.tolist() == [0, 0, 0, 0]
    assert np.allclose(LimbFusion().probabilities, 0.25)


def test_one_lambda_is_what_it_says():
    assert fuse_fractions(np.array([0.4]), np.array([0.05])) == pytest.approx((0.4, 0.05))


def test_frames_that_agree_make_a_length_surer_but_not_without_end():
    few, many = (fuse_fractions(np.full(n, 0.4), np.full(n, 0.05)) for n in (3, 1000))
    assert few[0] == many[0] == 0.4
    assert 0.05 > few[1] > many[1] == pytest.approx(0.05 / np.sqrt(LOOKS))


def test_a_wrong_frame_moves_no_length_and_disagreement_is_told():
    fractions = np.array([0.4] * 20 + [0.95])
    middle, sd = fuse_fractions(fractions, np.full(21, 0.02))
    assert middle == 0.4 and sd > 0.02
    rng = np.random.default_rng(1)
    spread = fuse_fractions(rng.normal(0.5, 0.1, 200), np.full(200, 0.01))
    assert abs(spread[0] - 0.5) < 0.03 and 0.02 < spread[1] < 0.06


def test_sure_frames_and_believed_ones_decide_a_length():
    fractions = np.array([0.3, 0.6, 0.6])
    assert fuse_fractions(fractions, np.array([0.01, 0.2, 0.2]))[0] == 0.3
    assert fuse_fractions(fractions, np.full(3, 0.1))[0] == 0.6
    assert fuse_fractions(fractions, np.full(3, 0.1), np.array([1.0, 0.1, 0.1]))[0] == 0.3
    assert fuse_fractions(fractions, np.full(3, 0.1), np.zeros(3))[0] == 0.6
    assert fuse_fractions(np.array([0.2, 0.4]), np.full(2, 0.1))[0] == pytest.approx(0.3)


def test_live_status_is_decided_by_the_threshold_that_pictures_are() -> None:
    unsure = np.tile([0.6, 0.05, 0.3, 0.05], (4, 1))
    for threshold, level in ((None, 0), (0.5, 0), (0.3, 2)):
        fusion = LimbFusion(threshold=threshold)
        fusion.update(unsure)
        assert fusion.levels.tolist() == [level] * 4
        assert decide_levels(fusion.probabilities, threshold).tolist() == [level] * 4
    fusion = LimbFusion(threshold=0.3, patience=3)
    for _ in range(30):
        fusion.update(np.tile([0.97, 0.01, 0.01, 0.01], (4, 1)))
    before = fusion.levels.tolist()
    for _ in range(400):
        fusion.update(np.tile([0.2, 0.1, 0.6, 0.1], (4, 1)))
    assert before == [0] * 4 and fusion.levels.tolist() == [2] * 4
