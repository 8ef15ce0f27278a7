"""Times `ajahr predict` end to end, boxes and keypoints given, and says where the time goes.

    python scripts/bench_predict.py [--people 200] [--preset tiny] [--threads 2]

Pictures are scikit-image's photographs at 640 x 480 as JPEG files, two people in each; weights are random but
for the limbs: everybody has lost the left foot, so that a residual limb is cut. End to end is what the command
does for a folder: read, crop, regress, cut and write a GLB, draw overlay and side view, write JPEG and JSON. The
table has the processor time of each stage taken alone, and of the overlapped run, whose people per second are by
the clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from skimage import data as pictures

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.images import load_image
from ajahr.inference.estimator import Crops, cut_people
from ajahr.inference.given import GivenPeople
from ajahr.inference.mesh_files import glb_bytes
from ajahr.inference.pictures import encode_jpeg
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.predictor import AJAHR
from ajahr.inference.run import run
from ajahr.inference.surfaces import surface_of
from ajahr.models.config import RegressorConfig
from ajahr.models.pretrained import save_pretrained
from ajahr.models.regressor import Regressor
from ajahr.progress import Progress

WIDTH, HEIGHT = 640, 480
PER_PICTURE = 2


def make_folder(folder: Path, count: int) -> Path:
    """``count`` pictures and their people.json."""
    rng = np.random.default_rng(0)
    sources = [pictures.astronaut(), pictures.coffee(), pictures.chelsea(), pictures.rocket()]
    people: dict[str, list[dict[str, Any]]] = {}
    for n in range(count):
        image = cv2.resize(sources[n % len(sources)], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        name = f"{n:05d}.jpg"
        (folder / name).write_bytes(encode_jpeg(np.asarray(image, np.uint8)))
        people[name] = []
        for k in range(PER_PICTURE):
            height = rng.uniform(200, 440)
            x, y = rng.uniform(0, 200) + 300 * k, rng.uniform(0, HEIGHT - height)
            box = np.array([x, y, x + 0.4 * height, y + height])
            points = rng.uniform(box[:2], box[2:], (17, 2))
            people[name].append({"bbox_xyxy": box.tolist(), "keypoints": np.c_[points, np.ones(17)].tolist()})
    file = folder / "people.json"
    file.write_text(json.dumps(people))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch_size", type=int, default=16)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    regressor = Regressor(RegressorConfig.preset(options.preset), Body(load_body()))
    with (
        torch.no_grad()
    ):  # random ones lose all four limbs of everybody, which takes four times as long to cut
        assert regressor.bpac is not None
        heads = regressor.bpac.heads
        heads.weight[:] = 0
        heads.bias[:] = torch.eye(4)[[0, 0, 1, 0]].flatten() * 9
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        weights, photos = Path(scratch) / "weights", Path(scratch) / "photos"
        save_pretrained(regressor, weights)
        photos.mkdir()
        file = make_folder(photos, -(-options.people // PER_PICTURE))
        config = PredictConfig(
            weights=str(weights), people=str(file), device=options.device, sheet=0, threads=options.threads,
            batch_size=options.batch_size, output=Path(scratch) / "warm",
        )  # fmt: skip
        warm = Path(scratch) / "few"
        warm.mkdir()
        make_folder(warm, 4)
        run(str(warm), config, Progress(quiet=True))  # compiles, loads

        model = AJAHR(regressor, device=options.device, batch_size=options.batch_size)
        given = GivenPeople(file, photos)
        files = sorted(photos.glob("*.jpg"))
        seconds: dict[str, float] = {}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            started = time.process_time()
            result = work()
            seconds[name] = seconds.get(name, 0) + time.process_time() - started
            return result

        requests = [(path, given.of(path)) for path in files]
        pipeline = PredictConfig(**{**vars(config), "output": Path(scratch) / "out"})
        started, worked = time.perf_counter(), time.process_time()
        summary = run(str(photos), pipeline, Progress(quiet=True))
        total, worked = time.perf_counter() - started, time.process_time() - worked

        group = max(options.batch_size // PER_PICTURE, 1)
        for start in range(0, len(requests), group):
            images = [timed("decode", lambda p=p: load_image(p)) for p, _ in requests[start : start + group]]
            people = [found for _, found in requests[start : start + group] if found is not None]
            crops = [
                timed("crop", lambda i=i, p=p: cut_people(i, p)) for i, p in zip(images, people, strict=True)
            ]
            timed("regress", lambda c=crops: model.estimator(Crops.joined(c)))
        for path, found in requests:
            assert found is not None
            result = model.predict(path, found.boxes_xyxy, found.keypoints)
            for k, person in enumerate(result.people):
                timed("residual limb", lambda p=person: surface_of(p, p.residual_limbs, model.limb_cutter))
                mesh = timed("cut mesh", lambda r=result, k=k: r.mesh(k))
                timed("GLB", lambda m=mesh: glb_bytes(m))
            both = [timed("overlay", result.overlay), timed("side view", result.side_view)]
            timed("JPEG", lambda b=both: encode_jpeg(np.concatenate(b, 1)))
            timed("JSON", lambda r=result: json.dumps(r.document()))

    count = summary.people
    table = Table(title=f"{options.preset}, {count} people, {options.threads} threads, {options.device}")
    for column, side in (("stage", "left"), ("CPU ms a person", "right"), ("share", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    whole = sum(seconds.values())
    for name, spent in seconds.items():
        table.add_row(name, f"{1000 * spent / count:.2f}", f"{100 * spent / whole:.0f} %")
    table.add_row("sum, one after another", f"{1000 * whole / count:.2f}", "100 %")
    table.add_row("end to end, overlapped", f"{1000 * worked / count:.2f}", f"{count / total:.1f} people/s")
    console.print(table)


if __name__ == "__main__":
    main()
