"""What a small reproduction is made of: one typed object, filled by configs/reproduce and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ajahr.errors import UserError

DEFAULT_MODELS = ("ajahr", "tokenhmr", "hmr2", "ajahr_image")


@dataclass(frozen=True)
class ModelRun:
    """One kind of model to train.

    Args:
        configs: YAML files for `ajahr fit`, each changing those before it; ``{base}`` is the recipe's.
        about: In the table.
        tokenizers: Those its pose head has, by which of the trained ones they are.
        bpac: Whether it tells limb status.
    """

    configs: tuple[str, ...]
    about: str
    tokenizers: Mapping[str, str]
    bpac: bool = True


_BOTH = {"amputee": "amputee", "intact": "intact"}
MODELS: dict[str, ModelRun] = {
    "ajahr": ModelRun(("{base}",), "AJAHR", _BOTH),
    "tokenhmr": ModelRun(("{base}_tokenhmr",), "TokenHMR-style", {"single": "intact"}, bpac=False),
    "hmr2": ModelRun(("{base}_hmr2",), "HMR2-style", {}, bpac=False),
    "tokenhmr_bpac": ModelRun(("{base}_tokenhmr_bpac",), "TokenHMR-style + BPAC-Net", {"single": "intact"}),
    "hmr2_bpac": ModelRun(("{base}_hmr2_bpac",), "HMR2-style + BPAC-Net", {}),
    "ajahr_image": ModelRun(("{base}", "ablations/image_only"), "AJAHR, BPAC-Net sees the image only", _BOTH),
    "ajahr_keypoints": ModelRun(
        ("{base}", "ablations/keypoints_only"), "AJAHR, BPAC-Net sees keypoints only", _BOTH
    ),
}
"""Everything that can be trained, by name."""
GIVEN = (
    "data/train", "data/val", "data/test", "data/occluded", "tokenizers/amputee", "tokenizers/intact", "pretraining",
)  # fmt: skip
OURS, IMAGE_ONLY = "ajahr", "ajahr_image"
BASELINES = ("tokenhmr", "hmr2")


@dataclass(frozen=True)
class Recipe:
    """One reproduction. In options, ``{backgrounds}``, ``{train}`` and ``{val}`` stand for the folders made before.

    Args:
        backgrounds: Pictures of scripts/make_backgrounds.py; 0: none.
        synth: YAML of the generated sets; split, sizes and folders are set here.
        synth_options: Further options for every set.
        held_out_options: For all but the training set, which needs more textures than they do.
        split_shares: How photographs, textures and identities are dealt out among the splits.
        train_images, val_images, test_images: Pictures, intact twins included.
        occluded_images: Pictures of intact people behind something, held out: who is removed there is removed
            wrongly.
        occluded_options: What makes that set so.
        poses: Of the tokenizers' bank.
        tokenizers: YAML of the amputee and the intact tokenizer.
        tokenizer_minutes: At most, each.
        tokenizer_options: For both.
        pretraining: YAML of the run whose backbone all models start from; None: they start at random.
        pretraining_options: For it.
        pretrained_weights: Where it leaves them, below its run's folder.
        base: Beginning of the names of the YAML files of the models, in ``configs``.
        configs: Their folder.
        model_options: For every model.
        models: Which of `MODELS`.
        seeds: One after another.
        steps: Of training, for every model. None: as many as AJAHR makes in ``minutes_per_model``.
        minutes_per_model: The budget where ``steps`` is None; measured before the first model is trained.
        checks: Validations during a training run, evenly spread; the last one at the end.
        batch_size: People per step.
        evaluate_options: For `ajahr evaluate hmr`.
        given: Steps that were done elsewhere, by where their result is: data/train, data/val, data/test and
            data/occluded (folders), tokenizers/amputee and tokenizers/intact (checkpoints), pretraining (its
            weights). They are not done again.
    """

    backgrounds: int = 0
    synth: Path = Path("configs/synth/demo.yaml")
    synth_options: list[str] = field(default_factory=list)
    held_out_options: list[str] = field(default_factory=list)
    split_shares: dict[str, float] = field(default_factory=lambda: {"train": 0.7, "val": 0.15, "test": 0.15})
    train_images: int = 4000
    val_images: int = 400
    test_images: int = 800
    occluded_images: int = 400
    occluded_options: list[str] = field(
        default_factory=lambda: [
            "--twins=false",
            "--amputation.in_sight=0",  # nobody has lost anything here
            "--amputation.intact_share=1.0",
            "--hard_cases.occluded_object=0.5",
            "--hard_cases.occluded_person=0.2",
            "--hard_cases.border=0.3",
        ]
    )
    poses: int = 200_000
    tokenizers: dict[str, Path] = field(
        default_factory=lambda: {
            "amputee": Path("configs/tokenizer/amputee_small.yaml"),
            "intact": Path("configs/tokenizer/intact_small.yaml"),
        }
    )
    tokenizer_minutes: float = 15.0
    tokenizer_options: list[str] = field(default_factory=list)
    pretraining: Path | None = None
    pretraining_options: list[str] = field(default_factory=list)
    pretrained_weights: str = "pretrained"
    base: str = "tiny"
    configs: Path = Path("configs/hmr")
    model_options: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=lambda: [*DEFAULT_MODELS])
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    steps: int | None = None
    minutes_per_model: float = 45.0
    checks: int = 10
    batch_size: int = 32
    evaluate_options: list[str] = field(default_factory=list)
    given: dict[str, Path] = field(default_factory=dict)

    def check(self) -> None:
        """
        Raises:
            UserError: a value that makes no reproduction.
        """
        if unknown := [name for name in self.models if name not in MODELS]:
            raise UserError(f"models has {unknown[0]}; there are {', '.join(MODELS)}")
        if not self.models or len(set(self.models)) < len(self.models):
            raise UserError("models names nothing, or something twice")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UserError("seeds names none, or one twice")
        if missing := {"train", "val", "test"} - set(self.split_shares):
            raise UserError(f"split_shares has no {min(missing)}")
        if set(self.tokenizers) != {"amputee", "intact"}:
            raise UserError("tokenizers needs one YAML for each of amputee and intact")
        sizes = (
            "train_images",
            "val_images",
            "test_images",
            "occluded_images",
            "poses",
            "checks",
            "batch_size",
        )
        for name in sizes:
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.backgrounds < 0:
            raise UserError(f"backgrounds is {self.backgrounds}; give 0 or more")
        for name, path in self.given.items():
            if name not in GIVEN:
                raise UserError(f"'{name}' cannot be given; {', '.join(GIVEN)} can")
            if not path.exists():
                raise UserError(f"{path}: not there, though it is given as {name}")
        if self.steps is not None and self.steps < self.checks:
            raise UserError(f"steps is {self.steps}; give at least {self.checks}, the number of checks")
        if self.steps is None and not self.minutes_per_model > 0:
            raise UserError(f"minutes_per_model is {self.minutes_per_model}; give more than 0")

    def configs_of(self, model: str) -> list[Path]:
        """YAML files of a model, in the order in which they change each other."""
        return [self.configs / f"{name.format(base=self.base)}.yaml" for name in MODELS[model].configs]
