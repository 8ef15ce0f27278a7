"""HMR2's annotation files."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import jpeg, photo

from ajahr.data.hmr.collate import to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.npz import npz_bytes
from ajahr.data.readers.hmr2_npz import read_hmr2_npz
from ajahr.errors import UserError

COUNT = 3


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """As the 4D-Humans evaluation package writes them (facts 3.1)."""
    rng = np.random.default_rng(seed)
    return {
        "imgname": np.array([f"set/{n}.jpg" for n in range(COUNT)]),
        "center": rng.uniform(100, 200, (COUNT, 2)),
        "scale": rng.uniform(90, 150, (COUNT, 1)),
        "body_pose": rng.normal(0, 0.2, (COUNT, 72)).astype(np.float32),
        "has_body_pose": np.array([1, 1, 0], np.float32),
        "betas": rng.normal(0, 1, (COUNT, 10)).astype(np.float32),
        "has_betas": np.array([1, 0, 1], np.float32),
        "body_keypoints_2d": np.concatenate(
            [rng.uniform(50, 300, (COUNT, 25, 2)), np.ones((COUNT, 25, 1))], 2
        ),
        "extra_keypoints_2d": np.concatenate(
            [rng.uniform(50, 300, (COUNT, 19, 2)), np.full((COUNT, 19, 1), 0.5)], 2
        ),
        "body_keypoints_3d": rng.uniform(0.1, 1, (COUNT, 25, 4)),
        "extra_keypoints_3d": rng.uniform(0.1, 1, (COUNT, 19, 4)),
        "gender": np.array(["m", "female", "ntr"]),
    }


def write(path, columns: dict[str, np.ndarray]):
    np.savez(path, **columns)
    return path


def test_every_column(tmp_path):
    columns = arrays()
    table = read_hmr2_npz(write(tmp_path / "val.npz", columns), tmp_path, trusted_3d=True)
    rows = table.rows
    assert table.name == "val" and table.key(1) == "val/set/1.jpg/1"
    np.testing.assert_allclose(rows["side"], columns["scale"][:, 0] * 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(rows["keypoints_2d"][:, 25:], columns["extra_keypoints_2d"], rtol=1e-6)
    np.testing.assert_allclose(rows["pose"].reshape(COUNT, 72), columns["body_pose"])
    assert rows["has_pose"].all(1).tolist() == [True, True, False] and rows["has_betas"].tolist() == [
        True,
        False,
        True,
    ]
    assert rows["gender"].tolist() == [1, 2, 0] and rows["trusted_3d"].all()
    assert (rows["levels"] == -1).all(), "without a label nobody is called intact"
    assert (rows["keypoints_3d"][:, 1:15, 3] == 0).all(), "as HMR2.0: limbs of the body block have no 3D"
    assert (rows["keypoints_3d"][:, [0, *range(15, 44)], 3] > 0).all()


def test_options(tmp_path):
    path = write(tmp_path / "a.npz", arrays())
    rows = read_hmr2_npz(path, tmp_path, body_3d=True, limbs="intact", scale_unit=200.0, name="x").rows
    assert (rows["keypoints_3d"][..., 3] > 0).all() and (rows["levels"] == 0).all()
    np.testing.assert_allclose(rows["side"], arrays()["scale"][:, 0] * 200 * 4 / 3, rtol=1e-6)


def test_only_the_needed_keys(tmp_path):
    columns = {name: arrays()[name] for name in ("imgname", "center", "scale")}
    columns["scale"] = np.tile(columns["scale"], (1, 2)) * (1, 3)
    columns["imgname"] = np.array([b"a.jpg", b"b.jpg", b"c.jpg"])
    rows = read_hmr2_npz(write(tmp_path / "a.npz", columns), tmp_path).rows
    assert not rows["keypoints_2d"].any() and not rows["has_pose"].any() and not rows["has_betas"].any()
    np.testing.assert_allclose(rows["side"], columns["scale"][:, 1], rtol=1e-6)


def test_hidden_keypoints_have_no_label(tmp_path):
    columns = arrays()
    columns["body_keypoints_2d"][0, 3] = (0, 0, 1)
    columns["body_keypoints_2d"][1, 4, 2] = -1
    rows = read_hmr2_npz(write(tmp_path / "a.npz", columns), tmp_path).rows
    assert not rows["keypoints_2d"][0, 3].any() and rows["keypoints_2d"][1, 4, 2] == 0


def test_our_own_npz_reads_as_upstreams(tmp_path):
    """What `ajahr-synth` writes for upstream code has the levels, too."""
    columns = arrays() | {"limb_levels": np.array([[0, 0, 0, 1], [0] * 4, [2, 0, 0, 0]])}
    (tmp_path / "a.npz").write_bytes(npz_bytes(columns))
    table = read_hmr2_npz(tmp_path / "a.npz", tmp_path)
    assert table.known_amputee().tolist() == [True, False, True]


def test_into_a_batch(tmp_path):
    (tmp_path / "set").mkdir()
    for n in range(COUNT):
        (tmp_path / "set" / f"{n}.jpg").write_bytes(jpeg(photo(320, 300, n)))
    table = read_hmr2_npz(write(tmp_path / "a.npz", arrays()), tmp_path)
    batch = to_batch(HmrDataset([table], CropConfig(None)).__getitems__(range(COUNT)))
    assert batch.image.shape == (3, 3, 256, 256) and (batch.limb_levels == -1).all()
    assert batch.keypoints_2d[..., :2].abs().max() < 1.5


def test_nobody(tmp_path):
    path = write(tmp_path / "a.npz", {name: array[:0] for name, array in arrays().items()})
    with pytest.raises(UserError, match=r"a\.npz: nobody in it"):
        read_hmr2_npz(path, tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"center": None}, "no key 'center'"),
        ({"scale": np.zeros((3, 1))}, r"'scale' of set/0\.jpg is 0"),
        ({"scale": np.ones((3, 3))}, "'scale' is"),
        ({"betas": np.ones((3, 9))}, "'betas' is"),
        ({"body_pose": np.ones((3, 69))}, "'body_pose' is"),
        ({"center": np.full((3, 2), np.nan)}, "'center' of person 0 is not finite"),
        ({"gender": np.array(["m", "x", "f"])}, "gender 'x' is none of"),
        ({"labels": np.array([[99]] * 3)}, "AJAHR-Index"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, change, said):
    columns = {name: array for name, array in (arrays() | change).items() if array is not None}
    with pytest.raises(UserError, match=said) as caught:
        read_hmr2_npz(write(tmp_path / "a.npz", columns), tmp_path)
    assert "\n" not in str(caught.value)
