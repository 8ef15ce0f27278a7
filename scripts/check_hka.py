"""Hip-knee-ankle angles of rendered legs whose alignment is known: exact points, a model's, and its intervals.

    python scripts/check_hka.py                                    exact points alone
    python scripts/check_hka.py --weights weights/keypoints25      a 25-point model: fit, then coverage on others
    python scripts/check_hka.py --weights ... --store true         and keep the fit beside the model

People stand 3.5 m away, alignment -10 to 10 degrees in each leg, turned by up to 10, knees flexed by up to 2, in
textures and before backgrounds made for this. The calibration is fitted on half of them; the others, who share no
texture, background or shape with them, say how often the 95 % interval holds the truth. Writes hka_check.json, a
Bland-Altman plot and a sheet of pictures.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from make_backgrounds import _GROUNDS, _VIEWS, background, load

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.body.standing import standing_pose
from ajahr.data.files import write_atomic
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_agreement import draw_bland_altman
from ajahr.geometry.cameras import Camera
from ajahr.keypoints.calibration import HkaCalibration, load_calibration, save_calibration
from ajahr.keypoints.hka import Gates, LegAngle, measure_legs
from ajahr.keypoints.hka_calibration import MeasuredLegs, fit_hka
from ajahr.keypoints.hka_picture import draw_legs
from ajahr.keypoints.model import load_keypoints
from ajahr.keypoints.predictor import KeypointPredictor
from ajahr.progress import Progress
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.render.rasterizer import Lighting, Rasterizer
from ajahr.render.texture import Texture
from synth.appearance.atlas import build_atlas
from synth.appearance.groups import GROUPS, SEXES
from synth.appearance.procedural import make_texture
from synth.appearance.shapes import sample_betas

SIZE = (600, 800)
OPEN = Gates(min_score=0.0, max_half_width_deg=1e3)
"""A model is judged on every leg, not on those it is sure of; the view's gates stay."""
_TEXTURES, _BACKGROUNDS = 12, 16


@dataclass(frozen=True, eq=False)
class Standing:
    """One picture and what is true of it."""

    image: np.ndarray
    box: np.ndarray
    points: np.ndarray
    """(25, 2), px."""
    deviation: tuple[float, float]


class Studio:
    """Pictures of standing people; ``half`` 0 and 1 share nothing but the body model."""

    def __init__(self, seed: int, half: int) -> None:
        self.data = load_body()
        assert self.data.uv is not None
        self.body = FastBody(self.data)
        self.rasterizer = Rasterizer(self.data.faces, self.data.uv_faces, self.data.part_labels)
        atlas, first = build_atlas(self.data, 384), half * 1000
        self.textures = [
            Texture.from_image(make_texture(atlas, seed, first + k, SEXES[k % 2], GROUPS[k % len(GROUPS)])[0])
            for k in range(_TEXTURES)
        ]
        views, grounds = load(_VIEWS), load(_GROUNDS)
        self.backgrounds = [background(seed, first + k, views, grounds) for k in range(_BACKGROUNDS)]
        self.rng = np.random.default_rng((seed, half))

    def shoot(self) -> Standing:
        rng = self.rng
        betas = sample_betas(rng, SEXES[int(rng.integers(2))], self.data)
        left, right = rng.uniform(-10, 10, 2)
        flexion, yaw = rng.uniform(0, 2, 2), rng.uniform(-10, 10)
        deviation = (float(left), float(right))
        pose = standing_pose(self.body, betas, deviation, (float(flexion[0]), float(flexion[1])), float(yaw))
        place = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.0), 3.5])
        posed = self.body(betas, pose, np.zeros(24, bool), place)
        camera = Camera.centred(*SIZE, float(rng.uniform(1150, 1350)))
        scene = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
        image = _filled(scene)
        light = Lighting()
        result = self.rasterizer.render(
            posed.vertices,
            camera,
            uv=self.data.uv,
            texture=self.textures[int(rng.integers(len(self.textures)))],
            lighting=light,
        )
        image = composite_over(image, result)
        outline = camera.project(posed.vertices)
        box = np.concatenate([outline.min(0), outline.max(0)])
        return Standing(image, box, np.asarray(camera.project(posed.ldpose25), np.float64), deviation)


