"""``ajahr evaluate hmr``: models x datasets to a table and four files, and one line for what a user gets wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import benchmark_files as files
import pytest
import torch
from fake_dataset import write_dataset
from hmr_runs import smallest
from least_regressor import save_least_regressor
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_regressor import small_body

from ajahr.cli.main import main
from ajahr.models.pretrained import body_kind, load_pretrained, save_pretrained
from ajahr.models.regressor import Regressor


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """AJAHR, HMR2 without BPAC-Net, and one whose predictions are NaN."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    baseline = Regressor(smallest("hmr2", bpac=False), small_body())
    broken = Regressor(smallest("hmr2", bpac=False), small_body())
    torch.nn.init.constant_(broken.readout.linear.bias, float("nan"))
    return [
        str(save_least_regressor(folder / "ours")),
        str(save_pretrained(baseline, folder / "hmr2")),
        str(save_pretrained(broken, folder / "broken")),
    ]


def run(*argv: object) -> int:
    return main(["evaluate", "hmr", *map(str, argv)])


def test_models_times_datasets(
    tmp_path: Path, weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "set", shards=1)
    a3d, coco = files.write_a3d(tmp_path / "a3d"), tmp_path / "coco"
    files.write_hmr2(coco / "coco_val.npz", ["a.png"], coco)
    out = tmp_path / "out"
    datasets = [f"a3d={a3d}", f"shards:mine={tmp_path / 'set'}", f"coco={coco}"]
    assert (
        run("--models", *weights, "--datasets", *datasets, "--output", out, "--cases", 1, "--device", "cpu")
        == 0
    )
    said = capsys.readouterr()
    assert "broken on a3d: 3 predictions not finite, the first COCO_val/amp_12_000.png/0" in said.err
    assert "AJAHR (Table 2/3)" in said.out and "AJAHR (Table 4)" in said.out and "Table 5" in said.out

    report = json.loads((out / "hmr.json").read_text())
    of = {(r["model"], r["dataset"], r["protocol"]["labels"]): r for r in report["results"]}
    assert len(of) == 3 * (2 + 2 + 1)
    broken = of["broken", "a3d", "truth"]
    assert len(broken["not_finite"]) == 3 and broken["errors"]["mve_mm"]["value"] is None
    ours = of["ours", "a3d", "truth"]["errors"]["mve_mm"]
    assert ours["low"] <= ours["value"] <= ours["high"] and ours["people"] == 3
    status = of["hmr2", "a3d", "truth"]["limb_status"]
    assert status["hallucinated_limb_rate"] == 1 and status["false_amputation_rate"] == 0
    assert 0 <= of["ours", "coco", "truth"]["pck"]["0.05"]["mean"] <= 1
    (pair,) = [p for p in report["paired"] if p["dataset"] == "mine" and p["protocol"] == of["ours", "mine", "truth"]
               ["protocol"]["digest"] and (p["a"], p["b"]) == ("ours", "hmr2")]  # fmt: skip
    values = [of[m, "mine", "truth"]["errors"]["mve_mm"]["value"] for m in ("ours", "hmr2")]
    assert pair["b_minus_a"]["mve_mm"]["difference"]["value"] == pytest.approx(values[1] - values[0])

    with (out / "hmr.csv").open() as file:
        rows = list(csv.DictReader(file))
    whole = next(r for r in rows if (r["model"], r["dataset"], r["labels"], r["metric"], r["group"])
                 == ("ours", "a3d", "truth", "mve_mm", "all"))  # fmt: skip
    assert float(whole["value"]) == ours["value"] and len(whole["protocol"]) == 12
    assert {"view:front", "hidden:none", "part:left_arm", "amputated"} <= {r["group"] for r in rows}

    text = (out / "hmr.md").read_text()
    assert whole["protocol"] in text and "Left out of the means" in text and "Paired comparison" in text
    page = (out / "hmr.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * 2 * 2, (
        "two models that have errors, two datasets, two ends"
    )
    assert "<svg" in page and "src='http" not in page and "href" not in page
    assert not list(out.glob(".*")), "nothing half written is left"
    assert {path.name for path in out.glob("*.png")} == {"confusion_a3d_ours.png", "confusion_mine_ours.png"}


