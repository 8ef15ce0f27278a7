import io
import json
import struct

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.inference.mesh_files import glb_bytes, obj_bytes, ply_bytes, save_mesh, to_gl
from ajahr.inference.meshes import Mesh

trimesh = pytest.importorskip("trimesh")
WRITERS = {"glb": glb_bytes, "obj": obj_bytes, "ply": ply_bytes}


def pyramid() -> Mesh:
    """Four corners, wound outwards, every vertex another colour."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]], np.uint8)
    return Mesh(vertices, faces, colours)


def read(data: bytes, kind: str):
    found = trimesh.load(io.BytesIO(data), file_type=kind, process=False)
    return next(iter(found.geometry.values())) if kind == "glb" else found


@pytest.mark.parametrize("kind", WRITERS)
def test_another_program_reads_the_same_mesh(kind):
    mesh = pyramid()
    found = read(WRITERS[kind](mesh), kind)
    assert np.allclose(found.vertices, mesh.vertices, atol=1e-6)
    assert np.array_equal(found.faces, mesh.faces)
    assert found.is_watertight and found.volume == pytest.approx(1.0)
    colours = found.visual.vertex_attributes["color"] if kind == "glb" else found.visual.vertex_colors
    assert np.array_equal(np.asarray(colours)[:, :3], mesh.colours)
    assert np.allclose(found.vertex_normals, mesh.normals, atol=1e-3)


@pytest.mark.parametrize("count, code, size", [(0xFFFF, 5123, 2), (0xFFFF + 1, 5125, 4)])
def test_indices_are_as_wide_as_they_must_be(count, code, size):
    vertices = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    faces = np.array([[0, 1, count - 1], [1, 2, count - 1]], np.int32)
    data = glb_bytes(Mesh(vertices, faces, np.zeros((count, 3), np.uint8)))
    document, _ = parts(data)
    assert document["accessors"][3]["componentType"] == code
    assert document["bufferViews"][3]["byteLength"] == 6 * size
    assert np.array_equal(read(data, "glb").faces, faces)


def parts(data: bytes):
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and length % 4 == 0
    size, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0" and size % 4 == 0 and 28 + length + size == len(data)
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def test_a_glb_is_aligned_and_keeps_extras():
    document, binary = parts(glb_bytes(pyramid(), {"limbs": "left elbow"}))
    assert document["meshes"][0]["extras"] == {"limbs": "left elbow"}
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= len(binary) == document["buffers"][0]["byteLength"]
    place = document["accessors"][0]
    assert place["min"] == [0, 0, 0] and place["max"] == [1, 2, 3]


def test_files_stand_upright(tmp_path):
    path = save_mesh(tmp_path / "a.ply", pyramid())
    found = trimesh.load(path, process=False)
    assert np.allclose(found.vertices, to_gl(pyramid().vertices))
    assert found.volume > 0  # half a turn, so outside stays outside


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match=r"end it in \.glb, \.obj, \.ply"):
        save_mesh(tmp_path / "a.fbx", pyramid())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is where a folder is needed"):
        save_mesh(tmp_path / "file" / "a.glb", pyramid())
