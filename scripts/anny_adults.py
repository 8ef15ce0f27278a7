"""Random adults from Anny in SMPL's T-pose: the first half of ``build_default_body.py``, which tells why."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ajahr.anatomy import JOINT_NAMES

_TOES = [f"toe{t}-{i}" for t in range(1, 6) for i in (1, 2, 3) if (t, i) != (1, 3)]
_FINGERS = [f"finger{f}-{i}" for f in range(2, 6) for i in (1, 2, 3)]
_CENTRE = {
    "pelvis": ["root", "pelvis.L", "pelvis.R", "spine05", "spine04"],
    "spine1": ["spine03"],
    "spine2": ["spine02"],
    "spine3": ["spine01"],
    "neck": ["neck01", "neck02", "neck03"],
    "head": ["head", "eye.L", "eye.R"],
}
_SIDED = {
    "hip": ["upperleg01", "upperleg02"],
    "knee": ["lowerleg01", "lowerleg02"],
    "ankle": ["foot"],
    "foot": _TOES,
    "collar": ["clavicle", "shoulder01"],
    "shoulder": ["upperarm01", "upperarm02"],
    "elbow": ["lowerarm01", "lowerarm02"],
    "wrist": ["wrist", *(f"metacarpal{i}" for i in range(1, 5)), *(f"finger1-{i}" for i in (1, 2, 3))],
    "hand": _FINGERS,
}
# where a joint lies: the mean of these bones' heads; elsewhere the first bone of the lists above
_LOCATION = {
    "pelvis": ["root", "spine04"],
    "foot": [f"toe{t}-1" for t in range(1, 6)],
    "hand": [f"finger{f}-1" for f in range(2, 6)],
}
# mean directions of SMPL's left limbs in its T-pose, from published joint offsets
_LIMB_DIRECTIONS = {
    "upperarm": (0.993, -0.049, -0.105),
    "lowerarm": (0.999, 0.036, -0.005),
    "upperleg": (0.091, -0.996, -0.012),
    "lowerleg": (-0.034, -0.993, -0.109),
}


def bones_of(joint: str) -> tuple[list[str], list[str]]:
    """Anny bones whose weights make a SMPL joint, and the bones whose heads locate it."""
    side, _, part = joint.partition("_")
    if not part:
        return _CENTRE[joint], _LOCATION.get(joint, _CENTRE[joint][:1])
    suffix = {"left": ".L", "right": ".R"}[side]
    return [b + suffix for b in _SIDED[part]], [b + suffix for b in _LOCATION.get(part, _SIDED[part][:1])]


# ------------------------------------------------------------------------------------------- the T-pose


def aligning(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Smallest rotations (n, 3, 3) that turn directions a (n, 3) into b (n, 3) or (3,)."""
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = np.broadcast_to(b / np.linalg.norm(b, axis=-1, keepdims=True), a.shape)
    v, c = np.cross(a, b), (a * b).sum(-1)
    k = np.zeros((len(a), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= k.transpose(0, 2, 1)
    return np.eye(3) + k + k @ k / (1 + c)[:, None, None]


def t_pose(
    vertices: np.ndarray, heads: np.ndarray, labels: list[str], parents: list[int], weights: sp.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Bodies in Anny's rest pose (n, V, 3), bone heads (n, 104, 3) -> the same in SMPL's T-pose."""
    n, index = len(vertices), {label: i for i, label in enumerate(labels)}
    rotation = np.zeros((n, len(labels), 3, 3))
    posed = np.zeros_like(heads)
    target: dict[str, np.ndarray] = {}
    for side, sign in ((".L", 1.0), (".R", -1.0)):
        for bone, direction in _LIMB_DIRECTIONS.items():
            target[bone + side] = np.array(direction) * (sign, 1, 1)
    for i, label in enumerate(labels):
        bone, side = label[:-2], label[-2:]
        parent = rotation[:, parents[i]] if parents[i] >= 0 else np.broadcast_to(np.eye(3), (n, 3, 3))

        def to_target(child: str, direction: np.ndarray, i=i, side=side, parent=parent) -> np.ndarray:
            now = np.einsum("nij,nj->ni", parent, heads[:, index[child + side]] - heads[:, i])
            return aligning(now, direction) @ parent

        if bone in ("clavicle", "shoulder01"):  # arms come up half by the shoulder girdle, as people's do
            angle = np.deg2rad(10 if bone == "clavicle" else 18) * (1 if side == ".L" else -1)
            c, s = np.cos(angle), np.sin(angle)
            r = np.broadcast_to(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), (n, 3, 3))
        elif bone == "upperarm01":
            r = to_target("lowerarm01", target["upperarm" + side])
        elif bone == "lowerarm01":
            r = to_target("wrist", target["lowerarm" + side])
        elif bone == "upperleg01":
            r = to_target("lowerleg01", target["upperleg" + side])
        elif bone == "lowerleg01":
            r = to_target("foot", target["lowerleg" + side])
        elif bone == "wrist":
            knuckles = np.mean([heads[:, index[f"finger{f}-1{side}"]] for f in range(2, 6)], axis=0)
            now = np.einsum("nij,nj->ni", parent, knuckles - heads[:, i])
            r = aligning(now, target["lowerarm" + side]) @ parent
        elif bone == "foot":  # stays flat on the ground
            r = np.broadcast_to(np.eye(3), (n, 3, 3))
        else:
            r = parent
        rotation[:, i] = r
        if parents[i] >= 0:
            offset = heads[:, i] - heads[:, parents[i]]
            posed[:, i] = posed[:, parents[i]] + np.einsum("nij,nj->ni", parent, offset)
        else:
            posed[:, i] = heads[:, i]
    out = np.zeros_like(vertices)
    columns = weights.tocsc()
    for i in range(len(labels)):
        rows = columns.indices[columns.indptr[i] : columns.indptr[i + 1]]
        w = columns.data[columns.indptr[i] : columns.indptr[i + 1]]
        moved = (vertices[:, rows] - heads[:, None, i]) @ rotation[:, i].transpose(0, 2, 1) + posed[
            :, None, i
        ]
        out[:, rows] += w[:, None] * moved
    return out, posed


def sample_adults(count: int, seed: int) -> dict:
    """Adults in the T-pose, SMPL's axes: vertices (n, V, 3) and joints (n, 24, 3), and Anny's arrays."""
    import anny
    import torch
    from anny.shape_distribution import SimpleShapeDistribution

    torch.manual_seed(seed)
    model: Any = anny.Anny()
    age = torch.distributions.Uniform(
        torch.tensor(18.0, dtype=model.dtype), torch.tensor(80.0, dtype=model.dtype)
    )
    half = torch.tensor(0.3, dtype=model.dtype)
    people = SimpleShapeDistribution(model, age, torch.distributions.Beta(half, half))
    _, phenotypes = people.sample(count)
    parameters = torch.stack([phenotypes[label] for label in model.phenotype_labels], dim=1)
    nothing = torch.zeros(count, 0, dtype=model.dtype)
    coefficients = model._get_phenotype_blendshape_coefficients(parameters, nothing, nothing)

    labels = list(model.bone_labels)
    rows = np.repeat(np.arange(len(model.template_vertices)), model.vertex_bone_weights.shape[1])
    weights = sp.csr_matrix(
        (
            model.vertex_bone_weights.numpy().ravel(),
            (rows, model.vertex_bone_indices.numpy().ravel()),
        ),
        shape=(len(model.template_vertices), len(labels)),
    )
    weights = sp.csr_matrix(sp.diags(1 / np.asarray(weights.sum(1)).ravel()) @ weights)

    def smpl_axes(a: np.ndarray) -> np.ndarray:  # z up, facing -y  ->  y up, facing +z
        return np.stack([a[..., 0], a[..., 2], -a[..., 1]], axis=-1)

    vertices = np.empty((count, len(rows) // model.vertex_bone_weights.shape[1], 3), np.float32)
    heads = np.empty((count, len(labels), 3))
    for start in range(0, count, 50):
        part = slice(start, start + 50)
        with torch.no_grad():
            rest = model.get_rest_model(coefficients[part])
        vertices[part], heads[part] = t_pose(
            smpl_axes(rest["rest_vertices"].numpy()),
            smpl_axes(rest["rest_bone_heads"].numpy()),
            labels,
            list(model.bone_parents),
            weights,
        )
    where = [[labels.index(b) for b in bones_of(j)[1]] for j in JOINT_NAMES]
    return {
        "vertices": vertices,
        "joints": np.stack([heads[:, w].mean(1) for w in where], axis=1),
        "heads": heads,
        "labels": labels,
        "weights": weights,
        "female": phenotypes["gender"].numpy() > 0.5,
        "faces": model.get_triangular_faces().numpy(),
        "uv": model.texture_coordinates.numpy() * (1, -1) + (0, 1),  # v down
        "uv_faces": model.face_texture_coordinate_indices.numpy(),
        "keypoints": anny_keypoints(model),
        "source": f"anny {_version('anny')}",
    }


def anny_keypoints(model) -> dict[str, np.ndarray]:
    from anny.keypoints import KeypointsRegressor

    regressor = KeypointsRegressor.coco(model)
    return dict(zip(regressor.labels, regressor.regression_weights.numpy(), strict=True))


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
