"""A bank of backgrounds by itself: counted, resumed, refused, used."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.data.dataset import open_dataset
from ajahr.errors import MissingAsset, UserError
from synth.config import (
    AppearanceConfig,
    BackgroundConfig,
    BackgroundsConfig,
    BankRunConfig,
    GenerateConfig,
    PhotoSource,
    RenderConfig,
    RunConfig,
)
from synth.generate import generate
from synth.make_bank import bank_table, make_bank
from synth.prepare import check_bank
from synth.progress import Progress

QUIET = Progress(quiet=True)
BOXES = [(30, 20, 70, 150), (150, 40, 190, 160)]


@pytest.fixture
def photos(tmp_path) -> Path:
    """Two photographs with people, one of them nearly all person, one that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    entries = []
    for i in range(3):
        small = np.random.default_rng(i).integers(40, 220, (9, 12, 3), dtype=np.uint8)
        picture = cv2.resize(small, (240, 180), interpolation=cv2.INTER_CUBIC)
        boxes = [[2, 2, 236, 176]] if i == 1 else [[x, y, a - x, b - y] for x, y, a, b in BOXES]
        for x, y, w, h in boxes:
            picture[y : y + h, x : x + w] = (30, 30, 250)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
        entries.append({"image": f"{i}.png", "boxes": boxes})
    (folder / "2.png").write_bytes(b"no picture")
    images = [{"id": i, "file_name": f"{i}.png", "width": 240, "height": 180} for i in range(3)]
    people = [
        {"id": 10 * i + k, "image_id": i, "category_id": 1, "bbox": box, "iscrowd": 0,
         "area": 9.0, "segmentation": [[box[0], box[1], box[0] + box[2], box[1],
                                        box[0] + box[2], box[1] + box[3], box[0], box[1] + box[3]]]}
        for i, entry in enumerate(entries) for k, box in enumerate(entry["boxes"])
    ]  # fmt: skip
    categories = [{"id": 1, "name": "person"}]
    (folder / "coco.json").write_text(
        json.dumps({"images": images, "annotations": people, "categories": categories})
    )
    return folder


def config(output: Path, photos: Path, **backgrounds) -> BackgroundsConfig:
    return BackgroundsConfig(
        output=output,
        photos=[PhotoSource("coco", "coco", photos / "coco.json", photos)],
        backgrounds=BackgroundConfig(**{"inpainter": "telea", "fit": False, **backgrounds}),
        run=BankRunConfig(workers=1, sheet=8),
    )


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_counts_sheet_and_table(tmp_path, photos):
    counts, sheet = make_bank(config(tmp_path / "bank", photos), QUIET)
    source = counts.sources["coco"]
    assert (source.photographs, source.backgrounds, source.places, source.fitted) == (3, 1, 2, 0)
    assert source.drops == {"hole_too_large": 1, "unreadable": 1}
    assert source.ssim is not None and 0.5 < source.ssim < 1 and source.lpips is None
    assert sheet is not None and min(cv2.imread(str(sheet)).shape[:2]) > 100
    table = bank_table(counts, tmp_path)
    assert list(table.columns[7].cells) == ["0.0421"] and list(table.columns[6].cells) == ["-"]
    description = json.loads((tmp_path / "bank" / "bank.json").read_text())
    assert description["counts"]["sources"]["coco"]["backgrounds"] == 1
    assert description["photographs"]["count"] == 3


def test_goes_on_where_it_was_stopped_with_the_same_bytes(tmp_path, photos, monkeypatch):
    make_bank(config(tmp_path / "whole", photos), QUIET)

    import synth.prepare

    done = []
    original = synth.prepare.prepare_one

    def killed(job, folder, task, tick):
        if done:
            raise KeyboardInterrupt
        done.append(task.index)
        original(job, folder, task, tick)

    part = tmp_path / "part"
    monkeypatch.setattr(synth.prepare, "prepare_one", killed)
    with pytest.raises(KeyboardInterrupt):
        make_bank(config(part, photos), QUIET)
    with pytest.raises(UserError, match="not finished"):
        check_bank(part)
    again = []
    monkeypatch.setattr(synth.prepare, "prepare_one", lambda *a: (again.append(a[2].index), original(*a)))
    make_bank(config(part, photos), QUIET)
    assert again == [1, 2]
    assert digest(part) == digest(tmp_path / "whole") | {
        "before_after.png": digest(part)["before_after.png"]  # the sheet bears the folder's name
    }
    make_bank(config(part, photos), QUIET)
    assert again == [1, 2]


