"""The picture of adapted bodies: the photograph with its keypoints, the meshes over it, and seen from elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from ajahr.anatomy import LDPOSE25
from ajahr.geometry.cameras import Camera
from ajahr.inference.adapted import Adapted, AdaptedPerson
from ajahr.inference.pictures import fit
from ajahr.render.compositing import composite_over
from ajahr.render.overlay import draw_label, draw_skeleton
from ajahr.render.rasterizer import Rasterizer
from ajahr.residual_limb.report import level_of

LONGEST = 1200
"""Longer side of a panel, px."""
_PAPER = 244


def picture(result: Adapted) -> UInt8[np.ndarray, "height width 3"]:
    """Three panels beside each other; without a photograph the bodies on paper."""
    if not result.people:
        height, width = (600, 800) if result.image is None else result.image.shape[:2]
        plain = np.full((height, width, 3), _PAPER, np.uint8) if result.image is None else result.image
        return draw_label(fit(plain, LONGEST), "nobody", (4, 4))
    camera = result.people[0].camera
    if result.image is None:
        scale = LONGEST / max(camera.width, camera.height)
        size = round(camera.height * scale), round(camera.width * scale)
        photo = np.full((*size, 3), _PAPER, np.uint8)
    else:
        photo = fit(result.image, LONGEST)
    scale = photo.shape[1] / camera.width
    marked = photo
    for person in result.people:
        if person.points_row is not None:
            points = result.points.keypoints[person.points_row]
            known = (points[:, 2] > 0) & np.isfinite(points).all(1)
            marked = draw_skeleton(marked, points[:, :2] * scale, LDPOSE25, absent=~known)
    over = photo.copy()
    for person in sorted(result.people, key=lambda one: -float(one.translation[2])):
        if person.visible:
            view = person.camera.cropped(0, 0, over.shape[1], over.shape[0], scale)
            _draw(over, person, person.vertices_cam.astype(np.float32), view)
    line = max(11, round(max(photo.shape[:2]) / (55 if len(result.people) == 1 else 75)))
    for person in result.people:
        if person.visible:
            words = caption(person)
            low, high = (f(person.camera.project(person.vertices_cam) * scale, 0) for f in (np.min, np.max))
            wide, tall = 0.5 * line * max(map(len, words.split("\n"))), 1.3 * line * (words.count("\n") + 1.5)
            over = draw_label(
                over, words, (float((low[0] + high[0] - wide) / 2), float(low[1]) - tall), size=line
            )
    return np.concatenate([marked, over, _side(result, photo.shape[0])], 1)


def caption(person: AdaptedPerson) -> str:
    """A line for each limb that is not whole, or that all are."""
    lines = []
    for limb in person.limbs:
        if limb.segment is None:
            continue
        if limb.status == "residual":
            lines.append(f"{limb.segment.words}: {100 * (1 - limb.fraction):.0f} % left")
            if limb.fit == "low_confidence":
                lines[-1] += " (unsure)"
        elif limb.status == "disarticulated":
            lines.append(level_of(limb.segment, 1.0))
        elif limb.status == "refused":
            lines.append(f"{limb.segment.words}: refused, {limb.reason.replace('_', ' ')[:40]}")
    return "\n".join([f"person {person.number}", *(lines or ["nothing cut"])])


def _side(result: Adapted, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Everybody from the picture's right and from behind, a row each."""
    people = [p for p in result.people if np.isfinite(p.vertices_cam).all()][:4]
    tall = max(height // max(len(people), 1), 1)
    wide = max(round(0.55 * tall), 1)
    sheet = np.full((height, 2 * wide, 3), _PAPER, np.uint8)
    turns = (np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]), np.diag([-1, 1, -1]))
    for row, person in enumerate(people):
        for column, turn in enumerate(turns):
            points = person.vertices_cam @ turn.T
            low, high = points.min(0), points.max(0)
            centred = points - (low + high) / 2
            spans = np.maximum((high - low)[:2], 0.3)
            zoom = 0.9 * min(wide / spans[0], tall / spans[1])
            depth = 10 + float(high[2] - low[2])
            view = Camera.centred(wide, tall, zoom * depth, weak_depth=depth)
            tile = np.ascontiguousarray(
                sheet[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            )
            _draw(tile, person, (centred + np.array([0, 0, depth])).astype(np.float32), view)
            words = f"{person.number}, {('side', 'back')[column]}"
            tile = draw_label(tile, words, (2, 2), size=max(11, min(tall // 24, 24)))
            sheet[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide] = tile
    return sheet


def _draw(
    out: UInt8[np.ndarray, "height width 3"],
    person: AdaptedPerson,
    vertices_cam: Float32[np.ndarray, "vertices 3"],
    view: Camera,
) -> None:
    tint = np.ones((len(vertices_cam), 4), np.float32)
    tint[:, :3] = person.colours
    composite_over(out, Rasterizer(person.body.faces).render(vertices_cam, view, vertex_tint=tint))


def png_bytes(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The picture as a PNG file."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    if not done:
        raise ValueError(f"a picture of {image.shape} cannot be a PNG")
    return data.tobytes()
