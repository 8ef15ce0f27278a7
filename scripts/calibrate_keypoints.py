"""Limb status of a 25-point model, calibrated on people it has not learned from; kept beside its weights.

    python scripts/calibrate_keypoints.py --weights weights/keypoints25 --data data/small/val

Fits `LimbCalibration` on every second pair of people (twins stand side by side) and says on the others how well
status is told and how honest its probabilities are. For angles: scripts/check_hka.py --store true.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ajahr.anatomy import LEVEL_NAMES
from ajahr.data.ldpose import LIMB_POINTS
from ajahr.errors import UserError
from ajahr.evaluation.limb_status import calibration
from ajahr.keypoints.calibration import LimbCalibration, load_calibration, save_calibration
from ajahr.keypoints.limb_status import PATTERNS, fit_limbs, from_presence
from ajahr.keypoints.model import load_keypoints
from ajahr.keypoints.predictor import normalise, predict
from ajahr.keypoints.samples import table_of_shards
from ajahr.progress import Progress
from ajahr.training.keypoints_data import Crops, Draw, collate


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--weights", type=Path, required=True, help="a keypoint model's folder")
    parser.add_argument("--data", type=Path, required=True, help="a generated dataset, of another split")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--flip_test", type=lambda s: s == "true", default=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_keypoints(options.weights)
    if model.presence_head is None:
        raise UserError(f"{options.weights}: has no presence head to calibrate; train one with presence pool")
    table = table_of_shards(options.data)
    count = min(options.people, len(table))
    crops, parts = Crops([table], None), []
    with Progress().bar("people", count) as tick:
        for begin in range(0, count, 32):
            rows = range(begin, min(begin + 32, count))
            batch = collate([crops[Draw(0, row, (0,))] for row in rows])
            with torch.inference_mode():
                presence = predict(model, normalise(batch.pixels), options.flip_test).presence
            assert presence is not None
            parts.append(presence.numpy())
            for _ in rows:
                tick()
    found = np.concatenate(parts)
    levels = levels_of(table.presence[:count])
    fit = np.arange(count) // 2 % 2 == 0
    fitted = fit_limbs(found[fit], levels[fit])
    for name, one in (("as it was", LimbCalibration()), ("calibrated", fitted)):
        said, truth = from_presence(found[~fit], one), levels[~fit]
        known = truth >= 0
        right = float((said.argmax(-1) == truth)[known].mean())
        lost = truth > 0
        recall = float((said.argmax(-1) > 0)[lost].mean()) if lost.any() else float("nan")
        error = calibration(said.astype(np.float32), truth).error if known.all() else float("nan")
        print(
            f"{name}: {100 * right:.1f} % of limbs right, {100 * recall:.1f} % of lost limbs seen as lost, "
            f"calibration error {error:.3f}"
        )
    biases = dict(zip(LEVEL_NAMES[False], np.round(fitted.bias, 2).tolist(), strict=True))
    print(f"weight {fitted.weight:.2f}, bias {biases}")
    whole = load_calibration(options.weights)
    print(save_calibration(replace(whole, limbs=fitted), options.weights))


def levels_of(presence: np.ndarray) -> np.ndarray:
    """Limb levels out of presences of the 25 points: (people, 25) -> (people, 4); -1 where a limb is not known."""
    limb = presence[:, LIMB_POINTS]
    same = (limb[:, :, None] == PATTERNS[None, None]).all(-1)
    return np.where(same.any(-1), same.argmax(-1), -1)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
