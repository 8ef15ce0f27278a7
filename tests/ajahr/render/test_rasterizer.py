"""The rasteriser: what it covers, what colour, how deep, which part."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import Delaunay

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.render import rasterizer
from ajahr.render.rasterizer import Lighting, Rasterizer


def light(ambient=1.0, directional=0.0, direction=(0.0, 0.0, -1.0)) -> Lighting:
    rgb = [np.full(3, x, np.float32) for x in (ambient, directional)]
    return Lighting(rgb[0], rgb[1], np.array(direction, np.float32))


def flat_camera(width=32, height=24) -> Camera:
    """Weak perspective under which x, y of the camera frame are pixels."""
    return Camera(width, height, 1.0, (0.0, 0.0), weak_depth=1.0)


QUAD = np.array([[0, 3, 1], [1, 3, 2]], np.int32)  # corners in image order: tl, tr, br, bl


def quad(x0, y0, x1, y1, z=2.0) -> np.ndarray:
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], np.float32)


def sphere(n=24, centre=(0.0, 0.0, 3.0), radius=0.8) -> tuple[np.ndarray, np.ndarray]:
    """A closed sphere with outward faces."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, n + 1)[1:-1], np.arange(2 * n) * np.pi / n, indexing="ij")
    xyz = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1)
    points = np.concatenate([xyz.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    faces = []
    for i, j in itertools.product(range(n - 2), range(2 * n)):
        a, b = i * 2 * n + j, i * 2 * n + (j + 1) % (2 * n)
        faces += [(a, b, a + 2 * n), (b, b + 2 * n, a + 2 * n)]
    last = (n - 2) * 2 * n
    for j in range(2 * n):
        k = (j + 1) % (2 * n)
        faces += [(len(points) - 2, k, j), (len(points) - 1, last + j, last + k)]
    faces = np.array(faces, np.int32)
    a, b, c = points[faces].transpose(1, 0, 2)
    outward = np.einsum("fi,fi->f", np.cross(b - a, c - a), a + b + c) > 0
    faces[~outward] = faces[~outward][:, ::-1]
    return (points * radius + centre).astype(np.float32), faces


# ------------------------------------------------------------------------------------------------- law


@pytest.mark.parametrize("samples", [1, 4])
def test_a_quad_covers_exactly_its_pixels(samples):
    result = Rasterizer(QUAD).render(quad(3, 5, 17, 11), flat_camera(), samples=samples, lighting=light())
    expected = np.zeros((24, 32), np.uint8)
    expected[5:11, 3:17] = 255
    np.testing.assert_array_equal(result.alpha, expected)
    np.testing.assert_array_equal(result.depth, np.where(expected > 0, 2.0, np.inf).astype(np.float32))
    assert result.window == (3, 5, 17, 11)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, 0.7), (0.125, 0.5), (0.99, 0.01)])
def test_coverage_of_a_moved_quad_sums_to_its_area(shift):
    dx, dy = shift
    result = Rasterizer(QUAD).render(quad(3 + dx, 5 + dy, 17 + dx, 11 + dy), flat_camera())
    covered = np.rint(result.alpha / 255 * 4).astype(int)
    assert covered.sum() == 14 * 6 * 4
    np.testing.assert_array_equal(result.parts > 0, np.zeros_like(covered, bool))  # no labels were given
    assert (np.isfinite(result.depth) == (covered > 0)).all()


