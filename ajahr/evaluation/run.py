"""A model over a dataset: everybody once, both bodies' meshes made, compared and forgotten batch by batch.

    measured = evaluate("mine", regressor, dataset, TrueBodies(None), [protocol, protocol.variant(labels="predicted")])

One pass of the network serves every variant of the protocol: only the body is posed again. What is kept is a few
numbers per person, so memory does not grow with meshes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ajahr.anatomy import ABSENT_TABLE
from ajahr.body.body import Body, PosedBody
from ajahr.body.data import load_body
from ajahr.data.batch import Batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset, check_boxes
from ajahr.data.hmr.detector_noise import DetectorNoise
from ajahr.data.hmr.loader import plain_loader
from ajahr.data.hmr.samples import GENDER_CODES
from ajahr.data.images import ImageError
from ajahr.errors import UserError
from ajahr.evaluation.benchmarks import Dataset, has_body
from ajahr.evaluation.measured import Measured, occlusions, views
from ajahr.evaluation.metrics import joint_errors, mve_by_limb_mm, mve_mm, pck
from ajahr.evaluation.protocols import Protocol
from ajahr.evaluation.statistics import clusters_of
from ajahr.models.outputs import RegressorOutput
from ajahr.models.pretrained import load_pretrained, read_stamp
from ajahr.models.regressor import Regressor
from ajahr.training.hmr_losses import absent_joints
from ajahr.training.hmr_module import load_trained

NOISE = {"truth": DetectorNoise(mode="truth"), "detector": DetectorNoise()}
BATCH_SIZE = 32


def load_regressor(path: str | Path, body: Body) -> Regressor:
    """A folder of trained or imported weights, its model.safetensors, or a checkpoint of `ajahr fit`.

    Raises:
        UserError, InputError: no such file, a damaged or foreign one, another body, or no tokenizer in it.
    """
    path = Path(path)
    if path.suffix == ".ckpt":
        return load_trained(path, body)
    file = path / "model.safetensors" if path.is_dir() else path
    if file.is_file():
        names = read_stamp(file).config.tokenizer_names
        try:
            with safe_open(file, framework="pt") as opened:
                inside = set(opened.keys())
        except (SafetensorError, OSError) as error:
            raise UserError(f"{file}: no whole safetensors file ({error}); copy it again") from error
        for name in names:
            if not any(key.startswith(f"switch.decoders.{name}.") for key in inside):
                raise UserError(
                    f"{file}: no tokenizer '{name}' in it, without which its codes are no pose; export the run "
                    "again, or import the published weights together with their tokenizers"
                )
    return load_pretrained(path, body)


class TrueBodies:
    """Bodies that true parameters are of, by gender, read when first needed.

    Args:
        path: SMPL's folder; None: the embedded body's.
    """

    def __init__(self, path: str | Path | None, device: str | torch.device = "cpu") -> None:
        self.path, self.device = path, device
        self._bodies: dict[str, Body] = {}

    def __getitem__(self, gender: str) -> Body:
        if gender not in self._bodies:
            self._bodies[gender] = Body(load_body(self.path, gender=gender)).to(self.device)
        return self._bodies[gender]


@torch.no_grad()
def evaluate(
    name: str,
    regressor: Regressor,
    dataset: Dataset,
    bodies: TrueBodies,
    variants: Sequence[Protocol] | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> list[Measured]:
    """Measure everybody.

    Args:
        name: Of the model, in reports.
        regressor: In evaluation mode, where it shall run.
        bodies: On the same device.
        variants: Of the dataset's protocol; those that show BPAC-Net the same keypoints share a pass.
        advance: Called after each batch.

    Raises:
        UserError: a picture that cannot be read (a benchmark with people left out is another one), or a true
            body with another number of vertices than the model's.
    """
    check_boxes(dataset.tables)
    variants = list(variants or [dataset.protocol])
    found: dict[Protocol, Measured] = {}
    device = regressor.mean_pose.device
    for mine in passes(regressor, variants):
        loader = plain_loader(
            HmrDataset(dataset.tables, CropConfig(None), skip_broken=False),
            batch_size,
            workers=workers,
            noise=NOISE[mine[0].keypoints],
        )
        batches = (packed.to(device).unpack() for packed in loader)
        try:
            found |= measure(name, regressor, dataset, bodies, mine, batches, advance)
        except ImageError as error:
            cause = str(error).strip().splitlines()[-1].removeprefix("ajahr.data.images.ImageError: ")
            raise UserError(f"{dataset.label}: {cause}") from error
    return [found[one] for one in variants]


def passes(regressor: Regressor, variants: Sequence[Protocol]) -> list[list[Protocol]]:
    """Variants that one pass of the network serves: those that show it the same keypoints, if it looks at any."""
    if regressor.bpac is None or not regressor.bpac.sees_keypoints:
        return [list(variants)]
    kinds = dict.fromkeys(one.keypoints for one in variants)
    return [[one for one in variants if one.keypoints == kind] for kind in kinds]


@torch.no_grad()
def measure(
    name: str,
    regressor: Regressor,
    dataset: Dataset,
    bodies: TrueBodies,
    variants: Sequence[Protocol],
    batches: Iterable[Batch],
    advance: Callable[[], None] = lambda: None,
) -> dict[Protocol, Measured]:
    """One pass over everybody, batch by batch in the dataset's order, for the variants of one of `passes`."""
    people = _Rows(dataset, variants, regressor.bpac is not None)
    started = time.perf_counter()
    for batch in batches:
        people.add(regressor, bodies, batch)
        advance()
    return people.results(name, time.perf_counter() - started)


