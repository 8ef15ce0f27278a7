"""Where residual limbs end, by five methods on one generated dataset: the table of the residual head, with pictures.

    python scripts/ablate_residual.py --weights out/hmr/tiny/pretrained --keypoints out/keypoints/tiny/pretrained \
        --dataset data/residual/test --output out/ablate_residual

joint      the limb ends at the joint that its class names (AJAHR)
midpoint   in the middle of the bone (the proxy of methods without ends)
rafo       a fit to the detected end
head       the regressor's
head+rafo  the fit, started from the head and held by its uncertainty; refused: the head

Each on the regressor's bodies as they are, and again on bodies that were first moved onto the detected points
(`ajahr.inference.fitted`, what `ajahr predict --refine fit` does). The aims hold the last of these against the
midpoint on the bodies as regressed, where all start.

Ends are detected by the 25-point model, never the dataset's own. ``--points labels`` shows what perfect detection
would give, and marks everything it writes. Writes residual.md/csv/json, ablation.json (what was aimed at and whether
it is met, with bootstrap intervals) and cases.png: best, middling and worst people, every method beside the next.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from ajahr.anatomy import LDPOSE25
from ajahr.data.readers.residual_people import ResidualPeople, read_residual_shards
from ajahr.errors import UserError
from ajahr.evaluation.residual import Case, evaluate_residual
from ajahr.evaluation.residual_measured import ResidualMeasured
from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.evaluation.residual_report import sections, write_reports
from ajahr.evaluation.tables import json_text, markdown, write_texts
from ajahr.inference.fitted import PeopleFitter
from ajahr.inference.limb_points import Keypoints25, LimbPoints
from ajahr.inference.predictor import AJAHR
from ajahr.inference.residual import LEAST_PEAK
from ajahr.inference.shipped import find_weights, keypoint_folder
from ajahr.progress import Progress
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.render.rasterizer import Lighting, Rasterizer
from ajahr.residual_limb.decide import METHODS
from ajahr.residual_limb.segments import SEGMENTS

TRUE, SEEN, SAID = (40, 200, 80), (230, 60, 230), (255, 210, 40)
_RESIDUAL = list(LDPOSE25.residual)
FITTED = "fitted "
"""Before methods on bodies that were moved onto the detected points."""


class Labels:
    """The dataset's own points instead of a detector's, asked person by person in the dataset's order."""

    def __init__(self, people: ResidualPeople) -> None:
        self.people, self.asked = people, 0

    def limb_points(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> LimbPoints:
        """Labels of the next person."""
        points = self.people.points[self.asked % len(self.people)][None].astype(np.float32)
        self.asked += 1
        scores = (points[..., 2] > 0).astype(np.float32)
        status = np.full((1, 4, 4), 0.25, np.float32)
        return LimbPoints(points[..., :2], scores, scores, np.full_like(scores, np.nan), status)


def aims(results: dict[str, ResidualMeasured]) -> list[dict[str, object]]:
    """The issue's numbers, each with what was found."""
    base, best = results["midpoint"], results[f"{FITTED}head+rafo"]

    def ratio(metric: str, least: float) -> dict[str, object]:
        found = base.interval(metric).value / best.interval(metric).value
        paired = base.against(best, metric)
        text = f"{metric}: fit and head+rafo at least {least:g} x below the midpoint"
        return _aim(text, found >= least, found, paired.difference)

    def below(metric: str, other: str, bodies: str) -> dict[str, object]:
        paired = results[f"{bodies}{other}"].against(results[f"{bodies}head+rafo"], metric)
        text = f"{metric}: head+rafo below {other}, bodies {'fitted' if bodies else 'as regressed'}"
        return _aim(text, paired.difference.high < 0, None, paired.difference)

    intact, silhouettes = base.against(best, "intact_px").difference, base.against(best, "miou").difference
    return [
        ratio("res_limb_px", 3),
        ratio("end_mm", 2),
        ratio("length_mm", 2),
        _aim("intact_px: not worse than the midpoint's", not intact.low > 0, None, intact),
        _aim("miou: higher than the midpoint's", silhouettes.low > 0, None, silhouettes),
        *(below("end_mm", other, bodies) for bodies in ("", FITTED) for other in ("rafo", "head")),
    ]


def _aim(text, met, ratio, difference) -> dict[str, object]:
    return {"aim": text, "met": bool(met), "ratio": ratio, "difference": vars(difference)}


def by_segment(results: dict[str, ResidualMeasured]) -> list[dict[str, object]]:
    """Mean errors of each bone, both sides together."""
    rows: list[dict[str, object]] = []
    for bone in dict.fromkeys(segment.bone for segment in SEGMENTS):
        mine = [k for k, segment in enumerate(SEGMENTS) if segment.bone == bone]
        for method, one in results.items():
            values = {name: getattr(one, name)[:, mine] for name in ("end_mm", "length_mm", "lambda_error")}
            known = np.isfinite(values["end_mm"])
            if known.any():
                row = {name: float(np.nanmean(value)) for name, value in values.items()}
                rows.append({"bone": bone, "method": method, "ends": int(known.sum()), **row})
    return rows


def chosen(results: dict[str, ResidualMeasured], count: int) -> np.ndarray:
    """People from the best to the worst by head+rafo's end, evenly spread."""
    errors = results[f"{FITTED}head+rafo"].end_mm
    worst = np.nanmax(np.where(np.isfinite(errors), errors, -1), axis=1)
    order = np.argsort(worst)
    order = order[worst[order] >= 0]
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]


