"""A mesh to pixels on one CPU thread: textured colour with antialiasing, depth and part mask.

Conventions are the project's: camera frame x right, y down, z forward, metres; pixel (i, j) covers
[j, j + 1) x [i, i + 1); v of uv points down. Nothing here needs a display, a GPU or a system library, and the
same input gives the same bytes every time.

What the pictures are: each vertex is lit once (ambient light plus one directional light, Lambert) by its
smooth normal and the light is interpolated, which on a body's dense mesh looks like lighting every pixel; the
texture is read bilinearly from the mip level that fits the face; colour is multiplied by light on the stored
8-bit values, without a gamma, as simple renderers do. Antialiasing is multisampling: four samples a pixel on
a rotated grid find the visible faces, and each face is shaded once per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int, UInt8

from ajahr.geometry.cameras import Camera
from ajahr.render import _kernels
from ajahr.render.texture import Texture

NEAR = 0.05
"""Near plane, m. A face with a corner nearer than this, or behind the camera, is dropped, not clipped."""

SAMPLE_OFFSETS: dict[int, tuple[float, ...]] = {1: (0.5,), 4: (0.375, 0.875, 0.125, 0.625)}
"""x of each sample in its pixel; sample k of S has y = (k + .5) / S. Four form a rotated grid: no two share a
row or a column, so the edge of an upright limb, too, has four steps and not two."""

_BAND_SAMPLES = 1 << 21
_NO_UV = np.zeros((1, 2), np.float32)
_NO_TINT = np.zeros((0, 4), np.float32)


def _rgb(*values: float) -> Float32[np.ndarray, "rgb=3"]:
    return np.array(values, np.float32)


@dataclass(frozen=True, eq=False)
class Lighting:
    """Ambient light plus one directional light.

    A surface's colour is multiplied by ``ambient_rgb + directional_rgb * max(0, normal . direction)``; a
    factor of 1 leaves the texture as it is, and colours saturate at 255.

    Attributes:
        direction: unit vector from the surface towards the light, camera frame; (0, 0, -1) is light from the
            camera.
    """

    ambient_rgb: Float32[np.ndarray, "rgb=3"] = field(default_factory=lambda: _rgb(0.5, 0.5, 0.5))
    directional_rgb: Float32[np.ndarray, "rgb=3"] = field(default_factory=lambda: _rgb(0.6, 0.6, 0.6))
    direction: Float32[np.ndarray, "xyz=3"] = field(default_factory=lambda: _rgb(-0.32, -0.64, -0.7))

    def __post_init__(self) -> None:
        for name in ("ambient_rgb", "directional_rgb", "direction"):
            value = getattr(self, name)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise ValueError(f"{name} is three finite numbers, got {value}")
        if min(self.ambient_rgb.min(), self.directional_rgb.min()) < 0:
            raise ValueError("a light cannot be negative")
        if abs(float(np.linalg.norm(self.direction)) - 1) > 1e-2:
            raise ValueError(f"direction is a unit vector, got {self.direction}")


@dataclass(frozen=True, eq=False)
class RenderResult:
    """One rendered mesh, as large as the image."""

    rgba_premultiplied: UInt8[np.ndarray, "height width 4"]
    """RGB times coverage, and coverage: 255 k / S for k of S samples covered, rounded."""
    depth: Float32[np.ndarray, "height width"]
    """z of the nearest sample, m; inf where nothing was drawn."""
    parts: UInt8[np.ndarray, "height width"]
    """Joint + 1 of the part with the most samples (ties: the nearest); 0 where less than half is covered."""
    window: tuple[int, int, int, int]
    """x0, y0, x1, y1: everything drawn lies in columns x0..x1 and rows y0..y1, ends excluded."""

    @property
    def alpha(self) -> UInt8[np.ndarray, "height width"]:
        """Coverage, 0..255."""
        return self.rgba_premultiplied[..., 3]


class Rasterizer:
    """Draws meshes of one topology.

    It keeps its working memory between calls (8 bytes a sample, 16 MB at most), so use one per thread.

    Args:
        faces: vertex indices, counter-clockwise seen from outside.
        uv_faces: indices into the uv passed to `render`; None for a mesh without texture coordinates.
        part_labels: joint of each vertex; a face takes the label of two of its corners, else of its first.
        cull_backfaces: leave out faces seen from behind, which a closed body never shows. False draws them,
            lit from their own side.
    """

    def __init__(
        self,
        faces: Int[np.ndarray, "faces 3"],
        uv_faces: Int[np.ndarray, "faces 3"] | None = None,
        part_labels: UInt8[np.ndarray, " vertices"] | None = None,
        *,
        cull_backfaces: bool = True,
    ) -> None:
        self._faces = np.array(faces, np.int32, order="C")
        if self._faces.ndim != 2 or self._faces.shape[1] != 3 or (self._faces.size and self._faces.min() < 0):
            raise ValueError(f"faces are vertex indices (F, 3), got shape {self._faces.shape}")
        if uv_faces is not None and np.shape(uv_faces) != self._faces.shape:
            raise ValueError(f"uv_faces {np.shape(uv_faces)} do not match faces {self._faces.shape}")
        self._uv_faces = None if uv_faces is None else np.array(uv_faces, np.int32, order="C")
        if self._uv_faces is not None and self._uv_faces.min(initial=0) < 0:
            raise ValueError("uv_faces are indices of uv, none below 0")
        self._no_uv_faces = np.zeros_like(self._faces)
        self._num_uv = 0 if self._uv_faces is None else int(self._uv_faces.max(initial=-1)) + 1
        self._num_vertices = int(self._faces.max(initial=-1)) + 1
        self._face_parts = np.zeros(len(self._faces), np.uint8)
        if part_labels is not None:
            if len(part_labels) < self._num_vertices or part_labels.max(initial=0) > 254:
                raise ValueError("part_labels needs one label, 0..254, per vertex")
            a, b, c = part_labels[self._faces].T
            self._face_parts = (np.where(b == c, b, a) + 1).astype(np.uint8)
        self._cull = cull_backfaces
        self._records = (
            np.empty((len(self._faces), _kernels.RECORD_FLOATS), np.float32),
            np.empty(len(self._faces), np.int32),
            np.empty(len(self._faces), np.uint8),
            np.empty(len(self._faces), np.uint8),
        )
        self._visible = np.empty(0, np.int64)

    def render(
        self,
        vertices_cam: Float32[np.ndarray, "vertices 3"],
        camera: Camera,
        *,
        uv: Float32[np.ndarray, "uvs 2"] | None = None,
        texture: UInt8[np.ndarray, "texture_height texture_width 3"] | Texture | None = None,
        lighting: Lighting | None = None,
        samples: int = 4,
        vertex_tint: Float32[np.ndarray, "vertices 4"] | None = None,
        part_map: UInt8[np.ndarray, " parts"] | None = None,
    ) -> RenderResult:
        """Draw one mesh.

        Args:
            vertices_cam: camera frame, m. Faces with a corner before `NEAR` are dropped; what lies
                outside the image is not drawn.
            camera: the whole image's camera; its size is the result's.
            uv: texture coordinates, v down, each clamped to 0..1.
            texture: RGB; white when None.
            samples: per pixel, 1 or 4.
            vertex_tint: red, green, blue (0..255) and alpha (0..1) per vertex, interpolated and laid over the
                texture before lighting: 1 replaces it, 0 leaves it. Residual limbs' ends need it.
            part_map: joint to write for each joint of ``part_labels``: for an absent one, the last one kept.

        Raises:
            ValueError: a vertex or uv that is not finite, arrays whose sizes do not fit, a tint out of range,
                ``samples`` other than 1 or 4.
        """
        offsets = SAMPLE_OFFSETS.get(samples)
        if offsets is None:
            raise ValueError(f"samples per pixel are 1 or 4, got {samples}")
        # copies, here and below: numba compiles anew for an array that is read-only or not contiguous
        vertices = np.array(vertices_cam, np.float32, order="C")
        if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) < self._num_vertices:
            raise ValueError(f"the faces need ({self._num_vertices}, 3) vertices, got {vertices.shape}")
        mapping = self._mapping(uv, texture)
        tint = _NO_TINT if vertex_tint is None else self._tint(vertex_tint, len(vertices))
        lighting = lighting or Lighting()

        perspective = camera.weak_depth is None
        screen = np.empty((len(vertices), 3))
        cx, cy = camera.principal_point
        weak_depth = 0.0 if camera.weak_depth is None else float(camera.weak_depth)
        finite, far, qmax, xmin, ymin, xmax, ymax = _kernels.project(
            vertices, float(camera.focal_length), float(cx), float(cy), weak_depth, NEAR, screen
        )
        if not finite:
            raise ValueError("vertices_cam holds a number that is not finite")
        x0, x1 = _clip(xmin, xmax, camera.width)
        y0, y1 = _clip(ymin, ymax, camera.height)
        result = RenderResult(
            np.zeros((camera.height, camera.width, 4), np.uint8),
            np.full((camera.height, camera.width), np.inf, np.float32),
            np.zeros((camera.height, camera.width), np.uint8),
            (x0, y0, x1, y1),
        )
        if x0 == x1 or y0 == y1:
            return result

        light = np.empty((2, len(vertices)), np.float32)
        normals = np.empty((len(vertices), 3), np.float32)
        ambient, directional, direction = (
            np.array(x, np.float32)
            for x in (lighting.ambient_rgb, lighting.directional_rgb, lighting.direction)
        )
        _kernels.vertex_light(vertices, self._faces, direction, normals, light)
        face_parts = self._face_parts if part_map is None else _part_table(part_map)[self._face_parts]
        texture, uv_faces, uv = mapping
        # bands of rows keep the working memory small on large photographs; most pictures are one band
        width = x1 - x0
        band = max(_BAND_SAMPLES // (width * samples), 1)
        if self._visible.size < width * min(band, y1 - y0) * samples:
            self._visible = np.empty(width * min(band, y1 - y0) * samples, np.int64)
        for top in range(y0, y1, band):
            height = min(band, y1 - top)
            _kernels.draw_faces(
                self._faces, uv_faces, face_parts, screen, perspective, qmax, uv, light, texture.mips,
                self._cull, offsets, x0, top, width, height, self._visible, *self._records,
            )  # fmt: skip
            _kernels.shade(
                self._visible, *self._records, self._faces, texture.texels, texture.mips, tint,
                ambient, directional, perspective, far, qmax, offsets,
                x0, top, width, height, result.rgba_premultiplied, result.depth, result.parts,
            )  # fmt: skip
        return result

    def _mapping(self, uv, texture) -> tuple[Texture, np.ndarray, np.ndarray]:
        """Texture, uv_faces and uv; a plain colour needs no uv."""
        if texture is None:
            texture = _WHITE
        elif not isinstance(texture, Texture):
            texture = Texture.from_image(texture)
        if texture.size == (1, 1):
            return texture, self._no_uv_faces, _NO_UV
        if uv is None or self._uv_faces is None:
            raise ValueError("a texture needs uv, and uv_faces when the rasteriser is made")
        if np.ndim(uv) != 2 or np.shape(uv)[1] != 2 or len(uv) < self._num_uv or not np.isfinite(uv).all():
            raise ValueError(f"uv_faces need ({self._num_uv}, 2) finite uv, got {np.shape(uv)}")
        return texture, self._uv_faces, np.array(uv, np.float32, order="C")

    @staticmethod
    def _tint(tint, count: int) -> np.ndarray:
        """Tint with its colour multiplied by its alpha, so that vertices without tint lend no colour."""
        if np.shape(tint) != (count, 4):
            raise ValueError(f"vertex_tint is ({count}, 4), got {np.shape(tint)}")
        tint = np.array(tint, np.float32)
        if not (
            tint.min(initial=0) >= 0 and tint[:, :3].max(initial=0) <= 255 and tint[:, 3].max(initial=0) <= 1
        ):
            raise ValueError("vertex_tint is red, green, blue in 0..255 and alpha in 0..1")
        tint[:, :3] *= tint[:, 3:]
        return tint


_WHITE = Texture.from_image(np.full((1, 1, 3), 255, np.uint8))


def _part_table(part_map) -> np.ndarray:
    """Table from stored labels (joint + 1) to written ones."""
    table = np.arange(256, dtype=np.uint8)
    table[1 : len(part_map) + 1] = part_map + 1
    return table


def _clip(low: float, high: float, size: int) -> tuple[int, int]:
    """Whole pixels touched by [low, high], inside 0..size; (0, 0) if none."""
    if not low < high or high <= 0 or low >= size:
        return 0, 0
    return max(int(np.floor(max(low, 0.0))), 0), min(int(np.ceil(min(high, float(size)))), size)