@pytest.mark.parametrize("samples", [1, 4])
def test_faces_that_share_edges_leave_no_crack_and_overlap_nowhere(samples):
    rng = np.random.default_rng(5)
    points = np.concatenate([[[2, 2], [30, 2], [30, 22], [2, 22]], rng.uniform((2, 2), (30, 22), (60, 2))])
    # some points on sample positions, so that the rule for edges is asked
    points[4:24] = np.floor(points[4:24]) + rng.choice([0.125, 0.375, 0.625, 0.875, 0.5], (20, 2))
    faces = Delaunay(points).simplices.astype(np.int32)
    a, b, c = points[faces].transpose(1, 0, 2)
    clockwise = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
    faces[clockwise] = faces[clockwise][:, ::-1]
    vertices = np.concatenate([points, np.full((len(points), 1), 2.0)], 1).astype(np.float32)
    whole = Rasterizer(faces).render(vertices, flat_camera(), samples=samples).alpha
    expected = np.zeros((24, 32), np.uint8)
    expected[2:22, 2:30] = 255
    np.testing.assert_array_equal(whole, expected)
    single = [
        Rasterizer(f[None]).render(vertices, flat_camera(), samples=samples).alpha / 255 * samples
        for f in faces
    ]
    np.testing.assert_array_equal(np.rint(single).sum(0), expected / 255 * samples)


def test_a_closed_mesh_has_no_holes_and_its_nearest_side_shows():
    vertices, faces = sphere()
    camera = Camera.centred(96, 96, 150.0)
    result = Rasterizer(faces).render(vertices, camera)
    y, x = np.mgrid[:96, :96] + 0.5
    off_centre = np.hypot(x - 48, y - 48)
    assert (result.alpha[off_centre < 40] == 255).all()
    assert (result.alpha[off_centre > 44] == 0).all()
    assert result.depth[48, 48] == pytest.approx(2.2, abs=5e-3)
    assert (result.depth[np.isfinite(result.depth)] < 3.0).all()


def test_faces_from_behind_are_culled_or_drawn_and_lit_from_their_side():
    vertices, camera = quad(3, 5, 17, 11), flat_camera()
    lamp = light(0.2, 0.6, (0, 0, -1))  # at the camera
    front = Rasterizer(QUAD).render(vertices, camera, lighting=lamp)
    assert Rasterizer(QUAD[:, ::-1]).render(vertices, camera).alpha.max() == 0
    for faces in (QUAD, QUAD[:, ::-1]):
        both = Rasterizer(faces, cull_backfaces=False).render(vertices, camera, lighting=lamp)
        np.testing.assert_array_equal(both.rgba_premultiplied, front.rgba_premultiplied)
    assert front.rgba_premultiplied[7, 7].tolist() == [204, 204, 204, 255]


def test_perspective_far_away_is_weak_perspective():
    vertices, faces = sphere(centre=(0.0, 0.0, 0.0))
    depth, texture = 2000.0, np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    uv = (vertices[:, :2] / 1.6 + 0.5).astype(np.float32)
    vertices[:, 2] += depth
    full = Camera.centred(96, 96, 40.0 * depth)
    rasterizer = Rasterizer(faces, faces)
    a, b = (rasterizer.render(vertices, x, uv=uv, texture=texture) for x in (full, full.weak(depth)))
    same = np.abs(a.rgba_premultiplied.astype(int) - b.rgba_premultiplied).max(-1) <= 4
    assert same.mean() > 0.99 and (a.alpha > 0).mean() > 0.3
    both = np.isfinite(a.depth) & np.isfinite(b.depth)
    np.testing.assert_allclose(a.depth[both], b.depth[both], rtol=1e-6)


def test_colour_is_premultiplied_by_coverage():
    vertices, faces = sphere()
    result = Rasterizer(faces).render(vertices, Camera.centred(96, 96, 150.0), lighting=light())
    rgba = result.rgba_premultiplied
    np.testing.assert_array_equal(rgba[..., :3], np.repeat(rgba[..., 3:], 3, -1))  # white in full light
    assert set(np.unique(rgba)) == {0, 64, 128, 191, 255}
    shaded = Rasterizer(faces).render(vertices, Camera.centred(96, 96, 150.0)).rgba_premultiplied
    assert (shaded[..., :3] <= shaded[..., 3:]).all()