class _Rows:
    """Numbers of each person, filled in batch by batch."""

    def __init__(self, dataset: Dataset, variants: Sequence[Protocol], has_bpac: bool) -> None:
        self.dataset, self.variants, self.has_bpac = dataset, variants, has_bpac
        count = len(dataset)
        self.filled = 0
        self.levels = dataset.column("levels").astype(np.int64)
        self.genders = dataset.column("gender")
        self.has_body = has_body(dataset)
        self.said = np.zeros((count, 4), np.int64)
        self.probabilities = np.full((count, 4, 4), np.nan)
        self.finite = np.zeros(count, bool)
        self.points_2d = np.full((count, len(dataset.protocol.joints), 2), np.nan)
        self.errors = {v: {m: np.full(count, np.nan) for m in v.metrics} for v in variants}
        self.measured = {v: {m: np.zeros(count, bool) for m in v.metrics} for v in variants}
        self.by_limb: dict[Protocol, dict[str, dict[str, np.ndarray]]] = {
            v: {m: {} for m in v.metrics} for v in variants
        }

    def add(self, regressor: Regressor, bodies: TrueBodies, batch: Batch) -> None:
        rows = np.arange(self.filled, self.filled + len(batch))
        self.filled += len(batch)
        output = regressor(batch.image, shown_keypoints(regressor, batch))
        self.finite[rows] = _finite(output).cpu().numpy()
        if output.limb_logits is not None:
            self.said[rows] = output.limb_levels.cpu().numpy()
        if output.limb_probabilities is not None:
            self.probabilities[rows] = output.limb_probabilities.double().cpu().numpy()
        if self.dataset.protocol.pck_at:
            flat = output.keypoints_2d[:, self.dataset.protocol.joint_rows]
            side, middle = batch.box_size[:, None, None], batch.box_center[:, None]
            self.points_2d[rows] = (flat * side + middle).cpu().numpy()
        if self.dataset.protocol.pelvis:
            self._compare(regressor, bodies, batch, output, rows)

    def _compare(
        self,
        regressor: Regressor,
        bodies: TrueBodies,
        batch: Batch,
        output: RegressorOutput,
        rows: np.ndarray,
    ) -> None:
        table = torch.tensor(ABSENT_TABLE, device=batch.image.device)
        truth = None
        if any(one.mesh or one.true_joints == "mesh" for one in self.variants):
            truth = self._true_people(bodies, batch, absent_joints(batch.limb_levels, table), rows)
            if truth[0].shape[1] != output.vertices.shape[1]:
                raise UserError(
                    f"{self.dataset.label}: true bodies have {truth[0].shape[1]} vertices, the model's has "
                    f"{output.vertices.shape[1]}; give --bodies with the folder of the model's kind of body"
                )
        shown: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for variant in self.variants:
            if variant.labels not in shown:
                posed = _predicted(regressor, output, batch, variant, table)
                shown[variant.labels] = _arrays(posed.vertices, posed.keypoints_44)
            self._measure(variant, regressor.body, shown[variant.labels], truth, batch, rows)

    def _true_people(
        self, bodies: TrueBodies, batch: Batch, absent: Tensor, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        known = torch.from_numpy(self.has_body[rows]).to(absent.device)
        pose = torch.where(known[:, None, None, None], batch.pose_rotmat, torch.eye(3, device=absent.device))
        betas = torch.where(known[:, None], batch.betas, 0.0)
        neutral = self.dataset.protocol.true_gender == "neutral"
        codes = np.zeros(len(rows), int) if neutral else self.genders[rows].astype(int)
        parts = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        meshes = [
            bodies[GENDER_CODES[codes[part[0]]]](betas[part], pose[part], absent[part]) for part in parts
        ]
        order = np.argsort(np.concatenate(parts))
        arrays = [_arrays(mesh.vertices, mesh.keypoints_44) for mesh in meshes]
        vertices, keypoints = (np.concatenate([pair[i] for pair in arrays])[order] for i in range(2))
        return vertices, keypoints

    def _measure(
        self,
        variant: Protocol,
        body: Body,
        predicted: tuple[np.ndarray, np.ndarray],
        truth: tuple[np.ndarray, np.ndarray] | None,
        batch: Batch,
        rows: np.ndarray,
    ) -> None:
        data, levels, known = body.data, self.levels[rows], self.has_body[rows]
        ours = variant.joints_of(data, *predicted)
        present = variant.joints_present(levels)
        if variant.true_joints == "mesh":
            assert truth is not None
            theirs = variant.joints_of(data, *truth)
            present = present & known[:, None]
        else:
            labels = batch.keypoints_3d.cpu().numpy()
            theirs, sure = labels[..., :3], np.asarray(labels[..., 3] > 0)
            present = (
                present & sure[:, variant.joint_rows] & sure[:, variant.pelvis_rows].all(1, keepdims=True)
            )
        pelvises = {
            "predicted_pelvis": variant.pelvis_of(ours),
            "target_pelvis": variant.pelvis_of(theirs),
        }
        found = joint_errors(
            ours[:, variant.joint_rows], theirs[:, variant.joint_rows], present=present, **pelvises
        )
        self._keep(variant, "mpjpe_mm", found.mpjpe_mm, found.measured, rows, found.by_limb(variant.anchors))
        aligned = found.by_limb(variant.anchors, aligned=True)
        self._keep(variant, "pa_mpjpe_mm", found.pa_mpjpe_mm, found.measured, rows, aligned)
        if not variant.mesh:
            return
        assert truth is not None
        own = variant.joints_of(data, *truth)  # a mesh is moved by its own pelvis, not by the file's
        moved = {**pelvises, "target_pelvis": variant.pelvis_of(own)}
        counted = variant.vertices_present(levels, data)
        error = mve_mm(predicted[0], truth[0], present=counted, **moved)
        limbs = mve_by_limb_mm(predicted[0], truth[0], data.part_labels, present=counted, **moved)
        self._keep(variant, "mve_mm", np.where(known, error, np.nan), known, rows, limbs)

    def _keep(
        self,
        variant: Protocol,
        metric: str,
        values: np.ndarray,
        measured: np.ndarray,
        rows: np.ndarray,
        by_limb: dict[str, np.ndarray],
    ) -> None:
        finite = self.finite[rows]
        self.errors[variant][metric][rows] = np.where(finite, values, np.nan)
        self.measured[variant][metric][rows] = measured
        for limb, error in by_limb.items():
            column = self.by_limb[variant][metric].setdefault(limb, np.full(len(self.finite), np.nan))
            column[rows] = np.where(finite & measured, error, np.nan)

    def results(self, name: str, seconds: float) -> dict[Protocol, Measured]:
        """One object per variant."""
        dataset = self.dataset
        keys, joints = dataset.keys, dataset.protocol.joint_rows
        found = {}
        labels = dataset.column("keypoints_2d")[:, joints] if dataset.protocol.pck_at else None
        for variant in self.variants:
            found[variant] = Measured(
                model=name,
                dataset=dataset.label,
                protocol=variant,
                keys=keys,
                clusters=clusters_of(dataset.clusters),
                limb_levels=self.levels,
                said_levels=self.said,
                probabilities=self.probabilities if self.has_bpac else None,
                finite=self.finite,
                view=views(dataset),
                occlusion=occlusions(dataset),
                errors=self.errors[variant],
                measured=self.measured[variant],
                by_limb=self.by_limb[variant],
                pck={
                    at: pck(
                        self.points_2d,
                        labels[..., :2].astype(np.float64),
                        labels[..., 2].astype(np.float64),
                        dataset.box_sides,
                        keys,
                        threshold=at,
                    )
                    for at in variant.pck_at
                    if labels is not None
                },
                seconds=seconds,
                notes=dataset.notes,
            )
        return found


def _predicted(
    regressor: Regressor, output: RegressorOutput, batch: Batch, variant: Protocol, table: Tensor
) -> PosedBody:
    """The predicted body without the parts that the variant's labels remove."""
    said = output.limb_levels
    levels = said
    if variant.labels == "truth":
        levels = torch.where(batch.limb_levels >= 0, batch.limb_levels.to(said.dtype), said)
    if torch.equal(levels, said):
        return PosedBody(regressor.body, output.vertices, output.joints)
    return regressor.body(output.betas, output.pose_rotmat, absent_joints(levels, table))


def shown_keypoints(regressor: Regressor, batch: Batch) -> Tensor:
    """BPAC-Net's keypoints in the frame the model wants: the crop's, or px of the whole picture."""
    keypoints = batch.bpac_keypoints
    if regressor.config.keypoint_frame == "crop":
        return keypoints
    points = keypoints[..., :2] * batch.box_size[:, None, None] + batch.box_center[:, None]
    return torch.cat([torch.where(keypoints[..., 2:] > 0, points, 0.0), keypoints[..., 2:]], -1)


def _finite(output: RegressorOutput) -> Tensor:
    parts = [output.vertices, output.keypoints_3d, output.keypoints_2d, output.pose_rotmat, output.betas]
    parts += [one for one in (output.limb_logits, output.limb_probabilities) if one is not None]
    return torch.stack([one.flatten(1).isfinite().all(1) for one in parts]).all(0)


def _arrays(vertices: Tensor, keypoints: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return vertices.float().cpu().numpy(), keypoints.float().cpu().numpy()


def comparable(a: Measured, b: Measured) -> bool:
    """Whether two results are of the same people by the same protocol."""
    return a.dataset == b.dataset and a.protocol == b.protocol and a.keys == b.keys
