"""What prediction writes for a video: an npz per track, and a JSON that names everything."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import LEVEL_NAMES, LIMBS, levels_to_indices
from ajahr.data.files import make_folder, write_atomic
from ajahr.inference.limb_ends import LimbEnd
from ajahr.inference.person import amputation, chances_by_name, judgement
from ajahr.inference.person_track import PersonTrack
from ajahr.inference.results import JSON_VERSION
from ajahr.inference.video import VideoResult
from ajahr.residual_limb.segments import SEGMENTS


def track_arrays(track: PersonTrack, result: VideoResult) -> dict[str, np.ndarray]:
    """The npz of one track. n frames, in which the person is seen or filled in; camera frame, m, px.

    =================== ============= ==============================================================
    frame               (n,)          number in the video, from 0
    filled              (n,)          True: between two sightings, from boxes on a straight line; where the
                                      frame cannot be read, in the pose of the frame before
    bbox_xyxy, score    (n, 4), (n,)
    keypoints_coco17    (n, 17, 3)    what BPAC-Net was told: x, y, confidence
    limb_levels         (4,)          one answer for the whole track, in `ajahr.anatomy.Limb` order
    limb_probabilities  (4, 4)        fused; NaN without BPAC-Net
    frame_probabilities (n, 4, 4)     of each frame alone; NaN where there is none
    residual_segment    (4,)          bone in which a limb ends, an index of `SEGMENTS`; -1: it does not, or it is
                                      not known where
    residual_lambda     (4,)          where on that bone, one answer for the whole track; NaN where -1
    residual_lambda_sd  (4,)
    residual_length     (4,)          m, of the bone that is left; of the body's own size unless residual_scaled
    residual_scaled     ()            whether a stature was given
    residual_ends_3d    (n, 4, 3)     with the translation; NaN where -1
    frame_lambda        (n, 4)        on that bone, of each frame alone; NaN where there is none
    betas               (10,)         median over the track
    pose_rotmat         (n, 24, 3, 3) global_orient first; absent joints as regressed
    translation         (n, 3)        of the body before the whole picture's camera
    joints_3d           (n, 24, 3)    with the translation
    keypoints_3d        (n, 44, 3)    likewise
    keypoints_2d        (n, 44, 2)    px
    focal_length, image_size, fps     of the video
    =================== ============= ==============================================================
    """
    sightings = track.sightings
    nothing = np.full((4, 4), np.nan, np.float32)

    def stacked(values: list[Any], dtype: Any = np.float32) -> np.ndarray:
        return np.stack([np.asarray(value) for value in values]).astype(dtype)

    translation = stacked([one.translation for one in sightings])
    keypoints_3d = stacked([one.keypoints_3d for one in sightings]) + translation[:, None]
    fused = nothing if track.limb_probabilities is None else track.limb_probabilities
    return {
        "frame": stacked([one.frame for one in sightings], np.int64),
        "filled": stacked([one.filled for one in sightings], bool),
        "bbox_xyxy": stacked([one.box for one in sightings]),
        "score": stacked([one.score for one in sightings]),
        "keypoints_coco17": stacked([one.keypoints for one in sightings]),
        "limb_levels": track.limb_levels.astype(np.int64),
        "limb_probabilities": fused.astype(np.float32),
        "frame_probabilities": stacked(
            [nothing if one.probabilities is None else one.probabilities for one in sightings]
        ),
        **_residual_arrays(track),
        "betas": track.betas.astype(np.float32),
        "pose_rotmat": stacked([one.pose_rotmat for one in sightings]),
        "translation": translation,
        "joints_3d": stacked([one.joints for one in sightings]) + translation[:, None],
        "keypoints_3d": keypoints_3d,
        "keypoints_2d": result.camera.project(keypoints_3d).astype(np.float32),
        "focal_length": np.array(result.camera.focal_length, np.float32),
        "image_size": np.array([result.camera.width, result.camera.height], np.int64),
        "fps": np.array(result.fps, np.float32),
    }


def _residual_arrays(track: PersonTrack) -> dict[str, np.ndarray]:
    known = track.limb_ends
    gap = np.full(3, np.nan)

    def of_limbs(value: Callable[[LimbEnd], float]) -> np.ndarray:
        return np.array([np.nan if one is None else value(one) for one in known], np.float32)

    alone = np.full((len(track.sightings), len(known)), np.nan, np.float32)
    for row, sighting in zip(alone, track.sightings, strict=True):
        for limb, one in enumerate(known):
            if one is not None and sighting.seen_ends is not None:
                k = SEGMENTS.index(one.segment)
                if sighting.seen_ends.known[k]:
                    row[limb] = sighting.seen_ends.ends.fraction[0, k]
    places = [[gap if one is None else one.end for one in sighting.ends] for sighting in track.sightings]
    return {
        "residual_segment": np.array(
            [-1 if one is None else SEGMENTS.index(one.segment) for one in known], np.int64
        ),
        "residual_lambda": of_limbs(lambda one: one.fraction),
        "residual_lambda_sd": of_limbs(lambda one: one.sd),
        "residual_length": of_limbs(lambda one: one.length),
        "residual_scaled": np.array(any(one is not None and one.scaled for one in known)),
        "residual_ends_3d": np.array(places, np.float32),
        "frame_lambda": alone,
    }


def video_document(result: VideoResult, files: list[str]) -> dict[str, Any]:
    """The JSON of a video."""
    tracks = []
    for track, file in zip(result.tracks, files, strict=True):
        limbs = {}
        for limb in LIMBS:
            level, names = int(track.limb_levels[limb]), LEVEL_NAMES[limb.is_arm]
            entry: dict[str, Any] = {"status": names[level], "level": level}
            if track.limb_probabilities is not None:
                entry["probabilities"] = chances_by_name(track.limb_probabilities[limb], names)
            for key, told in (
                ("from_bpac", track.from_bpac),
                ("from_keypoints", track.from_keypoints),
                ("fused", track.limb_probabilities),
            ):
                entry[key] = judgement(told, limb, names)
            one, fused = track.limb_ends[limb], track.ends[limb]
            entry["amputation"] = amputation(limb, level, one)
            if one is not None and fused is not None:  # places are each frame's, in the npz
                entry["residual"] = {**one.facts(), "frames": fused.frames}
            limbs[limb.name.lower()] = entry
        tracks.append(
            {
                "number": track.number,
                "file": file,
                "first_frame": track.sightings[0].frame,
                "last_frame": track.sightings[-1].frame,
                "frames": sum(not one.filled for one in track.sightings),
                "filled_frames": sum(one.filled for one in track.sightings),
                "amputee": track.is_amputee,
                "ajahr_index": list(levels_to_indices(track.limb_levels.tolist())),
                "limbs": limbs,
                "betas": np.round(track.betas.astype(np.float64), 5).tolist(),
            }
        )
    return {
        "version": JSON_VERSION,
        "source": Path(result.name).name,
        "width": result.camera.width,
        "height": result.camera.height,
        "fps": result.fps,
        "frames": result.frames,
        "damaged_frames": result.damaged,
        "focal_length": round(float(result.camera.focal_length), 3),
        "body": result.body,
        "overlay": None if result.overlay is None else result.overlay.name,
        "tracks": tracks,
    }


def save_video_result(
    result: VideoResult, folder: Path, stem: str, extra: dict[str, Any] | None = None
) -> Path:
    """Write STEM_track0.npz ... and STEM.json, the JSON last, with ``extra`` entries. Returns its path.

    Raises:
        UserError: the folder cannot be written.
    """
    make_folder(folder)
    files = []
    for track in result.tracks:
        data = io.BytesIO()
        np.savez_compressed(data, **track_arrays(track, result))  # type: ignore[arg-type]
        files.append(f"{stem}_track{track.number}.npz")
        write_atomic(folder / files[-1], data.getvalue())
    path = folder / f"{stem}.json"
    write_atomic(path, json.dumps({**video_document(result, files), **(extra or {})}).encode())
    return path