def test_a_window_of_the_image_is_a_crop_of_it():
    vertices, faces = sphere()
    camera = Camera.centred(96, 96, 150.0)
    rasterizer = Rasterizer(faces, part_labels=(vertices[:, 0] > 0).astype(np.uint8))
    whole = rasterizer.render(vertices, camera)
    part = rasterizer.render(vertices, camera.cropped(30, -10, 50, 60))
    rgba = np.zeros((60, 50, 4), np.uint8)
    rgba[10:] = whole.rgba_premultiplied[:50, 30:80]
    assert part.window == (0, whole.window[1] + 10, 50, 60)
    assert (np.abs(part.rgba_premultiplied.astype(int) - rgba) <= 1).all()
    np.testing.assert_array_equal(part.parts[10:], whole.parts[:50, 30:80])


def test_the_same_bytes_again_and_after_other_pictures_and_in_bands(monkeypatch):
    vertices, faces = sphere()
    camera = Camera.centred(96, 96, 150.0)
    rasterizer_ = Rasterizer(faces)
    first = rasterizer_.render(vertices, camera)
    rasterizer_.render(vertices + np.float32(0.1), Camera.centred(200, 50, 300.0), samples=1)
    again = rasterizer_.render(vertices, camera)
    monkeypatch.setattr(rasterizer, "_BAND_SAMPLES", 3000)
    banded = rasterizer_.render(vertices, camera)
    for other in (again, banded):
        np.testing.assert_array_equal(other.rgba_premultiplied, first.rgba_premultiplied)
        np.testing.assert_array_equal(other.depth, first.depth)


def test_light_adds_up_and_saturates():
    grey = np.full((1, 1, 3), 100, np.uint8)

    def draw(lamp):
        result = Rasterizer(QUAD).render(quad(3, 5, 17, 11), flat_camera(), texture=grey, lighting=lamp)
        return result.rgba_premultiplied[7, 7, :3].tolist()

    assert draw(light(0.5, 0.4, (0, 0, -1))) == [90] * 3
    assert draw(light(0.5, 0.4, (0, 0, 1))) == [50] * 3  # a lamp behind the quad
    assert draw(light(0.5, 1.0, (0, -0.8, -0.6))) == [110] * 3  # cosine .6
    assert draw(light(3.0)) == [255] * 3


def test_uv_counts_right_and_down():
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0] = (255, 0, 0), (0, 255, 0)
    texture[1] = (0, 0, 255), (9, 9, 9)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    rgb = (
        Rasterizer(QUAD, QUAD)
        .render(quad(4, 4, 20, 20), flat_camera(), uv=uv, texture=texture, lighting=light())
        .rgba_premultiplied[..., :3]
    )
    for (y, x), colour in {(4, 4): texture[0, 0], (4, 19): texture[0, 1], (19, 4): texture[1, 0]}.items():
        np.testing.assert_array_equal(rgb[y, x], colour)
    np.testing.assert_array_equal(rgb[19, 19], texture[1, 1])


def test_a_texture_seen_small_shows_local_means():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 1)).astype(np.uint8).repeat(3, 2)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    result = Rasterizer(QUAD, QUAD).render(
        quad(4, 4, 20, 20), flat_camera(), uv=uv, texture=noise, lighting=light()
    )
    seen = result.rgba_premultiplied[4:20, 4:20, 0].astype(float)
    means = noise[..., 0].reshape(16, 8, 16, 8).mean((1, 3))
    whole = ~np.eye(16, dtype=bool)[::-1]  # pixels on the diagonal take a colour from either face
    np.testing.assert_allclose(seen[whole], means[whole], atol=1.5)


def test_tint_covers_the_texture_by_its_alpha_without_dark_fringes():
    texture = np.full((1, 1, 3), 200, np.uint8)

    def draw(tint):
        tint = np.array(tint, np.float32)
        whole = quad(0, 0, 32, 24)
        result = Rasterizer(QUAD).render(
            whole, flat_camera(), texture=texture, lighting=light(), vertex_tint=tint
        )
        return result.rgba_premultiplied[..., :3]

    np.testing.assert_array_equal(draw([[0, 0, 0, 0]] * 4), 200)
    assert (draw([[10, 60, 250, 1]] * 4) == (10, 60, 250)).all()
    assert (draw([[100, 100, 100, 0.5]] * 4) == 150).all()
    # left side tinted with the texture's own colour, right side untinted black: nothing may change
    own, none, black = [200, 200, 200, 1], [0, 0, 0, 0], [0, 0, 0, 1]
    np.testing.assert_array_equal(draw([own, none, none, own]), 200)
    ramp = draw([black, none, none, black])[12, :, 0].astype(int)
    assert (np.diff(ramp) > 0).all() and abs(ramp[16] - 103) <= 1


