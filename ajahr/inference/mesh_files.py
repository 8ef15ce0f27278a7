"""Meshes as files: GLB, OBJ, PLY and STL, each with normals or colours as the format has them.

Files are in glTF's axes, which viewers expect: x to the picture's right, y up, z towards the camera, metres.
`to_gl` turns the camera frame (x right, y down, z forward) into them. STL is in millimetres, as printers take it.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32

from ajahr.data.files import write_atomic
from ajahr.errors import UserError
from ajahr.inference.meshes import Mesh

MeshFormat = Literal["glb", "obj", "ply", "stl"]
_TO_GL = np.array([1, -1, -1], np.float32)
_FLOAT, _UINT8, _UINT16, _UINT32 = 5126, 5121, 5123, 5125  # glTF component types
_VERTEX_DATA, _INDEX_DATA = 34962, 34963


def to_gl(points_cam: Float32[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
    """Points or directions of the camera frame in glTF's axes."""
    return points_cam * _TO_GL


def save_mesh(path: str | Path, mesh: Mesh, extras: dict[str, Any] | None = None) -> Path:
    """Write a mesh of the camera frame in the format its suffix names, whole or not at all.

    Args:
        path: ends in .glb, .obj, .ply or .stl.
        extras: plain values kept in a GLB (``meshes[0].extras``); other formats have no place for them.

    Raises:
        UserError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower().lstrip(".")
    upright = Mesh(to_gl(mesh.vertices), mesh.faces, mesh.colours)
    if suffix == "glb":
        data = glb_bytes(upright, extras)
    elif suffix == "obj":
        data = obj_bytes(upright)
    elif suffix == "ply":
        data = ply_bytes(upright)
    elif suffix == "stl":
        data = stl_bytes(upright)
    else:
        raise UserError(f"{path}: no mesh format by that name; end it in .{', .'.join(get_args(MeshFormat))}")
    write_atomic(path, data)
    return path


def glb_bytes(mesh: Mesh, extras: dict[str, Any] | None = None) -> bytes:
    """glTF 2.0 in one binary file: positions, normals, colours, indices, one rough material."""
    count = len(mesh.vertices)
    index_type = np.uint16 if count <= 0xFFFF else np.uint32  # 65535 marks a restart: no vertex has it
    colours = np.concatenate([mesh.colours, np.full((count, 1), 255, np.uint8)], 1)
    buffers = [
        np.ascontiguousarray(mesh.vertices, "<f4").tobytes(),
        np.ascontiguousarray(mesh.normals, "<f4").tobytes(),
        colours.tobytes(),
        mesh.faces.astype(index_type).tobytes(),
    ]
    views, offset = [], 0
    for k, data in enumerate(buffers):
        target = _INDEX_DATA if k == 3 else _VERTEX_DATA
        views.append({"buffer": 0, "byteOffset": offset, "byteLength": len(data), "target": target})
        offset += -(-len(data) // 4) * 4
    bounds: dict[str, Any] = {}
    if count:
        bounds = {"min": mesh.vertices.min(0).tolist(), "max": mesh.vertices.max(0).tolist()}
    index_code = _UINT16 if index_type is np.uint16 else _UINT32
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}, "indices": 3, "material": 0}
    document = {
        "asset": {"version": "2.0", "generator": "ajahr"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive], **({"extras": extras} if extras else {})}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0, "roughnessFactor": 0.8}}],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3", **bounds},
            {"bufferView": 1, "componentType": _FLOAT, "count": count, "type": "VEC3"},
            {
                "bufferView": 2,
                "componentType": _UINT8,
                "normalized": True,
                "count": count,
                "type": "VEC4",
            },
            {"bufferView": 3, "componentType": index_code, "count": mesh.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(data + bytes(-len(data) % 4) for data in buffers)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        ]
    )


def obj_bytes(mesh: Mesh) -> bytes:
    """Wavefront OBJ; colours follow the coordinates of a vertex, as MeshLab and Blender read them."""
    rows = np.concatenate([mesh.vertices, mesh.colours / np.float32(255)], 1).ravel().tolist()
    vertices = "v %.6f %.6f %.6f %.3f %.3f %.3f\n" * len(mesh.vertices) % tuple(rows)
    normals = "vn %.4f %.4f %.4f\n" * len(mesh.vertices) % tuple(mesh.normals.ravel().tolist())
    corners = np.repeat((mesh.faces + 1).ravel(), 2).tolist()
    faces = "f %d//%d %d//%d %d//%d\n" * len(mesh.faces) % tuple(corners)
    return f"# ajahr; metres, y up, z towards the camera\n{vertices}{normals}{faces}".encode()


def ply_bytes(mesh: Mesh) -> bytes:
    """Binary PLY with normals and colours."""
    header = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            "comment ajahr; metres, y up, z towards the camera",
            f"element vertex {len(mesh.vertices)}",
            *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
            *(f"property uchar {name}" for name in ("red", "green", "blue")),
            f"element face {len(mesh.faces)}",
            "property list uchar int vertex_indices",
            "end_header\n",
        ]
    )
    vertices = np.empty(len(mesh.vertices), [("place", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
    vertices["place"], vertices["normal"], vertices["rgb"] = mesh.vertices, mesh.normals, mesh.colours
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, mesh.faces
    return header.encode() + vertices.tobytes() + faces.tobytes()


def stl_bytes(mesh: Mesh) -> bytes:
    """Binary STL, millimetres; without colours, each face for itself."""
    corners = mesh.vertices[mesh.faces].astype(np.float32) * np.float32(1000)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    rows = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("none", "<u2")])
    rows["normal"], rows["corners"] = normals, corners
    return b"ajahr; millimetres, y up".ljust(80) + struct.pack("<I", len(rows)) + rows.tobytes()
