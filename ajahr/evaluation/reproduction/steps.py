"""A recipe as steps: data, tokenizers, pretraining, then every model of a seed and its evaluation, seed by seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.recipe import IMAGE_ONLY, MODELS, OURS, Recipe
from ajahr.evaluation.reproduction.run_files import (
    checkpoint_to_continue,
    configs_digest,
    evaluation_folder,
    gathered,
    newest,
    training_progress,
    training_steps,
)
from ajahr.evaluation.reproduction.runner import Step, python
from ajahr.training.step_timer import read_seconds_per_step

SETS = ("train", "val", "test", "occluded")
_RATE_STEPS = 25
_TIMER = "ajahr.training.step_timer.StepTimer"
# guesses for the plan, on one core of a machine without a GPU
_PICTURES_PER_S, _POSES_PER_S, _PEOPLE_PER_S, _S_PER_STEP = 40.0, 1200.0, 12.0, 0.9


def make_steps(
    recipe: Recipe, output: str | Path, *, device: str = "auto", threads: int = 1, jobs: int = 1
) -> list[Step]:
    """Everything to do, in an order in which it can be done.

    Args:
        output: Folder of the run.
        device: ``auto``, ``cpu`` or ``cuda``, of trainings and evaluations.
        threads: Of each process.
        jobs: Steps side by side; steps that use several processes themselves take so many.

    Raises:
        UserError: a recipe or a YAML file of it that cannot be used.
    """
    recipe.check()
    return _Plan(recipe, Path(output), device, threads, jobs).steps()


class _Plan:
    def __init__(self, recipe: Recipe, output: Path, device: str, threads: int, jobs: int) -> None:
        self.recipe, self.output, self.threads, self.jobs = recipe, output, threads, jobs
        accelerator = {"auto": "auto", "cpu": "cpu", "cuda": "gpu"}.get(device)
        if accelerator is None:
            raise UserError(f"device is '{device}'; give auto, cpu or cuda")
        self.trainer = [f"--trainer.accelerator={accelerator}", "--trainer.devices=1"]
        self.trainer += ["--trainer.enable_progress_bar=false"]
        self.evaluator = [] if device == "auto" else [f"--device={device}"]

    def steps(self) -> list[Step]:
        recipe = self.recipe
        given = recipe.given
        found = [self._set(name) for name in SETS if f"data/{name}" not in given]
        if found and recipe.backgrounds:
            found.insert(0, self._backgrounds())
        tokenizers = {n: c for n, c in recipe.tokenizers.items() if f"tokenizers/{n}" not in given}
        found += [self._disjoint(), *([self._poses()] if tokenizers else [])]
        found += [self._tokenizer(name, config) for name, config in tokenizers.items()]
        if recipe.pretraining is not None and "pretraining" not in given:
            found.append(self._pretraining(recipe.pretraining))
        if recipe.steps is None:
            found.append(self._rate())
        for seed in recipe.seeds:
            found += [self._model(model, seed) for model in recipe.models]
            found.append(self._evaluation(seed))
        return found

    # ------------------------------------------------------------------------------------------- data

    def data(self, name: str) -> Path:
        return self.recipe.given.get(f"data/{name}", self.output / "data" / name)

    def _filled(self, options: Sequence[str]) -> list[str]:
        """With the folders that marks in braces stand for."""
        places = {
            "{backgrounds}": self.output / "backgrounds",
            "{train}": self.data("train"),
            "{val}": self.data("val"),
        }
        filled = list(options)
        for mark, place in places.items():
            filled = [option.replace(mark, str(place)) for option in filled]
        return filled

    def _made(self, *names: str) -> tuple[str, ...]:
        """Those of these steps that are not given."""
        return tuple(name for name in names if name not in self.recipe.given)

    def _backgrounds(self) -> Step:
        count = self.recipe.backgrounds
        argv = ["scripts/make_backgrounds.py", self.output / "backgrounds", "--count", count]
        about = f"{count} made-up backgrounds"
        return Step(
            "backgrounds", [python(*argv)], settings={"count": count}, minutes=count / 300, about=about
        )

    def _set(self, name: str) -> Step:
        recipe = self.recipe
        images = getattr(recipe, f"{name}_images")
        split = "test" if name == "occluded" else name
        shares = ", ".join(f"{key}: {value}" for key, value in recipe.split_shares.items())
        options = [
            *self._filled(recipe.synth_options),
            *([] if name == "train" else recipe.held_out_options),
            f"--num_images={images}",
            f"--split={split}",
            f"--split_shares={{{shares}}}",
            f"--seed={1 if name == 'occluded' else 0}",  # other people than the test set's
            *(recipe.occluded_options if name == "occluded" else []),
        ]
        argv = ["generate", "--config", recipe.synth, "--output", self.data(name), *options]
        argv += [f"--run.workers={self.jobs}"]
        return Step(
            f"data/{name}",
            [python("-m", "synth.cli.main", *argv)],
            after=("backgrounds",) if recipe.backgrounds else (),
            settings={"config": configs_digest([recipe.synth]), "options": self._neutral(options)},
            alone=True,
            minutes=images / _PICTURES_PER_S / self.jobs / 60 + 0.7,
            about=f"{images} pictures",
        )

    def _disjoint(self) -> Step:
        # the large set's files are not read again here: what it shares with the others, its records tell
        pairs = (("val", ("train",)), ("test", ("train", "val")), ("occluded", ("train", "val")))
        commands = [
            python("-m", "synth.cli.main", "verify", self.data(one), "--against", *map(self.data, others))
            for one, others in pairs
        ]
        recipe = self.recipe
        people = recipe.val_images + recipe.test_images + recipe.occluded_images
        return Step(
            "data/disjoint",
            commands,
            self._made(*(f"data/{name}" for name in SETS)),
            {"given": self._given()},
            again=True,
            minutes=people / 150 / 60 + 0.5,
            about="every held-out file checked; no photograph, texture or body shared between train, val and test",
        )

    # ------------------------------------------------------------------------------------- tokenizers

    def _poses(self) -> Step:
        held_out = max(self.recipe.poses // 50, 64)
        options = [f"--train={self.recipe.poses}", f"--val={held_out}", "--test=0"]
        argv = ["prepare", "sampled", "--output", self.output / "poses", *options, f"--workers={self.jobs}"]
        return Step(
            "poses",
            [python("-m", "ajahr.cli.main", *argv)],
            settings={"options": options},
            alone=True,
            minutes=self.recipe.poses / _POSES_PER_S / self.jobs / 60 + 0.3,
            about=f"{self.recipe.poses} poses for the tokenizers",
        )

    def _tokenizer(self, name: str, config: Path) -> Step:
        bank = {
            split: f'[{{"path": "{self.output}/poses/sampled_{split}.safetensors"}}]'
            for split in ("train", "val")
        }
        options = [
            *self.recipe.tokenizer_options,
            f"--data.init_args.train_intact={bank['train']}",
            f"--data.init_args.train_amputee={bank['train']}",
            f"--data.init_args.validation={bank['val']}",
            f"--trainer.max_time={_max_time(self.recipe.tokenizer_minutes)}",
        ]
        folder = self.output / "tokenizers" / name
        return self._fit(
            f"tokenizers/{name}", folder, [config], options, ("poses",), minutes=self.recipe.tokenizer_minutes
        )

    def tokenizer(self, name: str) -> Path:
        if given := self.recipe.given.get(f"tokenizers/{name}"):
            return given
        return newest(self.output / "tokenizers" / name, "checkpoints/best*.ckpt")

    # ------------------------------------------------------------------------------------------ models

    def _pretraining(self, config: Path) -> Step:
        options = [
            f'--data.init_args.train=[{{"path": "{self.data("train")}"}}]',
            f'--data.init_args.validation=[{{"path": "{self.data("val")}"}}]',
            *self._filled(self.recipe.pretraining_options),
        ]
        minutes = training_steps(config, options) * _S_PER_STEP / 2 / 60
        return self._fit(
            "pretraining", self.output / "pretraining", [config], options, ("data/disjoint",), minutes=minutes,
            result=self.recipe.pretrained_weights,
        )  # fmt: skip

    def _model_options(self, model: str, seed: int) -> list[str]:
        """What differs from the YAML, but for the length."""
        sets = {
            name: json.dumps([{"reader": "shards", "arguments": {"folder": str(self.data(name))}}])
            for name in ("train", "val")
        }
        return [
            f"--seed_everything={seed}",
            f"--model.init_args.seed={seed}",
            f"--data.init_args.seed={seed}",
            f"--data.init_args.train={sets['train']}",
            f"--data.init_args.validation={sets['val']}",
            f"--data.init_args.batch_size={self.recipe.batch_size}",
            *self._filled(self.recipe.model_options),
        ]

    def _late_options(self, model: str) -> list[str]:
        """Those with paths that are there only when the steps before are done."""
        of = {name: str(self.tokenizer(which)) for name, which in MODELS[model].tokenizers.items()}
        options = [f"--model.init_args.tokenizers={json.dumps(of) if of else 'null'}"]
        if self.recipe.pretraining is None:
            return [*options, "--model.init_args.first=null"]
        weights = self.recipe.given.get("pretraining")
        weights = weights or newest(self.output / "pretraining", self.recipe.pretrained_weights)
        return [*options, f"--model.init_args.first.keypoints={weights}"]

    def _before_models(self) -> tuple[str, ...]:
        first = ("pretraining",) if self.recipe.pretraining is not None else ()
        return (
            "data/disjoint",
            *self._made(*(f"tokenizers/{name}" for name in self.recipe.tokenizers), *first),
        )

    def _given(self) -> dict[str, str]:
        return {name: str(path) for name, path in self.recipe.given.items()}

    def _rate(self) -> Step:
        folder = self.output / "rate"
        configs = self.recipe.configs_of(OURS)
        options = [
            *self._model_options(OURS, 0),
            f"--trainer.max_steps={_RATE_STEPS}",
            f"--trainer.val_check_interval={_RATE_STEPS}",
            "--trainer.limit_val_batches=0",
            "--trainer.enable_checkpointing=false",
            f"--trainer.callbacks=[{{class_path: {_TIMER}, init_args: {{path: {folder}/seconds.json}}}}]",
        ]

        def commands() -> list[list[str]]:
            return [self._fit_command(folder, configs, [*options, *self._late_options(OURS)])]

        return Step(
            "rate",
            commands,
            self._before_models(),
            {"configs": configs_digest(configs), "options": self._neutral(options), "given": self._given()},
            alone=True,
            result=lambda: read_seconds_per_step(folder / "seconds.json"),
            minutes=_RATE_STEPS * _S_PER_STEP / 60 + 0.3,
            about="how many steps AJAHR makes in a minute",
        )

    def budget(self) -> int:
        """Steps of every model: a multiple of the number of checks, so that the last one is at the end."""
        recipe = self.recipe
        steps = recipe.steps
        if steps is None:
            seconds = read_seconds_per_step(self.output / "rate" / "seconds.json")
            steps = round(60 * recipe.minutes_per_model / seconds)
        return max(steps // recipe.checks, 1) * recipe.checks

    def _model(self, model: str, seed: int) -> Step:
        recipe = self.recipe
        folder = self.output / f"seed_{seed}" / model

        def late() -> list[str]:
            steps = self.budget()
            length = [
                f"--trainer.max_steps={steps}",
                f"--trainer.val_check_interval={steps // recipe.checks}",
            ]
            return [*length, *self._late_options(model)]

        minutes = recipe.minutes_per_model if recipe.steps is None else recipe.steps * _S_PER_STEP / 60
        rate = ("rate",) if recipe.steps is None else ()
        return self._fit(
            f"seed_{seed}/{model}",
            folder,
            recipe.configs_of(model),
            self._model_options(model, seed),
            (*self._before_models(), *rate),
            late=late,
            minutes=minutes,
            about=MODELS[model].about,
            budget=recipe.steps or f"{recipe.minutes_per_model} minutes",
            timed=True,
        )

    def weights(self, model: str, seed: int) -> Path:
        """Of the end of its training: equal steps for all, chosen by nothing."""
        return newest(self.output / f"seed_{seed}" / model, "checkpoints/last*.ckpt")

    def _evaluation(self, seed: int) -> Step:
        recipe = self.recipe

        def commands() -> list[list[str]]:
            models = [self.weights(model, seed) for model in recipe.models]
            sets = [f"shards:{name}={self.data(name)}" for name in ("test", "occluded")]
            argv = ["evaluate", "hmr", "--models", *models, "--datasets", *sets, "--keypoints=both"]
            argv += ["--labels=both", "--output", evaluation_folder(self.output, seed), *self.evaluator]
            return [python("-m", "ajahr.cli.main", *argv, *recipe.evaluate_options)]

        looks = sum(1 + (MODELS[model].bpac and model != IMAGE_ONLY) for model in recipe.models)
        people = looks * (recipe.test_images + recipe.occluded_images) * 1.3
        return Step(
            f"seed_{seed}/evaluation",
            commands,
            tuple(f"seed_{seed}/{model}" for model in recipe.models),
            {"models": recipe.models, "options": recipe.evaluate_options},
            again=True,
            result=lambda: gathered(evaluation_folder(self.output, seed)),
            minutes=people / _PEOPLE_PER_S / 60,
            about="all models on the test set and on occluded intact people",
        )

    # --------------------------------------------------------------------------------------------- fit

    def _fit(
        self,
        name: str,
        folder: Path,
        configs: Sequence[Path],
        options: list[str],
        after: tuple[str, ...],
        *,
        late: Any = None,
        minutes: float,
        about: str = "",
        budget: object = None,
        timed: bool = False,
        result: str = "checkpoints/*.ckpt",
    ) -> Step:
        def commands() -> list[list[str]]:
            return [self._fit_command(folder, configs, [*options, *(late() if late else [])], timed)]

        settings: dict[str, object] = {"configs": configs_digest(configs), "options": self._neutral(options)}
        if budget is not None:
            settings |= {"budget": budget, "given": self._given()}
        limit = self.budget if timed else lambda: training_steps(configs[-1], options)
        return Step(
            name, commands, after, settings, minutes=minutes, about=about or f"{configs[-1]}",
            result=lambda: newest(folder, result), progress=lambda: training_progress(folder, limit),
        )  # fmt: skip

    def _fit_command(
        self, folder: Path, configs: Sequence[Path], options: Sequence[str], timed: bool = False
    ) -> list[str]:
        argv = [word for config in configs for word in ("--config", str(config))]
        argv += ["--output", str(folder), f"--threads={self.threads}", *self.trainer, *options]
        if timed:
            argv += [f"--trainer.callbacks+={_TIMER}"]
            argv += [f"--trainer.callbacks.path={folder}/seconds.json"]
        if checkpoint := checkpoint_to_continue(folder):
            argv += ["--ckpt_path", str(checkpoint)]
        return python("-m", "ajahr.cli.main", "fit", *argv)

    def _neutral(self, options: Sequence[str]) -> list[str]:
        """The same wherever the run's folder is."""
        return [option.replace(str(self.output), "OUTPUT") for option in options]


def _max_time(minutes: float) -> str:
    seconds = round(60 * minutes)
    return f"{seconds // 86400:02d}:{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