def test_a_rerun_gives_the_same_files(tmp_path: Path, weights: list[str]) -> None:
    a3d = files.write_a3d(tmp_path / "a3d")
    argv = (
        "--models",
        weights[0],
        "--datasets",
        f"a3d={a3d}",
        "--labels",
        "predicted",
        "--keypoints",
        "detector",
    )
    tables = []
    for size in (2, 2):
        assert run(*argv, "--output", tmp_path / "out", "--batch_size", size, "--cases", 0) == 0
        tables.append((tmp_path / "out" / "hmr.csv").read_text())
    assert tables[0] == tables[1] and ",detector," in tables[0]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([], "give --models"),
        (["--models", "{w}"], "give --datasets"),
        (["--models", "{w}", "--datasets", "a3d"], "is no BENCHMARK=PATH"),
        (["--models", "{w}", "--datasets", "a4d={t}"], "did you mean a3d?"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "a3d={t}/a3d"], "two datasets are called 'a3d'"),
        (["--models", "{w}", "{w}", "--datasets", "a3d={t}/a3d"], "models are called"),
        (["--models", "{t}/none", "--datasets", "a3d={t}/a3d"], "no such weights"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "--images", "b={t}"], "names no dataset"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "--limit", "0"], "limit is 0"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "--label", "both"], "did you mean --labels"),
        (["--models", "{w}", "--datasets", "shards={t}/set", "--splits", "test"], "nobody in the split test"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "--device", "tpu"], "give auto, cpu, cuda"),
        (["--models", "{w}", "--datasets", "a3d={t}/a3d", "--output", "{w}/config.json"], "a file is where"),
    ],
)
def test_user_errors(
    tmp_path: Path, weights: list[str], argv: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "{t}/a3d" in " ".join(argv):
        files.write_a3d(tmp_path / "a3d")
    if "shards={t}/set" in argv:
        write_dataset(tmp_path / "set", shards=1)
    assert run(*(one.format(w=weights[0], t=tmp_path) for one in argv)) == 2
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1


def test_what_cannot_be_measured_is_one_line(
    tmp_path: Path, weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Other joints than the protocol, no limb labels, a checkpoint and a folder without a tokenizer."""

    def refused(model: str | Path, dataset: str) -> str:
        assert run("--models", model, "--datasets", dataset, "--output", tmp_path / "out") == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and not (tmp_path / "out").exists()
        return said

    extra = files.hmr2_columns(["a.png"])["extra_keypoints_3d"].copy()
    extra[:, 18, 3] = 0
    path = files.write_hmr2(tmp_path / "x/3dpw_test.npz", ["a.png"], tmp_path / "x", extra_keypoints_3d=extra)
    assert "other joints than the protocol: nobody has a 3D label of head_h36m_extra" in refused(
        weights[0], f"3dpw={path}"
    )
    path = files.write_hmr2(tmp_path / "itw.npz", ["a.png"], tmp_path / "Images")
    assert "no key 'labels'" in refused(weights[0], f"itw_amputee={path}")

    a3d = f"a3d={files.write_a3d(tmp_path / 'a3d')}"
    file = Path(weights[0]) / "model.safetensors"
    with safe_open(file, framework="pt") as opened:
        stamp = opened.metadata()
    kept = {k: v for k, v in load_file(file).items() if not k.startswith("switch.decoders.amputee")}
    (tmp_path / "folder").mkdir()
    save_file(kept, tmp_path / "folder/model.safetensors", metadata=stamp)
    assert "no tokenizer 'amputee' in it" in refused(tmp_path / "folder", a3d)
    regressor = load_pretrained(weights[0], small_body())
    state = {f"regressor.{k}": v for k, v in regressor.state_dict().items() if "decoders.intact" not in k}
    checkpoint = {"regressor": {"config": regressor.config.to_dict(), "body": body_kind(regressor.body)},
                  "state_dict": state}  # fmt: skip
    torch.save(checkpoint, tmp_path / "run.ckpt")
    assert "no tokenizer 'intact' in it" in refused(tmp_path / "run.ckpt", a3d)
