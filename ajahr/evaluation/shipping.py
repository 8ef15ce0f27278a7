"""A trained model as a folder that comes with the package: weights, what they were trained on, a model card.

    ship("runs/ajahr/version_0/checkpoints/last.ckpt", SHIPPED_WEIGHTS / "tiny", data=["data/train"], card=...)

The weights are stored in half precision where that changes no vertex by more than `HARMLESS_MM`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.files import make_folder
from ajahr.errors import UserError
from ajahr.evaluation.run import load_regressor
from ajahr.keypoints.model import load_keypoints, save_keypoints
from ajahr.models.pretrained import load_pretrained, save_pretrained
from ajahr.models.regressor import Regressor
from ajahr.training.keypoints_module import load_trained as load_trained_keypoints

MAX_BYTES = 25 * 10**6
HARMLESS_MM = 1.0
"""A hundredth of what a small model errs by; on noise, which moves more than pictures of people do."""
CARD, PROVENANCE = "MODEL_CARD.md", "provenance.json"
_CROPS = 8


@dataclass(frozen=True)
class Card:
    """What a model card says besides the figures.

    Args:
        title: Name of the model.
        trained_on: What the training pictures are.
        limits: Where it fails, one sentence each.
        licence: Of the weights.
    """

    title: str = "AJAHR, tiny"
    trained_on: str = (
        "Pictures of this project's own generator: procedurally textured bodies of the embedded licence-free body "
        "model (Apache-2.0 code, CC0 data) before made-up backgrounds and a few freely licensed photographs"
    )
    limits: Sequence[str] = (
        "It has seen no real person: photographs are another world to it, and errors there are larger than the "
        "figures below, which are on held-out generated pictures.",
        "It is small enough for one CPU core; body shape and fine pose (hands, feet, head) are coarse.",
        "Limb status needs 2D keypoints; without them it is a guess. Prostheses, loose clothes and limbs behind "
        "something are mistaken for what they are not more often than bare limbs are.",
        "Bodies and skin are synthetic adults; how well it does for children and for groups of people is not "
        "measured on photographs. Not for medical use.",
    )
    licence: str = "Apache-2.0, like the code; no file with another licence was used to make them"
    notes: Mapping[str, str] = field(default_factory=dict)


def ship(
    source: str | Path,
    folder: str | Path,
    *,
    data: Sequence[str | Path],
    card: Card | None = None,
    figures: str = "",
    keypoints: str | Path | None = None,
    made_with: str = "",
) -> Path:
    """Write ``folder``; whole, or as it was before.

    Args:
        source: A regressor: a checkpoint of `ajahr fit` or a folder of weights.
        data: Datasets it was trained on; the hash of each one's dataset.json names its bytes.
        figures: Markdown of the figures in the card; a report's table.
        keypoints: A 25-point model, checkpoint or folder, which goes into a folder beside, ``NAME-keypoints``.
        made_with: The command, for the card.

    Raises:
        UserError: a missing or foreign file, or more than 25 MB.
    """
    folder, card = Path(folder), card or Card()
    body = Body(load_body())
    regressor = load_regressor(source, body)
    hashes = {Path(one).name: data_hash(one) for one in data}  # no paths of the machine it was made on
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch) / folder.name
        half, moved = save_light(regressor, made, body)
        about = {
            "source": Path(source).name,
            "data": hashes,
            "half_precision": half,
            "largest_change_of_a_vertex_mm": moved,
            "sha256": _sha256(made / "model.safetensors"),
            "parameters": sum(p.numel() for p in regressor.parameters()),
            "licence": card.licence,
            "made_with": made_with,
        }
        (made / PROVENANCE).write_text(json.dumps(about, indent=1) + "\n")
        (made / CARD).write_text(card_text(card, about, figures))
        points = None
        if keypoints is not None:
            points = _keypoints(keypoints, made.with_name(f"{folder.name}-keypoints"), card, hashes)
        size = sum(f.stat().st_size for one in (made, points) if one for f in one.iterdir())
        if size > MAX_BYTES:
            raise UserError(
                f"{source}: {size / 1e6:.1f} MB of weights; what comes with the package has at most 25 MB"
            )
        for one in filter(None, (points, made)):
            target = folder.with_name(one.name)
            shutil.rmtree(target, ignore_errors=True)
            one.rename(target)
    return folder


def ship_keypoints(
    source: str | Path,
    folder: str | Path,
    *,
    data: Sequence[str | Path],
    card: Card,
    figures: str = "",
    made_with: str = "",
) -> Path:
    """Write ``folder`` with a 25-point model alone, in half precision; whole, or as it was before.

    Arguments and errors are those of `ship`; ``source`` is a training checkpoint or a folder of `save_keypoints`.
    """
    folder = Path(folder)
    hashes = {Path(one).name: data_hash(one) for one in data}  # no paths of the machine it was made on
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = _keypoints(source, Path(scratch) / folder.name, card, hashes, half=True)
        data_lines = "\n".join(f"- `{k}`: sha256 of its dataset.json {v}" for k, v in hashes.items())
        limits = "\n".join(f"- {sentence}" for sentence in card.limits)
        (made / CARD).write_text(
            f"# {card.title}\n\nFinds LDPose's 25 points of one person: `ajahr predict --keypoints {folder.name}`.\n\n"
            f"## Trained on\n\n{card.trained_on}.\n\n{data_lines}\n\n## Figures\n\n{figures.strip()}\n\n"
            f"## Limits\n\n{limits}\n\nLicence: {card.licence}. Made with `{made_with}`.\n"
        )
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return folder


@torch.no_grad()
def save_light(regressor: Regressor, folder: Path, body: Body) -> tuple[bool, float]:
    """Save in half precision if that is harmless, else whole.

    Returns:
        Whether it is half, and the largest move of a vertex that half precision makes (mm), on noise crops.
    """
    save_pretrained(regressor, folder, half=True)
    light = load_pretrained(folder, body)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(_CROPS, 3, 256, 256, generator=generator)
    keypoints = torch.rand(_CROPS, 12, 3, generator=generator) - torch.tensor([0.5, 0.5, 0.0])
    levels = torch.randint(0, 4, (_CROPS, 4), generator=generator)
    levels[::2] = 0  # both tokenizers
    one, other = (model(image, keypoints, limb_levels=levels).vertices for model in (regressor.eval(), light))
    moved = 1000 * float((one - other).norm(dim=-1).max())
    if moved <= HARMLESS_MM:
        return True, moved
    save_pretrained(regressor, folder)
    return False, moved


def data_hash(dataset: str | Path) -> str:
    """sha256 of a dataset's manifest, which has the hash of every shard in it.

    Raises:
        UserError: no finished dataset.
    """
    path = Path(dataset) / "dataset.json"
    if not path.is_file():
        raise UserError(f"{dataset}: no dataset.json in it; give a finished dataset of ajahr-synth")
    return _sha256(path)


def card_text(card: Card, about: Mapping[str, Any], figures: str) -> str:
    """MODEL_CARD.md."""
    data = "\n".join(
        f"- `{name}`: sha256 of its dataset.json {digest}" for name, digest in about["data"].items()
    )
    limits = "\n".join(f"- {sentence}" for sentence in card.limits)
    notes = "".join(f"\n- {key}: {value}" for key, value in card.notes.items())
    stored = "half" if about["half_precision"] else "single"
    return f"""# {card.title}