def draw(case: Case, people: ResidualPeople, side: int = 320) -> np.ndarray:
    """A person's crop with the surface, the true end (green), the detected one (magenta) and the method's (yellow)."""
    image = people.load(case.index)
    left, top, right, bottom = people.boxes_xyxy[case.index]
    half = 0.6 * max(right - left, bottom - top)
    x, y = (left + right) / 2 - half, (top + bottom) / 2 - half
    zoom = side / (2 * half)
    affine = np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y]])
    tile = cv2.warpAffine(
        image.pixels, affine * [[image.reduction, image.reduction, 1]], (side, side), flags=cv2.INTER_AREA
    )
    view = case.camera.cropped(x, y, side, side, zoom)
    vertices = (case.surface.vertices + case.translation).astype(np.float32)
    tint = np.ones((len(vertices), 4), np.float32)
    tint[:, :3] = case.surface.colours
    drawn = Rasterizer(case.surface.faces).render(vertices, view, lighting=Lighting(), vertex_tint=tint)
    tile = np.ascontiguousarray(tile)
    composite_over(tile, drawn)
    labelled = people.points[case.index, _RESIDUAL]
    for k in np.flatnonzero(labelled[:, 2] > 0):
        _ring(tile, labelled[k, :2], affine, TRUE, 9)
        if case.detected is not None and case.detected[k, 2] >= LEAST_PEAK:
            _ring(tile, case.detected[k, :2], affine, SEEN, 6)
        _ring(tile, case.ends_px[k], affine, SAID, 3)
    return tile


def _ring(
    tile: np.ndarray, point: np.ndarray, affine: np.ndarray, colour: tuple[int, int, int], radius: int
) -> None:
    at = affine[:, :2] @ point + affine[:, 2] - 0.5
    if np.isfinite(at).all() and (np.abs(at) < 10_000).all():
        where = (round(float(at[0]) * 16), round(float(at[1]) * 16))
        cv2.circle(tile, where, radius * 16, (20, 20, 20), 4, cv2.LINE_AA, 4)
        cv2.circle(tile, where, radius * 16, colour, 2, cv2.LINE_AA, 4)


