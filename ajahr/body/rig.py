"""One type for every rig of SMPL's kind: the embedded body, SMPL (24 joints) and SMPL-X (55). No torch.

    rig = load_rig("SMPLX_NEUTRAL.npz")

`BodyData` is SMPL's own 24 joints, which training and generation need. Fitting and residual limbs need no more
than a tree, skin weights and named vertices, and take any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from ajahr.body import smpl_file, smplx_file
from ajahr.body.data import GENDERS, BodyData, load_body
from ajahr.errors import UserError

_SMPLX_NAMES = ("SMPLX_{GENDER}.npz", "SMPLX_{GENDER}.pkl")


@dataclass(frozen=True, eq=False)
class RigData:
    """A rig's arrays. Metres; y up, facing +z, the person's left is +x. Joints 0..21 are SMPL's in every rig."""

    name: str
    v_template: Float32[np.ndarray, "vertices 3"]
    shapedirs: Float32[np.ndarray, "vertices 3 betas"]
    posedirs: Float32[np.ndarray, "features coordinates"] | None
    """Offsets per element of the (rotation - I) of all joints but the root. None: the body has none."""
    J_regressor: Float32[np.ndarray, "joints vertices"]
    weights: Float32[np.ndarray, "vertices joints"]
    faces: Int32[np.ndarray, "faces 3"]
    parents: tuple[int, ...]
    vertex_ids: Mapping[str, int]
    """The 21 named vertices, by `regressors.VERTEX_KEYS`."""
    expression_dirs: Float32[np.ndarray, "vertices 3 expressions"] | None = None
    hands: tuple[np.ndarray, ...] | None = None
    """Mean pose of the left and right hand (45,), components of each (n, 45); SMPL-X only."""
    landmarks: tuple[Int64[np.ndarray, "landmarks 3"], Float64[np.ndarray, "landmarks 3"]] | None = None
    """Vertices and shares of the face's 51 landmarks (iBUG's 68 without the contour); SMPL-X only."""
    uv: Float32[np.ndarray, "texels 2"] | None = None
    uv_faces: Int32[np.ndarray, "faces 3"] | None = None
    embedded: bool = False
    """The shipped body: its betas are its own, not SMPL's."""

    @property
    def num_joints(self) -> int:
        return len(self.parents)

    @property
    def num_betas(self) -> int:
        return self.shapedirs.shape[2]

    @property
    def num_expressions(self) -> int:
        return 0 if self.expression_dirs is None else self.expression_dirs.shape[2]

    @property
    def is_smplx(self) -> bool:
        return self.num_joints == smplx_file.NUM_JOINTS

    @classmethod
    def of_body(cls, body: BodyData, *, embedded: bool = False) -> RigData:
        return cls(
            body.name, body.v_template, body.shapedirs, body.posedirs, body.J_regressor, body.weights, body.faces,
            body.parents, body.vertex_ids, uv=body.uv, uv_faces=body.uv_faces, embedded=embedded,
        )  # fmt: skip

    def shaped(
        self,
        betas: Float32[np.ndarray, " betas"] | None = None,
        expression: Float32[np.ndarray, " expressions"] | None = None,
    ) -> Float64[np.ndarray, "vertices 3"]:
        """Vertices at rest; components beyond the given ones are zero, those beyond the body's are left out."""
        vertices = self.v_template.astype(np.float64)
        if betas is not None:
            n = min(len(betas), self.num_betas)
            vertices = vertices + self.shapedirs[..., :n] @ betas[:n]
        if expression is not None and self.expression_dirs is not None:
            n = min(len(expression), self.num_expressions)
            vertices = vertices + self.expression_dirs[..., :n] @ expression[:n]
        return vertices


def load_rig(
    path: str | Path | None = None, *, gender: str = "neutral", num_betas: int = 10, num_expressions: int = 10
) -> RigData:
    """The embedded body, an SMPL or SMPL-X file, or a folder that holds either under its published names.

    In a folder with both, SMPL is taken: name the file for SMPL-X.

    Raises:
        UserError: the file is missing, damaged, or of neither kind.
    """
    if gender not in GENDERS:
        raise UserError(f"gender is {', '.join(GENDERS)}, not {gender!r}")
    if path is None:
        return RigData.of_body(load_body(gender=gender), embedded=True)
    file = _find(Path(path), gender)
    if _is_smplx(file):
        return RigData(file.name, **smplx_file.read(file, num_betas, num_expressions))
    return RigData.of_body(load_body(file, gender=gender, num_betas=num_betas))


def _find(path: Path, gender: str) -> Path:
    try:
        return smpl_file.find(path, gender)
    except UserError:
        for folder in (path, path / "smplx"):
            for name in _SMPLX_NAMES:
                if (folder / name.format(GENDER=gender.upper())).is_file():
                    return folder / name.format(GENDER=gender.upper())
        raise


def _is_smplx(file: Path) -> bool:
    """By the number of joints: files are renamed."""
    if smpl_file.gender_of(file) is not None:
        return False
    if file.suffix == ".npz":
        with smpl_file.open_npz(file) as stored:
            if "meta" in stored.files or "kintree_table" not in stored.files:
                return False
    tree = smpl_file.raw_arrays(file, ("kintree_table",))["kintree_table"]
    return tree.ndim == 2 and tree.shape[1] == smplx_file.NUM_JOINTS
