from __future__ import annotations

import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from ajahr.data.pose_banks.joblib_file import read_joblib
from ajahr.errors import UserError

PIN = Path(__file__).with_name("moyo_joblib_1.6.pkl")
"""joblib.dump(dict(global_orient=zeros((2, 3), f4), body_pose=asfortranarray(arange(20)[:, None] + arange(69) / 100),
transl=zeros((2, 3)), betas=arange(4.0), name="yoga")) by joblib 1.6."""


def test_what_joblib_wrote() -> None:
    found = read_joblib(PIN)
    assert np.array_equal(found["body_pose"], np.arange(20)[:, None] + np.arange(69) / 100)
    assert found["betas"].tolist() == [0, 1, 2, 3] and found["name"] == "yoga"
    assert found["global_orient"].shape == (2, 3) and found["global_orient"].dtype == np.float32


def test_without_alignment_as_older_joblibs_wrote(tmp_path: Path) -> None:
    """The wrapper's state has no alignment, and the bytes follow at once."""
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    text = (
        b"\x80\x03}X\x09\x00\x00\x00body_posecjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("
        b"X\x05\x00\x00\x00shapeK\x02K\x03\x86X\x05\x00\x00\x00orderX\x01\x00\x00\x00C"
        b"X\x05\x00\x00\x00dtypecnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R"
        b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbub"
    )
    (tmp_path / "old.pkl").write_bytes(text + values.tobytes() + b"s.")
    assert np.array_equal(read_joblib(tmp_path / "old.pkl")["body_pose"], values)


def test_plain_pickle(tmp_path: Path) -> None:
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"body_pose": np.eye(2)}))
    assert np.array_equal(read_joblib(tmp_path / "plain.pkl")["body_pose"], np.eye(2))


class _Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_nothing_is_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"body_pose": _Evil()}))
    with pytest.raises(UserError, match=r"names builtins.print"):
        read_joblib(tmp_path / "evil.pkl")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 20, 150, 4000])
def test_truncated(tmp_path: Path, keep: int) -> None:
    (tmp_path / "cut.pkl").write_bytes(PIN.read_bytes()[:keep])
    with pytest.raises(UserError, match="no whole, uncompressed joblib file"):
        read_joblib(tmp_path / "cut.pkl")


def test_compressed_missing_and_no_dict(tmp_path: Path) -> None:
    (tmp_path / "z.pkl").write_bytes(zlib.compress(PIN.read_bytes()))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1]))
    for name, text in (("z.pkl", "uncompressed"), ("list.pkl", "holds a list"), ("no.pkl", "no such file")):
        with pytest.raises(UserError, match=text):
            read_joblib(tmp_path / name)
