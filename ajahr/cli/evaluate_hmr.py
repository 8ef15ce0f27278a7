"""``ajahr evaluate hmr``: any number of models on any number of benchmarks, the paper's rows beside ours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.cli.console import call, parser_of, print_tables
from ajahr.data.files import make_folder
from ajahr.errors import UserError
from ajahr.evaluation.benchmarks import Dataset, open_benchmark
from ajahr.evaluation.confusion_picture import draw_confusion
from ajahr.evaluation.hmr_cases import Case, draw_cases
from ajahr.evaluation.hmr_html import write_html
from ajahr.evaluation.hmr_report import shown, write_reports
from ajahr.evaluation.measured import Measured
from ajahr.evaluation.protocols import Keypoints, LabelsFrom, Protocol, Removal
from ajahr.evaluation.run import BATCH_SIZE, TrueBodies, evaluate, load_regressor, passes
from ajahr.evaluation.tables import rich_tables
from ajahr.inference.external import pick_device
from ajahr.inference.shipped import find_weights
from ajahr.progress import Progress


def hmr(
    models: list[str] | None = None,
    datasets: list[str] | None = None,
    output: Path = Path("out/evaluate/hmr"),
    images: list[str] | None = None,
    splits: list[str] | None = None,
    bodies: Path | None = None,
    labels: Literal["truth", "predicted", "both"] = "both",
    removal: Literal["collapsed", "left_out", "both"] = "collapsed",
    keypoints: Literal["truth", "detector", "both"] = "truth",
    cases: int = 6,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
    limit: int | None = None,
    device: str | None = None,
    *,
    names: Callable[[Sequence[Path]], list[str]] = lambda paths: [p.name for p in paths],
) -> None:
    """MVE, MPJPE, PA-MPJPE, PCK and limb status of regressors, with intervals and paired comparisons.

    Args:
        models: Folders of weights, .ckpt of `ajahr fit`, or names of weights that come with the package.
        datasets: BENCHMARK=PATH or BENCHMARK:LABEL=PATH, any number; a3d, itw_amputee, 3dpw, emdb1, 3doh50k,
            h36m_p2, coco, shards.
        output: Folder of hmr.html, hmr.md, hmr.csv, hmr.json and confusion matrices (PNG).
        images: LABEL=FOLDER, where pictures are not beside the annotations.
        splits: Of shards; all when left out.
        bodies: SMPL's folder, for models of SMPL and for 3DPW, EMDB and 3DOH50K; the embedded body if left out.
        labels: Whose limb labels remove parts of the predicted body: true ones as in Table B(a), the model's as in
            B(b).
        removal: Removed parts are drawn together, or joints and vertices that a person has not are left out.
        keypoints: BPAC-Net sees labelled keypoints, or such as a detector reports.
        cases: Worst and best people drawn per model and dataset.
        batch_size: People at once.
        workers: Processes that read; 0 reads in this one.
        limit: People per dataset, spread evenly: for a look, not for a number.
        device: cpu, cuda, cuda:1 ...; a GPU if there is one when left out.
    """
    if not models:
        raise UserError("nothing to evaluate; give --models with one folder of weights or several")
    if not datasets:
        raise UserError("nothing to evaluate on; give --datasets BENCHMARK=PATH")
    for name, value, least in (("cases", cases, 0), ("batch_size", batch_size, 1), ("workers", workers, 0)):
        if value < least:
            raise UserError(f"{name} is {value}; give {least} or more")
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; give 1 or more, or leave it out")
    on = pick_device(device)
    pictures = _pictures(images or [])
    opened = [
        open_benchmark(
            text, images=pictures.pop(_label(text), None), bodies=bodies, splits=splits or (), limit=limit
        )
        for text in datasets
    ]
    if pictures:
        raise UserError(f"--images {next(iter(pictures))}=... names no dataset; give LABEL=FOLDER")
    _distinct([one.label for one in opened], "datasets", "give them labels: BENCHMARK:LABEL=PATH")
    paths = [find_weights(model) for model in models]
    called = names(paths)
    _distinct(called, "models", "each may be given once")
    true_bodies = TrueBodies(bodies, on)
    # refused before hours of work
    loaded = [load_regressor(path, Body(load_body(bodies))) for path in paths]
    make_folder(output)
    results: list[Measured] = []
    drawn: dict[tuple[str, str], list[Case]] = {}
    progress = Progress()
    for name, regressor in zip(called, loaded, strict=True):
        regressor.to(on)
        for dataset in opened:
            variants = _variants(dataset, labels, removal, keypoints)
            times = len(passes(regressor, variants))
            with progress.bar(f"{name} {dataset.label}", times * -(-len(dataset) // batch_size)) as advance:
                found = evaluate(
                    name, regressor, dataset, true_bodies, variants,
                    batch_size=batch_size, workers=workers, advance=advance,
                )  # fmt: skip
            results += found
            if found[0].invalid:
                text = f"{len(found[0].invalid)} predictions not finite, the first {found[0].invalid[0]}"
                print(f"{name} on {dataset.label}: {text}", file=sys.stderr)
            if cases:
                drawn[dataset.label, name] = draw_cases(regressor, dataset, found[-1], cases)
        regressor.cpu()
    about = {
        "ajahr": version("ajahr"),
        "torch": torch.__version__,
        "device": on,
        "models": [*map(str, models)],
    }
    print_tables(rich_tables(shown(results)), width=240)
    written = [*write_reports(results, output, about), write_html(results, drawn, output, about)]
    for path in (*written, *_confusions(results, output)):
        print(path)


def _confusions(results: Sequence[Measured], output: Path) -> list[Path]:
    """Confusion matrices of each model that has BPAC-Net, dataset and kind of keypoints, as in Fig. 5."""
    drawn: dict[Path, Measured] = {}
    for one in results:
        if one.probabilities is not None and one.confusion.limbs:
            kind = "" if one.protocol.keypoints == "truth" else "_detector"
            name = f"confusion_{one.dataset}_{one.model}{kind}.png"
            drawn.setdefault(output / re.sub(r"[^\w.-]", "_", name), one)
    return [
        draw_confusion(
            one.confusion, path, f"{one.model} on {one.dataset}, {one.protocol.keypoints} keypoints"
        )
        for path, one in drawn.items()
    ]


def _variants(dataset: Dataset, labels: str, removal: str, keypoints: str) -> list[Protocol]:
    """Of one dataset; those that would measure the same thing twice are left out."""
    base = dataset.protocol
    if not base.metrics:
        return [base.variant(keypoints=k) for k in _values(keypoints, Keypoints)]
    return [
        base.variant(labels=whose, removal=how, keypoints=shown)
        for shown in _values(keypoints, Keypoints)
        for how in _values(removal, Removal)
        for whose in _values(labels, LabelsFrom)
    ]


def _values(given: str, kind: object) -> Sequence[str]:
    return kind.__args__ if given == "both" else (given,)  # type: ignore[attr-defined]


def _label(text: str) -> str:
    return text.partition("=")[0].rpartition(":")[2]


def _pictures(given: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in given:
        label, equals, folder = text.partition("=")
        if not equals or not Path(folder).is_dir():
            raise UserError(f"--images {text}: give LABEL=FOLDER, a folder that is there")
        found[label] = Path(folder)
    return found


def _distinct(names: Sequence[str], what: str, mend: str) -> None:
    again = next((name for name in names if names.count(name) > 1), None)
    if again is not None:
        raise UserError(f"two {what} are called '{again}'; {mend}")


def main(argv: Sequence[str], names: Callable[[Sequence[Path]], list[str]]) -> int:
    parser = parser_of(hmr, "ajahr evaluate hmr")
    several = {
        "models": "folders of weights, .ckpt files, or names of shipped weights",
        "datasets": "BENCHMARK=PATH or BENCHMARK:LABEL=PATH, any number",
        "images": "LABEL=FOLDER, where pictures are not beside the annotations",
        "splits": "of shards; all when left out",
    }
    for option, text in several.items():
        parser.add_argument(f"--{option}", type=str, nargs="+", help=text)
    return call(hmr, parser, argv, names=names)
