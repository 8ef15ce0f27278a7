"""Time of a training sample, as ratios in one run: ours, HMR2.0's recipe, and decoding alone.

    python scripts/bench_loader.py --photos FOLDER [--repeat 3]

Every photograph below FOLDER is encoded anew as a JPEG of about 640 x 480 (COCO's size; quality 95, near its
files' mean of 150 kB) and gives boxes of several sizes. One thread. Upstream's recipe decodes the whole picture,
blurs it where the crop is less than 1/2.2 of it, maps it by one affine, then scales, clips and normalises in
floating point (facts 3.8, 3.9); ours is `HmrDataset`, `Collate` and `PackedBatch.unpack`, everything included.
Both draw the same augmentation; occluders are off for both, and pictures are in memory. Differences of the crops
are given in grey levels, root mean square, against upstream's and against exact area averaging.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from ajahr.data.hmr.augmentation import AugmentationConfig, Placements
from ajahr.data.hmr.collate import IMAGE_MEAN, IMAGE_STD, Collate
from ajahr.data.hmr.crops import cut, reduction_for, rows_seen
from ajahr.data.hmr.dataset import CropConfig, Crops, HmrDataset
from ajahr.data.hmr.occlusion import OcclusionConfig
from ajahr.data.hmr.pictures import PictureStore, decode_reduced, jpeg_frame
from ajahr.data.hmr.samples import PeopleTable, empty_rows

SIZE = 256
_MEAN, _STD = 255 * np.array(IMAGE_MEAN), 255 * np.array(IMAGE_STD)


def upstream_crop(image: np.ndarray, placement: Placements) -> np.ndarray:
    """HMR2.0's crop, float, 0..255, before colour and normalising; sampled at pixel centres as ours."""
    factor = float(placement.side[0]) / SIZE / 2
    image = image.astype(np.float32)
    if factor > 1.1:
        sigma = (factor - 1) / 2
        radius = int(4 * sigma + 0.5)
        image = cv2.GaussianBlur(image, (2 * radius + 1,) * 2, sigma, borderType=cv2.BORDER_REPLICATE)
    grid = placement.affine(SIZE)[0]
    grid[:, 2] += grid[:, :2].sum(1) * 0.5 - 0.5
    return cv2.warpAffine(image, grid, (SIZE, SIZE), flags=cv2.INTER_LINEAR)


def upstream_sample(data: bytes, crop: Crops) -> np.ndarray:
    """One normalised crop by the upstream recipe, from the encoded picture."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    image = cv2.cvtColor(np.asarray(image), cv2.COLOR_BGR2RGB)
    found = upstream_crop(image, crop.placements)
    found = np.clip(found * crop.colour[0].astype(np.float32), 0, 255)
    return ((found - _MEAN) / _STD).astype(np.float32).transpose(2, 0, 1)


def exact_crop(image: np.ndarray, placement: Placements, samples: int = 16) -> np.ndarray:
    """Area averaging by brute force: ``samples`` x ``samples`` bilinear samples per crop pixel."""
    grid = placement.affine(SIZE * samples)[0]
    grid[:, 2] += grid[:, :2].sum(1) * 0.5 - 0.5
    large = cv2.warpAffine(image, grid, (SIZE * samples,) * 2, flags=cv2.INTER_LINEAR)
    return cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)


class InMemory(PictureStore):
    """Encoded pictures that are read already: nobody's time holds the disk's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = {path.name.encode(): path.read_bytes() for path in folder.iterdir()}

    def read(self, row: np.void) -> bytes:
        return self._data[row["image"]]


def make_table(photos: Path, folder: Path, boxes: int, seed: int) -> PeopleTable:
    rng = np.random.default_rng(seed)
    names, places = [], []
    for path in sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")):
        image = cv2.imread(str(path))
        if image is None or min(image.shape[:2]) < 200:
            continue
        zoom = 640 / max(image.shape[:2])
        image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        name = f"{len(names):04d}.jpg"
        cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        height, width = image.shape[:2]
        for side in np.geomspace(120, 1.4 * height, boxes):
            names.append(name)
            places.append([width * rng.uniform(0.35, 0.65), height * rng.uniform(0.4, 0.6), side])
    if not names:
        raise SystemExit(f"{photos}: no JPEG of at least 200 px in it")
    rows = empty_rows(len(names), names)
    rows["key"] = rows["image"] = [name.encode() for name in names]
    rows["center"], rows["side"] = np.array(places)[:, :2], np.array(places)[:, 2]
    rows["keypoints_2d"] = rng.uniform(100, 400, (len(rows), 44, 3))
    rows["keypoints_2d"][..., 2] = 1
    return PeopleTable("bench", rows, InMemory(folder))


