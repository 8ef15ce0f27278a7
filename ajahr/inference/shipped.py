"""What comes with the package, by name: weights and keypoint models; or the paths that are given."""

from __future__ import annotations

from pathlib import Path

from ajahr.errors import UserError
from ajahr.inference.limb_points import Keypoints25, LimbPointFinder, is_keypoints25
from ajahr.inference.people import KeypointFinder

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
"""One folder for each set of weights that comes with the package."""


def find_keypoints(folder: str | Path, *, device: str = "cpu") -> KeypointFinder | LimbPointFinder:
    """The finder in a folder: this project's 25 points, or a ViTPose model of 17 as transformers saves it.

    Raises:
        UserError: neither.
    """
    path = keypoint_folder(folder)
    if is_keypoints25(path):
        return Keypoints25(path, device=device)
    from ajahr.inference.vitpose import VitPoseKeypoints

    return VitPoseKeypoints(path, device=device)


def keypoint_folder(name: str | Path) -> Path:
    """The folder of a keypoint model that comes with the package, or the path itself."""
    shipped = SHIPPED_WEIGHTS / str(name)
    comes_along = shipped.parent == SHIPPED_WEIGHTS and shipped.is_dir()
    return shipped if comes_along and not Path(name).exists() else Path(name)


def find_weights(weights: str | Path) -> Path:
    """The folder of weights that come with the package, or the path itself.

    Raises:
        UserError: there is neither.
    """
    path, name = Path(weights), str(weights)
    if path.exists():
        return path
    shipped = SHIPPED_WEIGHTS / name
    if shipped.is_dir() and shipped.parent == SHIPPED_WEIGHTS:
        return shipped
    if name in ("tiny", "small", "base", "paper"):
        raise UserError(
            f"no weights '{name}' come with this version; train them (ajahr fit with a YAML of configs/hmr) or "
            "import published ones (ajahr import-weights), and give their folder"
        )
    raise UserError(f"{weights}: no such weights; give a folder of trained or imported weights")


def companion(weights: str | Path) -> Path | None:
    """The 25-point model that comes with weights of the package; None for any other weights."""
    folder = find_weights(weights)
    beside = folder.with_name(f"{folder.name}-keypoints")
    return beside if folder.parent == SHIPPED_WEIGHTS and beside.is_dir() else None
