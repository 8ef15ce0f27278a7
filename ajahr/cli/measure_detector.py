"""``ajahr measure detector``: how often a keypoint detector invents, misses and moves keypoints, as a config.

ajahr measure detector data/hmr/val --keypoints vitpose-base-simple
ajahr measure detector data/hmr/val --keypoints found.json      COCO results of the dataset's pictures

Writes detector_noise.yaml, which `data.init_args.keypoints` of `ajahr fit` takes, and detector.png to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from rich.console import Console

from ajahr.cli.console import call, parser_of
from ajahr.data.files import make_folder, write_atomic
from ajahr.data.hmr.detector_noise import DetectorNoise, pattern_leak
from ajahr.data.hmr.detector_rates import measured_rates
from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.readers.shards import read_shards
from ajahr.errors import UserError
from ajahr.progress import Progress
from ajahr.render.contact_sheet import save_contact_sheet

if TYPE_CHECKING:
    from ajahr.inference.measure_detector import Finder

RATES = "detector_noise.yaml"
SHEET = "detector.png"
_TILES = 24
_OVERLAP = 0.3
"""Least intersection over union of a person's box and a found one."""


def detector(
    dataset: Path,
    keypoints: Path,
    output: Path = Path("out/detector"),
    splits: list[str] | None = None,
    people: int | None = None,
    min_confidence: float = 0.3,
    device: str = "auto",
) -> DetectorNoise:
    """Rates of a detector on pictures whose truth is known, for the detector-like keypoints of training.

    Args:
        dataset: Folder of a dataset made by `ajahr-synth generate`.
        keypoints: A ViTPose folder, one of our own keypoint models, tiny-keypoints, or JSON of what a detector found:
            {"KEY.jpg": [...]} or COCO results, as `ajahr predict --keypoints` takes it.
        output: Folder of detector_noise.yaml and detector.png.
        splits: Of the dataset; all when left out.
        people: So many, spread evenly; everybody when left out.
        min_confidence: Keypoints at or below it count as not reported; BPAC-Net's own threshold.
        device: Of the detector: auto, cpu or cuda.
    """
    if not 0 <= min_confidence < 1:
        raise UserError(f"min_confidence is 0 or more and below 1, not {min_confidence}")
    if people is not None and people < 1:
        raise UserError(f"people is {people}; give at least 1")
    from ajahr.inference.measure_detector import look

    table = read_shards(dataset, splits=splits or ())
    chosen = np.arange(len(table))
    if people is not None and people < len(table):
        chosen = np.unique(np.linspace(0, len(table) - 1, people).round().astype(int))
    if keypoints.suffix.lower() == ".json":
        chosen, find = _given(keypoints, table, chosen)
    else:
        find = _model(keypoints, device)
    make_folder(output)
    with Progress().bar("people", len(chosen)) as tick:
        looks = look(table, find, people=chosen, least=min_confidence, tiles=_TILES, tick=tick)
    rates = measured_rates(looks.found, looks.truth, looks.absent, looks.covered)
    values = _plain(asdict(rates))
    first, second, _ = values["end_lengths"]
    values["end_lengths"][2] = round(1 - first - second, 4)  # rounded, they still sum to 1
    text = yaml.safe_dump(values, sort_keys=False)
    head = f"# {keypoints.name} on {len(looks)} people of {Path(dataset).name}, by `ajahr measure detector`\n"
    write_atomic(output / RATES, (head + text).encode())
    sheet = save_contact_sheet(
        output / SHEET, looks.tiles, looks.captions, title=f"{keypoints.name}: {len(looks)} people",
        subtitle="rings: truth, grey where hidden; points: reported; magenta: of a limb that is not there",
    )  # fmt: skip
    _tell(rates, len(looks), looks.broken, (output / RATES, sheet))
    return rates


def _model(folder: Path, device: str) -> Finder:
    from ajahr.inference.external import pick_device
    from ajahr.inference.limb_points import Keypoints25, is_keypoints25
    from ajahr.inference.shipped import keypoint_folder
    from ajahr.inference.vitpose import VitPoseKeypoints

    where, folder = pick_device(device), keypoint_folder(folder)
    found = (
        Keypoints25(folder, device=where)
        if is_keypoints25(folder)
        else VitPoseKeypoints(folder, device=where)
    )
    return lambda _, image, boxes: found(image, boxes)


def _given(file: Path, table: PeopleTable, chosen: np.ndarray) -> tuple[np.ndarray, Finder]:
    """Found keypoints by picture; only people of pictures that the file names are measured."""
    from ajahr.inference.given import GivenPeople
    from ajahr.inference.people import People, match_keypoints

    given = GivenPeople(file)
    names = [bytes(name).decode() for name in table.rows["image"][chosen]]
    named = np.array([given.of(Path(name)) is not None for name in names], bool)
    if not named.any():
        raise UserError(
            f"{file}: names not one picture of {table.name} ({names[0]} is one); give what a detector found in them"
        )

    def find(name: str, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        found = given.of(Path(name)) or People.nobody()
        return match_keypoints(People.of(boxes), found, least=_OVERLAP).keypoints

    return chosen[named], find


def _plain(values: Any) -> Any:
    """For YAML: lists for tuples, four digits."""
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, tuple):
        return [_plain(value) for value in values]
    return round(values, 4) if isinstance(values, float) else values


def _tell(rates: DetectorNoise, people: int, broken: list[str], files: Sequence[Path]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if broken:
        console.print(f"left out {len(broken)} whose picture cannot be read, {broken[0]} first", markup=False)
    lost = rates.hallucinate_all + rates.hallucinate_first
    console.print(
        f"{people} people: of lost limbs {100 * rates.hallucinate_all:.1f} % are reported whole, "
        f"{100 * rates.hallucinate_first:.1f} % by one keypoint, {100 * (1 - lost):.1f} % not at all; ends missed "
        f"{100 * rates.end_missed:.1f} %, single ones {100 * rates.missed:.1f} %, hidden ones "
        f"{100 * rates.covered_missed:.1f} %; jitter {100 * rates.jitter:.2f} % of the crop; sides changed "
        f"{100 * rates.swap:.1f} %",
        markup=False,
    )
    console.print(
        f"the pattern of reported keypoints tells amputated from whole limbs in {100 * pattern_leak(rates):.0f} % "
        "of the cases at best (50 %: nothing; 100 %: it is the label)",
        markup=False,
    )
    for file in files:
        console.print(str(file), markup=False)


def main(argv: Sequence[str]) -> int:
    parser = parser_of(detector, "ajahr measure detector")
    parser.add_argument("dataset", type=Path, help="folder of a dataset made by ajahr-synth generate")
    return call(detector, parser, argv)
