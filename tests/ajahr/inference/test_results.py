import json

import numpy as np
import pytest
from puppet import ELBOW, INTACT, picture

from ajahr.data.images import read_image
from ajahr.errors import UserError
from ajahr.inference import results


def test_save_writes_everything_and_the_json_last(model, tmp_path, monkeypatch):
    written = []
    keep = results.write_atomic
    monkeypatch.setattr(
        results, "write_atomic", lambda path, data: (written.append(path.name), keep(path, data))
    )
    result = model.predict(picture(ELBOW), [[0, 0, 80, 120], [80, 0, 160, 120]])
    path = result.save(tmp_path / "deep" / "out", stem="street", mesh="ply", extra={"bytes": 7})
    assert written[-1] == path.name == "street.json"
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "street.jpg", "street.json", "street_0.ply", "street_1.ply",
    ]  # fmt: skip
    document = json.loads(path.read_text())
    assert document["bytes"] == 7 and len(document["people"]) == 2
    assert (document["width"], document["height"]) == (160, 120)
    assert read_image(path.with_suffix(".jpg")).shape[0] == 120


def test_a_failure_on_the_way_leaves_no_json(model, tmp_path, monkeypatch):
    def full(image):
        raise UserError("the disk is full")

    monkeypatch.setattr(results, "encode_jpeg", full)
    with pytest.raises(UserError):
        model.predict(picture()).save(tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_only_the_json(model, tmp_path):
    model.predict(picture()).save(tmp_path, mesh=None, picture=False)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.json"]


def test_a_mesh_is_cut_where_the_limb_ends(model):
    whole, less = (model.predict(picture(levels)).mesh() for levels in (INTACT, ELBOW))
    assert len(less.vertices) < len(whole.vertices)
    with pytest.raises(IndexError):
        model.predict(picture()).mesh(1)


def test_picture_is_overlay_and_side_view(model):
    result = model.predict(picture(), [[0, 0, 80, 120]])
    overlay, side = result.overlay(), result.side_view()
    assert np.array_equal(result.picture(), np.concatenate([overlay, side], 1))
    assert model.predict(picture(), []).picture().shape == (120, 160, 3)  # nobody: the picture as it is


def test_one_of_several(model):
    result = model.predict(picture(), [[0, 0, 80, 120], [80, 0, 160, 120]])
    assert [person.number for person in result.only(1).people] == [1]