def draw_cases(
    model: AJAHR, people: ResidualPeople, results: dict[str, ResidualMeasured], finder, count: int, path: Path
) -> Path:
    """Every method of some people, a row each."""
    index = chosen(results, count)
    shown = [*METHODS, f"{FITTED}midpoint", f"{FITTED}head+rafo"]
    few = people.take(index)
    tiles: dict[tuple[int, str], np.ndarray] = {}

    fitter = PeopleFitter(model.painter.body)
    for bodies in ("", FITTED):

        def keep(case: Case, bodies: str = bodies) -> None:
            tiles[case.index, f"{bodies}{case.method}"] = draw(case, few)

        evaluate_residual(
            "cases", model, few, METHODS, results["joint"].protocol, finder=finder,
            fitter=fitter if bodies else None, on_case=keep,
        )  # fmt: skip
    images, captions = [], []
    for row, who in enumerate(index):
        for method in shown:
            tile = tiles.get((row, method))
            if tile is None:
                tile = np.full((320, 320, 3), 200, np.uint8)
            error = results[method].end_mm[who]
            images.append(tile)
            captions.append(f"{people.keys[who]}, {method}\nend {np.nanmean(error):.0f} mm off")
    return save_contact_sheet(
        path, images, captions, title="Where residual limbs end",
        subtitle="green: true, magenta: detected, yellow: the method's; rows from the best to the worst by the last",
        cell=(320, 320), columns=len(shown), caption_lines=2,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--weights", type=Path, required=True, help="a folder of a regressor with a residual head"
    )
    parser.add_argument("--keypoints", type=Path, help="a folder of a 25-point model")
    parser.add_argument(
        "--points", choices=("model", "labels"), default="model", help="labels: no result, a bound"
    )
    parser.add_argument("--dataset", type=Path, required=True, help="of ajahr-synth, with residual limbs")
    parser.add_argument("--splits", nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=Path("out/ablate_residual"))
    parser.add_argument("--labels", choices=("truth", "predicted"), default="truth")
    parser.add_argument("--segment", choices=("annotated", "predicted"), default="annotated")
    parser.add_argument(
        "--ends", choices=("inside", "all"), default="inside", help="inside bones; all: at joints too"
    )
    parser.add_argument("--limit", type=int)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    try:
        return run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    people = read_residual_shards(
        options.dataset, splits=options.splits, inside=options.ends == "inside"
    ).limited(options.limit)
    model = AJAHR.from_pretrained(find_weights(options.weights), device=options.device)
    if options.points == "model" and options.keypoints is None:
        raise UserError("no 25-point model; give --keypoints FOLDER, or --points labels for the bound")
    finder = Labels(people)
    if options.points == "model":
        finder = Keypoints25(keypoint_folder(options.keypoints), device=model.device)
    protocol = ResidualProtocol().variant(labels=options.labels, segment=options.segment)
    name = options.weights.name
    found, results = [], {}
    with Progress().bar("people, twice", 2 * -(-len(people) // options.batch_size)) as advance:
        for bodies in ("", FITTED):
            told = evaluate_residual(
                f"{name}, {FITTED.strip()}" if bodies else name, model, people, METHODS, protocol, finder=finder,
                fitter=PeopleFitter(model.painter.body) if bodies else None, batch_size=options.batch_size,
                advance=advance,
            )  # fmt: skip
            found += told
            results |= {f"{bodies}{one.method}": one for one in told}
    about = {
        "ajahr": version("ajahr"), "weights": str(options.weights), "dataset": str(options.dataset),
        "ends": str(options.keypoints) if options.points == "model" else "labels: a bound, no result",
    }  # fmt: skip
    met = aims(results)
    paths = write_reports(found, options.output, about)
    paths += write_texts(
        options.output,
        {"ablation.json": json_text({"about": about, "aims": met, "by_bone": by_segment(results)})},
    )
    print(markdown(sections(found)))
    for aim in met:
        ratio = "" if aim["ratio"] is None else f" ({aim['ratio']:.2f} x)"
        print(f"{'met    ' if aim['met'] else 'not met'} {aim['aim']}{ratio}")
    if options.cases:
        again = Labels(people.take(chosen(results, options.cases))) if options.points == "labels" else finder
        paths.append(draw_cases(model, people, results, again, options.cases, options.output / "cases.png"))
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
