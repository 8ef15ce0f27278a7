import numpy as np
import pytest

from ajahr.inference.people import People, iou, match_keypoints


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def test_lists_become_people():
    people = People.of([[0, 1, 2, 5]], keypoints=np.ones((1, 17, 3)))
    assert people.scores.tolist() == [1] and people.bpac_keypoints.shape == (1, 12, 3)
    assert people.centres.tolist() == [[1, 3]] and people.sizes.tolist() == [[2, 4]]
    assert len(People.nobody()) == len(People.of(np.zeros((0, 4)), keypoints=np.zeros((0, 17, 3)))) == 0


@pytest.mark.parametrize(
    "scores, keypoints",
    [([1, 2], None), (None, np.zeros((2, 17, 3))), ([np.nan], None), (None, np.full((1, 17, 3), np.inf))],
)
def test_what_does_not_fit(scores, keypoints):
    with pytest.raises(ValueError, match=r"give one score|not finite"):
        People.of([[0, 0, 1, 1]], scores, keypoints)


def test_people_outside_the_picture_are_not_usable():
    people = People.of([[-50, -50, 20, 20], [90, 0, 140, 50], [110, 0, 140, 50], [5, 5, 5.5, 40]])
    assert people.usable((100, 100)).boxes_xyxy[:, 0].tolist() == [-50, 90]
    assert len(People.whole((1, 1)).usable((1, 1))) == 1


def test_iou_is_that_of_counted_pixels():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 30, (12, 2, 2))
    rows = np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)

    def pixels(box):
        canvas = np.zeros((30, 30), bool)
        x0, y0, x1, y1 = box.astype(int)
        canvas[y0:y1, x0:x1] = True
        return canvas

    found = iou(rows, rows)
    for i, a in enumerate(map(pixels, rows)):
        for j, b in enumerate(map(pixels, rows)):
            union = (a | b).sum()
            assert found[i, j] == pytest.approx((a & b).sum() / union if union else 0, abs=1e-6)


def test_keypoints_go_to_the_closest_box_once():
    people = People.of(boxes([0, 0, 10, 20], [1, 0, 11, 20], [50, 0, 60, 20]))
    keypoints = np.stack([np.full((17, 3), value, np.float32) for value in (0.5, 0.25)])
    other = People.of(boxes([1, 0, 11, 20], [80, 0, 90, 20]), keypoints=keypoints)
    matched = match_keypoints(people, other)
    assert matched.keypoints[:, 0, 0].tolist() == [0, 0.5, 0]
    assert match_keypoints(people, People.nobody()) is people
