"""Released A3D as people for the regressor: both of its styles, told apart by their keys (facts 3.2, 3.3).

COCO, MPII    HMR2's keys; the label is in the pictures' names, or in ``ajahr_conf``
H36M          gt_2d_kpts, gt_3d_kpts, smpl_pose as matrices, ajahr_conf
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ajahr.anatomy import J44
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, end_at_joints
from ajahr.data.readers.hmr2_npz import base_rows, finish, hide_origin, read_hmr2_npz
from ajahr.data.readers.npz_file import column_names, numbers, read_columns
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import is_absent, rotmat_to_rotvec

_H36M_REQUIRED = (
    "imgname", "center", "scale", "gt_2d_kpts", "gt_3d_kpts", "global_orient", "smpl_pose", "smpl_shape",
)  # fmt: skip
_H36M_OPTIONAL = ("ajahr_conf", "labels", "cam_t")


def read_a3d_people(path: str | Path, images: str | Path, *, name: str = "") -> PeopleTable:
    """The people of one annotation file of A3D.

    Its 3D labels are exact, so all 44 are supervised and trusted. Poses of lost joints count where the file
    keeps them: zero matrices and zero vectors there are no label.

    Args:
        path: the .npz.
        images: folder its ``imgname`` are relative to.
        name: of the dataset in keys; the file's name when empty.
    """
    path = Path(path)
    if "gt_2d_kpts" not in column_names(path):
        table = read_hmr2_npz(path, images, name=name, body_3d=True, trusted_3d=True)
        end_at_joints(table.rows)
        return table
    columns = read_columns(path, _H36M_REQUIRED, _H36M_OPTIONAL)
    rows = base_rows(columns, path, 1.0)
    count = len(rows)
    rows["keypoints_2d"] = numbers(columns, "gt_2d_kpts", (count, len(J44), 3), path)
    # the fifth column is the "opt" flag, whose meaning is not published
    rows["keypoints_3d"] = numbers(columns, "gt_3d_kpts", (count, len(J44), 5), path)[..., :4]
    root = numbers(columns, "global_orient", (count, 1, 3, 3), path)
    rotmats = np.concatenate([root, numbers(columns, "smpl_pose", (count, 23, 3, 3), path)], 1)
    lost = is_absent(rotmats)
    bad = ~lost & (np.abs(rotmats @ rotmats.swapaxes(-1, -2) - np.eye(3)).max((-2, -1)) > 0.05)
    if bad.any():
        person, joint = np.argwhere(bad)[0]
        raise UserError(
            f"{path}: joint {joint} of {columns['imgname'].flat[person]} is no rotation; fix the file"
        )
    rows["pose"] = rotmat_to_rotvec(np.where(lost[..., None, None], np.eye(3), rotmats))
    rows["has_pose"] = ~lost
    rows["betas"] = numbers(columns, "smpl_shape", (count, 10), path)
    rows["has_betas"] = True
    rows["trusted_3d"] = True
    if "cam_t" in columns:
        rows["transl"] = numbers(columns, "cam_t", (count, 3), path)
    hide_origin(rows)
    finish(rows, "labels")
    end_at_joints(rows)
    return PeopleTable(name or path.stem, rows, PictureStore(images))
