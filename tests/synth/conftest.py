from pathlib import Path

import cv2
import numpy as np
import pytest

from synth.config import (
    AmputationConfig,
    AppearanceConfig,
    GenerateConfig,
    PhotoSource,
    RenderConfig,
    RunConfig,
)
from synth.generate import generate
from synth.progress import Progress


@pytest.fixture(scope="session", autouse=True)
def ultralytics_keeps_out_of_home(tmp_path_factory):
    """Ultralytics writes its settings when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        patch.setenv("YOLO_OFFLINE", "true")
        patch.setenv("YOLO_AUTOINSTALL", "false")
        yield


@pytest.fixture(scope="session")
def realistic_twins(tmp_path_factory) -> Path:
    """Twelve scenes of twins with every step of realism and every hard case, on grainy JPEG photographs."""
    folder = tmp_path_factory.mktemp("realistic")
    (folder / "photos").mkdir()
    for i, quality in enumerate((70, 85, 92)):
        rng = np.random.default_rng(i)
        small = rng.integers(30, 225, (6, 8, 3), dtype=np.uint8)
        photo = cv2.resize(small, (320, 240), interpolation=cv2.INTER_NEAREST if i else cv2.INTER_CUBIC)
        photo = np.clip(cv2.GaussianBlur(photo, (0, 0), 1.2) + rng.normal(0, 4, photo.shape), 0, 255)
        cv2.imwrite(
            str(folder / f"photos/{i}.jpg"), photo.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
    config = GenerateConfig(
        output=folder / "set",
        num_images=24,
        shard_size=12,
        seed=5,
        twins=True,
        photos=[PhotoSource(kind="clean", name="made", images=folder / "photos")],
        amputation=AmputationConfig(intact_share=0.0),
        appearance=AppearanceConfig(per_group=1, size=64),
        render=RenderConfig(samples=1),
        run=RunConfig(workers=1, sheet=0),
    )
    generate(config, Progress(quiet=True))
    return folder / "set"