Recovers the 3D body and the limb status of one person in a crop. `AJAHR.from_pretrained` and `ajahr predict` use it
where no other weights are named.

## Trained on

{card.trained_on}.

{data}

## Figures

{figures.strip() or "None were given."}

## Limits

{limits}

## Facts

- parameters: {about["parameters"]:,}; stored in {stored} precision (which moves no vertex by more than
  {about["largest_change_of_a_vertex_mm"]:.2g} mm); sha256 {about["sha256"]}
- licence: {card.licence}
- made with: `{about["made_with"] or "scripts/ship_weights.py"}`{notes}
"""


def _keypoints(
    source: str | Path, folder: Path, card: Card, hashes: Mapping[str, str], *, half: bool = False
) -> Path:
    source = Path(source)
    model = load_trained_keypoints(source) if source.suffix == ".ckpt" else load_keypoints(source)
    save_keypoints(model.half() if half else model, folder)
    calibration = source / "calibration.json"
    if source.is_dir() and calibration.is_file():
        shutil.copy(calibration, folder / calibration.name)
    about = {"source": source.name, "data": dict(hashes),
             "licence": card.licence, "sha256": _sha256(folder / "model.safetensors")}  # fmt: skip
    (folder / PROVENANCE).write_text(json.dumps(about, indent=1) + "\n")
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
