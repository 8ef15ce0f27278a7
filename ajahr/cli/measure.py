"""``ajahr measure hka``: hip-knee-ankle angles of people in photographs, or why there is none.

ajahr measure hka standing.jpg --weights tiny-keypoints
ajahr measure hka photos/ --weights weights/keypoints --people yolo11x.pt --reference xray.csv
ajahr measure hka photos/ --points points.json         points somebody marked: {"a.jpg": [[[x, y, score] x 17 or 25]]}

Writes hka.csv, hka.json and a picture of each photograph; with a reference (columns image, side, hka_deg: signed,
varus negative) the agreement and its Bland-Altman plot. Screening only, not diagnostic.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.cli.console import call, did_you_mean, parser_of
from ajahr.data.images import load_image
from ajahr.data.ldpose import NUM_INTACT_POINTS, NUM_POINTS
from ajahr.data.readers.people import load_json
from ajahr.errors import UserError
from ajahr.keypoints.calibration import HkaCalibration, load_calibration
from ajahr.keypoints.hka import MENDS, Convention, Gates, LegAngle, measure_legs

NOTE = (
    "Screening only, not diagnostic: a photograph shows the projected line of visible points, not of bones."
)
_COLUMNS: tuple[str, ...] = (
    "image", "person", "side", "deviation_deg", "angle_deg", "convention", "sd_deg", "low_deg", "high_deg", "words",
    "reason", "flexion_deg", "residual_axis_deviation_deg", "yaw_deg",
)  # fmt: skip
_POINTS_WHAT = 'marked points as JSON: {"a.jpg": [[[x, y, score], ... 17 or 25 of them], ... people]}'


@dataclass(frozen=True, eq=False)
class _Person:
    points: np.ndarray
    scores: np.ndarray
    sd_px: np.ndarray


def hka(
    images: list[Path],
    weights: Path | None = None,
    points: Path | None = None,
    people: str = "whole",
    output: Path = Path("out/hka"),
    convention: Convention = "medial",
    reference: Path | None = None,
    point_sd: float = 2.0,
    flip_test: bool = True,
    device: str = "cpu",
    gates: Gates | None = None,
    calibration: HkaCalibration | None = None,
) -> None:
    """Hip-knee-ankle angle and knee flexion of everybody, with a 95 % interval or a refusal.

    Args:
        images: Photographs, or a folder of them.
        weights: A keypoint model's folder, or tiny-keypoints, which comes with the package.
        points: Marked points instead of a model.
        people: "whole" for one person who fills the picture, a YOLO .pt file, or boxes as JSON.
        output: Folder of hka.csv, hka.json and the pictures.
        convention: How angles are printed: medial (varus below 180), lateral, or the signed deviation.
        reference: A CSV with columns image, side and hka_deg (signed deviation, varus negative).
        point_sd: Standard deviation of marked points, px; a model's own maps tell its points'.
        flip_test: Average with the mirrored picture.
        device: "cpu" or "cuda".
        gates: When a number is withheld.
        calibration: Of the deviation, of your camera and model against radiographs; the model's own where left out.
    """
    if (weights is None) == (points is None):
        raise UserError(
            "give either --weights with a keypoint model's folder, or --points with marked points"
        )
    if weights is not None:
        from ajahr.inference.shipped import keypoint_folder

        weights = keypoint_folder(weights)
    paths = _pictures(images)
    known = None if reference is None else _reference(reference)
    find = _marked(points, point_sd) if points is not None else _model(weights, people, flip_test, device)
    if calibration is None and weights is not None:
        calibration = load_calibration(weights).hka
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}; choose another --output") from error
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows += list(_measure(path, find, output, convention, gates, calibration))
    _write(rows, output)
    for row in rows:
        print(_line(row))
    if not rows:
        print("nobody was found")
    if known is not None:
        _compare(rows, known, output)
    print(NOTE)
    print(output / "hka.csv")


def _measure(
    path: Path,
    find: Callable[[Path, np.ndarray], list[_Person]],
    output: Path,
    convention: Convention,
    gates: Gates | None,
    calibration: HkaCalibration | None,
) -> Iterator[dict[str, Any]]:
    from ajahr.inference.pictures import encode_jpeg
    from ajahr.keypoints.hka_picture import draw_legs

    pixels = load_image(path).pixels
    size = (pixels.shape[1], pixels.shape[0])
    picture = pixels
    for number, person in enumerate(find(path, pixels)):
        legs = measure_legs(
            person.points, person.scores, person.sd_px, size, gates=gates, calibration=calibration
        )
        picture = draw_legs(picture, person.points, person.scores, legs)
        for leg in legs:
            yield _row(path, number, leg, convention)
    (output / f"{path.stem}_hka.jpg").write_bytes(encode_jpeg(picture))


def _row(path: Path, number: int, leg: LegAngle, convention: Convention) -> dict[str, Any]:
    low, high = leg.interval_deg or (None, None)
    values = (
        path.name, number, leg.limb.side, leg.deviation_deg, leg.angle(convention), convention, leg.sd_deg, low, high,
        leg.words, None if leg.reason is None else str(leg.reason), leg.flexion_deg, leg.residual_axis_deviation_deg,
        leg.yaw_deg,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _line(row: dict[str, Any]) -> str:
    head = f"{row['image']}, person {row['person']}, {row['side']}: "
    if row["deviation_deg"] is None:
        text = f"no angle: {MENDS[row['reason']]}"
    else:
        name = "deviation" if row["convention"] == "deviation" else f"{row['convention']} angle"
        text = (
            f"{name} {row['angle_deg']:.1f} deg, {row['words']}; deviation {row['deviation_deg']:+.1f} deg, "
            f"95 % {row['low_deg']:+.1f} to {row['high_deg']:+.1f}"
        )
    if row["flexion_deg"] is not None:
        text += f"; knee flexion {row['flexion_deg']:.1f} deg"
    if row["residual_axis_deviation_deg"] is not None:
        text += f"; axis of the residual limb {row['residual_axis_deviation_deg']:+.1f} deg"
    return head + text


def _write(rows: list[dict[str, Any]], output: Path) -> None:
    plain = [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    with (output / "hka.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(plain)
    (output / "hka.json").write_text(json.dumps({"note": NOTE, "legs": plain}, indent=1) + "\n")


def _pictures(images: Sequence[Path]) -> list[Path]:
    from ajahr.inference.sources import SUFFIXES

    found: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise UserError(f"{path}: no pictures in this folder; give photographs")
            found += inside
        else:
            found.append(path)
    if not found:
        raise UserError("no pictures; give photographs or a folder of them")
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise UserError(f"{missing[0]}: no such file; check the path")
    return found


# ------------------------------------------------------------------------------------- where points come from


def _marked(path: Path, sd: float) -> Callable[[Path, np.ndarray], list[_Person]]:
    document = load_json(path, _POINTS_WHAT)
    if not isinstance(document, dict):
        raise UserError(f"{path}: no object with a picture's name per key; give {_POINTS_WHAT}")
    people: dict[str, list[_Person]] = {}
    for name, entries in document.items():
        people[name] = []
        for entry in entries if isinstance(entries, list) else [None]:
            try:
                array = np.asarray(entry, np.float64)
            except (TypeError, ValueError):
                array = np.zeros(0)
            if array.shape not in ((NUM_INTACT_POINTS, 3), (NUM_POINTS, 3)) or not np.isfinite(array).all():
                raise UserError(f"{path}: {name}: not 17 or 25 points of x, y and score; give {_POINTS_WHAT}")
            people[name].append(_Person(array[:, :2], array[:, 2], np.full(len(array), sd)))

    def find(picture: Path, _: np.ndarray) -> list[_Person]:
        if picture.name not in people:
            raise UserError(f"{path}: no points of {picture.name} in it; add them, or leave the picture out")
        return people[picture.name]

    return find


def _model(
    weights: Path | None, people: str, flip_test: bool, device: str
) -> Callable[[Path, np.ndarray], list[_Person]]:
    from ajahr.inference.external import pick_device
    from ajahr.keypoints.model import load_keypoints
    from ajahr.keypoints.predictor import KeypointPredictor

    assert weights is not None
    device = pick_device(device)
    predictor = KeypointPredictor(load_keypoints(weights), device=device, flip_test=flip_test)
    boxes = _boxes(people, device)

    def find(picture: Path, pixels: np.ndarray) -> list[_Person]:
        found = predictor(pixels, boxes(picture, pixels))
        return [_Person(*row) for row in zip(found.points, found.scores, found.sd_px, strict=True)]

    return find


def _boxes(people: str, device: str) -> Callable[[Path, np.ndarray], np.ndarray]:
    from ajahr.inference.given import GivenPeople
    from ajahr.inference.people import People

    if people == "whole":
        return lambda _, pixels: People.whole((pixels.shape[1], pixels.shape[0])).boxes_xyxy
    if people.lower().endswith(".json"):
        path = Path(people)

        def given(picture: Path, _: np.ndarray) -> np.ndarray:
            found = GivenPeople(path, picture.parent).of(picture)
            if found is None:
                raise UserError(f"{path}: nobody of {picture.name} in it; add them, or leave the picture out")
            return found.boxes_xyxy

        return given
    from ajahr.inference.yolo import YoloDetector

    detector = YoloDetector(Path(people), device=device)
    return lambda _, pixels: detector(pixels)[:, :4]


# ---------------------------------------------------------------------------------------------- reference


def _reference(path: Path) -> dict[tuple[str, str], float]:
    what = "a CSV with columns image, side (left or right) and hka_deg (varus negative)"
    try:
        with path.open(newline="") as file:
            found = {}
            for row in csv.DictReader(file):
                side = row["side"].strip().lower()
                if side not in ("left", "right"):
                    raise ValueError(f"side is '{side}'")
                found[Path(row["image"]).name, side] = float(row["hka_deg"])
            return found
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give {what}") from None
    except (KeyError, ValueError, AttributeError, OSError) as error:
        raise UserError(f"{path}: cannot be used ({error}); give {what}") from None


def _compare(rows: Sequence[dict[str, Any]], known: dict[tuple[str, str], float], output: Path) -> None:
    from ajahr.evaluation.keypoints_agreement import draw_bland_altman

    pairs = [
        (row["deviation_deg"], known[row["image"], row["side"]])
        for row in rows
        if row["deviation_deg"] is not None and (row["image"], row["side"]) in known
    ]
    ours, theirs = (np.array([pair[i] for pair in pairs], np.float64) for i in (0, 1))
    found = draw_bland_altman(ours, theirs, output / "bland_altman.png")
    print(
        f"{found.count} legs against the reference: bias {found.bias:+.2f} deg, limits of agreement "
        f"{found.lower:+.2f} to {found.upper:+.2f}, mean absolute {found.mean_absolute:.2f}, r {found.correlation:.3f}"
    )
    print(output / "bland_altman.png")


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        print("ajahr measure limb left-below-knee=0.4 --stature 1.72     a residual limb in millimetres")
        print(
            "ajahr measure limb --prediction predictions/a.json --stature 1.72     those that were predicted"
        )
        print("ajahr measure detector data/hmr/val --keypoints vitpose      how a detector treats lost limbs")
        print("ajahr measure hka --help (limb, detector likewise) tells the options.")
        return 0
    if argv[0] == "limb":
        return _limb(argv[1:])
    if argv[0] == "detector":
        from ajahr.cli.measure_detector import main as detector

        return detector(argv[1:])
    if argv[0] != "hka":
        known = ["hka", "limb", "detector"]
        raise UserError(f"'{argv[0]}' is nothing to measure{did_you_mean(argv[0], known)}")
    parser = parser_of(hka, "ajahr measure hka")
    parser.add_argument("images", type=Path, nargs="+", help="photographs, or a folder of them")
    return call(hka, parser, argv[1:])


def _limb(argv: Sequence[str]) -> int:
    from ajahr.cli.measure_limb import limb

    parser = parser_of(limb, "ajahr measure limb")
    what = "where limbs end: left-below-knee=0.4; left out: where --prediction says"
    parser.add_argument("ends", type=str, nargs="*", default=[], help=what)
    return call(limb, parser, argv)
