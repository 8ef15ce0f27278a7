from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ajahr.training.pose_mesh import PoseMesh
from ajahr.training.tokenizer import PosePainter, reconstruction_sheet
from tokenizer.banks import open_bank, write_bank
from tokenizer.config import TokenizerConfig
from tokenizer.rotations import zero_absent_joints
from tokenizer.vqvae import PoseTokenizer


@pytest.fixture(scope="module")
def body() -> PoseMesh:
    return PoseMesh()


def test_painter_draws_who_is_there_and_not_what_is_lost(body: PoseMesh) -> None:
    rest = torch.eye(3).expand(1, 21, 3, 3)
    left_arm = torch.zeros(1, 21, dtype=torch.bool)
    left_arm[0, [15, 17, 19]] = True  # shoulder, elbow, wrist
    painter = PosePainter(body)
    whole = painter.draw(body(rest)[0][0], (255, 0, 0))
    lost = painter.draw(body(zero_absent_joints(rest, left_arm))[0][0], (255, 0, 0))
    red = [(p[..., 0].astype(int) - p[..., 1] > 60).any(0).nonzero()[0] for p in (whole, lost)]
    widths = [columns.max() - columns.min() for columns in red]
    assert widths[1] < 0.8 * widths[0] and whole.shape == (224, 224, 3)


def test_sheet_shows_every_bank(tmp_path: Path, body: PoseMesh) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        write_bank(tmp_path / f"{name}.npz", rng.normal(0, 0.2, (3, 63)).astype(np.float32))
    banks = [open_bank(tmp_path / f"{name}.npz") for name in ("a", "b")]
    torch.manual_seed(0)
    tokenizer = PoseTokenizer(TokenizerConfig(num_tokens=20, num_codes=8, code_dim=8, width=8)).eval()
    path = reconstruction_sheet(tokenizer, body, banks, tmp_path / "s.png", poses=4)
    sheet = cv2.imread(str(path))
    wide = cv2.imread(str(reconstruction_sheet(tokenizer, body, banks, tmp_path / "o.png", poses=1)))
    assert sheet is not None and wide is not None and sheet.std() > 5
    assert wide.shape[1] < sheet.shape[1]
