"""What a number on a benchmark means: one small frozen object each, and a hash that is printed beside the number.

Two numbers may be compared if their hashes agree. Predictions are always of the neutral body, in mm.

    protocol = PROTOCOLS["3dpw"]
    protocol.variant(labels="predicted").digest

Which label removes body parts from the *predicted* body: with ``labels="truth"`` the ground truth's, as in the
paper's Tables 2, 3 and B(a), so that only pose and shape are measured; with ``"predicted"`` the model's own, as in
Tables 4(a)-(d) and B(b). The choice between the tokenizers is the model's own either way. The true body always
loses what the true labels say. The paper does not define removal; here it is ``collapsed``: zero matrices, parts
drawn together at the amputation joint, every joint and vertex counts. ``left_out`` counts only what the person has.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from ajahr.anatomy import COCO17, J44, J44_FROM_COCO17, SMPL24, KeypointLayout, absent_joint_mask
from ajahr.body.data import BodyData
from ajahr.errors import UserError

LabelsFrom = Literal["truth", "predicted"]
Removal = Literal["collapsed", "left_out"]
Keypoints = Literal["truth", "detector"]
Benchmark = Literal[
    "a3d", "itw_amputee", "3dpw", "emdb1", "3doh50k", "h36m_p2", "coco", "shards"
]  # fmt: skip
METRICS_3D = ("mpjpe_mm", "pa_mpjpe_mm", "mve_mm")
_EXTRA = tuple(n for n in J44.names if n.endswith("_extra"))
LSP14: tuple[str, ...] = (*_EXTRA[:13], "head_h36m_extra")
"""The fourteen joints of 3DPW and H36M: J44's 25..37 and 43."""
PELVIS_MPII = ("pelvis_mpii_extra",)
HIPS = ("left_hip", "right_hip")


@dataclass(frozen=True)
class Protocol:
    """How people of one benchmark are measured."""

    name: Benchmark
    title: str
    joints: tuple[str, ...]
    """That count, by their names in ``layout``."""
    layout: Literal["j44", "smpl24"]
    pelvis: tuple[str, ...]
    """Bodies are moved by the mean of these, joints and vertices alike. Empty: nothing in 3D is measured."""
    regressor: Literal["J19", "J_regressor"]
    """What takes joints from a posed mesh: the body's 19 extra rows (and named vertices), or SMPL's own 24 rows."""
    true_joints: Literal["labels", "mesh"]
    """The file's 3D keypoints, or the same regressor on the true body's mesh."""
    true_gender: Literal["labelled", "neutral"]
    """Body that the true parameters are of."""
    mesh: bool
    """Whether the vertex error is measured."""
    needs_limb_labels: bool
    """Whether it means nothing without limb labels."""
    resample: Literal["person", "picture", "sequence"]
    """What a bootstrap draws: people of one picture, and frames of one sequence, are no independent witnesses."""
    labels: LabelsFrom = "truth"
    removal: Removal = "collapsed"
    keypoints: Keypoints = "truth"
    """What BPAC-Net sees: labelled keypoints, as in the paper, or such as a detector reports."""
    pck_at: tuple[float, ...] = ()
    """Thresholds of PCK of the projected joints, in longer sides of the person's box."""
    unit: str = "mm"

    def __post_init__(self) -> None:
        names = self.keypoint_layout.index
        for name in (*self.joints, *self.pelvis):
            if name not in names:
                raise ValueError(f"{self.layout} has no joint {name}")

    def variant(self, **changes: Any) -> Protocol:
        """With other labels, removal or keypoints; its hash is another one.

        Raises:
            UserError: a value that there is not.
        """
        for name, kind in (("labels", LabelsFrom), ("removal", Removal), ("keypoints", Keypoints)):
            if name in changes and changes[name] not in get_args(kind):
                raise UserError(f"{name} is {changes[name]!r}; give {' or '.join(get_args(kind))}")
        return dataclasses.replace(self, **changes)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of everything above; the title is no part of it."""
        values = dataclasses.asdict(self)
        del values["title"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def keypoint_layout(self) -> KeypointLayout:
        return J44 if self.layout == "j44" else SMPL24

    @property
    def joint_rows(self) -> list[int]:
        """Places of the joints in the layout."""
        return [self.keypoint_layout.index[name] for name in self.joints]

    @property
    def pelvis_rows(self) -> list[int]:
        return [self.keypoint_layout.index[name] for name in self.pelvis]

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured per person in 3D."""
        return () if not self.pelvis else METRICS_3D if self.mesh else METRICS_3D[:2]

    @property
    def anchors(self) -> list[int]:
        """SMPL joint of each of the joints, whose loss takes it away."""
        return [self.keypoint_layout.anchors[row] for row in self.joint_rows]

    def describe(self) -> str:
        """One line for a report."""
        if not self.pelvis:
            return f"{len(self.joints)} joints, PCK of {self.title}"
        whose = "the model's" if self.labels == "predicted" else "the true"
        how = "drawn together" if self.removal == "collapsed" else "left out"
        return (
            f"{len(self.joints)} joints ({self.regressor}), pelvis {' + '.join(self.pelvis)}, true joints from "
            f"{self.true_joints}, true body {self.true_gender}; {whose} labels remove parts, which are {how}; "
            f"BPAC-Net sees {'labelled' if self.keypoints == 'truth' else 'detector-like'} keypoints"
        )

    # ------------------------------------------------------------------------------ bodies to joints

    def joints_of(
        self,
        body: BodyData,
        vertices: Float[np.ndarray, "people vertices 3"],
        keypoints_44: Float[np.ndarray, "people j44=44 3"],
    ) -> Float[np.ndarray, "people points 3"]:
        """Every joint of the layout on posed meshes, m: all 44, or SMPL's 24 regressed from the vertices."""
        if self.regressor == "J19":
            return keypoints_44
        regress = body.J_regressor.astype(vertices.dtype)
        return np.einsum("jv,pvc->pjc", regress, vertices, optimize=True)

    def pelvis_of(self, points: Float[np.ndarray, "people points 3"]) -> Float[np.ndarray, "people 3"]:
        """What a body is moved by."""
        return points[:, self.pelvis_rows].mean(1)

    def joints_present(self, limb_levels: Int[np.ndarray, "people limbs=4"]) -> Bool[np.ndarray, "people _"]:
        """Joints that count, of people with these true levels (unknown: as if intact)."""
        if self.removal == "collapsed":
            return np.ones((len(limb_levels), len(self.joints)), bool)
        return ~self.keypoint_layout.absent(np.maximum(limb_levels, 0))[:, self.joint_rows]

    def vertices_present(
        self, limb_levels: Int[np.ndarray, "people limbs=4"], body: BodyData
    ) -> Bool[np.ndarray, "people vertices"] | None:
        """Vertices that count, each with the joint it follows most; None: all."""
        if self.removal == "collapsed":
            return None
        return ~absent_joint_mask(np.maximum(limb_levels, 0))[:, body.part_labels]


