"""How long a training step of the regressor waits for its data.

    python scripts/bench_training.py --photos FOLDER [--workers 2] [--threads 1] [--steps 30]
    python scripts/bench_training.py --data data/hmr/train --preset paper --device cuda --precision bf16

Data are those of `ajahr fit` (mixture, augmentation with occluders, detector-like keypoints, workers) over people of
``--data``, a dataset of `ajahr-synth`, or over ``--photos`` with random labels; weights are random. A step is forward,
loss, backward and AdamW. The time a step waits is what `MixtureLoader` measures: from asking for a batch until it is
there. The first steps, in which workers start and buffers fill, are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from bench_loader import make_table

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.hmr.loader import MixtureLoader
from ajahr.data.hmr.mixture import Mixture
from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.readers.shards import read_shards
from ajahr.models.config import RegressorConfig
from ajahr.models.regressor import Regressor
from ajahr.training.hmr_losses import HmrLoss

_WARM_UP = 4


def photo_table(photos: Path, folder: Path) -> PeopleTable:
    """People of `bench_loader`, every other one without a limb, all of them in a pose."""
    table = make_table(photos, folder, 6, 0)
    rng = np.random.default_rng(0)
    table.rows["levels"] = 0
    table.rows["levels"][::2, 1] = 2
    table.rows["pose"] = rng.normal(0, 0.2, table.rows["pose"].shape)
    table.rows["has_pose"] = True
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--photos", type=Path)
    source.add_argument("--data", type=Path)
    parser.add_argument("--preset", default="tiny", choices=["paper", "base", "small", "tiny"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of the step, on a CPU")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
    device = torch.device(options.device)
    regressor = Regressor(RegressorConfig.preset(options.preset), Body(load_body())).to(device)
    regressor.set_trainable("all")
    regressor.train()
    loss = HmrLoss().to(device)
    learning = [parameter for parameter in regressor.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, 1e-4, fused=True)
    with tempfile.TemporaryDirectory() as folder:
        table = read_shards(options.data) if options.data else photo_table(options.photos, Path(folder))
        loader = MixtureLoader(
            HmrDataset([table], CropConfig()),
            Mixture([table], [1.0], options.batch),
            _WARM_UP + options.steps,
            workers=options.workers,
            pin_memory=device.type == "cuda",
        )
        began = waited = 0.0
        for step, packed in enumerate(loader):
            if step == _WARM_UP:
                _synchronise(device)
                began, waited = time.perf_counter(), loader.seconds_waited
            batch = packed.to(device, non_blocking=True).unpack()
            with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16"):
                output = regressor(batch.image, batch.bpac_keypoints, removal=batch.limb_levels.clamp(min=0))
                total = loss(output, batch).total
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        _synchronise(device)
        whole = time.perf_counter() - began
    waited = loader.seconds_waited - waited
    print(
        f"{options.preset}, {options.device}, {options.precision}, batch {options.batch}, "
        f"{options.workers} workers, {options.threads} threads, {options.steps} steps"
    )
    print(f"a step                {1e3 * whole / options.steps:8.1f} ms")
    print(f"of which it waits     {1e3 * waited / options.steps:8.1f} ms   {100 * waited / whole:.1f} %")


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
