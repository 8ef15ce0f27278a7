"""What a run of `ajahr predict` works with: weights, detector, keypoints, and the stamp that says which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ajahr import __version__
from ajahr.assets import data_root
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.files import sha256_of, write_atomic
from ajahr.data.images import LoadedImage
from ajahr.errors import UserError
from ajahr.inference.external import pick_device
from ajahr.inference.given import GivenPeople
from ajahr.inference.limb_points import LimbPointFinder
from ajahr.inference.people import Detector, KeypointFinder, People, match_keypoints
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.predictor import AJAHR
from ajahr.inference.shipped import companion, find_keypoints, find_weights, keypoint_folder
from ajahr.inference.sources import Picture
from ajahr.models.pretrained import load_pretrained

_STAMP = "run.json"


@dataclass(frozen=True, eq=False)
class Tools:
    """What a run works with."""

    model: AJAHR
    people: GivenPeople | None
    keypoints: GivenPeople | None
    stamp: dict[str, Any]
    notes: tuple[str, ...]

    @classmethod
    def load(cls, config: PredictConfig, folder: Path) -> Tools:
        """Open everything that the config names.

        Args:
            folder: of the pictures, which names in people's JSON are relative to.

        Raises:
            UserError: something is missing or of no known kind.
        """
        device = pick_device(config.device)
        weights = find_weights(config.weights)
        notes: list[str] = []
        people_file, keypoint_file = _json(config.people), _json(config.keypoints)
        given = other = None
        if people_file or keypoint_file:
            first = people_file or keypoint_file
            assert first is not None
            given = GivenPeople(first, folder, min_score=config.min_score if people_file else 0.0)
            if people_file and keypoint_file and people_file != keypoint_file:
                other = GivenPeople(keypoint_file, folder)
            notes += [
                f"{g.path}: left out {', '.join(f'{n} {why}' for why, n in g.dropped.items())}"
                for g in (given, other)
                if g is not None and g.dropped
            ]
        detector = None if given is not None else _detector(config, device, notes)
        finder = None if keypoint_file else _finder(config, device)
        model = AJAHR(
            load_pretrained(weights, Body(load_body(config.body))),
            detector=detector[1] if detector else None,
            keypoints=finder[1] if finder else None,
            fusion=config.fusion,
            device=device,
            precision=config.precision,
            batch_size=config.batch_size,
            focal_length=config.focal_length,
            min_score=config.min_score,
            refine=config.refine,
            stature=config.stature,
        )
        file = weights / "model.safetensors" if weights.is_dir() else weights
        stamp = {
            "weights": sha256_of(file),
            "body": model.painter.body.sha256,
            "people": _print(people_file or (detector[0] if detector else None)),
            "keypoints": _print(keypoint_file or (finder[0] if finder else None)),
            "fusion": [config.fusion.bpac, config.fusion.keypoints],
            "min_score": config.min_score,
            "focal_length": config.focal_length,
            "refine": config.refine,
            "stature": config.stature,
            "precision": config.precision,
            "mesh": config.mesh,
            "picture": config.picture,
            # pages are asked for: a folder without them is not finished, one with them is
            **({"viewer": True} if config.viewer else {}),
        }
        return cls(model, given, other, stamp, tuple(notes))

    def claim(self, config: PredictConfig) -> None:
        """Mark the output as this run's kind, or refuse to mix results.

        Raises:
            UserError: it holds results made with something else.
        """
        path = config.output / _STAMP
        stamp = {"ajahr": __version__, **self.stamp}
        if path.is_file() and not config.overwrite:
            try:
                before = json.loads(path.read_bytes())
            except ValueError:
                before = {}
            changed = [key for key in stamp if before.get(key) != stamp[key]]
            if changed:
                raise UserError(
                    f"{config.output} holds results made with other {', '.join(changed)}; "
                    "choose another --output, or --overwrite true"
                )
        write_atomic(path, json.dumps(stamp, indent=1).encode())

    def people_of(self, picture: Picture, image: LoadedImage) -> People | None:
        """Given people of a picture; nobody where a file is given that does not name it."""
        if self.people is None:
            return None
        found = self.people.of(picture.path, image) or People.nobody()
        others = None if self.keypoints is None else self.keypoints.of(picture.path, image)
        return found if others is None else match_keypoints(found, others)


def _json(value: str) -> Path | None:
    return Path(value) if value.lower().endswith(".json") else None


def _detector(config: PredictConfig, device: str, notes: list[str]) -> tuple[Path, Detector] | None:
    if config.people == "whole":
        return None
    path = Path(config.people)
    if config.people == "auto":
        found = sorted((data_root() / "checkpoints").glob("yolo*.pt"))
        path = next((one for one in found if "pose" not in one.name and "seg" not in one.name), None)
        if path is None:
            notes.append(
                "people: no detector and no boxes, so every picture is taken for one person; "
                "--people takes yolo11x.pt or boxes.json"
            )
            return None
    from ajahr.inference.yolo import YoloDetector

    return path, YoloDetector(
        path, confidence=config.min_score, person_class=config.person_class, device=device
    )


def _finder(config: PredictConfig, device: str) -> tuple[Path, KeypointFinder | LimbPointFinder] | None:
    if config.keypoints == "none":
        return None
    path = keypoint_folder(config.keypoints)
    if config.keypoints == "auto":
        root = data_root() / "checkpoints"
        found = [*sorted(root.glob("keypoints*/config.json")), *sorted(root.glob("vitpose*/config.json"))]
        beside = companion(config.weights)
        if not found and beside is None:
            return None
        path = found[0].parent if found else beside
        assert path is not None
    return path, find_keypoints(path, device=device)


def _print(path: Path | None) -> str | None:
    """Fingerprint of a file, or of the weights in a folder."""
    if path is None:
        return None
    parts = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    return " ".join(sha256_of(part) for part in parts)
