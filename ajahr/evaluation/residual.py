"""Residual limbs on a dataset: points in px, lengths and ends in mm, silhouettes; each way to say where limbs end.

One pass of the network serves every method: what differs is lambda, the end that follows, and the cut surface.
2D errors are those of ResiHMR's table: px of the original picture, pooled over all labelled points (micro-averaged),
of the common 17 body points and the 8 residual ends.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ajahr.anatomy import COCO17, J44_FROM_COCO17, JOINT, LDPOSE25, LIMBS
from ajahr.body.data import BodyData
from ajahr.data.readers.residual_people import ResidualPeople
from ajahr.errors import UserError
from ajahr.evaluation.residual_measured import ResidualMeasured
from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.evaluation.statistics import clusters_of
from ajahr.geometry.cameras import Camera
from ajahr.inference.estimator import Estimates, cut_people
from ajahr.inference.fitted import PeopleFitter
from ajahr.inference.limb_ends import Surface
from ajahr.inference.limb_points import LimbPointFinder, LimbPoints
from ajahr.inference.people import People
from ajahr.inference.person import Person, gather_people
from ajahr.inference.predictor import AJAHR
from ajahr.inference.residual import end_gates, told_ends
from ajahr.inference.surfaces import cut_surface
from ajahr.render.rasterizer import Rasterizer
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.decide import Ends, Known, Method, decide
from ajahr.residual_limb.measure import measure
from ajahr.residual_limb.segments import SEGMENTS, of_level

_RESIDUAL = list(LDPOSE25.residual)
_LIMB = np.array([int(s.limb) for s in SEGMENTS])
_ABOVE = np.array([s.bone in ("upper arm", "thigh") for s in SEGMENTS])
_LEVEL = np.where(_ABOVE, 2, 1)


@dataclass(frozen=True, eq=False)
class Case:
    """One person by one method, to draw."""

    index: int
    method: Method
    surface: Surface
    translation: Float[np.ndarray, "3"]
    camera: Camera
    person: Person
    ends_px: Float[np.ndarray, "8 2"]
    detected: Float[np.ndarray, "8 3"] | None


def evaluate_residual(
    name: str,
    model: AJAHR,
    people: ResidualPeople,
    methods: Sequence[Method],
    protocol: ResidualProtocol | None = None,
    *,
    finder: LimbPointFinder | None = None,
    fitter: PeopleFitter | None = None,
    batch_size: int = 16,
    advance: Callable[[], None] = lambda: None,
    on_case: Callable[[Case], None] | None = None,
) -> list[ResidualMeasured]:
    """Measure a model with each method.

    Args:
        name: of the model, in reports.
        finder: a model of 25 keypoints: shows BPAC-Net its body points and gives the ends that fits use. Without one
            BPAC-Net sees the labelled body points, and methods that fit are refused: a fit to labels is no result.
        fitter: moves bodies onto the detected points before limbs end anywhere; needs the finder.
        advance: called after each batch.
        on_case: gets every person by every method.

    Raises:
        UserError: a method that the model or the missing finder does not allow, or a picture that cannot be read.
    """
    protocol = protocol or ResidualProtocol()
    check_methods(methods, finder is not None)
    if fitter is not None and finder is None:
        raise UserError("bodies are fitted to detected points; give a model of 25 keypoints")
    rows = _Rows(people, methods, protocol, model.painter.body)
    started = time.perf_counter()
    for start in range(0, len(people), batch_size):
        index = range(start, min(start + batch_size, len(people)))
        persons, estimates, points = _predicted(model, people, index, protocol, finder)
        if fitter is not None:
            persons = list(fitter(persons))
        rows.add(index, persons, estimates, points, on_case)
        advance()
    return rows.results(name, time.perf_counter() - started)


def check_methods(methods: Sequence[Method], detected: bool) -> None:
    """UserError for a method that fits to ends where nothing detects them."""
    fits = [m for m in methods if m.endswith("rafo")]
    if fits and not detected:
        raise UserError(f"{fits[0]} needs detected residual ends; give a model of 25 keypoints")


def _predicted(
    model: AJAHR,
    people: ResidualPeople,
    index: range,
    protocol: ResidualProtocol,
    finder: LimbPointFinder | None,
) -> tuple[list[Person], Estimates, LimbPoints | None]:
    persons: list[Person] = []
    parts: list[Estimates] = []
    found: list[LimbPoints] = []
    for i in index:
        image = people.load(i)
        box = _enlarged(people.boxes_xyxy[i], protocol.box_scale)
        keypoints = people.points[i, : len(COCO17)].astype(np.float32)
        keypoints[:, 2] = keypoints[:, 2] > 0
        seen = None
        if finder is not None:
            # a keypoint model adds its own margin
            tight = people.boxes_xyxy[i : i + 1].astype(np.float32) / np.float32(image.reduction)
            seen = finder.limb_points(image.pixels, tight).scaled(image.reduction)
            found.append(seen)
            keypoints = seen.coco[0]
        one = People.of(box[None], None, keypoints[None])
        crops = cut_people(image, one, model.keypoint_frame)
        levels = people.levels[i : i + 1] if protocol.labels == "truth" else None
        estimates = model.estimator(crops, levels)
        focal = people.focal_length[i]
        width, height = image.full_size
        camera = (
            Camera.centred(width, height, float(focal))
            if np.isfinite(focal)
            else model.camera(image.full_size)
        )
        persons += gather_people(one, crops, estimates, camera, first=i, points=seen)
        parts.append(estimates)
    points = None
    if found:
        points = LimbPoints(
            **{
                f.name: np.concatenate([getattr(p, f.name) for p in found])
                for f in dataclasses.fields(LimbPoints)
            }
        )
    return persons, Estimates.joined(parts), points


def _enlarged(box: np.ndarray, scale: float) -> np.ndarray:
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * scale
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


class _Rows:
    """Numbers of each person, filled in batch by batch."""

    def __init__(
        self, people: ResidualPeople, methods: Sequence[Method], protocol: ResidualProtocol, body: BodyData
    ) -> None:
        self.people, self.methods, self.protocol, self.body = people, tuple(methods), protocol, body
        self.cutter = LimbCutter(body)
        count = len(people)
        names = ("fraction", "lambda_error", "within_95", "end_mm", "length_mm", "volume_ml", "volume_share")
        self.columns: dict[Method, dict[str, np.ndarray]] = {
            m: {name: np.full((count, 8), np.nan) for name in names}
            | {"points_px": np.full((count, 25), np.nan), "iou": np.full(count, np.nan)}
            | {"status": np.full((count, 8), "", object)}
            for m in self.methods
        }
        self.failures: dict[Method, dict[str, str]] = {m: {} for m in self.methods}

    def add(
        self,
        index: range,
        persons: list[Person],
        estimates: Estimates,
        points: LimbPoints | None,
        on_case: Callable[[Case], None] | None,
    ) -> None:
        seen = sd = None
        if points is not None:
            seen = np.stack([told_ends(person) for person in persons])
            spread = points.sd_px[:, _RESIDUAL].astype(np.float64)
            sd = np.where(np.isfinite(spread), np.maximum(spread, 1.0), 2.0)
        joints = np.stack([p.joints + p.translation for p in persons]).astype(np.float64)
        heights = np.array([float(p.bbox_xyxy[3] - p.bbox_xyxy[1]) for p in persons])
        known = Known(
            joints, [p.camera for p in persons], estimates.residual_lambda, estimates.residual_std, seen,
            2.0 if sd is None else sd,
        )  # fmt: skip
        gates = end_gates(by_peak=True)
        masks = [self.people.load_mask(i) for i in index]
        for method in self.methods:
            ends = decide(method, known, gates=gates, heights_px=heights)
            for row, (i, person) in enumerate(zip(index, persons, strict=True)):
                self._person(
                    method, i, person, ends, row, masks[row], None if seen is None else seen[row], on_case
                )

    def _person(
        self,
        method: Method,
        i: int,
        person: Person,
        ends: Ends,
        row: int,
        mask: np.ndarray | None,
        detected: np.ndarray | None,
        on_case: Callable[[Case], None] | None,
    ) -> None:
        people, column = self.people, self.columns[method]
        labelled = people.points[i, :, 2] > 0
        fraction, end = self._left(person, ends, row)
        ours = np.concatenate([person.keypoints_2d[list(J44_FROM_COCO17)], person.camera.project(end)])
        error = np.linalg.norm(ours - people.points[i, :, :2], axis=1)
        finite = np.isfinite(person.vertices).all()
        column["points_px"][i] = np.where(labelled & finite, error, np.nan)
        there = labelled[_RESIDUAL] & finite
        column["fraction"][i] = np.where(there, fraction, np.nan)
        if method.endswith("rafo"):
            column["status"][i] = np.where(there, ends.status[row].astype(str), "")
        surface, drawn = self._surface(method, i, person, ends, row, there)
        if mask is not None and surface is not None:
            column["iou"][i] = iou(silhouette(surface, person), mask)
        if people.truth is not None:
            self._against_truth(method, i, person, ends, row, fraction, end, there, drawn)
        if on_case is not None and drawn is not None:
            pixels = person.camera.project(end)
            on_case(Case(i, method, drawn, person.translation, person.camera, person, pixels, detected))

    def _left(self, person: Person, ends: Ends, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Lambda and end by segment, as the protocol takes them."""
        fraction, end = ends.fraction[row].copy(), ends.end[row].copy()
        if self.protocol.segment == "predicted":
            said = person.limb_levels[_LIMB]
            fraction = np.where(said < _LEVEL, 0.0, np.where(said > _LEVEL, 1.0, fraction))
            joints = (person.joints + person.translation).astype(np.float64)
            upstream = joints[[s.upstream for s in SEGMENTS]]
            moved = ends.anchor[row] + fraction[:, None] * (upstream - ends.anchor[row])
            end = np.where((said != _LEVEL)[:, None], moved, end)
        return fraction, end

    def _surface(
        self, method: Method, i: int, person: Person, ends: Ends, row: int, there: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray] | None, Surface | None]:
        """Vertices (camera frame, m) and faces of the body as this method leaves it, and its cut surface."""
        plain = person.vertices_cam, self.body.faces
        if not np.isfinite(person.vertices).all():
            return None, None
        wanted = self._cuts(person, ends, row, there)
        if not wanted:
            return plain, None
        cuts = {SEGMENTS[k]: float(ends.fraction[row, k]) for k in wanted}
        moved = {SEGMENTS[k]: ends.anchor[row, k] - person.translation for k in wanted if ends.fitted[row, k]}
        try:
            surface = cut_surface(
                self.cutter, person.betas, person.pose_rotmat, person.limb_levels, cuts, moved
            )
        except UserError as error:
            self.failures[method][self.people.keys[i]] = str(error)
            return plain, None
        return (surface.vertices + person.translation, surface.faces), surface

    def _cuts(self, person: Person, ends: Ends, row: int, there: np.ndarray) -> list[int]:
        """Segments to cut: annotated ends, or where the model says that limbs end."""
        if self.protocol.segment == "annotated":
            return np.flatnonzero(there).tolist()
        found = [of_level(limb, int(person.limb_levels[limb])) for limb in LIMBS]
        return [SEGMENTS.index(one[0]) for one in found if one is not None and one[1] < 1]

    def _against_truth(
        self,
        method: Method,
        i: int,
        person: Person,
        ends: Ends,
        row: int,
        fraction: np.ndarray,
        end: np.ndarray,
        there: np.ndarray,
        surface: Surface | None,
    ) -> None:
        truth, column = self.people.truth, self.columns[method]
        assert truth is not None
        known = there & np.isfinite(truth.fraction[i])
        off = np.abs(fraction - truth.fraction[i])
        column["lambda_error"][i] = np.where(known, off, np.nan)
        if method in ("head", "rafo", "head+rafo"):
            column["within_95"][i] = np.where(known, off <= 1.96 * ends.sd[row], np.nan)
        pelvis = person.joints[JOINT["pelvis"]] + person.translation
        place = np.linalg.norm((end - pelvis) - (truth.ends[i] - truth.pelvis[i]), axis=1)
        column["end_mm"][i] = np.where(known, 1000 * place, np.nan)
        joints = person.joints.astype(np.float64)
        bones = np.array([np.linalg.norm(joints[s.anchor] - joints[s.upstream]) for s in SEGMENTS])
        column["length_mm"][i] = np.where(
            known, np.abs(1000 * (1 - fraction) * bones - truth.length_mm[i]), np.nan
        )
        if surface is None:
            return
        for cut in surface.ends:
            k = SEGMENTS.index(cut.segment)
            if known[k] and truth.volume_ml[i, k] > 0:
                volume = 1e6 * measure(surface.cut, cut).volume
                error = abs(volume - truth.volume_ml[i, k])
                column["volume_ml"][i, k], column["volume_share"][i, k] = error, error / truth.volume_ml[i, k]

    def results(self, name: str, seconds: float) -> list[ResidualMeasured]:
        people = self.people
        clusters = clusters_of(people.pictures)
        return [
            ResidualMeasured(
                model=name, method=method, dataset=people.name, protocol=self.protocol, keys=people.keys,
                clusters=clusters, cut_failures=self.failures[method], seconds=seconds, notes=people.notes,
                **self.columns[method],
            )
            for method in self.methods
        ]  # fmt: skip


def silhouette(surface: tuple[np.ndarray, np.ndarray], person: Person) -> Bool[np.ndarray, "height width"]:
    """Where a mesh (camera frame, m) covers the picture, whatever stands before it."""
    vertices, faces = surface
    drawn = Rasterizer(faces).render(vertices.astype(np.float32), person.camera, samples=1)
    return np.asarray(np.isfinite(drawn.depth))


def iou(a: Bool[np.ndarray, "height width"], b: Bool[np.ndarray, "_ _"]) -> float:
    """Intersection over union; NaN where both are empty or sizes differ."""
    if a.shape != b.shape:
        return float("nan")
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")
