"""A detector beside the truth: in the crop's frame, thresholds, hidden and lost keypoints, pictures that fail."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import people_table

from ajahr.anatomy import BPAC_KEYPOINTS, J44
from ajahr.data.hmr.samples import BPAC_J44, hide_absent
from ajahr.inference.measure_detector import boxes_of, draw_look, known, look
from ajahr.render.overlay import RESIDUAL_COLOUR


@pytest.fixture
def table(tmp_path):
    table = people_table(tmp_path, 4)
    table.rows["levels"][1] = (0, 2, 0, 0)
    table.rows["center"] += np.arange(4)[:, None]  # so that boxes tell who is asked for
    table.rows["hidden"][2, 3] = True
    hide_absent(table.rows)
    return table


def oracle(table, points, asked: list | None = None):
    """A detector that says ``points`` (people, 12, 3), px, of whoever's box it gets."""
    boxes = boxes_of(table.rows).astype(np.float32)

    def find(name: str, image: np.ndarray, given: np.ndarray) -> np.ndarray:
        found = np.zeros((len(given), 17, 3), np.float32)
        for row, box in zip(found, given, strict=True):
            who = int(np.abs(boxes - box).sum(1).argmin())
            row[list(BPAC_KEYPOINTS)] = points[who]
            if asked is not None:
                asked.append((who, name, image.shape))
        return found

    return find


def test_a_perfect_detector_reports_the_truth(table):
    asked: list = []
    looks = look(table, oracle(table, table.rows["keypoints_2d"][:, list(BPAC_J44)], asked), tiles=2)
    assert sorted(asked) == [(n, f"{n}.jpg", (240, 320, 3)) for n in range(4)]
    np.testing.assert_allclose(looks.found, looks.truth, atol=1e-6)
    assert np.array_equal(looks.absent, J44.absent(table.rows["levels"].astype(int))[:, list(BPAC_J44)])
    assert looks.absent.sum() == 2 and looks.covered.sum() == 1 and looks.covered[2, 3]
    assert len(looks.tiles) == len(looks.captions) == 2 and "all found" in looks.captions[0]
    # crop units: the crop is 1 wide and its middle is 0
    row = table.rows[0]
    by_hand = (row["keypoints_2d"][BPAC_J44[0], :2] - row["center"]) / row["side"]
    np.testing.assert_allclose(looks.truth[0, 0, :2], by_hand, rtol=1e-5)


def test_what_a_detector_is_unsure_of_is_not_reported(table):
    points = np.full((4, 12, 3), 100.0)
    points[..., 2] = np.where(np.arange(12) < 5, 0.29, 0.31)
    found = look(table, oracle(table, points), least=0.3).found
    assert not found[:, :5].any() and (found[:, 5:, 2] > 0.3).all()
    assert (found[1, :, 2] > 0).sum() == 7, "also of limbs that are not there"


def test_only_people_with_known_limbs_and_whole_pictures(table, tmp_path):
    table.rows["levels"][0] = (-1, 0, 0, 0)
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    ticks: list[int] = []
    looks = look(table, oracle(table, np.zeros((4, 12, 3))), tick=lambda: ticks.append(1))
    assert len(looks) == 2 and looks.broken == ["people/3.jpg"] and len(ticks) == 3
    some = look(table, oracle(table, np.zeros((4, 12, 3))), people=np.array([2]))
    assert len(some) == 1 and some.covered[0, 3]


def test_boxes_are_without_the_datasets_margin(table):
    width, height = (boxes_of(table.rows)[0, 2:] - boxes_of(table.rows)[0, :2]).tolist()
    assert height == pytest.approx(table.rows["side"][0] / 1.2) and width == pytest.approx(0.75 * height)


def test_magenta_is_what_is_not_there(table):
    truth, absent, covered = (part[1] for part in known(table.rows))
    crop = np.full((256, 256, 3), 90, np.uint8)
    found = np.where(absent[:, None], (0.1, 0.1, 0.9), 0.0)

    def magenta(points: np.ndarray) -> int:
        return int((draw_look(crop, points, truth, absent, covered) == RESIDUAL_COLOUR).all(2).sum())

    assert magenta(found) > 20 and magenta(truth) == 0
