"""HMR2's pickled people and names of tars."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from fake_people import hmr2_person, hmr2_sample, write_tar

from ajahr.data.hmr.tar_index import scan_tar
from ajahr.data.readers.webdataset import expand_tars, iter_people, values
from ajahr.errors import UserError


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("pwned",))


def test_everybody_of_every_sample(tmp_path):
    path = tmp_path / "a.tar"
    write_tar(
        path, {**hmr2_sample("set/a", hmr2_person(1), hmr2_person(2)), **hmr2_sample("set/b", hmr2_person(3))}
    )
    contents = scan_tar(path)
    people = list(iter_people(path, contents))
    assert [person.key for person in people] == ["set/a/0", "set/a/1", "set/b/0"]
    assert people[2].picture.name == "set/b.jpg"
    np.testing.assert_array_equal(values(people[1].fields, "betas", (10,)), hmr2_person(2)["betas"])


def test_what_is_left_out_is_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.tar"
    good = hmr2_sample("k", hmr2_person())
    write_tar(
        path,
        {
            **good,
            "alone.jpg": b"J",
            "blind.data.pyd": b"P",
            "evil.jpg": b"J", "evil.data.pyd": pickle.dumps([Evil()]),
            "cut.jpg": b"J", "cut.data.pyd": good["k.data.pyd"][:100],
            "odd.jpg": b"J", "odd.data.pyd": pickle.dumps({"keypoints_2d": 1}),
            "known.jpg": b"J", "known.data.pyd": good["k.data.pyd"],
        },
    )  # fmt: skip
    contents = scan_tar(path)
    people = list(iter_people(path, contents, frozenset(["known"])))
    assert [person.key for person in people] == ["k/0"]
    assert contents.dropped == {"no_annotation": 1, "no_picture": 1, "bad_annotation": 3, "known_bad": 1}
    assert (
        "evil.data.pyd" in contents.examples["bad_annotation"]
        and "mkdir" in contents.examples["bad_annotation"]
    )
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "wrong", [{}, {"x": np.ones(3)}, {"x": np.array([1.0, np.nan])}, {"x": np.array(["a", "b"])}]
)
def test_fields_that_do_not_add_up(wrong):
    with pytest.raises(ValueError):
        values(wrong, "x", (2,))


# names


@pytest.fixture
def folder(tmp_path):
    for name in ("set/000000.tar", "set/000001.tar", "set/000002.tar", "other/x.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("set/{000000..000002}.tar", 3), ("set/{000000..00002}.tar", 3), ("set/{000001..000002}.tar", 2),
        ("set/*.tar", 3), ("set", 3), ("set/000001.tar", 1), (["set", "other/x.tar"], 4),
    ],
)  # fmt: skip
def test_patterns(folder, pattern, count):
    found = expand_tars(pattern, folder)
    assert (
        len(found) == count
        and found == sorted(found, key=found.index)
        and all(path.is_file() for path in found)
    )


def test_missing_tars_are_counted(folder):
    with pytest.raises(UserError, match=r"000003\.tar: no such tar \(2 of 5 are missing\)"):
        expand_tars("set/{000000..000004}.tar", folder)
    with pytest.raises(UserError, match="no tar matches"):
        expand_tars("none/*.tar", folder)
