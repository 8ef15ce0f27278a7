"""HMR2.0's test of pseudo ground truth: is every joint's rotation one that people have in AMASS? (facts 3.6)

The histogram (``amass_poses_hist100_SMPL+H_G.npy``, of the 4D-Humans training data) counts the rotation vectors
of the 21 body joints in 100 bins per axis over -pi..pi.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter

from ajahr.anatomy import JOINT_NAMES, NUM_TOKENIZER_JOINTS
from ajahr.errors import UserError

SIGMA = 2.0
THRESHOLDS: dict[str, float] = {
    "hip": 5e-5, "spine1": 2e-3, "knee": 5e-6, "spine2": 0.01, "ankle": 5e-6, "spine3": 0.025, "foot": 0.0,
    "neck": 2e-4, "collar": 4.5e-4, "head": 5e-4, "shoulder": 2e-4, "elbow": 4e-5, "wrist": 1e-3,
}  # fmt: skip
"""Density each joint must exceed, per cubic radian."""


class PosePlausibility:
    """The test.

    Args:
        histogram: (21, bins, bins, bins) counts.

    Upstream smooths along the joints' axis too; so do we, as its thresholds belong to that.
    """

    def __init__(self, histogram: Float[np.ndarray, "joints=21 bins bins bins"]) -> None:
        self._bins = histogram.shape[1]
        density = histogram / histogram.sum() / (2 * np.pi / self._bins) ** 3
        self._density = gaussian_filter(density.astype(np.float32), SIGMA, mode="constant")
        names = JOINT_NAMES[1 : 1 + NUM_TOKENIZER_JOINTS]
        self._thresholds = np.array([THRESHOLDS[name.split("_")[-1]] for name in names])

    @classmethod
    def read(cls, path: str | Path) -> PosePlausibility:
        """From the file. UserError if it is missing or of another shape."""
        try:
            histogram = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"{path}: no pose histogram ({error}); get amass_poses_hist100_SMPL+H_G.npy of the 4D-Humans "
                "training data, or leave it out"
            ) from None
        if (
            histogram.ndim != 4
            or histogram.shape[0] != NUM_TOKENIZER_JOINTS
            or len({*histogram.shape[1:]}) != 1
        ):
            raise UserError(f"{path}: shape {histogram.shape}, expected (21, 100, 100, 100)")
        return cls(histogram.astype(np.float64))

    def __call__(self, pose: Float[np.ndarray, "people joints=24 3"]) -> Bool[np.ndarray, " people"]:
        """Which poses (rotation vectors, the root first) are plausible."""
        body = pose[:, 1 : 1 + NUM_TOKENIZER_JOINTS].astype(np.float64)
        angle = np.linalg.norm(body, axis=-1, keepdims=True)
        wrapped = angle - 2 * np.pi * np.round(angle / (2 * np.pi))  # the same rotation, at most pi
        body = body * wrapped / np.maximum(angle, 1e-12)
        bins = np.floor((body + np.pi) / (2 * np.pi) * self._bins).astype(np.int64)
        bins = np.clip(bins, 0, self._bins - 1)
        joint = np.arange(NUM_TOKENIZER_JOINTS)
        density = self._density[joint, bins[..., 0], bins[..., 1], bins[..., 2]]
        return np.asarray((density > self._thresholds).all(1))
