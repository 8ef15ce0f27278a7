"""Presets, the plan, and the report of what is there by now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reproduced import write_reports

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.recipe import Recipe
from ajahr.evaluation.reproduction.run import Reproduction, load_recipe
from ajahr.evaluation.reproduction.runner import Folder

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def beside_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def test_presets_and_changes(tmp_path: Path) -> None:
    cpu, gpu = load_recipe("cpu"), load_recipe("gpu")
    assert cpu.steps is None and gpu.steps and gpu.train_images > cpu.train_images and cpu.seeds == [0, 1, 2]
    assert load_recipe("cpu", seeds=[5], steps=None).seeds == [5]
    timed = load_recipe("gpu", minutes_per_model=3.0)
    assert timed.steps is None and timed.minutes_per_model == 3, "one budget takes the other's place"
    path = tmp_path / "mine.yaml"
    path.write_text("steps: 20\n")
    assert load_recipe(str(path)).steps == 20
    for text, said in (("stepz: 20\n", "stepz"), ("steps: many\n", "steps"), ("a: [", "no YAML")):
        path.write_text(text)
        with pytest.raises(UserError, match=said) as caught:
            load_recipe(str(path))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="there are cpu, gpu"):
        load_recipe("large")


def test_a_seed_is_within_its_time() -> None:
    """One seed of all models in at most 100 minutes on two cores, seeds one after another (by the guesses)."""
    recipe = load_recipe("cpu")
    job = Reproduction(recipe, Path("nowhere"), jobs=2)
    seed = [step for step in job.steps() if step.name.startswith("seed_0/")]
    assert job.minutes(seed) <= 100 and recipe.tokenizer_minutes <= 15
    rest = [step for step in job.steps() if not step.name.startswith("seed_")]
    everything = job.minutes(job.steps())
    assert (
        job.minutes(rest) + 2.5 * job.minutes(seed)
        < everything
        <= job.minutes(rest) + 3 * job.minutes(seed) + 1
    )


def test_plan_says_what_is_done(tmp_path: Path) -> None:
    job = Reproduction(Recipe(seeds=[0], steps=100), tmp_path)
    steps = {step.name: step for step in job.steps()}
    folder = Folder(tmp_path, job.steps())
    folder.finish(steps["data/train"], 75)
    folder.log(steps["seed_0/ajahr"]).parent.mkdir(parents=True)
    folder.log(steps["seed_0/ajahr"]).touch()
    run = tmp_path / "seed_0/ajahr/version_0"
    run.mkdir(parents=True)
    (run / "metrics.csv").write_text("step,train/total\n10,1.5\n40,1.0\n")
    rows = {row[0]: row for row in job.plan().rows}
    assert rows["data/train"][3:] == ["75 s", "done"]
    assert rows["seed_0/ajahr"][4] == "broken off step 40 of 100" and rows["seed_0/hmr2"][4] == "-"
    assert "1 of 13 steps done" in job.plan().note
    other = Reproduction(replace(job.recipe, train_images=8), tmp_path)
    assert {row[0]: row for row in other.plan().rows}["data/train"][4] == "to redo"


def test_report(tmp_path: Path) -> None:
    job = Reproduction(Recipe(), tmp_path)
    assert job.report() == ([], [], []), "nothing yet"
    write_reports(tmp_path, Recipe(seeds=[0, 1]))
    for model, value in (("ajahr", 80), ("hmr2", 90)):
        for version, step in ((0, 100), (1, 200)):  # broken off and gone on with
            run = tmp_path / f"seed_0/{model}/version_{version}"
            run.mkdir(parents=True)
            (run / "metrics.csv").write_text(
                f"step,val/pa_mpjpe_mm,val/mve_mm\n{step},{value},{value + step}\n"
            )
    tables, held, files = job.report()
    assert len(tables) == 3 and all(one.met for one in held)
    names = {path.name for path in files}
    assert {
        "table.md",
        "table.json",
        "errors.png",
        "limb_status.png",
        "confusion_ajahr.png",
        "curves.png",
    } <= names
    assert all(path.parent == tmp_path / "report" and path.stat().st_size > 200 for path in files)
    assert '"seconds"' in (tmp_path / "report/table.json").read_text()
