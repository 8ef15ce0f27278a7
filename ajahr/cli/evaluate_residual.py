"""``ajahr evaluate residual``: residual limbs of models on datasets, by every way to say where limbs end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

from ajahr.cli.console import call, parser_of, print_tables
from ajahr.data.files import make_folder
from ajahr.data.readers.progait import read_progait
from ajahr.data.readers.residual_people import ResidualPeople, read_limbloss, read_residual_shards
from ajahr.errors import UserError
from ajahr.evaluation.residual import check_methods, evaluate_residual
from ajahr.evaluation.residual_measured import ResidualMeasured
from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.evaluation.residual_report import sections, write_reports
from ajahr.evaluation.tables import rich_tables
from ajahr.inference.limb_points import Keypoints25
from ajahr.inference.predictor import AJAHR
from ajahr.inference.shipped import find_weights, keypoint_folder
from ajahr.progress import Progress
from ajahr.residual_limb.decide import METHODS, Method

Kind = Literal["shards", "limbloss", "progait"]


def residual(
    models: list[str] | None = None,
    datasets: list[str] | None = None,
    output: Path = Path("out/evaluate/residual"),
    keypoints: str | None = None,
    methods: list[Method] | None = None,
    images: Path | None = None,
    splits: list[str] | None = None,
    labels: Literal["truth", "predicted"] = "truth",
    segment: Literal["annotated", "predicted"] = "annotated",
    body: Path | None = None,
    every: int = 30,
    batch_size: int = 16,
    limit: int | None = None,
    device: str = "auto",
    *,
    names: Callable[[Sequence[Path]], list[str]] = lambda paths: [p.name for p in paths],
) -> None:
    """2D MPJPE of Body, Res-Limb and Intact points, mIoU; on generated data lengths, ends and volumes besides.

    Args:
        models: Folders of weights, or names of weights that come with the package.
        datasets: KIND=PATH, any number: shards (a folder of ajahr-synth), limbloss (LDPose-LimbLoss's JSON), progait
            (its folder).
        output: Folder of residual.md, residual.csv and residual.json.
        keypoints: A folder of a 25-point model, whose ends the fits use; without one nothing is fitted.
        methods: Of joint, midpoint, rafo, head, head+rafo; all that model and keypoints allow when left out.
        images: Folder of limbloss's pictures; beside the JSON when left out.
        splits: Of shards; all when left out.
        labels: Whose limb levels remove parts: true ones where known, or the model's.
        segment: Whose word is taken for the bone in which an annotated end lies.
        body: SMPL file the weights were trained with; the embedded body when left out.
        every: Frames of progait from one to the next.
        batch_size: People at once.
        limit: People per dataset, spread evenly: for a look, not for a number.
        device: cpu, cuda or auto.
    """
    if not models:
        raise UserError("nothing to evaluate; give --models with one folder of weights or several")
    if not datasets:
        raise UserError("nothing to evaluate on; give --datasets shards=FOLDER")
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; give 1 or more, or leave it out")
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}; give 1 or more")
    protocol = ResidualProtocol().variant(labels=labels, segment=segment)
    people = [
        open_people(text, images=images, splits=splits or (), every=every).limited(limit) for text in datasets
    ]
    paths = [find_weights(model) for model in models]
    loaded = [AJAHR.from_pretrained(path, body=body, device=device) for path in paths]
    finder = None if keypoints is None else Keypoints25(keypoint_folder(keypoints), device=loaded[0].device)
    check_methods(methods or (), finder is not None)
    make_folder(output)  # what cannot be is refused before hours of work
    results: list[ResidualMeasured] = []
    progress = Progress()
    for name, model in zip(names(paths), loaded, strict=True):
        wanted = methods or possible(model, finder is not None)
        for one in people:
            with progress.bar(f"{name} {one.name}", -(-len(one) // batch_size)) as advance:
                results += evaluate_residual(
                    name, model, one, wanted, protocol, finder=finder, batch_size=batch_size, advance=advance
                )
    for result in results:
        for key, why in list(result.cut_failures.items())[:3]:
            print(f"{result.dataset}/{key}, {result.method}: not cut ({why})", file=sys.stderr)
    print_tables(rich_tables(sections(results)), width=200)
    about = {"ajahr": version("ajahr"), "models": [*map(str, models)], "keypoints": keypoints}
    for path in write_reports(results, output, about):
        print(path)


def possible(model: AJAHR, detected: bool) -> list[Method]:
    """Methods for which everything is there."""
    config = getattr(model.estimator.regressor, "config", None)
    head = bool(getattr(config, "residual_head", False))
    return [m for m in METHODS if (head or not m.startswith("head")) and (detected or not m.endswith("rafo"))]


def open_people(
    text: str, *, images: Path | None = None, splits: Sequence[str] = (), every: int = 30
) -> ResidualPeople:
    """A dataset as the command names it.

    Raises:
        UserError: no such kind or path, or as its reader.
    """
    kind, equals, path = text.partition("=")
    if not equals or not path or kind not in get_args(Kind):
        raise UserError(f"'{text}' is no KIND=PATH; kinds are {', '.join(get_args(Kind))}")
    where = Path(path)
    if not where.exists():
        raise UserError(f"{where}: no such file or folder; give {kind}=PATH")
    if kind == "shards":
        return read_residual_shards(where, splits=splits)
    if kind == "progait":
        return read_progait(where, every=every)
    if images is None:
        images = next(
            (p for p in (where.parent / "images", where.parent / "Images") if p.is_dir()), where.parent
        )
    return read_limbloss(where, images)


def main(argv: Sequence[str], names: Callable[[Sequence[Path]], list[str]]) -> int:
    parser = parser_of(residual, "ajahr evaluate residual")
    several = {
        "models": "folders of weights, or names of shipped weights",
        "datasets": "KIND=PATH, any number; shards, limbloss, progait",
        "splits": "of shards; all when left out",
    }
    for option, text in several.items():
        parser.add_argument(f"--{option}", type=str, nargs="+", help=text)
    parser.add_argument("--methods", type=Method, nargs="+", help="joint, midpoint, rafo, head, head+rafo")
    return call(residual, parser, argv, names=names)