def fastest(works: dict[str, list[Callable[[], object]]], repeat: int) -> dict[str, float]:
    """Milliseconds of each kind of work per piece.

    The kinds take turns piece by piece and the fastest of ``repeat`` runs of each piece counts, in this thread's
    own time, so that other programs on the machine fall on all kinds alike or on none.
    """
    best = {name: np.full(len(pieces), np.inf) for name, pieces in works.items()}
    for _ in range(repeat + 1):  # the first warms up
        for number in range(max(map(len, works.values()))):
            for name, pieces in works.items():
                if number < len(pieces):
                    began = time.thread_time()
                    pieces[number]()
                    best[name][number] = min(best[name][number], time.thread_time() - began)
    return {name: float(times.mean()) * 1e3 for name, times in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--boxes", type=int, default=6, help="per photograph")
    parser.add_argument("--repeat", type=int, default=3, help="the fastest counts")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        table = make_table(options.photos, Path(folder), options.boxes, options.seed)
        augmentation = AugmentationConfig(
            extreme_crop_probability=0,
            occlusion=OcclusionConfig(patch_probability=0, truncation_probability=0),
        )
        dataset = HmrDataset([table], CropConfig(augmentation), seed=options.seed)
        crops = [dataset[index] for index in range(len(dataset))]
        data = [table.pictures.read(row) for row in table.rows]
        collate = Collate()

        starts = range(0, len(data), options.batch)
        batches = [range(start, min(start + options.batch, len(data))) for start in starts]
        packed = [collate(dataset.__getitems__(batch)) for batch in batches]
        singles = [upstream_sample(*pair) for pair in zip(data[: options.batch], crops, strict=False)]
        best = fastest(
            {
                "decode": [
                    partial(cv2.imdecode, np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in data
                ],
                "upstream": [partial(upstream_sample, *pair) for pair in zip(data, crops, strict=True)],
                "ours": [
                    partial(lambda batch: collate(dataset.__getitems__(batch)), batch) for batch in batches
                ],
                "unpack": [batch.unpack for batch in packed],
                "stack": [partial(np.stack, singles)],
            },
            options.repeat,
        )
        best["upstream"] += best["stack"] / len(singles)
        for name in ("ours", "unpack"):
            best[name] *= len(batches) / len(data)
        megabytes = sum(map(len, data)) / len(data) / 1e3
        print(
            f"{len(data)} samples of {len(set(table.rows['image']))} pictures, {megabytes:.0f} kB each, 1 thread"
        )
        print(f"rows of the pictures decoded            {rows_decoded(dataset, data, crops):6.2f}")
        print(f"decode alone, whole                     {best['decode']:6.2f} ms")
        print(f"upstream's recipe                       {best['upstream']:6.2f} ms")
        print(f"ours, in the worker                     {best['ours']:6.2f} ms")
        print(f"ours, unpacked on the CPU besides       {best['ours'] + best['unpack']:6.2f} ms")
        print(f"upstream / ours                         {best['upstream'] / best['ours']:6.2f}")
        print(f"ours / decode alone                     {best['ours'] / best['decode']:6.2f}")
        total = best["ours"] + best["unpack"]
        print(f"upstream / (ours + unpack)              {best['upstream'] / total:6.2f}")
        print(f"(ours + unpack) / decode alone          {total / best['decode']:6.2f}")
        differences(table, data)


def rows_decoded(dataset: HmrDataset, data: list[bytes], crops: list[Crops]) -> float:
    """Share of rows that our loader decodes; the others lie below the crop."""
    shares = []
    for one, crop in zip(data, crops, strict=True):
        frame, affine = jpeg_frame(one), crop.placements.affine(SIZE)[0]
        assert frame is not None
        reduction = reduction_for(float(crop.placements.side[0]) / SIZE)
        rows = rows_seen(affine, frame.height, dataset.config.crop_size, reduction=reduction)
        image, reduction = decode_reduced(one, reduction, "", frame=frame, rows=rows)
        shares.append(image.shape[0] * reduction / frame.height)
    return min(float(np.mean(shares)), 1.0)


def differences(table: PeopleTable, data: list[bytes]) -> None:
    """Root mean square differences of plain crops (no augmentation), by how much they shrink the picture."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row, one in zip(table.rows, data, strict=True):
        placement = Placements.plain(row["center"][None], row["side"][None])
        shrink = float(row["side"]) / SIZE
        whole, _ = decode_reduced(one, 1, "")
        image, reduction = decode_reduced(one, reduction_for(shrink), "")
        ours = cut(image, placement.affine(SIZE)[0], reduction=reduction).astype(np.float32)
        theirs, exact = upstream_crop(whole, placement), exact_crop(whole, placement)
        pairs = ((ours, theirs), (ours, exact), (theirs, exact))
        label = next(
            name
            for limit, name in ((1, "< 1"), (2, "1..2"), (2.2, "2..2.2"), (99, "> 2.2"))
            if shrink < limit
        )
        rms = [float(np.sqrt(np.mean((a - b) ** 2))) for a, b in pairs]
        found.setdefault(label, []).append((rms[0], rms[1], rms[2]))
    print("shrink    crops   ours-upstream   ours-exact   upstream-exact   (rms, grey levels; mean, worst)")
    for label, rows in sorted(found.items()):
        mean, worst = np.mean(rows, 0), np.max(rows, 0)
        columns = "   ".join(f"{a:5.2f} {b:6.2f}" for a, b in zip(mean, worst, strict=True))
        print(f"{label:8s} {len(rows):5d}    {columns}")


if __name__ == "__main__":
    main()
