"""Times the rasteriser, beside pyrender's EGL path where pyrender and an EGL are installed.

    python scripts/bench_render.py [--pictures 30]

One thread, a new pose in every picture, the embedded body with a 1024 px texture over a fifth of a 512 x 512
picture. Both renderers get the same posed vertices and draw them in turns, so that a busy moment hits both.
pyrender rebuilds its mesh (vertices, normals) in every picture, as a new pose makes it do, and keeps its
texture; its antialiasing is the default of its offscreen renderer. Its import needs PyOpenGL newer than it
pins: ``pip install pyrender && pip install --upgrade PyOpenGL``, best into an environment of its own.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # read when pyrender is imported
os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software driver: no threads beside ours

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ajahr.body.data import BodyData, load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from ajahr.render.compositing import composite_over
from ajahr.render.rasterizer import Lighting, Rasterizer
from ajahr.render.texture import Texture

SIZES = ((256, 256), (512, 512), (640, 480))
SHARE = 0.2
"""Of the picture that the body covers."""


def posed_bodies(body: BodyData, count: int) -> list[np.ndarray]:
    """Vertices (V, 3) of standing people in everyday poses, camera frame, the pelvis on the optical axis."""
    rng = np.random.default_rng(0)
    fast, people = FastBody(body), []
    for _ in range(count):
        rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
        rotmats[1:] = rotvec_to_rotmat(sample_pose(rng, "everyday").body_pose)
        turn = rotvec_to_rotmat(np.array([0.0, rng.uniform(-np.pi, np.pi), 0.0]))
        rotmats[0] = np.diag([1.0, -1.0, -1.0]) @ turn  # upright before the camera
        pose = fast(np.zeros(body.shapedirs.shape[2], np.float32), rotmats)
        people.append(pose.vertices - pose.vertices.mean(0))
    return people


def at_share(rasterizer: Rasterizer, vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """``vertices`` moved along the optical axis until the body covers `SHARE` of the picture."""
    z = 3.0
    for _ in range(6):
        moved = vertices + np.array([0, 0, z], np.float32)
        z *= np.sqrt((rasterizer.render(moved, camera, samples=1).alpha > 0).mean() / SHARE)
    return vertices + np.array([0, 0, z], np.float32)


class Pyrender:
    """pyrender's offscreen renderer drawing one textured mesh of fixed topology, new vertices each time."""

    def __init__(self, body: BodyData, texture: np.ndarray, camera: Camera) -> None:
        import pyrender
        from PIL import Image

        assert body.uv is not None and body.uv_faces is not None
        self.pyrender = pyrender
        # OpenGL has one index per corner: a vertex for every pair of position and uv
        pairs = np.stack([body.faces.ravel(), body.uv_faces.ravel()], 1)
        unique, corner = np.unique(pairs, axis=0, return_inverse=True)
        self.position, self.indices = unique[:, 0], corner.reshape(-1, 3).astype(np.uint32)
        self.uv = (body.uv[unique[:, 1]] * (1, -1) + (0, 1)).astype(np.float32)
        self.faces, self.count = body.faces, len(body.v_template)
        self.material = pyrender.MetallicRoughnessMaterial(
            metallicFactor=0.0,
            roughnessFactor=1.0,
            baseColorTexture=pyrender.Texture(source=Image.fromarray(texture), source_channels="RGB"),
        )
        self.scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(0.5, 0.5, 0.5))
        f, (cx, cy) = camera.focal_length, camera.principal_point
        self.scene.add(pyrender.IntrinsicsCamera(f, f, cx, cy, znear=0.05, zfar=50.0))
        self.scene.add(pyrender.DirectionalLight(color=np.ones(3), intensity=2.0))
        self.renderer = pyrender.OffscreenRenderer(camera.width, camera.height)
        self.node: Any = None

    def render(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """RGBA and depth."""
        a, b, c = vertices[self.faces].transpose(1, 0, 2)
        face_normals = np.cross(b - a, c - a)
        normals = np.zeros((self.count, 3), np.float32)
        for axis in range(3):
            weights = np.repeat(face_normals[:, axis], 3)
            normals[:, axis] = np.bincount(self.faces.ravel(), weights, self.count)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        gl = np.array([1, -1, -1], np.float32)  # camera frame of OpenGL
        primitive = self.pyrender.Primitive(
            positions=(vertices * gl)[self.position],
            normals=(normals * gl)[self.position],
            texcoord_0=self.uv,
            indices=self.indices,
            material=self.material,
        )
        if self.node is not None:
            self.scene.remove_node(self.node)
        self.node = self.scene.add(self.pyrender.Mesh([primitive]))
        return self.renderer.render(self.scene, flags=self.pyrender.RenderFlags.RGBA)


def pyrender_or_reason(body: BodyData, texture: np.ndarray, camera: Camera) -> Pyrender | str:
    """The other renderer, or why there is none."""
    try:
        return Pyrender(body, texture, camera)
    except (
        Exception
    ) as error:  # a missing package, a missing library, a driver that refuses: all mean the same
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def gl_driver() -> str:
    from OpenGL.GL import GL_RENDERER, glGetString

    return glGetString(GL_RENDERER).decode()


def milliseconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return (time.perf_counter() - start) * 1e3, result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=30, help="timed pictures per row")
    pictures = parser.parse_args().pictures
    console, body = Console(), load_body()
    assert body.uv is not None
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(60, 255, (64, 64, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    Texture.from_image(image)  # OpenCV set up
    spent, texture = milliseconds(lambda: Texture.from_image(image))
    console.print(f"texture of {image.shape[1]} px with its mip levels: {spent:.2f} ms")
    rasterizer = Rasterizer(body.faces, body.uv_faces, body.part_labels)
    people = posed_bodies(body, pictures)
    light = Lighting()

    table = Table(title=f"ms per picture, one thread, {len(body.faces)} faces on {SHARE:.0%} of the picture")
    for name in ("picture", "samples", "median", "best", "pictures/s"):
        table.add_column(name, justify="right")
    for width, height in SIZES:
        camera = Camera.centred(width, height, 1.6 * height)
        placed = [at_share(rasterizer, person, camera) for person in people]
        background = np.zeros((height, width, 3), np.uint8)
        for samples in (4, 1):

            def ours(vertices, camera=camera, samples=samples):
                return rasterizer.render(
                    vertices, camera, uv=body.uv, texture=texture, lighting=light, samples=samples
                )

            ours(placed[0])  # compiled
            times = [milliseconds(lambda v=v: ours(v))[0] for v in placed]
            row = f"{np.median(times):.2f}", f"{min(times):.2f}", f"{1e3 / np.median(times):.0f}"
            table.add_row(f"{width} x {height}", str(samples), *row)
        result = ours(placed[0])
        composite_over(background, result)
        over = [milliseconds(lambda: composite_over(background, result))[0] for _ in placed]  # noqa: B023
        table.add_row(f"{width} x {height}", "composite", f"{np.median(over):.2f}", f"{min(over):.2f}", "")
    console.print(table)

    camera = Camera.centred(512, 512, 1.6 * 512)
    placed = [at_share(rasterizer, person, camera) for person in people]
    other = pyrender_or_reason(body, image, camera)
    if isinstance(other, str):
        console.print(f"no comparison: pyrender does not run here ({other})")
        return
    other.render(placed[0])  # shaders compiled, texture uploaded
    pairs, agree = [], []
    for vertices in placed:
        mine, result = milliseconds(
            lambda v=vertices: rasterizer.render(v, camera, uv=body.uv, texture=texture, lighting=light)
        )
        theirs, (rgba, _) = milliseconds(lambda v=vertices: other.render(v))
        pairs.append((mine, theirs))
        a, b = result.alpha > 127, rgba[..., 3] > 127
        agree.append((a & b).sum() / (a | b).sum())
    ours_ms, theirs_ms = np.median(pairs, axis=0)
    ratio = np.median([theirs / mine for mine, theirs in pairs])
    console.print(
        f"512 x 512, 4 samples: ours {ours_ms:.2f} ms, pyrender {theirs_ms:.1f} ms on {gl_driver()}: "
        f"{ratio:.1f}x as fast; the silhouettes agree to {np.mean(agree):.1%} (intersection over union)"
    )


if __name__ == "__main__":
    main()