def _benchmark(name: Benchmark, title: str, **changes: Any) -> Protocol:
    """Unlike 3DPW in ``changes`` only."""
    values: dict[str, Any] = {
        "joints": LSP14,
        "layout": "j44",
        "pelvis": PELVIS_MPII,
        "regressor": "J19",
        "true_joints": "labels",
        "true_gender": "labelled",
        "mesh": True,
        "needs_limb_labels": False,
        "resample": "sequence",
    }
    return Protocol(name, title, **{**values, **changes})


_AMPUTEES: dict[str, Any] = {"true_joints": "mesh", "needs_limb_labels": True, "resample": "picture"}
"""A3D's and ITW-amputee's joints are not published (facts 1.7): 3DPW's, from the true mesh, because files keep 3D
joints of limbs that are gone."""

PROTOCOLS: dict[Benchmark, Protocol] = {
    one.name: one
    for one in (
        _benchmark("a3d", "A3D", **_AMPUTEES),
        _benchmark("itw_amputee", "ITW-amputee", **_AMPUTEES),
        _benchmark("3dpw", "3DPW test"),
        # TokenHMR's and BEDLAM's way; the official script takes the skeleton's joints, about 3 mm apart
        _benchmark(
            "emdb1",
            "EMDB-1",
            joints=SMPL24.names,
            layout="smpl24",
            pelvis=HIPS,
            regressor="J_regressor",
            true_joints="mesh",
        ),
        _benchmark("3doh50k", "3DOH50K test", true_joints="mesh", true_gender="neutral", resample="picture"),
        # motion capture markers of one actor a picture; there is no true mesh
        _benchmark("h36m_p2", "Human3.6M P2", mesh=False),
        # 4D-Humans' list of joints for it is not known to us: COCO's own seventeen
        _benchmark(
            "coco",
            "COCO val",
            joints=tuple(J44.names[i] for i in J44_FROM_COCO17),
            pelvis=(),
            mesh=False,
            resample="picture",
            pck_at=(0.05, 0.1),
            unit="share",
        ),
        _benchmark("shards", "ajahr-synth", **_AMPUTEES),
    )
}
"""By the name a command takes."""
assert len(PROTOCOLS["coco"].joints) == len(COCO17)
