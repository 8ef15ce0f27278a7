"""What ``ajahr adapt`` does: files in, files out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError
from ajahr.inference.adapt import AdaptOptions, Match, adapt
from ajahr.inference.adapt_pictures import picture, png_bytes
from ajahr.inference.adapted import Adapted
from ajahr.inference.mesh_files import MeshFormat, save_mesh
from ajahr.progress import Progress
from ajahr.residual_limb.measure import LIMITS
from ajahr.residual_limb.rafo import Gates

JSON_VERSION = 1


@dataclass(frozen=True)
class AdaptConfig:
    """Options of ``ajahr adapt``.

    Attributes:
        smpl: Parameters of another method: npz, plain pickle or JSON with the keys of HMR2.0, TokenHMR, CameraHMR,
            WHAM, SMPLer-X or SMPLify-X, or the JSON of `ajahr predict`.
        keypoints: LDPose's 25 keypoints: COCO results, LDPose annotations, or plain JSON by picture.
        image: The photograph; gives its size and the overlay.
        body: The SMPL or SMPL-X file (or folder) the parameters belong to; the embedded body by default.
        gender: Of the body.
        output: Folder of NAME.json, a mesh per person and NAME.png.
        mesh: Format of the meshes; stl is in millimetres.
        refine: Move the pose towards the intact keypoints first.
        match: Whose keypoints are whose: by index, by overlap of boxes, or by index for one person and else by
            overlap.
        min_iou: Least overlap of boxes.
        focal_length: px; wins over the file's.
        image_size: Width and height in px, where there is no image and no file tells.
        image_name: Of several pictures in the files, the one meant; the image's name by default.
        pose_prior: Another prior for the refinement: gmm_08.pkl, VPoser's weights, or a pose tokenizer's file.
        low_confidence: Cut limbs that are seen end on.
        gates: When an end is refused.
    """

    smpl: Path
    keypoints: Path
    image: Path | None = None
    body: Path | None = None
    gender: str = "neutral"
    output: Path = Path("out/adapt")
    mesh: MeshFormat | Literal["none"] = "glb"
    refine: bool = True
    match: Match = "auto"
    min_iou: float = 0.3
    focal_length: float | None = None
    image_size: tuple[int, int] | None = None
    image_name: str | None = None
    pose_prior: Path | None = None
    low_confidence: bool = True
    gates: Gates | None = None


def run(config: AdaptConfig, progress: Progress) -> tuple[Adapted, Path]:
    """Adapt and write; the JSON comes last.

    Raises:
        UserError: as `adapt`, or the folder cannot be written.
    """
    if config.focal_length is not None and not config.focal_length > 0:
        raise UserError(f"a focal length of {config.focal_length} px; give a positive number")
    if config.image_size is not None and min(config.image_size) < 1:
        raise UserError(f"a picture of {config.image_size}; give its width and height in px")
    options = AdaptOptions(
        refine=config.refine, match=config.match, min_iou=config.min_iou, gates=config.gates or Gates(),
        cut_low_confidence=config.low_confidence,
        pose_prior=config.pose_prior,
    )  # fmt: skip
    make_folder(config.output)
    stem = (config.image or config.smpl).stem
    with progress.bar("adapting", None) as advance:  # people and stages of the refinement
        result = adapt(
            config.smpl, config.keypoints, image=config.image, body=config.body, gender=config.gender, options=options,
            focal_length=config.focal_length, image_size=config.image_size, image_name=config.image_name,
            advance=advance,
        )  # fmt: skip
    return result, save(result, config.output, stem, mesh=config.mesh)


def save(
    result: Adapted,
    folder: Path,
    stem: str,
    *,
    mesh: MeshFormat | Literal["none"] = "glb",
    with_picture: bool = True,
) -> Path:
    """STEM_0.glb ..., STEM.png and STEM.json.

    Raises:
        UserError: the folder cannot be written.
    """
    make_folder(folder)
    files: list[str | None] = []
    for person in result.people:
        if mesh == "none":
            files.append(None)
            continue
        path = folder / f"{stem}_{person.number}.{mesh}"
        save_mesh(path, person.mesh, {"limbs": {x.limb.name.lower(): x.status for x in person.limbs}})
        files.append(path.name)
    if with_picture:
        write_atomic(folder / f"{stem}.png", png_bytes(picture(result)))
    path = folder / f"{stem}.json"
    write_atomic(path, (json.dumps(document(result, files), indent=1) + "\n").encode())
    return path


def document(result: Adapted, files: list[str | None] | None = None) -> dict[str, Any]:
    """The result as plain values."""
    people = [person.document() for person in result.people]
    for entry, file in zip(people, files or [None] * len(people), strict=True):
        entry["mesh"] = file
    return {
        "version": JSON_VERSION,
        "parameters": Path(result.params.source).name,
        "keypoints": Path(result.points.source).name,
        "body": result.rig.name,
        "notes": [*result.notes, LIMITS],
        "people": people,
    }