def test_a_folder_of_another_job_is_refused(tmp_path, photos):
    bank = tmp_path / "bank"
    make_bank(config(bank, photos), QUIET)
    with pytest.raises(UserError, match=r"another configuration \(backgrounds.ssim_min\)"):
        make_bank(config(bank, photos, ssim_min=0.4), QUIET)
    listing = json.loads((photos / "coco.json").read_text())
    del listing["images"][0]
    (photos / "coco.json").write_text(json.dumps(listing))
    with pytest.raises(UserError, match="other photographs"):
        make_bank(config(bank, photos), QUIET)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        make_bank(config(tmp_path / "mine", photos), QUIET)


def test_no_place_for_anybody(tmp_path, photos):
    with pytest.raises(UserError, match=r"no photograph gives a place.*hole_too_large 1.*ssim 1"):
        make_bank(config(tmp_path / "bank", photos, ssim_min=1.0), QUIET)


def test_missing_weights_are_told_before_anything_is_made(tmp_path, photos):
    job = config(tmp_path / "bank", photos, segmenter="sam", segmenter_weights=tmp_path / "sam.pth")
    with pytest.raises(MissingAsset, match=r"sam\.pth: no such file; backgrounds.segmenter_weights"):
        make_bank(job, QUIET)
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize("kind", ["h36m", "folder"])
def test_photographs_without_annotations_need_a_detector(tmp_path, photos, kind):
    job = config(tmp_path / "bank", photos)
    job.photos = [PhotoSource(kind, images=photos)]
    with pytest.raises(UserError, match=r"backgrounds\.detector to yolo"):
        make_bank(job, QUIET)
    job.backgrounds.detector = "yolo"
    with pytest.raises(UserError, match="tells a camera" if kind == "h36m" else "detector_weights"):
        make_bank(job, QUIET)


def dataset(output: Path, bank: Path) -> GenerateConfig:
    return GenerateConfig(
        output=output,
        num_images=2,
        shard_size=2,
        backgrounds=BackgroundConfig(bank=bank),
        appearance=AppearanceConfig(per_group=1, size=64),
        render=RenderConfig(samples=1),
        run=RunConfig(workers=1, sheet=0),
    )


def test_generate_uses_a_bank(tmp_path, photos):
    bank = tmp_path / "bank"
    make_bank(config(bank, photos), QUIET)
    generate(dataset(tmp_path / "out", bank), QUIET)
    found = open_dataset(tmp_path / "out")
    assert len(found) == 2 and {sample.record.photo.id for sample in found} == {"coco/0"}
    assert not (tmp_path / "out" / ".work" / "backgrounds").exists()


def test_a_bank_that_is_none(tmp_path, photos):
    with pytest.raises(UserError, match="no such bank"):
        generate(dataset(tmp_path / "out", tmp_path / "gone"), QUIET)
    with pytest.raises(UserError, match=r"no bank of backgrounds.*ajahr-synth backgrounds"):
        check_bank(photos)
    bank = tmp_path / "bank"
    make_bank(config(bank, photos), QUIET)
    for path in (bank / "backgrounds").glob("*.json"):
        path.unlink()
    with pytest.raises(UserError, match="become empty"):
        check_bank(bank)
    (bank / "bank.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        check_bank(bank)


def test_a_bank_is_not_made_from_a_bank(tmp_path, photos):
    with pytest.raises(UserError, match=r"backgrounds\.bank"):
        make_bank(config(tmp_path / "bank", photos, bank=tmp_path), QUIET)
