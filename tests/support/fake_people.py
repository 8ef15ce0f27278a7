"""Small pictures, tables and files of people for the regressor's data."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import cv2
import numpy as np

from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, empty_rows, set_box


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    """RGB with the spectrum of a photograph: smooth patches, edges, fine texture."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((4, 90), (16, 40), (64, 12)):
        noise = rng.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image + 120, 0, 255).astype(np.uint8)
    for _ in range(6):
        corner, size = rng.integers(0, (width, height)), rng.integers(10, max(12, width // 3), 2)
        image = cv2.rectangle(
            image, corner.tolist(), (corner + size).tolist(), rng.integers(0, 255, 3).tolist(), -1
        )
    return image


def jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def png(image: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", image[..., ::-1])
    assert done
    return data.tobytes()


def people_rows(count: int, seed: int = 0, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """Rows with every label, random and consistent in shape; pictures ``N.jpg``."""
    rng = np.random.default_rng(seed)
    names = [f"{n}.jpg" for n in range(count)]
    rows = empty_rows(count, names)
    rows["key"] = rows["image"] = [name.encode() for name in names]
    set_box(rows, np.tile(np.array(size) / 2, (count, 1)), np.full((count, 2), 0.6 * min(size)))
    rows["keypoints_2d"][..., :2] = rng.uniform(0.2, 0.8, (count, 44, 2)) * size
    rows["keypoints_2d"][..., 2] = 1
    rows["keypoints_3d"][..., :3] = rng.normal(0, 0.5, (count, 44, 3))
    rows["keypoints_3d"][..., 3] = 1
    rows["pose"] = rng.normal(0, 0.4, (count, 24, 3))
    rows["has_pose"] = True
    rows["betas"] = rng.normal(0, 1, (count, 10))
    rows["has_betas"] = True
    rows["levels"] = 0
    rows["residual"] = rng.uniform(0, 1, (count, 8))
    rows["residual_3d"] = rng.uniform(0, 1, (count, 8, 4))
    return rows


def people_table(folder: Path, count: int, name: str = "people", seed: int = 0) -> PeopleTable:
    """A table whose pictures are in ``folder``."""
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(jpeg(photo(320, 240, seed + number)))
    return PeopleTable(name, people_rows(count, seed), PictureStore(folder))


def hmr2_person(seed: int = 0, **changes: object) -> dict:
    """One element of HMR2's pickled lists."""
    rng = np.random.default_rng(seed)
    keypoints = np.concatenate([rng.uniform(20, 200, (44, 2)), np.ones((44, 1))], 1).astype(np.float32)
    person = {
        "keypoints_2d": keypoints,
        "keypoints_3d": rng.normal(0, 1, (44, 4)).astype(np.float32),
        "center": np.array([100.0, 90.0]),
        "scale": np.array([0.5, 0.8]),
        "body_pose": rng.normal(0, 0.2, 72).astype(np.float32),
        "betas": rng.uniform(-1, 1, 10).astype(np.float32),
        "has_body_pose": np.array(1.0),
        "has_betas": True,
        "extra_info": {
            "detection_npz_idx": np.int64(0),
            "fitting_loss": np.array({"reprojection_loss": np.float32(100.0)}, dtype=object),
        },
        "personid": seed,
    }
    return {**person, **changes}


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def hmr2_sample(key: str, *people: dict, image: bytes | None = None, seed: int = 0) -> dict[str, bytes]:
    """Members of one sample of HMR2's tars."""
    return {
        f"{key}.jpg": jpeg(photo(256, 240, seed)) if image is None else image,
        f"{key}.data.pyd": pickle.dumps(list(people)),
    }