def test_parts_are_faces_labels_by_majority_and_can_be_renamed():
    faces = np.concatenate([QUAD, QUAD + 4])
    vertices = np.concatenate([quad(0, 0, 10.5, 20), quad(10.5, 0, 20, 20, z=1.9)])
    labels = np.repeat(np.array([3, 7], np.uint8), 4)
    draw = Rasterizer(faces, part_labels=labels).render
    parts = draw(vertices, flat_camera()).parts
    assert (parts[:20, :10] == 4).all() and (parts[:20, 11:20] == 8).all()
    assert (parts[:20, 10] == 8).all()  # two samples each, the right one's nearer
    assert not parts[20:].any() and not parts[:, 20:].any()
    renamed = draw(vertices, flat_camera(), part_map=np.array([0, 1, 2, 3, 4, 5, 6, 3], np.uint8)).parts
    np.testing.assert_array_equal(renamed, np.where(parts == 8, 4, parts))
    # a pixel less than half covered is background; half is body
    thin = draw(np.concatenate([quad(2, 2, 8.25, 8), quad(12, 2, 18.5, 8)]), flat_camera())
    assert not thin.parts[:, 8].any() and (thin.alpha[2:8, 8] == 64).all()
    assert (thin.parts[2:8, 18] == 8).all() and (thin.alpha[2:8, 18] == 128).all()


# ------------------------------------------------------------------------------------------------ edge


@pytest.mark.parametrize("offset", [(100, 0, 0), (-100, 0, 0), (0, 100, 0), (0, -100, 0), (0, 0, -9)])
def test_a_mesh_out_of_sight_draws_nothing(offset):
    vertices, faces = sphere()
    camera = Camera.centred(40, 40, 50.0)
    result = Rasterizer(faces).render(vertices + np.array(offset, np.float32), camera)
    assert not result.rgba_premultiplied.any() and not result.parts.any() and np.isinf(result.depth).all()


def test_a_face_that_crosses_the_near_plane_is_dropped_and_its_neighbours_stay():
    square = [(-1, -1, 2), (-1, 1, 2), (1, -1, 2), (1, 1, 2)]
    vertices = np.array([*square, (0, 0, -1), (3, 3, 0.01)], np.float32)
    faces = np.array([[0, 1, 2], [2, 1, 3], [2, 4, 0], [3, 5, 2]], np.int32)
    camera = Camera.centred(40, 40, 20.0)
    kept = Rasterizer(faces, cull_backfaces=False).render(vertices, camera).alpha
    alone = Rasterizer(faces[:2]).render(vertices, camera).alpha
    np.testing.assert_array_equal(kept, alone)
    assert alone.max() == 255


def test_vertices_far_outside_the_image_are_safe():
    huge = np.array([[-1e30, 0, 1], [0, 1e30, 1], [1e30, 0, 1], [-900, -700, 1], [-900, 900, 1], [900, 0, 1]])
    faces = np.array([[0, 1, 2], [2, 1, 0], [3, 4, 5]], np.int32)
    result = Rasterizer(faces, cull_backfaces=False).render(huge.astype(np.float32), flat_camera())
    assert (result.alpha == 255).all()  # the third face, the others being dropped
    np.testing.assert_allclose(result.depth, 1.0, rtol=1e-6)


