"""Shows that the tiny preset can learn: 32 people by heart, in minutes on a CPU.

    python scripts/overfit_tiny.py data/hmr/train --intact out/tokenizer/intact_small/version_0/checkpoints/best.ckpt \
        --amputee out/tokenizer/amputee_small/version_0/checkpoints/best.ckpt

Half of the people are amputees. Their crops and keypoints are the same in every step. The measure to beat is the
tokenizers' own: the PA-MPJPE of the true poses encoded and decoded by each person's tokenizer, with everything else
true. It ends when the regressor is within 5 mm of that with every limb told rightly, or when the time is over.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from ajahr.data.batch import Batch
from ajahr.training.hmr_data import DatasetSpec, HmrDataModule
from ajahr.training.hmr_losses import LossConfig, absent_joints
from ajahr.training.hmr_model import ModelSpec
from ajahr.training.hmr_module import HmrModule, parameter_groups
from ajahr.training.hmr_pictures import prediction_sheet, save_png
from ajahr.training.hmr_validation import person_errors
from tokenizer.module import load_trained
from tokenizer.rotations import rotmat_to_rot6d

_ALLOWED_MM = 5.0
_WARMUP, _EVERY = 20, 20


def some_people(folder: Path, count: int) -> Batch:
    """Half amputees, without augmentation."""
    spec = DatasetSpec("shards", {"folder": str(folder)})
    data = HmrDataModule([spec], [spec], batch_size=count, amputee_share=0.5, augmentation=None, workers=0)
    data.setup("fit")
    batch = next(iter(data.train_dataloader())).unpack()
    if len(set(batch.keys)) < count:
        raise SystemExit(f"{folder}: fewer than {count // 2} people on one side; give a larger dataset")
    return batch


@torch.no_grad()
def pa_mpjpe(module: HmrModule, batch: Batch) -> tuple[float, float]:
    """Mean PA-MPJPE (mm), and the share of limbs told rightly."""
    output = module.eval()(batch)
    absent = absent_joints(batch.limb_levels, module.loss._absent_table)
    errors = person_errors(output, batch, module.body, absent)
    right = (output.limb_levels == batch.limb_levels).double().mean()
    return float(errors.values[1].mean()), float(right)


@torch.no_grad()
def tokenizer_error(module: HmrModule, batch: Batch, tokenizers: dict[str, Path]) -> float:
    """Mean PA-MPJPE (mm) of the true poses through the tokenizers."""
    amputee = (batch.limb_levels > 0).any(1)[:, None, None, None]
    decoded = {
        name: load_trained(path)(rotmat_to_rot6d(batch.pose_rotmat[:, 1:22])).rotmats
        for name, path in tokenizers.items()
    }
    pose = batch.pose_rotmat.clone()
    pose[:, 1:22] = torch.where(amputee, decoded["amputee"], decoded["intact"])
    absent = absent_joints(batch.limb_levels, module.loss._absent_table)
    posed = module.body(batch.betas, pose, absent)
    output = module.eval()(batch)
    output = replace(output, keypoints_3d=posed.keypoints_44, vertices=posed.vertices)
    return float(person_errors(output, batch, module.body, absent).values[1].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="a dataset of ajahr-synth")
    parser.add_argument("--intact", type=Path, required=True)
    parser.add_argument("--amputee", type=Path, required=True)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="a PNG of the predictions at the end")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    tokenizers = {"amputee": options.amputee, "intact": options.intact}
    loss = LossConfig(global_orient=0.05, body_pose=0.05, classification=1.0)
    module = HmrModule(ModelSpec(preset="tiny"), tokenizers, loss=loss)
    module.configure_model()
    people = some_people(options.data, options.people)
    goal = tokenizer_error(module, people, tokenizers) + _ALLOWED_MM
    print(
        f"{options.people} people; tokenizers {goal - _ALLOWED_MM:.1f} mm, so the goal is {goal:.1f} mm PA-MPJPE"
    )

    groups = parameter_groups(module.regressor, 0.0, everything=True)
    optimizer = torch.optim.AdamW(groups, options.learning_rate, fused=True)
    began, step, reached = time.perf_counter(), 0, False
    while not reached and (seconds := time.perf_counter() - began) < 60 * options.minutes:
        left = 1 - seconds / (60 * options.minutes)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min((step + 1) / _WARMUP, 1.0, max(2 * left, 0.05))
        module.train()
        for index in torch.randperm(options.people).split(options.batch):
            batch = people.select(index)
            terms = module.loss(module.training_output(batch), batch)
            optimizer.zero_grad()
            terms.total.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            step += 1
        if step % _EVERY == 0:
            error, right = pa_mpjpe(module, people)
            reached = error <= goal and right == 1
            now = time.perf_counter() - began
            print(f"{now:5.0f} s  step {step:4d}  loss {float(terms.total.detach()):.3f}  "
                  f"PA-MPJPE {error:5.1f} mm  limbs {100 * right:.1f} %", flush=True)  # fmt: skip
    if options.picture is not None:
        save_png(prediction_sheet(module.regressor.eval(), people, title="By heart"), options.picture)
    print("reached" if reached else "not reached", f"after {time.perf_counter() - began:.0f} s, {step} steps")
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
