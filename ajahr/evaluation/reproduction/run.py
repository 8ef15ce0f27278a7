"""A reproduction from its recipe to its table, and where it stands at any moment."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonargparse
import torch
import yaml

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.pictures import draw_all
from ajahr.evaluation.reproduction.recipe import Recipe
from ajahr.evaluation.reproduction.runner import Folder, Row, Runner, Step, span
from ajahr.evaluation.reproduction.steps import make_steps
from ajahr.evaluation.reproduction.summary import Criterion, as_json, criteria, gather, sections
from ajahr.evaluation.tables import Section, json_text, markdown, write_texts

PRESETS = Path("configs/reproduce")
_STATES = {"done": "done", "running": "running", "begun": "broken off", "to do": "-", "outdated": "to redo"}


def load_recipe(preset: str, **changes: Any) -> Recipe:
    """A preset of configs/reproduce, or a YAML file, with changes; None changes nothing.

    Raises:
        UserError: no such preset, or a wrong key or value in it.
    """
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        there = ", ".join(sorted(one.stem for one in PRESETS.glob("*.yaml")))
        raise UserError(
            f"{path}: no such preset ({error.strerror}); there are {there or 'none here'}"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no YAML ({' '.join(str(error).split())})") from error
    if changes.get("minutes_per_model") is not None and isinstance(values, dict):
        values.pop("steps", None)  # the one budget takes the other's place
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Recipe, None)
    try:
        found = parser.instantiate(parser.parse_object(values))
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    recipe = replace(Recipe(**vars(found)), **{k: v for k, v in changes.items() if v is not None})
    recipe.check()
    return recipe


@dataclass(frozen=True)
class Reproduction:
    """One run's folder.

    Args:
        recipe: What is made.
        output: Folder of everything.
        device, threads, jobs: How; they change no result but by rounding.
    """

    recipe: Recipe
    output: Path
    device: str = "auto"
    threads: int = 1
    jobs: int = 1

    def steps(self) -> list[Step]:
        return make_steps(self.recipe, self.output, device=self.device, threads=self.threads, jobs=self.jobs)

    def rows(self) -> list[Row]:
        return Folder(self.output, self.steps()).rows()

    def plan(self) -> Section:
        """What there is to do, how long it may take, and what is done."""
        rows = self.rows()
        cells = [
            [row.step.name, row.step.about, f"{row.step.minutes:.0f} min" if row.step.minutes >= 1 else "< 1 min",
             "" if row.seconds is None else span(row.seconds), f"{_STATES[row.state]} {row.progress}".strip()]
            for row in rows
        ]  # fmt: skip
        left = [row.step for row in rows if row.state != "done"]
        note = (
            f"{len(rows) - len(left)} of {len(rows)} steps done; about {span(60 * self.minutes(left))} left, "
            f"{self.jobs} side by side (a guess, for a machine without a GPU)"
        )
        return Section(
            f"Reproduction in {self.output}", ["step", "what", "guess", "took", "state"], cells, 2, note
        )

    def minutes(self, steps: Sequence[Step]) -> float:
        """Wall time of steps by their guesses: stage by stage, as the runner takes them."""
        left, done = list(steps), {step.name for step in self.steps()} - {step.name for step in steps}
        lanes: list[tuple[float, Step]] = []
        now = 0.0
        while left or lanes:
            for step in list(left):
                alone = step.alone or any(one.alone for _, one in lanes)
                if set(step.after) <= done and len(lanes) < self.jobs and not (lanes and alone):
                    left.remove(step)
                    lanes.append((now + step.minutes, step))
            now, step = min(lanes, key=lambda lane: lane[0])
            lanes = [lane for lane in lanes if lane[1] is not step]
            done.add(step.name)
        return now

    def run(self, say: Callable[[str], None] = print) -> None:
        """All steps that are left, then the report.

        Raises:
            UserError: a step failed, or was done with other settings.
        """
        Runner(self.output, self.steps(), jobs=self.jobs, threads=self.threads, say=say).run()

    def report(self) -> tuple[list[Section], list[Criterion], list[Path]]:
        """Tables, criteria and files of what is evaluated by now: table.md, table.json, plots."""
        found = gather(self.recipe, self.output)
        folder = self.output / "report"
        pictures = draw_all(self.recipe, self.output, found, folder)
        if not found.seeds:
            return [], [], pictures
        tables = sections(found)
        texts = {"table.md": markdown(tables), "table.json": json_text(as_json(found, self.about()))}
        return tables, criteria(found), [*write_texts(folder, texts), *pictures]

    def about(self) -> dict[str, Any]:
        """Facts for the report's foot."""
        rows = self.rows()
        return {
            "ajahr": version("ajahr"),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {self.device}",
            "threads": self.threads,
            "jobs": self.jobs,
            "seconds": {row.step.name: row.seconds for row in rows if row.seconds is not None},
            "recipe": {key: str(value) for key, value in vars(self.recipe).items()},
        }