def test_collapsed_faces_draw_nothing_and_spoil_no_normal():
    """Three faces onto a point and a line, on vertices they share with a whole quad."""
    vertices = np.concatenate([quad(3, 5, 17, 11), quad(3, 5, 3, 5), quad(20, 5, 20, 11)])
    degenerate = np.array([[0, 4, 5], [4, 5, 6], [1, 1, 2], [0, 3, 7], [8, 10, 11], [1, 8, 1]], np.int32)
    lamp = light(0.2, 0.6)
    whole = Rasterizer(QUAD).render(vertices, flat_camera(), lighting=lamp)
    mixed = Rasterizer(np.concatenate([degenerate, QUAD]), cull_backfaces=False)
    result = mixed.render(vertices, flat_camera(), lighting=lamp)
    np.testing.assert_array_equal(result.rgba_premultiplied, whole.rgba_premultiplied)
    alone = Rasterizer(degenerate, cull_backfaces=False).render(vertices, flat_camera())
    assert not alone.rgba_premultiplied.any() and np.isinf(alone.depth).all()


def test_an_amputated_body_draws_what_is_left():
    body = load_body()
    fast, betas = FastBody(body), np.zeros(10, np.float32)
    pose = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    pose[0] = np.diag([1, -1, -1])  # upright in front of the camera
    absent = np.zeros(24, bool)
    absent[[18, 20, 22]] = True  # the left forearm and hand
    camera = Camera.centred(160, 160, 200.0)
    draw = Rasterizer(body.faces, body.uv_faces, body.part_labels).render
    results = []
    for gone in (None, absent):
        vertices = fast(betas, pose, gone).vertices + np.array([0, 0, 2.6], np.float32)
        results.append(draw(vertices, camera))
    intact, cut = results
    changed = np.flatnonzero((intact.rgba_premultiplied != cut.rgba_premultiplied).any((0, 2)))
    assert changed.min() > 80  # left of the person is right in the image
    assert np.isin([20 + 1, 22 + 1], intact.parts).all() and not np.isin([20 + 1, 22 + 1], cut.parts).any()
    assert (cut.alpha > 0).sum() < 0.97 * (intact.alpha > 0).sum()
    covered = cut.alpha == 255
    assert cut.rgba_premultiplied[covered][:, :3].min() > 100  # half of white at least, however it faces


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vertex_that_is_not_finite_is_an_error(bad):
    vertices = quad(3, 5, 17, 11)
    vertices[2, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        Rasterizer(QUAD).render(vertices, flat_camera())


def test_arguments_that_do_not_fit_are_errors():
    vertices, camera = quad(3, 5, 17, 11), flat_camera()
    image, uv = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 2), np.float32)
    with pytest.raises(ValueError, match="1 or 4"):
        Rasterizer(QUAD).render(vertices, camera, samples=3)
    with pytest.raises(ValueError, match=r"\(4, 3\) vertices"):
        Rasterizer(QUAD).render(vertices[:3], camera)
    with pytest.raises(ValueError, match="uv"):
        Rasterizer(QUAD).render(vertices, camera, texture=image)
    with pytest.raises(ValueError, match=r"\(4, 2\) finite uv"):
        Rasterizer(QUAD, QUAD).render(vertices, camera, texture=image, uv=uv[:3])
    with pytest.raises(ValueError, match="finite uv"):
        Rasterizer(QUAD, QUAD).render(vertices, camera, texture=image, uv=uv * np.nan)
    with pytest.raises(ValueError, match="vertex_tint"):
        Rasterizer(QUAD).render(vertices, camera, vertex_tint=np.full((4, 4), 2.0, np.float32))
    with pytest.raises(ValueError, match="unit"):
        light(direction=(0, 0, 2))


def test_no_faces_and_the_smallest_image():
    nothing = Rasterizer(np.zeros((0, 3), np.int32))
    assert nothing.render(np.zeros((0, 3), np.float32), Camera.centred(1, 1, 1.0)).alpha.tolist() == [[0]]
    dot = Rasterizer(QUAD).render(quad(-5, -5, 5, 5), flat_camera(1, 1))
    assert dot.alpha.tolist() == [[255]]
