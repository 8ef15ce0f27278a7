"""The compiled loops against a naive rasteriser in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import SAMPLE_OFFSETS, Lighting, Rasterizer
from ajahr.render.texture import Texture


def naive(vertices, faces, uv, texture, labels, camera, lamp, samples):
    """Per pixel and sample in float64, no shortcuts: rgba, depth, parts."""
    vertices = vertices.astype(np.float64)
    xy = camera.project(vertices)
    z = vertices[:, 2]
    normals = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        normals[face] += np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shade = np.maximum(normals @ lamp.direction, 0)
    h, w = texture.shape[:2]
    rimmed = np.pad(texture.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")

    def barycentric(face, x, y):
        (ax, ay), (bx, by), (cx, cy) = xy[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        return area, np.array([1 - b - c, b, c])

    def in_space(face, weights):
        if camera.weak_depth is not None:
            return weights
        weights = weights / z[face]
        return weights / weights.sum()

    rgba = np.zeros((camera.height, camera.width, 4))
    depth = np.full((camera.height, camera.width), np.inf)
    parts = np.zeros((camera.height, camera.width), int)
    for i, j in itertools.product(range(camera.height), range(camera.width)):
        hits: dict[int, list[tuple[float, float, float]]] = {}
        for s in range(samples):
            x, y = j + SAMPLE_OFFSETS[samples][s], i + (s + 0.5) / samples
            best = (np.inf, -1)
            for f, face in enumerate(faces):
                area, weights = barycentric(face, x, y)
                if area < 0 and (weights > 0).all():
                    best = min(best, (float(in_space(face, weights) @ z[face]), f))
            if best[1] >= 0:
                hits.setdefault(best[1], []).append((x, y, best[0]))
        votes: dict[int, tuple[int, float]] = {}
        for f, found in hits.items():
            x, y = np.mean([p[:2] for p in found], axis=0)
            weights = in_space(faces[f], barycentric(faces[f], x, y)[1])
            u, v = weights @ np.clip(uv[faces[f]], 0, 1)
            u, v = u * w + 0.5, v * h + 0.5
            iu, iv = int(u), int(v)
            fu, fv = u - iu, v - iv
            t = rimmed[iv : iv + 2, iu : iu + 2]
            colour = (1 - fv) * ((1 - fu) * t[0, 0] + fu * t[0, 1]) + fv * ((1 - fu) * t[1, 0] + fu * t[1, 1])
            colour = colour * (lamp.ambient_rgb + lamp.directional_rgb * (weights @ shade[faces[f]]))
            rgba[i, j, :3] += np.minimum(colour, 255) * len(found) / samples
            rgba[i, j, 3] += 255 * len(found) / samples
            nearest = min(p[2] for p in found)
            depth[i, j] = min(depth[i, j], nearest)
            a, b, c = labels[faces[f]]
            label = (b if b == c else a) + 1
            n, closest = votes.get(label, (0, np.inf))
            votes[label] = (n + len(found), min(closest, nearest))
        if 2 * sum(n for n, _ in votes.values()) >= samples:
            parts[i, j] = max(votes, key=lambda label: (votes[label][0], -votes[label][1]))
    return rgba, depth, parts


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_twin_naive_rasteriser_in_float64(samples, weak, seed):
    rng = np.random.default_rng(seed)
    camera = Camera.centred(28, 20, 24.0, weak_depth=2.0 if weak else None)
    vertices = (rng.uniform(-1, 1, (21, 3)) * (1.4, 1.1, 0.9) + (0, 0, 2.0)).astype(np.float32)
    faces = np.concatenate([np.arange(21).reshape(7, 3), rng.permutation(21).reshape(7, 3)]).astype(np.int32)
    uv = rng.uniform(-0.1, 1.1, (21, 2)).astype(np.float32)
    # a smooth texture, or a difference of 1e-3 texels would show
    texture = blurred(rng.integers(0, 255, (12, 9, 3)).astype(np.uint8))
    labels = rng.integers(0, 24, 21).astype(np.uint8)
    lamp = Lighting(
        np.array([0.5, 0.4, 0.3], np.float32), np.array([0.8, 0.7, 0.9], np.float32), unit(rng.normal(size=3))
    )
    packed = Texture.from_image(texture)
    finest = Texture(packed.texels, packed.mips[:1])
    result = Rasterizer(faces, faces, labels).render(
        vertices, camera, uv=uv, texture=finest, lighting=lamp, samples=samples
    )
    rgba, depth, parts = naive(vertices, faces, uv, texture, labels, camera, lamp, samples)
    assert 0.2 < (rgba[..., 3] > 0).mean() < 0.95  # the meshes say something
    np.testing.assert_array_equal(result.alpha, np.floor(rgba[..., 3] + 0.5))
    np.testing.assert_allclose(result.depth, depth, rtol=2e-5)
    np.testing.assert_array_equal(result.parts, parts)
    np.testing.assert_allclose(result.rgba_premultiplied[..., :3], rgba[..., :3], atol=2.5)


def unit(vector) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def blurred(image):
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    h, w = image.shape[:2]
    return np.mean([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0).astype(
        np.uint8
    )
