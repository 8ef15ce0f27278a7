"""AMASS and MOYO sequences to pose banks, with TokenHMR's cuts, strides and splits."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from ajahr.anatomy import NUM_TOKENIZER_JOINTS
from ajahr.data.pose_banks.joblib_file import read_joblib
from ajahr.errors import UserError

SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": (
        "CMU", "KIT", "BMLrub", "DanceDB", "BMLmovi", "EyesJapan", "BMLhandball", "TotalCapture", "EKUT",
        "ACCAD", "TCDHands", "MPI-Limits",
    ),
    "val": ("HumanEva", "HDM05", "SFU", "MPI-Mosh"),
    "test": ("Transitions", "SSM"),
}  # fmt: skip
"""AMASS datasets of each split (TokenHMR); MOYO has splits of its own."""
_OTHER_NAMES = {
    "biomotionlabntroje": "BMLrub", "dancedb": "DanceDB", "eyesjapandataset": "EyesJapan",
    "tcdhandmocap": "TCDHands", "tcdhands": "TCDHands", "mpilimits": "MPI-Limits", "poseprior": "MPI-Limits",
    "mpiposeprior": "MPI-Limits", "mpihdm05": "HDM05", "mpimosh": "MPI-Mosh", "mosh": "MPI-Mosh",
    "transitionsmocap": "Transitions", "ssmsynced": "SSM", "dfaust67": "", "dfaust": "",
}  # fmt: skip
_NUMBERS = 3 * NUM_TOKENIZER_JOINTS


@dataclass(frozen=True)
class Cut:
    """Which frames of a sequence are kept.

    Args:
        ends: Share of the frames dropped at each end, where people stand in a T-pose.
        stride: Every so manieth of the rest.
    """

    ends: float
    stride: int

    def __call__(self, frames: Float[np.ndarray, "frames numbers"]) -> Float[np.ndarray, "kept numbers"]:
        first, last = int(self.ends * len(frames)), int((1 - self.ends) * len(frames))
        return frames[first : last : self.stride]


AMASS_CUT = Cut(0.2, 10)
MOYO_CUT = Cut(0.1, 5)


def amass_name(folder: str) -> str:
    """TokenHMR's name of an AMASS folder; "" for a dataset that it leaves out."""
    plain = "".join(c for c in folder.lower() if c.isalnum())
    known = {"".join(c for c in n.lower() if c.isalnum()): n for names in SPLITS.values() for n in names}
    return known.get(plain, _OTHER_NAMES.get(plain, ""))


def amass_sequences(root: str | Path) -> dict[tuple[str, str], list[Path]]:
    """(split, dataset) to the sequence files below ``root/DATASET/SUBJECT/``, as AMASS's archives unpack.

    Raises:
        UserError: no folder, or no sequence of a known dataset in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one that AMASS's archives were unpacked in")
    found: dict[tuple[str, str], list[Path]] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        name = amass_name(folder.name)
        files = sorted(p for p in folder.rglob("*.npz") if p.name.endswith(("_poses.npz", "_stageii.npz")))
        for split, names in SPLITS.items():
            if name in names and files:
                found.setdefault((split, name), []).extend(files)
    if not found:
        raise UserError(
            f"{root}: no *_poses.npz of AMASS in it; folders should be named CMU, KIT, HumanEva, ..."
        )
    return found


def read_amass(path: Path, cut: Cut = AMASS_CUT) -> Float32[np.ndarray, "kept 63"]:
    """The kept frames of one SMPL+H (or SMPL-X) sequence: joints 1..21.

    Raises:
        UserError: truncated or foreign file, NaN.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            poses = archive["poses"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: no whole AMASS sequence ({reason}); unpack its archive again") from error
    return _kept(poses, slice(3, 3 + _NUMBERS), cut, path)


def moyo_sequences(root: str | Path) -> dict[tuple[str, str], list[Path]]:
    """("train" or "val", "MOYO") to the .pkl (or .npz) files in MOYO's folders of these names.

    Raises:
        UserError: no folder, or no such files.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one of MOYO with train and val in it")
    found = {}
    for split in ("train", "val"):
        files = sorted(p for p in (root / split).rglob("*") if p.suffix in (".pkl", ".npz"))
        if files:
            found[split, "MOYO"] = files
    if not found:
        raise UserError(f"{root}: no train/*.pkl and no val/*.pkl in it; is this MOYO's mosh_smpl folder?")
    return found


def read_moyo(path: Path, cut: Cut = MOYO_CUT) -> Float32[np.ndarray, "kept 63"]:
    """The kept frames of one MOYO sequence: a joblib file, or the same arrays as .npz.

    Raises:
        UserError: truncated or foreign file, NaN, a class in the pickle that no pose file needs.
    """
    if path.suffix == ".npz":
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {"body_pose": archive["body_pose"]}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{path}: no whole .npz with body_pose ({error}); make it again") from error
    else:
        arrays = read_joblib(path)
    if "body_pose" not in arrays:
        raise UserError(f"{path}: no body_pose in it; is this a sequence of MOYO?")
    return _kept(np.asarray(arrays["body_pose"]), slice(0, _NUMBERS), cut, path)


def _kept(poses: np.ndarray, columns: slice, cut: Cut, path: Path) -> Float32[np.ndarray, "kept 63"]:
    if poses.ndim != 2 or poses.shape[1] < columns.stop or not np.issubdtype(poses.dtype, np.floating):
        raise UserError(
            f"{path}: poses are {poses.dtype} {poses.shape}, not (frames, {columns.stop} or more) floats; "
            "get the file again"
        )
    kept = np.asarray(cut(poses)[:, columns], np.float32)
    if not np.isfinite(kept).all():
        raise UserError(f"{path}: NaN or infinity in a pose; get the file again, or leave it out")
    return kept


def gather(
    files: list[Path], read: str, progress: Iterator[Path] | None = None
) -> Float32[np.ndarray, "poses 63"]:
    """Poses of many sequences, in the order of the files.

    Args:
        read: "amass" or "moyo".
        progress: Yields the same files while showing how far it is.

    Raises:
        UserError: one of the files is bad, or all are too short.
    """
    reader = {"amass": read_amass, "moyo": read_moyo}[read]
    parts = [reader(path) for path in (progress or files)]
    poses = np.concatenate(parts)
    if not len(poses):
        raise UserError(f"{files[0].parent}: its sequences are too short, no frame is left; add longer ones")
    return poses
