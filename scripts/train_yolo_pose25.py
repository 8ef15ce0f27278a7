"""The one-stage route: a YOLO pose model of 25 points by ultralytics, from generated pictures.

    pip install ultralytics-opencv-headless                    AGPL-3.0: so is what you build and serve with it
    python scripts/train_yolo_pose25.py --train data/small/train --validation data/small/val --output out/yolo25
    python scripts/train_yolo_pose25.py ... --model yolo11n-pose.pt       from published weights, 17 -> 25 points
    python scripts/train_yolo_pose25.py ... --ldpose data/ldpose          LDPose's own files instead of ours

Writes the data set in ultralytics' form (`ajahr.keypoints.yolo_files`: kpt_shape, flip_idx, and our 25 tolerances,
without which ultralytics takes 1/25 for every point) and trains. A model by name (yolo11n-pose.yaml) is random at
first; of a .pt file the keypoint branch is made anew, the rest is kept. There is no LDLoss here: ultralytics has its
own losses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ajahr.errors import UserError
from ajahr.keypoints.samples import KeypointTable, table_of_annotations, table_of_shards
from ajahr.keypoints.yolo_files import YAML, write_yolo
from ajahr.progress import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--train", type=Path, help="a generated dataset")
    parser.add_argument("--validation", type=Path, help="another")
    parser.add_argument("--ldpose", type=Path, help="a folder with annotations/{train,val}.json and images")
    parser.add_argument("--output", type=Path, default=Path("out/yolo25"))
    parser.add_argument("--pictures", type=int, help="so many of each split; all if left out")
    parser.add_argument(
        "--model", default="yolo11n-pose.yaml", help="an ultralytics pose model, .yaml or .pt"
    )
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--size", type=int, default=640, help="of the pictures, px")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder, progress = options.output / "data", Progress()
    for split, table in _tables(options):
        with progress.bar(split, None) as tick:
            count = write_yolo(table, folder, split, pictures=options.pictures, tick=tick)
        progress.note(f"{split}: {count} pictures")
    try:
        from ultralytics import YOLO, settings
    except ImportError:
        raise UserError(
            "ultralytics is not installed; pip install ultralytics-opencv-headless (AGPL-3.0)"
        ) from None
    settings.update({"sync": False})
    model = YOLO(options.model, task="pose")
    model.train(
        data=str((folder / YAML).resolve()), epochs=options.epochs, imgsz=options.size, batch=options.batch,
        device=options.device, seed=options.seed, project=str(options.output.resolve()), name="run", exist_ok=True,
        plots=False, workers=0, amp=options.device != "cpu",
    )  # fmt: skip
    print(options.output / "run" / "weights" / "last.pt")


def _tables(options: argparse.Namespace) -> list[tuple[str, KeypointTable]]:
    if options.ldpose is not None:
        return [
            (
                split,
                table_of_annotations(
                    options.ldpose / "annotations" / f"{split}.json", options.ldpose / "images"
                ),
            )
            for split in ("train", "val")
        ]
    if options.train is None or options.validation is None:
        raise UserError("give --train and --validation with generated datasets, or --ldpose")
    return [("train", table_of_shards(options.train)), ("val", table_of_shards(options.validation))]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
