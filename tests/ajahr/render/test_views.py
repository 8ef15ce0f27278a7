"""Views of a body: which side is seen, and at what scale."""

from __future__ import annotations

import numpy as np
import trimesh

from ajahr.render.views import draw_views, turned


def test_the_persons_left_is_where_it_should_be() -> None:
    left, nose = np.array([1.0, 0, 0]), np.array([0.0, 0, 1])
    assert turned(left, "front")[0] > 0.9  # a person who faces us has the left hand on our right
    assert turned(left, "back")[0] < -0.9
    assert turned(left, "left")[2] < -0.9 and turned(left, "right")[2] > 0.9  # near us, far from us
    assert turned(nose, "front")[2] < -0.9
    assert turned(nose, "left")[0] < -0.9 and turned(nose, "right")[0] > 0.9
    assert np.allclose(turned(np.array([0.0, 1, 0]), "left"), [0, -1, 0])


def test_one_scale_for_all_views_and_the_colours() -> None:
    box = trimesh.creation.box((0.4, 1.6, 0.2))
    colours = np.where(box.vertices[:, :1] > 0, (220, 40, 40), (200, 200, 190)).astype(np.uint8)
    front, left, back = draw_views(box.vertices, box.faces, colours, cell=(200, 320), metres=2.0)

    def extent(picture: np.ndarray) -> tuple[int, int]:
        drawn = np.abs(picture.astype(int) - 246).max(2) > 12
        rows, columns = np.nonzero(drawn[:-45])  # without the floor
        return int(np.ptp(columns)) + 1, int(rows.min())

    assert abs(extent(front)[0] - 64) <= 2 and abs(extent(left)[0] - 32) <= 2
    assert extent(front)[1] == extent(left)[1] == extent(back)[1]
    red = lambda picture: (picture[..., 0].astype(int) - picture[..., 1]) > 60  # noqa: E731
    assert np.nonzero(red(front))[1].mean() > 105 and np.nonzero(red(back))[1].mean() < 95
