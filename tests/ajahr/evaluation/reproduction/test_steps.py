"""A recipe as commands: every training run is one that `ajahr fit` takes, and equal but for its model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from touched import touch

from ajahr.cli.fit import _JobCli
from ajahr.errors import UserError
from ajahr.evaluation.reproduction.recipe import GIVEN, MODELS, Recipe
from ajahr.evaluation.reproduction.runner import Step
from ajahr.evaluation.reproduction.steps import make_steps

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def beside_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def of(recipe: Recipe, output: Path, **arguments) -> dict[str, Step]:
    return {step.name: step for step in make_steps(recipe, output, **arguments)}


def commands(step: Step) -> list[list[str]]:
    return [[*command] for command in (step.commands() if callable(step.commands) else step.commands)]


def trained(output: Path, recipe: Recipe) -> None:
    """What the steps before the models leave."""
    for name in recipe.tokenizers:
        touch(output / f"tokenizers/{name}/version_0/checkpoints/best.ckpt")


def test_seeds_one_after_another_and_nothing_before_what_it_needs(tmp_path: Path) -> None:
    steps = of(Recipe(), tmp_path)
    names = list(steps)
    assert names.index("seed_0/evaluation") < names.index("seed_1/ajahr")
    assert {"data/disjoint", "tokenizers/amputee", "tokenizers/intact", "rate"} <= set(
        steps["seed_0/ajahr"].after
    )
    assert set(steps["seed_0/evaluation"].after) == {f"seed_0/{model}" for model in Recipe().models}
    assert "rate" not in of(Recipe(steps=100), tmp_path)


def test_every_training_is_one_that_fit_takes(tmp_path: Path) -> None:
    recipe = Recipe(models=[*MODELS], seeds=[3], steps=105, checks=10, batch_size=5)
    trained(tmp_path, recipe)
    steps, threads = of(recipe, tmp_path, device="cpu"), torch.get_num_threads()
    built = {}
    for name in MODELS:
        (argv,) = commands(steps[f"seed_3/{name}"])
        assert argv[1:5] == ["-m", "ajahr.cli.main", "fit", "--config"]
        built[name] = _JobCli("fit", argv[4:])
    torch.set_num_threads(threads)
    for name, cli in built.items():
        config = cli.model.spec.config()
        assert (config.bpac is not None) == MODELS[name].bpac
        assert set(config.tokenizer_names) <= set(cli.model.tokenizers or {})
        assert cli.trainer.max_steps == 100 and cli.trainer.val_check_interval == 10, (
            "the last check is the end"
        )
        assert cli.model.seed == cli.datamodule.seed == cli.config.seed_everything == 3
        assert cli.config.data == built["ajahr"].config.data and cli.datamodule.batch_size == 5
        assert cli.config.output == tmp_path / "seed_3" / name
        assert any(type(callback).__name__ == "StepTimer" for callback in cli.trainer.callbacks)
        for key in ("learning_rate", "schedule", "warmup_steps"):
            assert getattr(cli.model, key) == getattr(built["ajahr"].model, key)
    assert built["ajahr_image"].model.spec.bpac_inputs == "image"
    assert built["hmr2"].model.tokenizers is None
    assert str(built["tokenhmr"].model.tokenizers["single"]).endswith(
        "tokenizers/intact/version_0/checkpoints/best.ckpt"
    )


def test_tokenizers_and_rate(tmp_path: Path) -> None:
    recipe = Recipe(tokenizer_minutes=1.5)
    steps, threads = of(recipe, tmp_path, device="cpu"), torch.get_num_threads()
    (argv,) = commands(steps["tokenizers/amputee"])
    cli = _JobCli("fit", argv[4:])
    assert cli.config.trainer.max_time == "00:00:01:30"
    assert str(cli.datamodule.train_amputee[0].path) == f"{tmp_path}/poses/sampled_train.safetensors"
    trained(tmp_path, recipe)
    (argv,) = commands(steps["rate"])
    assert [type(c).__name__ for c in _JobCli("fit", argv[4:]).trainer.callbacks].count("StepTimer") == 1
    torch.set_num_threads(threads)
    with pytest.raises(UserError, match="has not run"):
        commands(steps["seed_0/ajahr"])
    (tmp_path / "rate").mkdir(exist_ok=True)
    (tmp_path / "rate/seconds.json").write_text(json.dumps({"mean_seconds_per_step": 0.5}))
    assert "--trainer.max_steps=5400" in commands(steps["seed_0/ajahr"])[0], "45 minutes of half a second"
    assert "--trainer.max_steps=5400" in commands(steps["seed_2/hmr2"])[0], "and as many for the others"


def test_pretraining_goes_into_every_model(tmp_path: Path) -> None:
    recipe = Recipe(pretraining=Path("configs/keypoints/trunk.yaml"), pretrained_weights="backbone", steps=10)
    steps = of(recipe, tmp_path)
    (argv,) = commands(steps["pretraining"])
    assert f'--data.init_args.train=[{{"path": "{tmp_path}/data/train"}}]' in argv
    trained(tmp_path, recipe)
    touch(tmp_path / "pretraining/version_0/backbone/model.safetensors")
    for name in recipe.models:
        assert (
            f"--model.init_args.first.keypoints={tmp_path}/pretraining/version_0/backbone"
            in commands(steps[f"seed_1/{name}"])[0]
        )
        assert "pretraining" in steps[f"seed_1/{name}"].after

    assert "--model.init_args.first=null" in commands(of(Recipe(steps=10), tmp_path)["seed_1/hmr2"])[0]


def test_what_is_given_is_not_done_again(tmp_path: Path) -> None:
    trunk, tokenizer = touch(tmp_path / "t/model.safetensors").parent, touch(tmp_path / "i.ckpt")
    data = touch(tmp_path / "set/dataset.json").parent
    given = {"pretraining": trunk, "tokenizers/intact": tokenizer, "data/train": data}
    recipe = Recipe(pretraining=Path("configs/keypoints/trunk.yaml"), steps=10, backgrounds=3, given=given)
    steps = of(recipe, tmp_path)
    assert not set(given) & set(steps) and {"backgrounds", "poses", "tokenizers/amputee", "data/val"} <= set(
        steps
    )
    (argv,) = commands(steps["seed_0/tokenhmr"])
    assert f"--model.init_args.first.keypoints={trunk}" in argv
    assert f'--model.init_args.tokenizers={{"single": "{tokenizer}"}}' in argv
    assert any(str(data) in word for word in argv if word.startswith("--data.init_args.train="))
    assert str(data) in commands(steps["data/disjoint"])[0]
    everything = dict.fromkeys(GIVEN, trunk)
    names = list(of(Recipe(steps=10, backgrounds=3, seeds=[0], given=everything), tmp_path))
    assert names == ["data/disjoint", *(f"seed_0/{m}" for m in recipe.models), "seed_0/evaluation"]
    with pytest.raises(UserError, match="'rate' cannot be given"):
        of(Recipe(given={"rate": trunk}), tmp_path)
    with pytest.raises(UserError, match="not there, though it is given"):
        of(Recipe(given={"pretraining": tmp_path / "none"}), tmp_path)


def test_marks_stand_for_folders(tmp_path: Path) -> None:
    recipe = Recipe(backgrounds=3, synth_options=["--photos=[{kind: clean, images: {backgrounds}}]"])
    steps = of(recipe, tmp_path)
    assert f"--photos=[{{kind: clean, images: {tmp_path}/backgrounds}}]" in commands(steps["data/val"])[0]
    assert steps["data/val"].after == ("backgrounds",)
    assert commands(steps["backgrounds"])[0][1:] == [
        "scripts/make_backgrounds.py", f"{tmp_path}/backgrounds", "--count", "3",
    ]  # fmt: skip


def test_sets_are_of_their_splits(tmp_path: Path) -> None:
    steps = of(Recipe(), tmp_path, jobs=2)
    (test,), (occluded,) = commands(steps["data/test"]), commands(steps["data/occluded"])
    assert "--split=test" in test and "--split=test" in occluded and "--run.workers=2" in test
    assert "--amputation.intact_share=1.0" in occluded and "--amputation.intact_share=1.0" not in test
    compared = set()
    for command in commands(steps["data/disjoint"]):
        one, others = command[command.index("verify") + 1], command[command.index("--against") + 1 :]
        compared |= {frozenset((Path(one).name, Path(other).name)) for other in others}
    held_out = ("val", "test", "occluded")
    assert compared >= {frozenset(("train", name)) for name in held_out}
    assert compared >= {frozenset(("val", name)) for name in ("test", "occluded")}


def test_held_out_sets_may_do_with_fewer_textures(tmp_path: Path) -> None:
    few = "--appearance.per_group=12"
    steps = of(Recipe(held_out_options=[few]), tmp_path)
    asked = {name: few in commands(steps[f"data/{name}"])[0] for name in ("train", "val", "test", "occluded")}
    assert asked == {"train": False, "val": True, "test": True, "occluded": True}


def test_settings_tell_what_matters_and_nothing_else(tmp_path: Path) -> None:
    def prints(recipe: Recipe, output: Path, **arguments) -> dict[str, str]:
        found: dict[str, str] = {}
        for step in make_steps(recipe, output, **arguments):
            found[step.name] = step.fingerprint(found)
        return found

    one = prints(Recipe(), tmp_path / "a")
    assert one == prints(Recipe(), tmp_path / "b", jobs=2, threads=2, device="cpu")
    more = prints(Recipe(models=[*Recipe().models, "hmr2_bpac"], seeds=[0, 1, 2, 3]), tmp_path / "a")
    assert {name for name in one if one[name] != more[name]} == {f"seed_{s}/evaluation" for s in (0, 1, 2)}
    bigger = prints(Recipe(train_images=8), tmp_path / "a")
    assert {name for name in one if one[name] == bigger[name]} == {
        "data/val", "data/test", "data/occluded", "poses", "tokenizers/amputee", "tokenizers/intact",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"models": ["ajar"]}, "models has ajar"),
        ({"seeds": [1, 1]}, "seeds names none, or one twice"),
        ({"steps": 5}, "steps is 5; give at least 10"),
        ({"minutes_per_model": 0.0}, "minutes_per_model is 0"),
        ({"split_shares": {"train": 1.0}}, "no test"),
        ({"train_images": 0}, "train_images is 0"),
    ],
)
def test_user_errors(tmp_path: Path, changes: dict, text: str) -> None:
    with pytest.raises(UserError, match=text):
        make_steps(replace(Recipe(), **changes), tmp_path)


def test_other_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="device is 'gpu'"):
        make_steps(Recipe(), tmp_path, device="gpu")
    with pytest.raises(UserError, match="run this beside configs/"):
        make_steps(Recipe(synth=Path("nowhere.yaml")), tmp_path)
