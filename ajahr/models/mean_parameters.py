"""Where the regression starts: HMR's ``smpl_mean_params.npz``, or a licence-free mean of our own."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.anatomy import NUM_JOINTS
from ajahr.errors import UserError
from ajahr.geometry.rotations import (
    hmr2_rot6d_to_rotmat,
    rotmat_to_hmr2_rot6d,
    rotmat_to_rot6d,
    rotvec_to_rotmat,
    spin_rot6d_to_rotmat,
)
from ajahr.models.config import Rot6dLayout

_MEAN_CAMERA = (0.9, 0.0, 0.0)  # SPIN's and HMR2.0's: the person fills nine tenths of the crop
_ROOT = (np.pi, 0.0, 0.0)  # upright before the camera: the body's y is up, the camera's is down
_INTERLEAVED_ROOT = (1, 0, 0, -1, 0, 0)
_BLOCKED_ROOT = (1, 0, 0, 0, -1, 0)

# rad, by scripts/build_mean_pose.py: the mean of poses drawn by ajahr.poses.sampler, the same on both sides
_MEAN_BODY: tuple[tuple[float, float, float], ...] = (
    (-0.69, 0.16, 0.02), (-0.69, -0.16, -0.02), (0.06, 0.00, 0.00), (0.72, 0.00, 0.00),
    (0.72, 0.00, 0.00), (0.05, 0.00, 0.00), (0.08, 0.00, 0.00), (0.08, 0.00, 0.00),
    (0.04, 0.00, 0.00), (-0.02, 0.00, 0.00), (-0.02, 0.00, 0.00), (0.03, 0.00, 0.00),
    (0.00, -0.03, 0.06), (0.00, 0.03, -0.06), (0.03, 0.00, 0.00), (0.05, -0.54, -1.02),
    (0.05, 0.54, 1.02), (0.04, -0.86, 0.00), (0.04, 0.86, 0.00), (0.01, 0.05, 0.17),
    (0.01, -0.05, -0.17), (0.00, 0.00, -0.45), (0.00, 0.00, 0.45),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeanParameters:
    """What the regressed numbers are added to."""

    pose: Float[Tensor, "joints=24 6"]
    betas: Float[Tensor, "betas=10"]
    camera: Float[Tensor, "styx=3"]

    @classmethod
    def default(cls, layout: Rot6dLayout = "row") -> MeanParameters:
        """An upright person with the mean pose of our pose sampler, mean shape."""
        rotvecs = torch.tensor((_ROOT, *_MEAN_BODY), dtype=torch.float32)
        pose = _to_rot6d(rotvec_to_rotmat(rotvecs), layout)
        return cls(pose, torch.zeros(10), torch.tensor(_MEAN_CAMERA))

    @classmethod
    def load(cls, path: str | Path, layout: Rot6dLayout = "row") -> MeanParameters:
        """Read ``smpl_mean_params.npz`` in SPIN's interleaved or HMR2.0's blocked layout, told by the root.

        The rotations are the file's own. TokenHMR and AJAHR read the file's columns as rows and so start from
        every joint's inverse (facts 5.6); their checkpoints carry that start, and importing one keeps it.

        Raises:
            UserError: missing file, missing arrays, other sizes, or a root that fits neither layout.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"{path}: no such file; `ajahr doctor` tells where to get smpl_mean_params.npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {
                    name: torch.from_numpy(file[name]).float().flatten() for name in ("pose", "shape", "cam")
                }
        except KeyError as error:
            raise UserError(f"{path}: lacks {error}; give HMR's smpl_mean_params.npz") from error
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: no readable .npz ({error}); copy it again") from error
        sizes = {"pose": 6 * NUM_JOINTS, "shape": 10, "cam": 3}
        if wrong := [
            f"{name} has {len(arrays[name])}" for name, size in sizes.items() if len(arrays[name]) != size
        ]:
            raise UserError(f"{path}: {', '.join(wrong)} numbers; pose has 144, shape 10, cam 3")
        numbers = arrays["pose"].view(NUM_JOINTS, 6)
        if torch.allclose(numbers[0], torch.tensor(_INTERLEAVED_ROOT).float(), atol=0.1):
            rotmats = spin_rot6d_to_rotmat(numbers)
        elif torch.allclose(numbers[0], torch.tensor(_BLOCKED_ROOT).float(), atol=0.1):
            rotmats = hmr2_rot6d_to_rotmat(numbers)
        else:
            raise UserError(
                f"{path}: the root is {numbers[0].tolist()}, neither interleaved {_INTERLEAVED_ROOT} nor "
                f"blocked {_BLOCKED_ROOT}; give HMR's smpl_mean_params.npz"
            )
        return cls(_to_rot6d(rotmats, layout), arrays["shape"], arrays["cam"])


def _to_rot6d(rotmats: Float[Tensor, "joints=24 3 3"], layout: Rot6dLayout) -> Float[Tensor, "joints=24 6"]:
    return rotmat_to_rot6d(rotmats) if layout == "row" else rotmat_to_hmr2_rot6d(rotmats)
