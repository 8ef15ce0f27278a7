"""Close-ups of residual limbs as the generator draws them: every bone at several lengths, people and poses drawn.

python scripts/draw_residual_limbs.py out/residual.png [--worn] [--seed 0] [--lambdas 0.15 0.4 0.65 0.8]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from ajahr.anatomy import LIMBS, Limb, absent_joint_mask, residual_end
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.residual_limb.segments import SEGMENTS
from synth.appearance.atlas import build_atlas
from synth.appearance.groups import GROUPS, SEXES
from synth.appearance.procedural import make_texture
from synth.appearance.shapes import sample_betas
from synth.appearance.source import TextureEntry, TextureSource
from synth.background_bank import Slot
from synth.config import RealismConfig, RenderConfig
from synth.props.prostheses import kinds_for
from synth.record import Drop, Person, Record
from synth.residual_config import HIGHEST
from synth.stages.place import Place, person_camera
from synth.stages.props import PutOn
from synth.stages.render import Render
from synth.stages.residual import CutLimbs
from synth.stages.scene import INTACT

SIDE, CELL, PX_PER_M = 1200, 260, 560.0
LEVEL = {(residual_end(limb, level)): (limb, level) for limb in LIMBS for level in (1, 2)}


class Wardrobe(TextureSource):
    """Textures painted when they are asked for."""

    def __init__(self, body) -> None:
        super().__init__()
        self.atlas = build_atlas(body, 512)

    def entries_of(self, sex, group):
        return []

    def decode(self, entry):
        kind = int(entry.id)
        return make_texture(self.atlas, 0, kind, SEXES[kind % 2], GROUPS[kind % len(GROUPS)])[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0.15, 0.4, 0.65, 0.8])
    parser.add_argument("--worn", action="store_true", help="with prostheses, from farther away")
    options = parser.parse_args()

    body = load_body()
    fast, wardrobe = FastBody(body), Wardrobe(body)
    stages = [
        Place(fast, RenderConfig()), CutLimbs(fast), PutOn(fast),
        Render(body, RenderConfig(), RealismConfig.plain()),
    ]  # fmt: skip
    images, captions = [], []
    for bone in SEGMENTS:
        limb, level = LEVEL[bone.name]
        for asked in options.lambdas:
            fraction = min(asked, HIGHEST.get(bone.bone, 1.0))
            for attempt in range(50):
                rng = np.random.default_rng([options.seed, bone.point, round(1000 * asked), attempt])
                record, person = picture(rng, body, wardrobe, limb, level, fraction, options.worn)
                try:
                    for stage in stages:
                        record = stage(record)
                    break
                except Drop:
                    continue
            else:
                raise SystemExit(f"nobody in the picture for {bone.name} at {fraction}")
            images.append(close_up(record, person, 560 if options.worn else 210))
            captions.append(f"{bone.words} {fraction:.2f}, {person.pose_family}")
    columns = len(options.lambdas) * (2 if len(options.lambdas) < 5 else 1)
    print(
        save_contact_sheet(options.out, images, captions, columns=columns, cell=(CELL, CELL), caption_lines=1)
    )


def picture(
    rng: np.random.Generator, body, wardrobe: Wardrobe, limb: int, level: int, fraction: float, worn: bool
) -> tuple[Record, Person]:
    """Somebody in a pose, on the way to the stages that place, cut and draw."""
    levels = (*(level if k == limb else 0 for k in LIMBS),)
    fractions = (*(fraction if k == limb else 0.0 for k in LIMBS),)
    kinds: list[str | None] = [None] * 4
    if worn:
        kinds[limb] = str(rng.choice(kinds_for(Limb(limb), level)))
    family = str(rng.choice(["everyday", "sport", "seated"]))
    sampled = sample_pose(rng, family, levels=levels)
    turn = rotvec_to_rotmat(np.array([0.0, rng.uniform(-np.pi, np.pi), 0.0]))
    tilt = rotvec_to_rotmat(np.array([np.deg2rad(rng.uniform(-10, 35)), 0.0, 0.0]))
    root = tilt @ np.diag([1.0, -1.0, -1.0]) @ turn @ rotvec_to_rotmat(sampled.root_rotvec)
    pose = np.concatenate([rotmat_to_rotvec(root)[None], sampled.body_pose], dtype=np.float32)
    kind = int(rng.integers(1000))
    slot = Slot((0, 0, 1, 1), PX_PER_M, SIDE / 2, SIDE - 60.0)
    person = Person(slot, INTACT, INTACT, pose, "sampled", family, worn=tuple(kinds))
    person.levels = person.rendered_levels = (levels[0], levels[1], levels[2], levels[3])
    person.fractions = (fractions[0], fractions[1], fractions[2], fractions[3])
    person.absent = absent_joint_mask(levels)
    person.sex = SEXES[kind % 2]
    person.betas = sample_betas(rng, person.sex, body)
    person.texture = TextureEntry(str(kind), person.sex, GROUPS[kind % len(GROUPS)], wardrobe)
    record = Record(0, 0, False, rng, camera=Camera.hmr(SIDE, SIDE))
    record.people = [person]
    return record, person


def close_up(record: Record, person: Person, span: int) -> np.ndarray:
    """The drawn person around the end of their limb, on grey."""
    assert person.render is not None and person.cut is not None
    image = composite_over(np.full((SIDE, SIDE, 3), (196, 200, 204), np.uint8), person.render)
    (x, y), *_ = person_camera(record, person, "weak").project(person.cut.tips.astype(np.float64))
    x0, y0 = (int(np.clip(v - span / 2, 0, SIDE - span)) for v in (x, y))
    part = image[y0 : y0 + span, x0 : x0 + span]
    way = cv2.INTER_CUBIC if span < CELL else cv2.INTER_AREA
    return np.ascontiguousarray(cv2.resize(part, (CELL, CELL), interpolation=way))


if __name__ == "__main__":
    main()
