"""People through a video: found frame by frame, tracked, judged once for the whole of it.

A file is read twice. First every frame is predicted and people are tracked; then each track gets one limb
status (`ajahr.inference.fusion`), one shape (the median) and one length of each residual limb, its body is cut once,
frames the status contradicts are regressed again with the right tokenizer, short gaps are filled from boxes in
between, and the overlay is drawn. A camera is read once: its status is what is known by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera, crop_to_full_translation
from ajahr.inference.ahead import in_order
from ajahr.inference.estimator import cut_people
from ajahr.inference.frames import VideoFile, VideoFrames
from ajahr.inference.fusion import LimbFusion
from ajahr.inference.given import GivenPeople
from ajahr.inference.people import People
from ajahr.inference.person import Person
from ajahr.inference.person_track import PersonTrack, Sighting
from ajahr.inference.predictor import AJAHR, Request, as_loaded
from ajahr.inference.residual import seen_ends
from ajahr.inference.results import ImageResult
from ajahr.inference.tracks import Tracker

_DRAWERS = 2


@dataclass(eq=False)
class VideoResult:
    """The people of a video."""

    name: str
    camera: Camera
    fps: float
    frames: int
    """Read, damaged ones not counted."""
    damaged: list[int]
    """Numbers of frames that could not be decoded."""
    tracks: list[PersonTrack]
    overlay: Path | None = None
    body: str = ""
    """Name of the body that ``betas`` are of."""


class VideoPredictor:
    """Predicts one video.

    Args:
        model: the predictor.
        given: people by frame number; the model's detector where None.
        max_gap: frames a person may be out of sight and still be the same track.
        tick: called once a frame and pass.
    """

    def __init__(
        self,
        model: AJAHR,
        *,
        given: GivenPeople | None = None,
        max_gap: int = 15,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._model, self._given, self._tick = model, given, tick
        self._tracker, self._max_gap = Tracker(max_gap=max_gap), max_gap
        self._body = FastBody(model.painter.body)
        self._tracks: dict[int, PersonTrack] = {}
        self._damaged: list[int] = []
        self._read = 0
        self._camera = Camera.hmr(1, 1)

    def run(
        self, source: str | Path | int, overlay: Path | None = None, *, max_frames: int | None = None
    ) -> VideoResult:
        """Predict, and draw an overlay video if a path is given.

        A camera is read until ``max_frames`` or Ctrl-C.

        Raises:
            UserError: no such file or camera, not one readable frame, or the overlay cannot be written.
        """
        with VideoFrames(source) as frames:
            fps, name = frames.fps, frames.name
            if frames.live:
                written = self._live(frames, overlay, max_frames)
            else:
                self._look(frames, max_frames)
        if not isinstance(source, int):
            redo = self._settle()
            written = self._draw(source, overlay, fps, max_frames, redo)
        tracks = [self._tracks[number] for number in sorted(self._tracks)]
        if isinstance(source, int):
            for track in tracks:
                track.hear_apart()
        body = self._model.painter.body.name
        return VideoResult(name, self._camera, fps, self._read, self._damaged, tracks, written, body)

    # ----------------------------------------------------------------------------------- first pass

    def _look(self, frames: VideoFrames, max_frames: int | None) -> None:
        def requests() -> Iterator[Request]:
            for index, pixels in frames:
                if max_frames is not None and index >= max_frames:
                    return
                if pixels is None:
                    self._damaged.append(index)
                    self._tick()
                else:
                    yield self._request(index, pixels)

        for result in self._model.predict_many(requests()):
            if isinstance(result, ImageResult):
                self._add(int(result.name), result)
                self._tick()

    def _request(self, index: int, pixels: np.ndarray) -> Request:
        people = None
        if self._given is not None:
            people = self._given.of(str(index)) or People.nobody()
        return Request(pixels, people, str(index), residual_limbs=False)

    def _add(self, index: int, result: ImageResult) -> list[tuple[PersonTrack, Sighting]]:
        self._camera = result.camera
        self._read += 1
        boxes = [person.bbox_xyxy for person in result.people]
        numbers = self._tracker.update(index, np.array(boxes, np.float32).reshape(-1, 4))
        added = []
        for number, person in zip(numbers.tolist(), result.people, strict=True):
            threshold = self._model.estimator.loss_threshold
            track = self._tracks.setdefault(number, PersonTrack(number, [], loss_threshold=threshold))
            ends = seen_ends(person, refine=self._model.refine != "none")
            track.sightings.append(Sighting.of(index, person, ends))
            added.append((track, track.sightings[-1]))
        return added

    # ---------------------------------------------------------------------------------- second pass

    def _settle(self) -> dict[int, list[tuple[PersonTrack, Sighting]]]:
        """Status of every track; which sightings to regress again, by frame."""
        redo: defaultdict[int, list[tuple[PersonTrack, Sighting]]] = defaultdict(list)
        for track in self._tracks.values():
            track.settle()
            track.cut(self._model.limb_cutter, self._model.stature)
            wrong = [one for one in track.sightings if one.amputee != track.is_amputee]
            for sighting in [*track.fill_gaps(self._max_gap), *wrong]:
                redo[sighting.frame].append((track, sighting))
        return redo

    def _draw(
        self,
        source: str | Path,
        overlay: Path | None,
        fps: float,
        max_frames: int | None,
        redo: dict[int, list[tuple[PersonTrack, Sighting]]],
    ) -> Path | None:
        by_frame: defaultdict[int, list[tuple[PersonTrack, Sighting]]] = defaultdict(list)
        for track in self._tracks.values():
            for sighting in track.sightings:
                by_frame[sighting.frame].append((track, sighting))

        def frames() -> Iterator[tuple[int, np.ndarray]]:
            with VideoFrames(source) as again:
                for index, pixels in again:
                    if max_frames is not None and index >= max_frames:
                        return
                    if pixels is None:
                        for track, sighting in redo.get(index, ()):
                            self._carry_on(track, sighting)
                        self._tick()
                    else:
                        if redo.get(index):
                            self._regress(pixels, redo[index])
                        yield index, pixels

        def draw(item: tuple[int, np.ndarray]) -> np.ndarray | None:
            drawn = overlay is not None
            people = [self._posed(t, s, surface=drawn) for t, s in by_frame.get(item[0], ())]
            if not drawn:
                return None
            return self._model.painter.overlay(item[1], self._camera, people)

        if overlay is None:
            for _ in in_order(draw, frames(), threads=_DRAWERS):
                self._tick()
            return None
        with VideoFile(overlay, fps) as file:
            for picture in in_order(draw, frames(), threads=_DRAWERS):
                assert picture is not None
                file.add(picture)
                self._tick()
            return file.finish()

    def _regress(self, pixels: np.ndarray, pairs: list[tuple[PersonTrack, Sighting]]) -> None:
        """Sightings again, with their tracks' limb levels given."""
        people = People.of(
            np.stack([s.box for _, s in pairs]), [s.score for _, s in pairs],
            np.stack([s.keypoints for _, s in pairs]),
        )  # fmt: skip
        crops = cut_people(as_loaded(pixels), people, self._model.keypoint_frame)
        found = self._model.estimator(crops, np.stack([track.limb_levels for track, _ in pairs]))
        for k, (track, sighting) in enumerate(pairs):
            sighting.amputee = track.is_amputee
            sighting.pose_rotmat, sighting.crop_camera = found.pose_rotmat[k], found.crop_camera[k]
            sighting.betas = found.betas[k]
            sighting.centre, sighting.side = crops.centres[k], float(crops.sides[k])

    def _carry_on(self, track: PersonTrack, sighting: Sighting) -> None:
        """A sighting in a frame that cannot be read: as in the frame before, where the boxes in between are."""
        before = [one for one in track.sightings if one.frame < sighting.frame][-1]
        sighting.amputee = before.amputee
        sighting.pose_rotmat, sighting.crop_camera = before.pose_rotmat, before.crop_camera
        self._posed(track, sighting)

    def _posed(self, track: PersonTrack, sighting: Sighting, *, surface: bool = False) -> Person:
        """The person of a sighting with the track's limbs and shape; fills the sighting's 3D.

        Args:
            surface: pose the cut surface too, where there is one.
        """
        camera = self._camera
        translation = crop_to_full_translation(
            sighting.crop_camera[None].astype(np.float32),
            sighting.centre[None].astype(np.float32),
            np.array([sighting.side], np.float32),
            np.array([camera.width, camera.height], np.float32),
            np.array([camera.focal_length], np.float32),
        )[0].astype(np.float32)
        person = Person(
            number=track.number, bbox_xyxy=sighting.box.astype(np.float32), score=sighting.score,
            keypoints=sighting.keypoints.astype(np.float32), limb_levels=track.limb_levels,
            limb_probabilities=track.limb_probabilities, pose_rotmat=sighting.pose_rotmat,
            betas=track.betas, crop_camera=sighting.crop_camera, crop_centre=sighting.centre,
            crop_side=sighting.side, translation=translation, camera=camera,
            vertices=np.zeros((0, 3), np.float32), joints=sighting.joints,
            keypoints_3d=sighting.keypoints_3d,
        )  # fmt: skip
        posed = self._body(track.betas, sighting.pose_rotmat, person.absent_joints)
        sighting.translation = translation
        sighting.joints, sighting.keypoints_3d = posed.joints, posed.keypoints_44
        sighting.ends = track.ends_in(posed.joints + translation)
        person = person.with_body(posed.vertices, posed.joints, posed.keypoints_44)
        cut = track.surface.pose(sighting.pose_rotmat) if surface and track.surface is not None else None
        return replace(person, residual_limbs=sighting.ends, surface=cut)

    # ----------------------------------------------------------------------------------------- live

    def _live(self, frames: VideoFrames, overlay: Path | None, max_frames: int | None) -> Path | None:
        threshold = self._model.estimator.loss_threshold
        fusions = defaultdict[int, LimbFusion](lambda: LimbFusion(threshold=threshold))
        file = None if overlay is None else VideoFile(overlay, frames.fps)
        try:
            for index, pixels in frames:
                if max_frames is not None and index >= max_frames:
                    break
                if pixels is None:
                    continue
                request = self._request(index, pixels)
                pairs = self._add(index, self._model.predict_one(request))
                for track, sighting in pairs:
                    if sighting.probabilities is not None:
                        fusion = fusions[track.number]
                        fusion.update(sighting.probabilities, max(sighting.score, 1e-3))
                        track.limb_levels = fusion.levels
                        track.limb_probabilities = fusion.probabilities.astype(np.float32)
                    recent = [one.betas for one in track.sightings[-30:]]
                    track.betas = np.median(recent, axis=0).astype(np.float32)
                    track.settle_ends(live=True)
                    track.cut(self._model.limb_cutter, self._model.stature)
                wrong = [(t, s) for t, s in pairs if s.amputee != t.is_amputee]
                if wrong:
                    self._regress(pixels, wrong)
                people = [self._posed(track, sighting, surface=file is not None) for track, sighting in pairs]
                if file is not None:
                    file.add(self._model.painter.overlay(pixels, self._camera, people))
                self._tick()
        except KeyboardInterrupt:
            pass  # the way to stop a camera; what was seen is kept
        return None if file is None else file.finish()
