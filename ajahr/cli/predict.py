"""``ajahr predict``: photographs or a video in; limb status, bodies, meshes and pictures out.

ajahr predict photo.jpg                                   one person, who fills the picture
ajahr predict photo.jpg --people yolo11x.pt --keypoints vitpose-base-simple
ajahr predict photo.jpg --people yolo11x.pt --keypoints weights/keypoints25      our 25 points judge limbs too
ajahr predict photos/ --people boxes.json --output out    a folder; run again to go on where it stopped
ajahr predict video.mp4 --people yolo11x.pt               an overlay video and an npz per track
ajahr predict 0 --people yolo11n.pt                       a camera, until Ctrl-C

Exit codes: 0 done, also where nobody was found; 1 some pictures could not be read, the others are done;
2 nothing could be done, the line on stderr says why; 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from ajahr.cli.console import Parser
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.run import Summary, run
from ajahr.progress import Progress


def main(argv: Sequence[str]) -> int:
    about, _, codes = (" ".join(part.split()) for part in (__doc__ or "").split("\n\n"))
    parser = Parser(prog="ajahr predict", description=about.split(": ", 1)[1], epilog=codes)
    parser.add_argument("source", type=str, help="a picture, a folder, a video, or a camera's index")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_class_arguments(PredictConfig, None)
    values = vars(parser.instantiate(parser.parse_args(list(argv))))
    source = values.pop("source")
    config = PredictConfig(**{name: value for name, value in values.items() if name != "config"})
    summary = run(source, config, Progress())
    report(summary, Console(soft_wrap=True, highlight=False))
    return summary.exit_code


def report(summary: Summary, console: Console) -> None:
    """What was done, on stdout."""
    for note in summary.notes:
        console.print(note, markup=False)
    people = f"{summary.people} {'person' if summary.people == 1 else 'people'}"
    unit = summary.unit.removesuffix("s") if summary.pictures == 1 else summary.unit
    done = f"{summary.pictures} {unit} predicted: {people}, {summary.amputees} with limb loss"
    if summary.empty:
        done += f"; nobody in {summary.empty}"
    if summary.skipped:
        done += f"; {summary.skipped} were there already (--overwrite true predicts them again)"
    console.print(done, markup=False)
    if summary.failures:
        console.print(f"{len(summary.failures)} could not be read:", markup=False)
        for failure in summary.failures:
            console.print(f"  {failure.error}", markup=False)
    for file in summary.files or [summary.output]:
        console.print(str(file), markup=False)
