"""With and without LDLoss, at small scale: the published pattern on generated data, on one CPU core.

    ajahr-synth generate --config configs/synth/small.yaml
    ajahr-synth generate --config configs/synth/small.yaml --split val --num_images 600 --output data/small/val
    python scripts/reproduce_ldloss.py --train data/small/train --validation data/small/val --output out/ldloss

A shared start is trained without LDLoss (from --first's backbone where one is given); from it, every arm and seed
trains for the same number of steps, and differs in the loss alone. Backgrounds and textures of the validation people
are held out by the generator's splits. Every finished part has a file in --output and is not done again; a run that
was stopped goes on from its last save. Writes ldloss.md, ldloss.json and ldloss.jpg.

Arms: without LDLoss; with it, on peaks of the maps, so that nothing else differs. Its weight is chosen once, so that
both terms are alike on the shared start (--ld_weight sets it). Scores are peaks; boxes are the annotated ones.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ajahr.anatomy import LDPOSE25
from ajahr.data.files import write_atomic
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import read_ldpose
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_ap import compare
from ajahr.evaluation.keypoints_report import measure
from ajahr.geometry.crops import apply_affine
from ajahr.keypoints.coco_files import annotations_document, detections_document, write_document
from ajahr.keypoints.codec import decode_heatmaps
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.crop_cache import CachedTable, build_cache, is_cache, open_cache
from ajahr.keypoints.crops import Place
from ajahr.keypoints.ld_loss import PEAK_TEMPERATURE, pairwise_loss
from ajahr.keypoints.model import KeypointModel, load_keypoints, save_keypoints
from ajahr.keypoints.predictor import normalise
from ajahr.keypoints.samples import KeypointAugmentation, table_of_shards
from ajahr.progress import Progress
from ajahr.render.overlay import draw_skeleton
from ajahr.training.keypoints_data import Crops, Stream, collate
from ajahr.training.keypoints_module import (
    KeypointLossConfig,
    KeypointModule,
    parameter_groups,
    validation_figures,
)

ARMS = ("without", "with")
AUGMENTATION = KeypointAugmentation(
    half_body_probability=0.0, scale=0.2, rotation_deg=15.0, shift=0.06, colour=0.2
)
"""Within the margin of the kept crops."""
_SAVE_EVERY = 200


@dataclass(frozen=True)
class Plan:
    """Fixed at the first start, the same for all arms and seeds."""

    start_steps: int
    steps: int
    batch: int
    step_seconds: float


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    progress = Progress(log_seconds=20)
    train = _cached(options.train, output / "crops_train", options.people, progress)
    held_out = _cached(options.validation, output / "crops_validation", options.validation_people, progress)
    plan = _plan(options, train, output)
    progress.note(
        f"{len(train)} people to learn from, {len(held_out)} held out; {plan.start_steps} + "
        f"{plan.steps} x {len(ARMS) * options.seeds} steps of {plan.batch}, {plan.step_seconds:.2f} s each: "
        f"about {_minutes(plan, options):.0f} minutes on a quiet machine"
    )
    start = _shared_start(options, plan, train, output, progress)
    weight = _ld_weight(options, start, train, output)
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        for arm in ARMS:
            file = output / f"{arm}_{seed}.json"
            if not file.is_file():
                loss = _loss(options, "pairwise" if arm == "with" else None, weight)
                model = _train(
                    f"{arm}, seed {seed}", options, loss, start, plan.steps, 1 + seed, train,
                    output / f"{arm}_{seed}", progress,
                )  # fmt: skip
                found = _evaluate(model, held_out, output / f"{arm}_{seed}", progress)
                write_atomic(file, json.dumps(found, indent=1).encode())
            results[arm].append(json.loads(file.read_text()))
            progress.note(f"{arm}, seed {seed}: {_in_words(results[arm][-1])}")
    _report(results, plan, weight, options, len(train), len(held_out), output)
    _draw(held_out, output, output / "ldloss.jpg")
    for name in ("ldloss.md", "ldloss.json", "ldloss.jpg"):
        print(output / name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="a generated dataset")
    parser.add_argument("--validation", type=Path, required=True, help="another, of held-out split")
    parser.add_argument("--output", type=Path, default=Path("out/ldloss"))
    parser.add_argument("--backbone", default="shufflenet_v2_x0_5", help="any of a keypoint model's")
    parser.add_argument("--head", default=None, help="a head that goes with it; its usual one if left out")
    parser.add_argument("--first", type=Path, help="a keypoint model's folder whose backbone to start from")
    parser.add_argument("--people", type=int, help="so many people to learn from; all if left out")
    parser.add_argument("--validation_people", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0, help="of one quiet core, for everything")
    parser.add_argument("--start_share", type=float, default=0.25, help="of the steps, for the shared start")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning_rate", type=float, default=2e-3)
    parser.add_argument("--peak_weight", type=float, default=20.0, help="of heat maps' peaks")
    parser.add_argument("--ld_weight", type=float, help="of LDLoss; balanced on the start if left out")
    parser.add_argument("--bf16", action="store_true", help="for CPUs with bfloat16 units")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _cached(dataset: Path, folder: Path, people: int | None, progress: Progress) -> CachedTable:
    if not is_cache(folder):
        table = table_of_shards(dataset)
        with progress.bar(f"cutting {dataset}", min(len(table), people or len(table))) as tick:
            build_cache(table, folder, people=people, tick=tick)
    return open_cache(folder)


def _config(options: argparse.Namespace) -> KeypointConfig:
    return KeypointConfig(options.backbone, options.head)


def _loss(options: argparse.Namespace, form: Any, weight: float | None) -> KeypointLossConfig:
    return KeypointLossConfig(ld_form=form, ld_weight=weight, peak_weight=options.peak_weight)


def _minutes(plan: Plan, options: argparse.Namespace) -> float:
    return (plan.start_steps + plan.steps * len(ARMS) * options.seeds) * plan.step_seconds / 60


def _plan(options: argparse.Namespace, train: CachedTable, output: Path) -> Plan:
    """Steps that fit the time, by the CPU time of a few; read again by a run that goes on."""
    file = output / "plan.json"
    if file.is_file():
        plan = Plan(**json.loads(file.read_text()))
        if plan.batch != options.batch:
            raise UserError(f"{output} was begun with batches of {plan.batch}; choose another --output")
        return plan
    torch.manual_seed(0)
    module = KeypointModule(_config(options), loss=_loss(options, "pairwise", 1e-3))
    step = _stepper(module, options, 1000)
    crops, stream = Crops([train], AUGMENTATION), Stream([len(train)], [1], options.batch, 0, 0, 1)
    times = []
    for k, draws in zip(range(7), stream, strict=False):
        before = time.process_time()
        step(k, collate([crops[draw] for draw in draws]))
        times.append(time.process_time() - before)
    seconds = float(np.median(times[2:])) / options.threads
    total = 60 * options.minutes / seconds
    start = max(1, round(total * options.start_share))
    each = max(1, round((total - start) / (len(ARMS) * options.seeds)))
    plan = Plan(start, each, options.batch, seconds)
    write_atomic(file, json.dumps(vars(plan)).encode())
    return plan


def _stepper(module: KeypointModule, options: argparse.Namespace, total: int) -> Any:
    """One step of AdamW, warm-up and cosine; the state of the optimiser is at ``optimizer``."""
    groups = parameter_groups(module.model, options.learning_rate, 0.02)
    optimizer = torch.optim.AdamW(groups, options.learning_rate)
    base = [group["lr"] for group in optimizer.param_groups]
    warm = max(1, min(100, total // 10))

    def step(k: int, batch: Any) -> float:
        factor = min(1.0, (k + 1) / warm) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * k / total)))
        for group, rate in zip(optimizer.param_groups, base, strict=True):
            group["lr"] = rate * factor
        image = normalise(batch.pixels)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            output = module.model(image)
        loss = module.losses(output, image, batch)["total"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.model.parameters(), 5.0)
        optimizer.step()
        return float(loss.detach())

    step.optimizer = optimizer  # type: ignore[attr-defined]
    return step


def _train(
    name: str,
    options: argparse.Namespace,
    loss: KeypointLossConfig,
    start: dict[str, torch.Tensor] | None,
    steps: int,
    seed: int,
    train: CachedTable,
    folder: Path,
    progress: Progress,
) -> KeypointModel:
    """A model trained to the end, in evaluation mode; saved in ``folder``."""
    if (folder / "model.safetensors").is_file():
        return load_keypoints(folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    module = KeypointModule(_config(options), loss=loss)
    if start is not None:
        module.model.load_state_dict(start, strict=len(start) == len(module.model.state_dict()))
    step = _stepper(module, options, steps)
    done, saved = 0, folder / "state.pt"
    if saved.is_file():
        state = torch.load(saved, weights_only=True)
        module.model.load_state_dict(state["model"])
        step.optimizer.load_state_dict(state["optimizer"])
        done = int(state["step"])
    module.model.train()
    crops, stream = Crops([train], AUGMENTATION), Stream([len(train)], [1], options.batch, seed, 0, 1)
    stream.first_step = done
    with progress.bar(name, steps - done) as tick:
        for k, draws in zip(range(done, steps), stream, strict=False):
            last = step(k, collate([crops[draw] for draw in draws]))
            if not np.isfinite(last):
                raise UserError(f"{name}: the loss is {last} at step {k}; lower --learning_rate")
            tick()
            if (k + 1) % _SAVE_EVERY == 0:
                state = {
                    "model": module.model.state_dict(),
                    "optimizer": step.optimizer.state_dict(),
                    "step": k + 1,
                }
                torch.save(state, saved.with_suffix(".part"))
                saved.with_suffix(".part").replace(saved)
    save_keypoints(module.model, folder)
    saved.unlink(missing_ok=True)
    return module.model.eval()


def _shared_start(
    options: argparse.Namespace, plan: Plan, train: CachedTable, output: Path, progress: Progress
) -> dict[str, torch.Tensor]:
    first = None
    if options.first is not None:
        given = load_keypoints(options.first)
        if given.config.backbone != options.backbone:
            raise UserError(
                f"{options.first} has backbone {given.config.backbone}; give --backbone {given.config.backbone}"
            )
        first = {k: v for k, v in given.state_dict().items() if k.startswith("backbone.")}
    model = _train(
        "shared start", options, _loss(options, None, None), first, plan.start_steps, 0, train,
        output / "start", progress,
    )  # fmt: skip
    return model.state_dict()


def _ld_weight(
    options: argparse.Namespace, start: dict[str, torch.Tensor], train: CachedTable, output: Path
) -> float:
    """The weight that makes LDLoss as large as the loss of heat maps on the shared start."""
    file = output / "ld_weight.json"
    if options.ld_weight is not None:
        return options.ld_weight
    if file.is_file():
        return float(json.loads(file.read_text())["ld_weight"])
    module = KeypointModule(_config(options), loss=_loss(options, None, None))
    module.model.load_state_dict(start)
    module.model.eval()
    crops, stream = Crops([train], None), Stream([len(train)], [1], options.batch, 99, 0, 1)
    maps, pairs = [], []
    with torch.no_grad():
        for _, draws in zip(range(8), stream, strict=False):
            batch = collate([crops[draw] for draw in draws])
            image = normalise(batch.pixels)
            output_ = module.model(image)
            maps.append(float(module.losses(output_, image, batch)["keypoints"]))
            pairs.append(float(pairwise_loss(output_.peaks, batch.presence, PEAK_TEMPERATURE)))
    weight = float(np.mean(maps) / max(np.mean(pairs), 1e-6))
    found = {"ld_weight": weight, "heatmaps": float(np.mean(maps)), "ld": float(np.mean(pairs))}
    write_atomic(file, json.dumps(found).encode())
    return weight


@torch.inference_mode()
def _predict(model: KeypointModel, table: CachedTable, progress: Progress) -> tuple[np.ndarray, ...]:
    """Points (px of the 256 x 192 crops), scores, and the true points there with their visibility."""
    crops = Crops([table], None)
    rows = range(0, len(table), 64)
    parts = []
    with progress.bar("held-out people", len(rows)) as tick:
        for begin in rows:
            batch = collate([crops[_draw_of(row)] for row in range(begin, min(begin + 64, len(table)))])
            output = model(normalise(batch.pixels))
            assert output.heatmaps is not None
            found = decode_heatmaps(output.heatmaps)
            arrays = (found.points, output.scores.float().clamp(0, 1), batch.points, batch.visibility)
            parts.append([array.numpy() for array in arrays])
            tick()
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _draw_of(row: int) -> Any:
    from ajahr.training.keypoints_data import Draw

    return Draw(0, row, (0,))


def _evaluate(model: KeypointModel, table: CachedTable, folder: Path, progress: Progress) -> dict[str, Any]:
    """COCO's and LDPose's metrics over crops of 256 x 192, one person each, by files in the published formats."""
    points, scores, truth, visibility = _predict(model, table, progress)
    images = np.arange(len(table))
    labelled = np.concatenate([truth, visibility[..., None]], -1)
    corners = table.boxes_xyxy.reshape(-1, 2, 2).astype(np.float64)
    boxes = np.stack(
        [
            apply_affine(Place.of_box(box).affine(), pair).reshape(4)
            for box, pair in zip(table.boxes_xyxy, corners, strict=True)
        ]
    )
    names = [f"{k}.jpg" for k in images]
    sizes = np.tile([192, 256], (len(table), 1))
    document = annotations_document(labelled, boxes, images, names, sizes, table.presence)
    annotations = read_ldpose(write_document(document, folder / "annotations.json"))
    detections = write_document(detections_document(points, scores, images), folder / "detections.json")
    found = measure("", compare(annotations, read_detections(detections, annotations)), 0.3)
    distance = torch.from_numpy(np.linalg.norm(points - truth, axis=-1))
    figures = validation_figures(distance, torch.from_numpy(visibility > 0), torch.from_numpy(scores))
    np.savez(folder / "points.npz", points=points, scores=scores)
    return {
        "coco_ap": found.modes["coco"].AP,
        **{f"ld_ap_{m}": s.AP for m, s in found.modes.items() if m != "coco"},
        "ld_ap_symmetric_sweep": found.sweep_mean_ap,
        "licc": None if found.licc is None else found.licc.points,
        "residual_px": figures["residual_px"],
        "error_px": figures["error_px"],
        "contradictions": figures["contradictions"],
    }


COLUMNS = {
    "coco_ap": ("COCO AP", 100), "ld_ap_symmetric": ("LD AP symmetric, 0.3", 100),
    "ld_ap_text": ("LD AP text", 100), "ld_ap_pattern": ("LD AP pattern", 100),
    "ld_ap_symmetric_sweep": ("LD AP symmetric, mean of 0.1..0.6", 100), "licc": ("LiCC", 100),
    "residual_px": ("residual ends, median px", 1), "error_px": ("all points, median px", 1),
    "contradictions": ("contradicting limbs", 100),
}  # fmt: skip
_PER_CENT = "AP, LiCC and contradicting limbs in per cent; px of the 256 x 192 crop."


def _in_words(result: dict[str, Any]) -> str:
    return ", ".join(f"{COLUMNS[k][0]} {COLUMNS[k][1] * result[k]:.1f}" for k in list(COLUMNS)[:2]) + (
        f", residual ends {result['residual_px']:.1f} px"
    )


def _report(
    results: dict[str, list[dict[str, Any]]],
    plan: Plan,
    weight: float,
    options: argparse.Namespace,
    people: int,
    held_out: int,
    output: Path,
) -> None:
    values = {
        arm: {k: factor * np.array([r[k] for r in runs], float) for k, (_, factor) in COLUMNS.items()}
        for arm, runs in results.items()
    }
    rows = []
    for arm in ARMS:
        cells = [f"{v.mean():.1f} ± {v.std(ddof=1) if len(v) > 1 else 0:.1f}" for v in values[arm].values()]
        rows.append([f"{arm} LDLoss", *cells])
    gains = [values["with"][k] - values["without"][k] for k in COLUMNS]
    rows.append(["difference, per seed"] + ["; ".join(f"{g:+.1f}" for g in gain) for gain in gains])
    text = (
        "# With and without LDLoss\n\n"
        f"{options.backbone}, {people} generated people, {held_out} held out (backgrounds and textures too); shared "
        f"start of {plan.start_steps} steps, then {plan.steps} steps of {plan.batch} in each of {options.seeds} seeds; "
        f"LDLoss pairwise on peaks, weight {weight:.3g}. Mean ± standard deviation over the seeds. {_PER_CENT}\n\n"
        + _table(["", *(name for name, _ in COLUMNS.values())], rows)
        + "\nThe paper's pattern: LDLoss costs 1 to 6 points of COCO AP and gains 1 to 9 of LD AP.\n"
    )
    write_atomic(output / "ldloss.md", text.encode())
    document = {"plan": vars(plan), "ld_weight": weight, "people": people, "held_out": held_out,
                "backbone": options.backbone, "first": str(options.first), "results": results}  # fmt: skip
    write_atomic(output / "ldloss.json", json.dumps(document, indent=1).encode())
    print(text)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw(table: CachedTable, output: Path, path: Path) -> None:
    """Held-out people who lost a limb: truth, without, with (seed 0)."""
    crops = Crops([table], None)
    chosen = np.flatnonzero((table.keypoints[:, 17:, 2] > 0).any(1))[:: max(1, len(table) // 40)][:8]
    found = {arm: np.load(output / f"{arm}_0" / "points.npz") for arm in ARMS}
    columns = []
    for row in chosen:
        sample = crops[_draw_of(int(row))]
        tiles = [draw_skeleton(sample.pixels, sample.points, LDPOSE25, absent=sample.visibility == 0)]
        for arm in ARMS:
            points, scores = found[arm]["points"][row], found[arm]["scores"][row]
            tiles.append(draw_skeleton(sample.pixels, points, LDPOSE25, absent=scores < 0.3))
        columns.append(np.concatenate(tiles))
    sheet = np.concatenate(columns, 1)
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