def _filled(scene: np.ndarray) -> np.ndarray:
    """A background over the whole picture."""
    import cv2

    scene = np.asarray(scene)
    if scene.dtype != np.uint8:
        scene = np.clip(scene * 255, 0, 255).astype(np.uint8)
    zoom = max(SIZE[0] / scene.shape[1], SIZE[1] / scene.shape[0])
    large = cv2.resize(scene, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    return np.array(large[: SIZE[1], : SIZE[0]], np.uint8, order="C")


def _legs_of(shot: Standing, legs: tuple[LegAngle, LegAngle]) -> list[tuple[float, float, float, float]]:
    rows = []
    for leg, truth in zip(legs, shot.deviation, strict=True):
        if leg.deviation_deg is None or leg.sd_deg is None or leg.sd_points_deg is None:
            continue
        view = max(leg.sd_deg**2 - leg.sd_points_deg**2, 0.0) ** 0.5
        rows.append((leg.deviation_deg, leg.sd_points_deg, view, truth))
    return rows


def _measured(rows: list[tuple[float, float, float, float]]) -> MeasuredLegs:
    table = np.array(rows, np.float64).reshape(-1, 4)
    return MeasuredLegs(*(np.ascontiguousarray(column) for column in table.T))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--weights", type=Path, help="a keypoint model's folder; exact points alone if left out"
    )
    parser.add_argument("--pictures", type=int, default=200, help="in each half")
    parser.add_argument("--output", type=Path, default=Path("out/hka_check"))
    parser.add_argument(
        "--store", type=lambda s: s == "true", default=False, help="keep the fit: true or false"
    )
    parser.add_argument("--flip_test", type=lambda s: s == "true", default=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    predictor = None
    if options.weights is not None:
        predictor = KeypointPredictor(load_keypoints(options.weights), flip_test=options.flip_test)
    progress, exact, halves, drawn = Progress(), [], [], []
    refused = 0
    for half, name in enumerate(("to fit on", "held out")):
        studio, rows = Studio(options.seed, half), []
        with progress.bar(name, options.pictures) as tick:
            for k in range(options.pictures):
                shot = studio.shoot()
                sure, none = np.ones(25) * (np.arange(25) < 17), np.zeros(25)
                exact += _legs_of(shot, measure_legs(shot.points, sure, none, SIZE))
                if predictor is not None:
                    found = predictor(shot.image, shot.box[None])
                    # COCO's 17: everybody here has both legs, whatever the model thinks of their ends
                    points, scores, sd = (v[0, :17] for v in (found.points, found.scores, found.sd_px))
                    arguments = (points, scores, sd, SIZE)
                    new = _legs_of(shot, measure_legs(*arguments, gates=OPEN))
                    refused += 2 - len(new)
                    rows += new
                    if half and k < 8:
                        drawn.append((shot, arguments))
                elif half and k < 8:
                    drawn.append((shot, (shot.points, sure, none, SIZE)))
                tick()
        halves.append(_measured(rows))
    report: dict[str, object] = {"exact": _exact(_measured(exact))}
    calibration = HkaCalibration()
    if predictor is not None:
        calibration = fit_hka(halves[0])
        report["model"] = _model(halves, calibration, refused, options)
        if options.store:
            assert options.weights is not None
            whole = load_calibration(options.weights)
            print(save_calibration(replace(whole, hka=calibration), options.weights))
    write_atomic(options.output / "hka_check.json", json.dumps(report, indent=1).encode())
    pictures, captions = [], []
    for shot, arguments in drawn:
        legs = measure_legs(*arguments, gates=OPEN, calibration=calibration)
        pictures.append(draw_legs(shot.image, arguments[0], arguments[1], legs))
        captions.append(f"truth: left {shot.deviation[0]:+.1f}, right {shot.deviation[1]:+.1f}")
    if pictures:
        save_contact_sheet(
            options.output / "hka_check.png", pictures, captions, columns=4, cell=(390, 520), caption_lines=1
        )
    print(options.output / "hka_check.png")


def _exact(legs: MeasuredLegs) -> dict[str, float]:
    error = np.abs(legs.deviation - legs.truth)
    share = legs.coverage(HkaCalibration())
    print(
        f"exact points: {len(legs)} legs, error mean {error.mean():.3f}, largest {error.max():.3f} deg; "
        f"95 % intervals (of the view alone) hold {100 * share:.1f} %"
    )
    return {"legs": len(legs), "mean": float(error.mean()), "largest": float(error.max()), "coverage": share}


def _model(
    halves: list[MeasuredLegs], calibration: HkaCalibration, refused: int, options: argparse.Namespace
) -> dict[str, object]:
    fitted, held_out = halves
    value, sd = held_out.calibrated(calibration)
    share = held_out.coverage(calibration)
    before = held_out.coverage(HkaCalibration())
    found = draw_bland_altman(value, held_out.truth, options.output / "bland_altman.png")
    print(
        f"model: {len(held_out)} held-out legs ({refused} of both halves refused by the view's gates), bias "
        f"{found.bias:+.2f}, limits {found.lower:+.2f} to {found.upper:+.2f}, mean absolute {found.mean_absolute:.2f} "
        f"deg, half width of the interval {1.96 * float(np.median(sd)):.2f} deg (median)\n"
        f"95 % intervals hold the truth in {100 * share:.1f} % (without calibration {100 * before:.1f} %); "
        f"slope {calibration.slope:.3f}, offset {calibration.offset_deg:+.2f}, spread x {calibration.sd_scale:.2f}, "
        f"floor {calibration.sd_floor_deg:.2f} deg"
    )
    print(options.output / "bland_altman.png")
    return {
        "fitted_legs": len(fitted), "held_out_legs": len(held_out), "refused": refused, "coverage": share,
        "coverage_uncalibrated": before, "bias": found.bias, "mean_absolute": found.mean_absolute,
        "calibration": vars(calibration),
    }  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
