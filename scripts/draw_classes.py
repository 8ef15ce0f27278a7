"""Every amputation class on both sides in one picture, on a dressed body of the texture bank.

python scripts/draw_classes.py out/classes.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ajahr.anatomy import JOINT, LIMBS, absent_joint_mask, class_name
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.render.rasterizer import Rasterizer
from ajahr.render.texture import Texture
from synth.appearance.atlas import build_atlas
from synth.appearance.groups import GROUPS, SEXES
from synth.appearance.procedural import make_texture
from synth.appearance.residual import ResidualTint
from synth.stages.render import kept_parts

WIDTH, HEIGHT = 240, 400


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the textures")
    options = parser.parse_args()

    data = load_body()
    assert data.uv is not None
    body, tint = FastBody(data), ResidualTint(data)
    rasterizer = Rasterizer(data.faces, data.uv_faces, data.part_labels)
    atlas = build_atlas(data, 512)
    camera = Camera.centred(WIDTH, HEIGHT, 1000.0)
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = rotvec_to_rotmat(np.array([np.pi, 0.0, 0.0]))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        rotmats[JOINT[f"{side}_shoulder"]] = rotvec_to_rotmat(np.array([0.0, 0.0, sign * 1.15]))
    images, captions = [], []
    for level in (1, 2, 3):
        for limb in LIMBS:
            levels = [0, 0, 0, 0]
            levels[limb] = level
            kind = len(images)
            pixels, _ = make_texture(atlas, options.seed, kind, SEXES[kind % 2], GROUPS[kind % len(GROUPS)])
            texture = Texture.from_image(pixels)
            absent = absent_joint_mask(levels)
            posed = body(np.zeros(10), rotmats, absent, np.array([0.0, -0.12, 5.0]))
            image = np.full((HEIGHT, WIDTH, 3), (214, 218, 222), np.uint8)
            result = rasterizer.render(
                posed.vertices,
                camera,
                uv=data.uv,
                texture=texture,
                vertex_tint=tint(texture, absent),
                part_map=kept_parts((levels[0], levels[1], levels[2], levels[3])),
            )
            images.append(composite_over(image, result))
            captions.append(class_name(limb, level).replace("_", " "))
    print(save_contact_sheet(options.out, images, captions, columns=6, cell=(WIDTH, HEIGHT), caption_lines=1))


if __name__ == "__main__":
    main()
