"""People with residual limbs whose truth is known: posed bodies, rendered as masks, with every label."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import J44_FROM_COCO17, LDPOSE25, absent_joint_mask
from ajahr.body.body import Body
from ajahr.data.readers.residual_people import ResidualPeople, Truth3D
from ajahr.inference.estimator import cut_people
from ajahr.inference.limb_points import LimbPoints
from ajahr.inference.people import People
from ajahr.inference.person import gather_people
from ajahr.inference.predictor import AJAHR, as_loaded
from ajahr.inference.surfaces import cut_surface
from ajahr.render.rasterizer import Rasterizer
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.measure import measure
from ajahr.residual_limb.segments import SEGMENTS, Segment

SIZE = (240, 320)


def people_like(
    model: AJAHR, body: Body, ends: list[dict[Segment, float]], colour: int = 20
) -> ResidualPeople:
    """People whom ``model`` (a puppet's) predicts exactly, but for where their limbs end."""
    image = as_loaded(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    image.pixels[..., 0] = colour
    box = np.array([60.0, 40, 180, 280])
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * 1.2
    one = People.of(np.concatenate([centre - half, centre + half])[None].astype(np.float32))
    crops = cut_people(image, one, model.keypoint_frame)
    count = len(ends)
    points, fraction = np.zeros((count, 25, 3)), np.full((count, 8), np.nan)
    ends_3d, volume = np.full((count, 8, 3), np.nan), np.full((count, 8), np.nan)
    length = np.full((count, 8), np.nan)
    levels = np.zeros((count, 4), np.int64)
    masks, pelvis = [], np.zeros((count, 3))
    cutter = LimbCutter(body.data)
    for i, cuts in enumerate(ends):
        for segment in cuts:
            levels[i, segment.limb] = 2 if segment.bone in ("thigh", "upper arm") else 1
        estimates = model.estimator(crops, levels[i : i + 1])
        (person,) = gather_people(one, crops, estimates, model.camera(SIZE))
        joints = (person.joints + person.translation).astype(np.float64)
        pelvis[i] = joints[0]
        points[i, :17, :2] = person.keypoints_2d[list(J44_FROM_COCO17)]
        absent = absent_joint_mask(levels[i])[[LDPOSE25.anchors[k] for k in range(17)]]
        points[i, :17, 2] = np.where(absent, 0, 2)
        points[i, :17][absent] = 0
        surface = cut_surface(cutter, person.betas, person.pose_rotmat, levels[i], cuts)
        for cut in surface.ends:
            k = SEGMENTS.index(cut.segment)
            anchor, upstream = joints[cut.segment.anchor], joints[cut.segment.upstream]
            fraction[i, k] = cuts[cut.segment]
            ends_3d[i, k] = anchor + fraction[i, k] * (upstream - anchor)
            length[i, k] = 1000 * (1 - fraction[i, k]) * np.linalg.norm(upstream - anchor)
            volume[i, k] = 1e6 * measure(surface.cut, cut).volume
            points[i, 17 + k] = (*person.camera.project(ends_3d[i, k][None])[0], 2)
        drawn = Rasterizer(surface.faces).render(
            surface.vertices + person.translation, person.camera, samples=1
        )
        masks.append(np.isfinite(drawn.depth))
    truth = Truth3D(fraction, ends_3d, pelvis, length, volume)
    return ResidualPeople(
        "made",
        tuple(f"{i}/0" for i in range(count)),
        tuple(f"{i}" for i in range(count)),
        np.tile(box, (count, 1)),
        points,
        levels,
        np.full(count, np.nan),
        truth,
        lambda i: image,
        lambda i: masks[i],
    )


class TruthfulFinder:
    """Answers with labels, moved by ``shift`` px: a 25-point model whose errors are known. Asked person by person."""

    def __init__(self, people: ResidualPeople, shift: float = 0.0) -> None:
        self.people, self.shift, self.asked = people, shift, 0

    def limb_points(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> LimbPoints:
        points = self.people.points[self.asked : self.asked + len(boxes_xyxy)].astype(np.float32)
        self.asked += len(boxes_xyxy)
        scores = (points[..., 2] > 0).astype(np.float32)
        status = np.full((len(points), 4, 4), 0.25, np.float32)
        return LimbPoints(
            points[..., :2] + np.float32(self.shift), scores, scores, np.full_like(scores, 2), status
        )
