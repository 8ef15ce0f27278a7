"""Shards: whole or absent, the same bytes always, damage named."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from fake_dataset import draw, make_person, make_record, twin_pair, write_shard

from ajahr.data import shards
from ajahr.data.files import AtomicFile, remove_stale
from ajahr.data.record import encode_record
from ajahr.data.shards import (
    ShardNote,
    ShardWriter,
    count_record,
    counts_from_tree,
    counts_to_tree,
    index_shard,
    iter_members,
    iter_shard,
    read_note,
    remove_shard,
    shard_is_whole,
    shard_paths,
)
from ajahr.errors import UserError


@pytest.fixture(scope="module")
def one_shard(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    write_shard(folder, 0, *twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0)))
    return folder


@pytest.fixture
def shard(one_shard, tmp_path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(one_shard, tmp_path / "copy")
    return tmp_path / "copy"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# law


def test_what_was_added_is_read_back_in_order(one_shard):
    added = [*twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0))]
    found = list(iter_shard(shard_paths(one_shard, 0).tar))
    assert [sample.key for sample in found] == [record.key for record in added]
    for sample, record in zip(found, added, strict=True):
        assert (sample.jpg, sample.mask_png) == draw(record)
        assert encode_record(sample.record) == encode_record(record)
        assert sample.image().shape == (record.height, record.width, 3)
        assert sample.mask().shape == (record.height, record.width)


def test_pictures_are_rgb():
    record = make_record("k")
    jpg, mask = draw(record)
    sample = shards.Sample(record, jpg, mask, "k")
    skin = sample.image()[sample.mask() > 0].mean(0)
    assert skin[0] > skin[1] > skin[2]  # the stick person is painted (200, 150, 120)


def test_the_same_samples_give_the_same_bytes_and_nothing_of_this_machine(one_shard, tmp_path):
    write_shard(tmp_path, 0, *twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0)))
    assert contents(tmp_path) == contents(one_shard)
    with tarfile.open(shard_paths(tmp_path, 0).tar) as tar:
        members = tar.getmembers()
    assert [m.name for m in members][:3] == ["000000000.jpg", "000000000.mask.png", "000000000.json"]
    owners = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members}
    assert owners == {(0, 0, 0, "", "", 0o644, tarfile.REGTYPE)}


def test_the_note_counts_and_stamps(one_shard):
    paths = shard_paths(one_shard, 0)
    note = read_note(paths.note)
    assert note.counts["samples",] == 4 and note.counts["people",] == 6
    assert note.counts["limb_level", "right_arm", "elbow"] == 1
    assert note.counts["limb_level", "left_leg", "hip"] == 1
    assert note.counts["limb_level", "left_leg", "intact"] == 5
    assert note.counts["ajahr_index", "12"] == 4
    assert note.drops == {"no person left": 2}
    assert note.tar.size == paths.tar.stat().st_size
    assert note.npz.size == paths.npz.stat().st_size
    assert ShardNote.decode(note.encode(), "n") == note


def test_counts_survive_json_and_numbers_are_in_order():
    counts = count_record(make_record("k", make_person((3, 3, 3, 3)), make_person((0, 0, 0, 1))))
    tree = counts_to_tree(counts)
    assert counts_from_tree(tree, "t") == +counts
    assert list(tree["ajahr_index"]) == ["2", "5", "8", "9", "11"]


def test_a_whole_shard_is_not_written_again(one_shard, shard):
    before = shard_paths(shard, 0).tar.stat()
    with ShardWriter(shard, 0) as writer:
        writer.add(make_record("other"), *draw(make_record("other")))
    after = shard_paths(shard, 0).tar.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert writer.note == read_note(shard_paths(one_shard, 0).note)
    assert contents(shard) == contents(one_shard)


@pytest.mark.parametrize("lost", ["tar", "note", "npz"])
def test_a_shard_that_lost_a_file_is_made_again(one_shard, shard, lost):
    getattr(shard_paths(shard, 0), lost).unlink()
    assert not shard_is_whole(shard, 0)
    write_shard(shard, 0, *twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0)))
    assert shard_is_whole(shard, 0)
    assert contents(shard) == contents(one_shard)


def test_a_shard_cut_short_is_not_whole(shard):
    path = shard_paths(shard, 0).tar
    path.write_bytes(path.read_bytes()[:-512])
    assert not shard_is_whole(shard, 0)


def test_a_removed_shard_leaves_nothing(shard):
    remove_shard(shard, 0)
    assert contents(shard) == {}


# edge


class Killed(BaseException):
    """Stands for kill -9: nothing is cleaned up."""


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_killed_between_the_renames_and_run_again(one_shard, tmp_path, monkeypatch, stop_after):
    """The files take their names one after the other; the tar is last, so a tar means a whole shard."""
    publish, published = AtomicFile.publish, []

    def publish_some(self: AtomicFile) -> None:
        if len(published) == stop_after:
            raise Killed
        published.append(self.path.suffix)
        publish(self)

    samples = [*twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0), (0, 0, 3, 0))]
    with monkeypatch.context() as patch:
        patch.setattr(AtomicFile, "publish", publish_some)
        patch.setattr(AtomicFile, "__exit__", lambda self, *_: self._file.close())
        with pytest.raises(Killed):
            write_shard(tmp_path, 0, *samples)
    assert ".tar" not in published
    assert not shard_is_whole(tmp_path, 0)
    removed = [path for place in ("shards", "annotations") for path in remove_stale(tmp_path / place)]
    assert len(removed) == 3 - stop_after
    write_shard(tmp_path, 0, *samples)
    assert contents(tmp_path) == contents(one_shard)


def test_an_exception_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, 0) as shard:
        shard.add(make_record("k"), *draw(make_record("k")))
        raise RuntimeError
    assert contents(tmp_path) == {}


def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    write, written = AtomicFile.write, []

    def write_until_full(self, data):
        written.append(len(data))
        if sum(written) > 20_000:
            raise UserError(f"{self.path}: the disk is full; free space and run the same command again")
        return write(self, data)

    monkeypatch.setattr(AtomicFile, "write", write_until_full)
    with pytest.raises(UserError, match="disk is full"):
        write_shard(tmp_path, 0, *twin_pair(0, (0, 2, 0, 0)), *twin_pair(1, (0, 0, 0, 0)))
    assert contents(tmp_path) == {}


def test_a_key_is_there_once(tmp_path):
    with pytest.raises(ValueError, match="already"), ShardWriter(tmp_path, 0) as shard:
        for _ in range(2):
            shard.add(make_record("k"), *draw(make_record("k")))


def test_a_shard_where_everything_was_dropped(tmp_path):
    with ShardWriter(tmp_path, 3) as shard:
        shard.drop("no person left", 5)
    assert list(iter_shard(shard_paths(tmp_path, 3).tar)) == []
    assert read_note(shard_paths(tmp_path, 3).note).drops == {"no person left": 5}
    assert shard_is_whole(tmp_path, 3)


def offsets(path: Path) -> dict[str, tuple[int, int]]:
    return {member.name: (member.offset, member.size) for member in iter_members(path)}


@pytest.mark.parametrize("member", ["000000000.jpg", "000000001.mask.png", "000000003.json"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_truncated_shard_is_named_with_the_member(shard, member, inside):
    path = shard_paths(shard, 0).tar
    start, size = offsets(path)[member]
    end = start + size // 2 if inside else start + -(-size // 512) * 512  # or right behind the member
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(UserError, match=rf"000000\.tar: damaged at {member}") as error:
        list(iter_shard(path))
    assert "\n" not in str(error.value)


def test_a_damaged_header_is_not_taken_for_the_end(shard):
    path = shard_paths(shard, 0).tar
    data = bytearray(path.read_bytes())
    start = offsets(path)["000000001.jpg"][0] - 512
    data[start : start + 8] = b"\x01" * 8
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged at 000000000\.json"):
        list(iter_shard(path))


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 100, b"x" * 10240])
def test_what_is_no_tar_is_named(tmp_path, data):
    path = tmp_path / "000000.tar"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"000000\.tar: damaged"):
        list(iter_shard(path))


def test_a_missing_shard(tmp_path):
    with pytest.raises(UserError, match="no such shard"):
        list(iter_shard(tmp_path / "000000.tar"))
    with pytest.raises(UserError, match="cannot be read"):
        list(iter_shard(tmp_path))


def retar(path: Path, change) -> None:
    """Write the tar again with (name, bytes) pairs changed."""
    with tarfile.open(path) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for name, data in change(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_an_incomplete_sample_is_named(shard):
    path = shard_paths(shard, 0).tar
    retar(path, lambda members: [m for m in members if m[0] != "000000002.mask.png"])
    with pytest.raises(UserError, match=r"member 000000002\.mask\.png is missing"):
        index_shard(path)


def test_a_member_there_twice_is_named(shard):
    path = shard_paths(shard, 0).tar
    retar(path, lambda members: [*members, members[0]])
    with pytest.raises(UserError, match=r"000000000\.jpg is there twice"):
        index_shard(path)


def test_a_record_under_another_key_is_named(shard):
    path = shard_paths(shard, 0).tar
    retar(path, lambda members: [(name.replace("000000002", "x"), data) for name, data in members])
    with pytest.raises(UserError, match=r"x\.json: key 'key' is '000000002'"):
        list(iter_shard(path))


def test_a_damaged_record_and_picture_are_named(shard):
    path = shard_paths(shard, 0).tar
    start, _ = offsets(path)["000000001.json"]
    data = bytearray(path.read_bytes())
    data[start] = ord("x")
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"000000\.tar: 000000001\.json: not JSON"):
        list(iter_shard(path))
    record = make_record("k")
    with pytest.raises(UserError, match=r"^000000\.tar: k\.jpg: not a picture"):
        shards.Sample(record, b"\xff\xd8broken", b"", "000000.tar: k").image()


@pytest.mark.parametrize("text", ["{", "{}", '{"schema_version": 9}'])
def test_a_damaged_note_means_the_shard_is_not_whole(shard, text):
    shard_paths(shard, 0).note.write_text(text)
    assert not shard_is_whole(shard, 0)
    with pytest.raises(UserError, match=r"000000\.json"):
        read_note(shard_paths(shard, 0).note)


@pytest.mark.parametrize("tree", [{"a": -1}, {"a": 1.5}, {"a": {"b": True}}, {"a": None}])
def test_counts_are_whole_numbers(tree):
    with pytest.raises(UserError, match="no whole number"):
        counts_from_tree(tree, "f.json")


# twin


def test_members_are_those_tarfile_sees(one_shard):
    path = shard_paths(one_shard, 0).tar
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        for member, info in zip(iter_members(path), tar, strict=True):
            assert member.name == info.name
            expected = tar.extractfile(info).read()  # type: ignore[union-attr]
            assert data[member.offset : member.offset + member.size] == expected


def test_webdataset_keys_end_at_the_first_dot(one_shard):
    for key, members in index_shard(shard_paths(one_shard, 0).tar).items():
        assert set(members) == {"jpg", "mask.png", "json"}
        assert "." not in key
