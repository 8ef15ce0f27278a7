"""Weights for the package: small, harmlessly halved, with their card; what is too large or unfinished is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
from fake_dataset import write_dataset
from least_regressor import save_least_regressor
from small_regressor import inputs, small_body

import ajahr.evaluation.shipping as shipping
from ajahr import AJAHR
from ajahr.cli.doctor import shipped_weights
from ajahr.errors import UserError
from ajahr.evaluation.shipping import CARD, PROVENANCE, Card, data_hash, ship, ship_keypoints
from ajahr.inference import shipped
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel, load_keypoints, save_keypoints
from ajahr.models.pretrained import load_pretrained

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Untrained weights and a dataset."""
    folder = tmp_path_factory.mktemp("shipping")
    write_dataset(folder / "people", shards=1)
    return save_least_regressor(folder / "run"), folder / "people"


def test_what_is_shipped_predicts_alike(
    tmp_path: Path, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, data = places
    folder = ship(source, tmp_path / "weights/tiny", data=[data], figures="| a |", made_with="a command")
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", CARD, PROVENANCE}
    assert folder.parent.is_dir() and not list(folder.parent.glob(".*")), "nothing half written is left"
    about = json.loads((folder / PROVENANCE).read_text())
    assert about["half_precision"] and about["data"] == {data.name: data_hash(data)}
    card = (folder / CARD).read_text()
    assert about["sha256"] in card and data_hash(data) in card and "| a |" in card and "a command" in card
    assert "no real person" in card and "licence: Apache-2.0" in card

    whole, light = load_pretrained(source, small_body()), load_pretrained(folder, small_body())
    with torch.no_grad():
        pairs = [model(*inputs(3)).vertices for model in (whole, light)]
    assert 0 < float((pairs[0] - pairs[1]).abs().max()) < 1e-3
    half = (source / "model.safetensors").stat().st_size / (folder / "model.safetensors").stat().st_size
    assert half > 1.4

    monkeypatch.setattr(shipped, "SHIPPED_WEIGHTS", folder.parent)
    assert isinstance(AJAHR.from_pretrained("tiny", device="cpu"), AJAHR), "by name, as predict's default"
    assert AJAHR.from_pretrained(device="cpu").estimator.regressor.config == whole.config


def test_every_file_is_package_data(tmp_path: Path, places: tuple[Path, Path]) -> None:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["ajahr.inference"]
    folder = ship(places[0], tmp_path / "weights/tiny", data=[places[1]])
    for path in folder.rglob("*"):
        assert any(path.relative_to(tmp_path).match(pattern) for pattern in patterns)


def test_keypoints_go_beside(tmp_path: Path, places: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    model = KeypointModel(KeypointConfig(backbone="shufflenet_v2_x0_5", head="wide"))
    points = save_keypoints(model, tmp_path / "points")
    (points / "calibration.json").write_text("{}")
    ship(places[0], tmp_path / "weights/tiny", data=[places[1]], keypoints=points)
    beside = tmp_path / "weights/tiny-keypoints"
    assert load_keypoints(beside).config == model.config and (beside / "calibration.json").is_file()
    assert json.loads((beside / PROVENANCE).read_text())["licence"].startswith("Apache-2.0")


def test_what_half_precision_harms_is_stored_whole(
    tmp_path: Path, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "HARMLESS_MM", 0.0)
    folder = ship(places[0], tmp_path / "tiny", data=[places[1]])
    assert (folder / "model.safetensors").read_bytes() == (places[0] / "model.safetensors").read_bytes()


def test_refused_and_left_as_it_was(
    tmp_path: Path, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, data = places
    folder = ship(source, tmp_path / "weights/tiny", data=[data])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"no dataset\.json"):
        ship(source, folder, data=[tmp_path])
    with pytest.raises(UserError, match=r"no such weights|cannot be read|no weights"):
        ship(tmp_path / "nothing", folder, data=[data])
    monkeypatch.setattr(shipping, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match="at most 25 MB"):
        ship(source, folder, data=[data])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_doctor_tells_of_them(tmp_path: Path, places: tuple[Path, Path]) -> None:
    assert shipped_weights(tmp_path / "weights").found == []
    folder = ship(places[0], tmp_path / "weights/tiny", data=[places[1]])
    line = shipped_weights(tmp_path / "weights")
    assert line.found == [str(folder)] and line.kind == "weights" and "from_pretrained" in line.unlocks


def test_a_keypoint_model_alone(tmp_path: Path, places: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    model = KeypointModel(KeypointConfig("vit_tiny_stem")).eval()
    save_keypoints(model, tmp_path / "run")
    image = torch.rand(1, 3, 256, 192)
    with torch.no_grad():
        before = model(image).heatmaps
    folder = ship_keypoints(
        tmp_path / "run", tmp_path / "weights/points", data=[places[1]], card=Card("Points"), figures="5 px"
    )
    files = {path.name for path in folder.iterdir()}
    assert files == {"config.json", "model.safetensors", CARD, PROVENANCE}
    card = (folder / CARD).read_text()
    assert (
        "# Points" in card and "5 px" in card and data_hash(places[1]) in card and str(tmp_path) not in card
    )
    assert str(tmp_path) not in (folder / PROVENANCE).read_text()
    with torch.no_grad():
        after = load_keypoints(folder)(image).heatmaps
    assert after.dtype == torch.float32 and 0 < float((after - before).abs().max()) < 0.01
