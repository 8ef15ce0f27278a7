"""Pictures of procedural textures on the embedded body, to look at before they are called good.

    python scripts/preview_textures.py OUT [--seed 0] [--size 512]

writes into OUT: people.png (2 sexes x 7 groups; front, side, back), faces.png, feet.png, tips.png (all twelve
amputation classes, one look a row).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from ajahr.anatomy import JOINT, LIMBS, NUM_JOINTS, absent_joint_mask
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting, Rasterizer
from synth.appearance.atlas import build_atlas
from synth.appearance.groups import GROUPS, SEXES
from synth.appearance.procedural import make_texture
from synth.appearance.residual import ResidualTint
from synth.appearance.shapes import sample_betas

GREY = np.array([150, 158, 164], np.float32)


def rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[[a, a, b, b], [a, b, a, b]] = c, -s, s, c
    return matrix


class Studio:
    """The embedded body before a grey wall."""

    def __init__(self, size: int) -> None:
        self.body = load_body()
        self.fast = FastBody(self.body)
        self.atlas = build_atlas(self.body, size)
        self.rasterizer = Rasterizer(self.body.faces, self.body.uv_faces, self.body.part_labels)
        self.tint = ResidualTint(self.body)

    def shot(
        self,
        texture,
        betas,
        yaw,
        *,
        joint="pelvis",
        shift=0.0,
        span=1.9,
        size=(400, 560),
        levels=(0, 0, 0, 0),
    ):
        """One picture: ``span`` metres high about a joint."""
        rotmats = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
        rotmats[0] = rotation(0, 180) @ rotation(1, yaw)
        for side, sign in (("left", -1), ("right", 1)):
            rotmats[JOINT[f"{side}_shoulder"]] = rotation(2, sign * 52)
            rotmats[JOINT[f"{side}_elbow"]] = rotation(1, sign * 18)
        absent = absent_joint_mask(np.asarray(levels))
        pose = self.fast(betas, rotmats, absent)
        focal, width, height = 4000.0, *size
        depth = focal * span / height
        at = pose.joints[JOINT[joint]] + np.array([0, -shift, 0])
        render = self.rasterizer.render(
            (pose.vertices - at + np.array([0, 0, depth])).astype(np.float32),
            Camera(width, height, focal, (width / 2, height / 2)),
            uv=self.body.uv,
            texture=texture,
            lighting=Lighting(),
            vertex_tint=self.tint(texture, absent) if absent.any() else None,
        )
        rgba = render.rgba_premultiplied.astype(np.float32)
        return (rgba[..., :3] + GREY * (1 - rgba[..., 3:] / 255)).astype(np.uint8)


def sheet(cells: list[np.ndarray], columns: int) -> np.ndarray:
    """Cells of one size, row by row."""
    cells = cells + [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[k : k + columns], 1) for k in range(0, len(cells), columns)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=512)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    studio = Studio(arguments.size)
    people, faces, feet, tips = [], [], [], []
    for number, (sex, group) in enumerate((s, g) for s in SEXES for g in GROUPS):
        texture, look = make_texture(studio.atlas, arguments.seed, number, sex, group)
        betas = sample_betas(np.random.default_rng([arguments.seed, number]), sex, studio.body)
        print(f"{number:2d} {look.summary()}")
        people.append(
            np.concatenate(
                [studio.shot(texture, betas, yaw, size=(230, 560), shift=-0.1) for yaw in (10, 100, 190)], 1
            )
        )
        faces.append(
            np.concatenate(
                [
                    studio.shot(texture, betas, yaw, joint="head", shift=0.02, span=0.42, size=(280, 300))
                    for yaw in (8, 70)
                ],
                1,
            )
        )
        feet.append(studio.shot(texture, betas, 30, joint="left_ankle", span=0.5, size=(280, 280)))
        feet.append(studio.shot(texture, betas, 10, joint="left_wrist", span=0.3, size=(280, 280)))
        if number % 4 == 1:
            for limb in LIMBS:
                for level in (1, 2, 3):
                    levels = [0, 0, 0, 0]
                    levels[limb] = level
                    tips.append(
                        studio.shot(
                            texture, betas, 15 * (1 if limb % 2 else -1), size=(240, 480), levels=levels
                        )
                    )
    for name, cells, columns in (
        ("people", people, 4),
        ("faces", faces, 4),
        ("feet", feet, 7),
        ("tips", tips, 12),
    ):
        cv2.imwrite(str(arguments.out / f"{name}.png"), sheet(cells, columns)[..., ::-1])


if __name__ == "__main__":
    main()
