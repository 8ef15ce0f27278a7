"""``ajahr measure limb``: a residual limb in millimetres, as tables, surfaces, a sheet and a page to turn it on.

ajahr measure limb left-below-knee=0.4 --stature 1.72
ajahr measure limb --prediction predictions/a.json --photo a.jpg --stature 1.72
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ajahr.body.data import load_body
from ajahr.data.files import make_folder, write_atomic
from ajahr.data.images import load_image
from ajahr.errors import UserError
from ajahr.inference.limb_pictures import END, RESIDUAL, body_meshes, limb_sheet, overlay
from ajahr.inference.mesh_files import glb_bytes, obj_bytes, ply_bytes
from ajahr.inference.predicted import PredictedEnd, PredictedPerson, read_prediction
from ajahr.inference.surfaces import swung
from ajahr.inference.viewer import Shown, save_viewer
from ajahr.render.contact_sheet import save_png
from ajahr.residual_limb.export import residual_surface
from ajahr.residual_limb.measure import LIMITS, measure, scale_of, stl_bytes
from ajahr.residual_limb.report import csv_text, document, notes_of, rows_of, summary_of, tables_of
from ajahr.residual_limb.segments import segment_of
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import CutBody, cut_limbs

_WRITERS = {"glb": glb_bytes, "obj": obj_bytes, "ply": ply_bytes}


def limb(
    ends: list[str] | None = None,
    betas: list[float] | None = None,
    body: Path | None = None,
    gender: str = "neutral",
    prediction: Path | None = None,
    person: int = 0,
    photo: Path | None = None,
    stature: float | None = None,
    segment: str | None = None,
    lambda_sd: float | None = None,
    scale_sd: float = 0.01,
    meshes: list[Literal["glb", "obj", "ply"]] | None = None,
    viewer: bool = True,
    output: Path = Path("out/limb"),
) -> None:
    """Length, circumferences, widths, volume and shape of residual limbs, by ISO 8548's words.

    Args:
        ends: Where limbs end, "left-below-knee=0.4": lambda is 0 at the distal joint, 1 at the proximal one; those
            of the prediction when left out.
        betas: Shape of the person; the mean shape by default.
        body: An SMPL or SMPL-X file, or a folder of SMPL's; the embedded body by default.
        gender: Of the body.
        prediction: JSON of `ajahr predict`: shape, residual limbs and their uncertainty, and of a picture the pose
            and the camera.
        person: Number of the person, or of the track, in it.
        photo: That picture, for the overlay.
        stature: Of the person in metres, by which everything is scaled; that of the prediction when left out, if
            one was given there.
        segment: A known bone instead, "right-below-knee=0.41", metres between joint centres.
        lambda_sd: Standard deviation of lambda; the prediction's, or 0, when left out.
        scale_sd: Relative standard deviation of the stature or bone.
        meshes: More files of the whole body, in metres: glb, obj, ply.
        viewer: Write the page to turn the body on.
        output: Folder of limb.csv, limb.json, limb.png, limb.html; with a scale, limb.stl (the body) and an STL
            of each residual limb alone in its own frame, in millimetres.
    """
    found_person = None if prediction is None else read_prediction(prediction, person)
    if betas is None and found_person is not None:
        betas = found_person.betas.tolist()
    whole = SkinnedMesh.read(body, None if betas is None else np.array(betas, np.float32), gender=gender)
    predicted = () if ends or found_person is None else _predicted(found_person, prediction, person, body)
    if not ends and not predicted:
        raise UserError(
            "no end of a limb is given; give left-below-knee=0.4, or --prediction of ajahr predict"
        )
    places = dict(_pair(text) for text in ends or ()) or {one.segment: one.fraction for one in predicted}
    sds = {one.segment: one.sd for one in predicted}
    scale = _scale(whole, stature, segment, predicted)
    cut = cut_limbs(whole, places)
    measured = [
        measure(
            cut.mesh,
            end,
            scale=scale,
            scale_sd=scale_sd if scale else 0.0,
            fraction_sd=sds.get(end.segment, 0.0) if lambda_sd is None else lambda_sd,
        )
        for end in cut.ends
    ]
    rows = [row for one, end in zip(measured, cut.ends, strict=True) for row in rows_of(one, end.fraction)]
    rotmats = None if found_person is None else _pose(found_person, predicted, cut)
    shown_photo = over = None
    if photo is not None:
        if found_person is None:
            raise UserError("--photo needs --prediction, which knows the camera and the pose; give both")
        if rotmats is None:
            raise UserError("--photo goes with a picture's prediction, and this is a video's; leave it out")
        shown_photo, over = _over(photo, found_person, cut, rotmats)
    notes = {
        one.segment.words: summary_of(one, end.fraction) for one, end in zip(measured, cut.ends, strict=True)
    }
    sheet = limb_sheet(
        cut.mesh, cut.ends, rotmats=rotmats, photo=shown_photo, photo_overlay=over, notes=notes,
        title="Residual limb" + ("s" if len(notes) > 1 else ""),
    )  # fmt: skip
    made = body_meshes(cut.mesh, cut.ends, rotmats)
    try:
        make_folder(output)
        if scale is not None:
            write_atomic(output / "limb.stl", stl_bytes(cut.mesh, scale))
            for end in cut.ends:
                _own_stl(output, cut.mesh, end, scale)
        for suffix in meshes or ():
            mesh = made["T-pose"] if rotmats is None else made["pose"]
            sized = replace(mesh, vertices=(mesh.vertices * (scale or 1.0)).astype(np.float32))
            write_atomic(output / f"limb.{suffix}", _WRITERS[suffix](sized))
        if viewer:
            tables = [
                t for one, end in zip(measured, cut.ends, strict=True) for t in tables_of(one, end.fraction)
            ]
            subtitle = "scaled by what is known of the person" if scale else "unscaled: ratios only"
            save_viewer(
                output / "limb.html", [Shown("person", made, tables)], title="Residual limb", subtitle=subtitle,
                limits=LIMITS, key={"residual limb": RESIDUAL, "its end": END},
            )  # fmt: skip
        save_png(output / "limb.png", sheet)
        write_atomic(output / "limb.json", (json.dumps(document(measured, rows), indent=1) + "\n").encode())
        write_atomic(output / "limb.csv", csv_text(rows).encode())
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}; choose another --output") from error
    for row in rows:
        at = f" at {row['from_distal_end_mm']:.0f} mm" if row["from_distal_end_mm"] != "" else ""
        sd = f" (sd {row['sd']})" if row["sd"] not in ("", 0.0) else ""
        print(f"{row['limb']}: {row['quantity']}{at} {row['value']} {row['unit']}".rstrip() + sd)
    for one in measured:
        for words in notes_of(one):
            print(f"{one.segment.words}: {words}")
    if scale is None:
        print("unscaled: ratios only; give --stature or --segment for millimetres and an STL")
    print(LIMITS)
    for name in ("limb.csv", "limb.png", *(["limb.html"] if viewer else [])):
        print(output / name)


def _predicted(
    person: PredictedPerson, path: Path | None, number: int, body: Path | None
) -> tuple[PredictedEnd, ...]:
    """The ends that a prediction tells.

    Raises:
        UserError: it tells none, or is of another body than the one to be cut.
    """
    own = load_body().name
    if person.body and body is None and person.body != own:
        raise UserError(f"{path} was predicted with the body {person.body}; give that file as --body")
    if person.body == own and body is not None:
        raise UserError(f"{path} was predicted with the embedded body, not with {body}; leave --body out")
    if not person.ends:
        told = ", ".join(f"{name.replace('_', ' ')} {words}" for name, words in person.limbs.items())
        raise UserError(
            f"{path} tells no end of a residual limb of person {number} ({told or 'no limbs'}); give the end, "
            "left-below-knee=0.4, or predict with weights that have a residual head, or with --refine rafo"
        )
    return person.ends


def _scale(
    whole: SkinnedMesh, stature: float | None, segment: str | None, predicted: tuple[PredictedEnd, ...]
) -> float | None:
    """By the stature, else a known bone, else the stature that the prediction was given."""
    scale = scale_of(whole, stature_m=stature)
    if scale is None and segment is not None:
        known, metres = _pair(segment)
        return scale_of(whole, segment_name=known, segment_m=metres)
    for one in predicted:
        if scale is None and one.bone is not None:
            return scale_of(whole, segment_name=one.segment, segment_m=one.bone)
    return scale


def _pose(person: PredictedPerson, predicted: tuple[PredictedEnd, ...], cut: CutBody) -> np.ndarray | None:
    """As predicted, bones swung to where a fit has moved them; None of a video."""
    rotmats = person.rotmats(len(cut.mesh.joints))
    for one in predicted:
        if rotmats is not None and one.anchor is not None and person.translation is not None:
            rotmats = swung(cut, rotmats, one.segment, one.anchor - person.translation)
    return rotmats


def _over(photo: Path, person: PredictedPerson, cut: CutBody, rotmats: np.ndarray):
    assert person.camera is not None
    image = load_image(photo).pixels
    shape = image.shape[1] / image.shape[0], person.camera.width / person.camera.height
    if abs(shape[0] / shape[1] - 1) > 0.02:
        raise UserError(
            f"{photo} is {image.shape[1]} x {image.shape[0]}, the prediction's picture "
            f"{person.camera.width} x {person.camera.height}; give the photograph that was predicted"
        )
    vertices = cut.mesh.pose(rotmats, person.translation)
    return image, overlay(image, person.camera, vertices, cut.mesh, cut.ends)


def _own_stl(output: Path, mesh: SkinnedMesh, end, scale: float) -> None:
    try:
        vertices, faces = residual_surface(mesh, end)
    except UserError as error:
        print(f"no STL of the limb alone: {error}")
        return
    write_atomic(output / f"{end.segment.name}.stl", stl_bytes((vertices, faces), scale))


def _pair(text: str):
    name, _, number = text.partition("=")
    try:
        return segment_of(name), float(number)
    except ValueError:
        raise UserError(f"'{text}' is not name=number; write left-below-knee=0.4") from None
