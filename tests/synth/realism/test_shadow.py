import numpy as np
import pytest

from ajahr.anatomy import absent_joint_mask
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting
from synth.realism.shadow import SHADOW_REACH_M, SOLE_M, cast_shadow, ground_height, vertex_areas

BODY = FastBody(load_body())
AREAS = vertex_areas(BODY.data.v_template, BODY.data.faces)
UPRIGHT = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
UPRIGHT[0] = np.diag([1.0, -1.0, -1.0])  # facing the camera
CAMERA = Camera.centred(640, 480, 12500.0).weak(60.0)


def light(x: float = 0.0, y: float = -0.8, z: float = -0.6, hard: float = 0.5) -> Lighting:
    direction = np.array([x, y, z], np.float32)
    rgb = np.ones(3, np.float32)
    return Lighting((1 - hard) * rgb, hard * rgb, (direction / np.linalg.norm(direction)).astype(np.float32))


def standing(levels=(0, 0, 0, 0), at=(0.0, -0.3, 60.0)):
    shift = np.array(at, np.float32)
    mesh = BODY(np.zeros(10, np.float32), UPRIGHT, absent_joint_mask(levels), shift)
    return mesh, ground_height(BODY.pose_joints(np.zeros(10, np.float32), UPRIGHT) + shift)


def keep(levels=(0, 0, 0, 0), at=(0.0, -0.3, 60.0), lighting=None, camera=CAMERA) -> np.ndarray:
    """Share of the light left, of the whole picture."""
    mesh, ground = standing(levels, at)
    areas = np.where(absent_joint_mask(levels)[BODY.data.part_labels], np.float32(0), AREAS)
    whole = np.ones((camera.height, camera.width), np.float32)
    shadow = cast_shadow(mesh.vertices, areas, ground, camera, lighting or light())
    if shadow is not None:
        x0, y0, x1, y1 = shadow.window
        whole[y0:y1, x0:x1] = shadow.keep
    return whole


def feet(mesh) -> np.ndarray:
    return CAMERA.project(mesh.joints[[10, 11]])


# law


def test_it_is_darkest_at_the_feet_and_soft():
    mesh, _ = standing()
    left = keep()
    row, column = np.unravel_index(left.argmin(), left.shape)
    x, y = feet(mesh).mean(axis=0)
    px_per_m = CAMERA.focal_length / 60
    assert abs(column - x) < 0.25 * px_per_m and abs(row - y) < 0.12 * px_per_m
    assert 0.15 < left.min() < 0.6
    assert np.abs(np.diff(left, axis=1)).max() < 0.09  # no edge in it


def test_light_from_one_side_moves_it_to_the_other():
    def middle(lighting):
        left = 1 - keep(lighting=lighting)
        return float((left.sum(0) * np.arange(640)).sum() / left.sum())

    left, even, right = (middle(light(x)) for x in (-0.8, 0.0, 0.8))
    assert left > even + 5 and right < even - 5


def test_hard_light_gives_a_darker_shadow():
    least = [keep(lighting=light(hard=h)).min() for h in (0.1, 0.5, 0.9)]
    assert least[0] > least[1] > least[2]


def test_farther_people_have_smaller_shadows():
    near, far = (1 - keep(camera=CAMERA.weak(depth)) for depth in (60.0, 120.0))
    assert far.sum() == pytest.approx(near.sum() / 4, rel=0.35)


@pytest.mark.parametrize("levels", [(0, 0, 3, 0), (0, 0, 0, 1), (0, 0, 3, 3), (3, 0, 0, 0)])
def test_twins_stand_on_the_same_ground_and_only_the_lost_limb_is_missing(levels):
    whole, lost = keep(), keep(levels)
    assert (lost >= whole - 0.02).all(), "no shadow of what is not there"
    if any(levels[2:]):
        assert (lost - whole).max() > 0.08
    if levels == (0, 0, 3, 0):  # the foot that is left keeps its shadow
        mesh, _ = standing()
        kept, gone = feet(mesh)[1], feet(mesh)[0]
        at = [(int(y) + 2, int(x)) for x, y in (kept, gone)]
        assert lost[at[0]] < 0.8 and lost[at[0]] < lost[at[1]] - 0.1


@pytest.mark.parametrize("seed", range(8))
def test_it_stays_within_its_reach(seed):
    """What hides the pixels that may differ between twins relies on it."""
    rng = np.random.default_rng(seed)
    rotmats = UPRIGHT.copy()
    angle = rng.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    rotmats[0] = (turn @ rotmats[0]).astype(np.float32)  # lying, falling, upside down
    shift = np.array([0, 0, 60.0], np.float32)
    mesh = BODY(np.zeros(10, np.float32), rotmats, np.zeros(24, bool), shift)
    ground = ground_height(BODY.pose_joints(np.zeros(10, np.float32), rotmats) + shift)
    direction = light(rng.uniform(-0.8, 0.8), -rng.uniform(0.35, 0.9), -0.6, rng.uniform(0, 1))
    shadow = cast_shadow(mesh.vertices, AREAS, ground, CAMERA, direction)
    assert shadow is not None
    x0, y0 = shadow.window[:2]
    dark_y, dark_x = np.nonzero(shadow.keep < 1 - 1 / 512)  # half a grey level
    pixels = CAMERA.project(mesh.vertices)
    reach = np.array(SHADOW_REACH_M) * CAMERA.focal_length / 60
    assert dark_x.min() + x0 >= pixels[:, 0].min() - reach[0] - 1
    assert dark_x.max() + x0 <= pixels[:, 0].max() + reach[0] + 1
    assert dark_y.min() + y0 >= pixels[:, 1].min() - reach[1] - 1
    assert dark_y.max() + y0 <= pixels[:, 1].max() + reach[1] + 1


def test_the_ground_is_a_sole_below_the_lowest_joint():
    joints = np.array([[0.0, 0.0, 10.0], [0.0, 1.0, 10.0]])
    lifted = joints - [0.0, 0.2, 0.0]
    assert ground_height(lifted) > ground_height(joints) + 0.15
    assert ground_height(joints[1:]) == pytest.approx(ground_height(joints))
    assert SOLE_M > 0


def test_darkening_scales_every_channel():
    image = np.full((480, 640, 3), (200, 100, 50), np.uint8)
    mesh, ground = standing()
    shadow = cast_shadow(mesh.vertices, AREAS, ground, CAMERA, light())
    assert shadow is not None
    shadow.darken(image)
    x0, y0, x1, y1 = shadow.window
    assert np.abs(image[y0:y1, x0:x1] - shadow.keep[..., None] * [200.0, 100.0, 50.0]).max() <= 0.51
    image[y0:y1, x0:x1] = (200, 100, 50)
    assert (image == (200, 100, 50)).all()


def test_areas_add_up_to_the_surface():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    areas = vertex_areas(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    assert areas.sum() == pytest.approx(1) and areas[0] == pytest.approx(1 / 3)


# edge


@pytest.mark.parametrize("at", [(30.0, -0.3, 60.0), (-30.0, -0.3, 60.0), (0.0, 9.0, 60.0)])
def test_nobody_in_the_picture_throws_no_shadow_into_it(at):
    assert (keep(at=at) == 1).all()


def test_full_perspective():
    camera = Camera.centred(640, 480, 800.0)
    left = keep(at=(0.0, 0.0, 4.0), camera=camera)
    assert left.min() < 0.6
