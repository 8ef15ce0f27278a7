from __future__ import annotations

import numpy as np
import pytest

from synth.appearance.groups import GROUPS, SEXES, Group, Sex
from synth.appearance.procedural import make_texture


@pytest.mark.parametrize("index", [0, 1, 2])
def test_law_the_same_bytes_every_time_and_others_for_another_index(atlas, index):
    image, look = make_texture(atlas, 11, index)
    again, same = make_texture(atlas, 11, index)
    assert image.dtype == np.uint8 and image.shape == (atlas.size, atlas.size, 3)
    assert image.tobytes() == again.tobytes() and look == same
    assert (make_texture(atlas, 11, index + 50)[0] != image).mean() > 0.3


@pytest.mark.parametrize("sex", SEXES)
@pytest.mark.parametrize("group", GROUPS)
def test_law_every_kind_paints_finite_colours_without_seams(atlas, body, sex, group):
    image, _ = make_texture(atlas, 2, 9, sex, group)
    assert image[atlas.covered].std() > 10  # neither blank nor saturated
    assert (image == 255).all(2).mean() < 0.02
    corner = np.unique(np.stack([body.faces.ravel(), body.uv_faces.ravel()], 1), axis=0)
    _, first, count = np.unique(corner[:, 0], return_index=True, return_counts=True)
    first = first[count > 1]

    def colour(uv_index):
        x, y = np.clip((body.uv[uv_index] * atlas.size).astype(int), 0, atlas.size - 1).T
        return image[y, x].astype(float)

    across = np.abs(colour(corner[first, 1]) - colour(corner[first + 1, 1])).max(1)
    anywhere = np.abs(colour(corner[first, 1]) - np.roll(colour(corner[first, 1]), 37, 0)).max(1)
    assert np.median(across) < 20 and np.median(across) < 0.6 * max(np.median(anywhere), 34)


def test_law_groups_can_be_told_by_their_skin(atlas):
    cheek = (atlas.weight[:, 4] > 0.9) & (np.abs(atlas.xyz[:, 0] - 0.035) < 0.01)
    cheek &= (np.abs(atlas.xyz[:, 1] - atlas.landmarks.nose[1]) < 0.012) & (atlas.normal[:, 2] > 0.3)
    assert cheek.sum() > 5

    def mean(group):
        faces = [
            make_texture(atlas, 0, i, Sex.FEMALE, group)[0][atlas.covered][cheek].mean() for i in range(4)
        ]
        return np.mean(faces)

    assert mean(Group.AFRICAN) + 30 < mean(Group.INDIAN) < mean(Group.WHITE) - 15
