"""Bodies to cut: the embedded one, and one of SMPL-X's kind made of it."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.body.data import BodyData, load_body
from ajahr.residual_limb.skin import SkinnedMesh


@pytest.fixture(scope="session")
def body() -> BodyData:
    return load_body()


@pytest.fixture(scope="session")
def mesh(body: BodyData) -> SkinnedMesh:
    betas = np.array([0.5, -0.4, 0.3, 0.2, -0.6, 0.1, 0.0, 0.3, -0.2, 0.4], np.float32)
    return SkinnedMesh.of_body(body, betas)


@pytest.fixture(scope="session")
def smplx_model(body: BodyData) -> dict[str, np.ndarray]:
    """Keys, layouts and joints of SMPL-X's file: 55 joints, v of the texture upwards, two open eye sockets."""
    parents = [*body.parents[:22], 15, 15, 15]
    for wrist in (20, 21):
        for _ in range(5):
            first = len(parents)
            parents += [wrist, first, first + 1]
    weights = np.zeros((len(body.v_template), 55), np.float32)
    weights[:, :22] = body.weights[:, :22]
    weights[:, 25], weights[:, 40] = body.weights[:, 22], body.weights[:, 23]
    regress = np.zeros((55, len(body.v_template)), np.float32)
    regress[:24] = body.J_regressor
    regress[22:] = body.J_regressor[20]
    regress[40:] = body.J_regressor[21]
    head = np.flatnonzero((weights[:, 15] > 0.99) & (body.v_template[:, 2] > 0.02))
    holes = head[[0, np.abs(body.v_template[head] - body.v_template[head[0]]).sum(1).argmax()]]
    stays = ~np.isin(body.faces, holes).any(1)
    rng = np.random.default_rng(3)
    assert body.uv is not None and body.uv_faces is not None
    return {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": body.shapedirs.astype(np.float64),
        "posedirs": rng.normal(0, 1e-4, (len(body.v_template), 3, 486)),
        "J_regressor": regress,
        "weights": weights,
        "f": body.faces[stays].astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(55)], np.int64),
        "vt": (body.uv * (1, -1) + (0, 1)).astype(np.float64),
        "ft": body.uv_faces[stays],
    }


@pytest.fixture(scope="session")
def smplx_mesh(smplx_model: dict[str, np.ndarray]) -> SkinnedMesh:
    return SkinnedMesh.of_model(smplx_model, np.full(10, 0.4))
