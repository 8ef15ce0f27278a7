"""Every key of a generation job, typed. YAML in ``configs/synth`` fills it; the command line overrides it.

A dataset is a pure function of this configuration (without `RunConfig`, which says how, not what) and the files
it names.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ajahr.anatomy import NUM_CLASSES
from ajahr.errors import UserError
from synth.hard_cases_config import HardCasesConfig
from synth.pose_sources.config import PoseConfig
from synth.residual_config import ResidualConfig
from synth.splits import split_problems


@dataclass
class PhotoSource:
    """Photographs of one origin and what is known of the people in them.

    Attributes:
        kind: ``demo`` (pictures that installed packages carry), ``coco``, ``mpii``, ``crowdpose`` or
            ``ochuman`` (annotation files of that dataset), ``boxes`` (JSON of given person boxes), ``folder``
            (photographs in which a detector finds the people), ``h36m`` (Human3.6M: the first frame of each
            camera, people found by a detector), ``clean`` (a folder, or ``demo``, of photographs without
            people).
        name: Recorded with every sample as its source.
        annotations: The annotation file, for the kinds that have one.
        images: Folder of the photographs.
        limit: Take only the first so many photographs.
    """

    kind: Literal["demo", "coco", "mpii", "crowdpose", "ochuman", "boxes", "folder", "h36m", "clean"] = "demo"
    name: str = ""
    annotations: Path | None = None
    images: Path | None = None
    limit: int | None = None


@dataclass
class BackgroundConfig:
    """How a photograph becomes a clean background.

    The paper's own: detector ``yolo`` with weights trained on CrowdHuman, segmenter ``sam`` with ViT-H,
    inpainter ``lama``, and a check by a 2D pose detector. The defaults need no weights.

    Attributes:
        bank: Folder that ``ajahr-synth backgrounds`` made; photographs are then not looked at again.
        max_side: Photographs are scaled down so that their longer side is at most this, px.
        detector: ``yolo`` finds people besides the annotated ones.
        detector_weights: Ultralytics ``.pt``. Only files you trust: old versions of ultralytics unpickle them
            without restriction, which can run code from the file.
        detector_confidence: Least score of a box.
        detector_size: Longer side of the picture as a YOLO network sees it, px.
        detector_class: Name of the class of people; empty finds it.
        segmenter: ``annotations`` (the annotated mask, else GrabCut), ``grabcut`` or ``sam``.
        segmenter_weights: Segment-anything checkpoint, ViT-H, L or B.
        inpainter: What fills the hole; all but ``lama`` are classical and need no weights.
        inpainter_weights: LaMa as TorchScript (``big-lama.pt``). A program, so only from a source you trust.
        checker: What looks for people left in the clean picture.
        checker_weights: Folder of a ViTPose model, or an ultralytics pose ``.pt``.
        checker_confidence: Least score of a keypoint (and of a person, with ``yolo_pose``).
        checker_keypoints: Keypoints that make a person; the paper drops for one.
        lpips: Trunk of the perceptual distance that is reported; it drops nothing.
        lpips_weights: Torchvision's weights of that trunk.
        ssim_min: Photographs whose inpainted twin is less similar are dropped (paper, supplementary A: 0.5).
        min_person_px: People lower than this are removed but nobody is put where they stood.
        max_people: A photograph with more people is dropped: most of it would be hole.
        fit: Fit poses to keypoints by SMPLify.
        keypoints: What finds the keypoints of people whose annotation has none (all of ``boxes``, ``folder`` and
            ``h36m``); ``annotated`` leaves those people without a fit.
        keypoints_weights: As ``checker_weights``.
        max_fit_error: Fits whose reprojection error, relative to the box height, is larger are not used.
    """

    bank: Path | None = None
    max_side: int = 640
    detector: Literal["annotations", "yolo"] = "annotations"
    detector_weights: Path | None = None
    detector_confidence: float = 0.25
    detector_size: int = 640
    detector_class: str = ""
    segmenter: Literal["annotations", "grabcut", "sam"] = "annotations"
    segmenter_weights: Path | None = None
    inpainter: Literal["exemplar", "telea", "ns", "lama"] = "exemplar"
    inpainter_weights: Path | None = None
    checker: Literal["none", "vitpose", "yolo_pose"] = "none"
    checker_weights: Path | None = None
    checker_confidence: float = 0.5
    checker_keypoints: int = 3
    lpips: Literal["none", "alex", "vgg", "squeeze"] = "none"
    lpips_weights: Path | None = None
    ssim_min: float = 0.5
    min_person_px: int = 60
    max_people: int = 12
    fit: bool = True
    keypoints: Literal["annotated", "vitpose", "yolo_pose"] = "annotated"
    keypoints_weights: Path | None = None
    max_fit_error: float = 0.06

    def problems(self) -> list[tuple[bool, str]]:
        """Pairs of whether a key is wrong and what to say about it."""
        shares = ("detector_confidence", "checker_confidence")
        return [
            (self.max_side < 64, "backgrounds.max_side must be at least 64 px"),
            (self.detector_size < 32, "backgrounds.detector_size must be at least 32 px"),
            (self.checker_keypoints < 1, "backgrounds.checker_keypoints must be at least 1"),
            (self.max_people < 1, "backgrounds.max_people must be at least 1"),
            *((not 0 <= getattr(self, key) <= 1, f"backgrounds.{key} is a score, 0..1") for key in shares),
        ]


@dataclass
class AmputationConfig:
    """Who has lost what.

    Attributes:
        intact_share: Share of people with four limbs (twins not counted).
        multi_share: Of the others, the share that has lost more than one limb.
        class_weights: Relative weight of each AJAHR-Index 0..11.
        in_sight: Least share of a lost limb's COCO keypoints that the intact twin shows, or the scene is dropped:
            what nobody could see teaches nothing. 0 keeps every loss; more needs twins.
    """

    intact_share: float = 0.1
    multi_share: float = 0.15
    class_weights: list[float] = field(default_factory=lambda: [1.0] * NUM_CLASSES)
    in_sight: float = 0.0


@dataclass
class AppearanceConfig:
    """Skin and clothes.

    Attributes:
        bank: Folder of a texture bank made before, or of BEDLAM textures; None bakes one for this dataset.
        kind: What ``bank`` holds.
        per_group: Textures baked for each of the 2 x 7 sexes and groups.
        size: Side of a texture, px.
        identities: So many people, each with a texture and a shape of their own, appear again and again; 0 makes
            everybody anew.
    """

    bank: Path | None = None
    kind: Literal["procedural", "bedlam"] = "procedural"
    per_group: int = 4
    size: int = 512
    identities: int = 0


@dataclass
class RenderConfig:
    """How the picture is made.

    Attributes:
        samples: Samples per pixel, 1 or 4.
        projection: ``weak`` as in the paper, or ``perspective``.
        focal_factor: Focal length over the longer image side; HMR's 5000 px at 256 is 19.53.
        jpeg_quality: Of the written pictures, where `RealismConfig.jpeg_quality` does not take the source's.
    """

    samples: Literal[1, 4] = 4
    projection: Literal["weak", "perspective"] = "weak"
    focal_factor: float = 5000.0 / 256.0
    jpeg_quality: int = 90


@dataclass
class RealismConfig:
    """What makes somebody look as if photographed together with the background; each step can be left out.

    All off is the plain paste: a body under a plain frontal light, sharp and without grain.

    Attributes:
        light: Direction, colour and strength of the light from the photograph around the place.
        shadow: A soft shadow on the ground under the body.
        colour: Black level, white level and saturation of the photograph around the place.
        blur: As unsharp as the photograph is at the place.
        noise: The photograph's own grain, at each brightness.
        jpeg_quality: ``source`` writes each picture with the quality of its photograph's file, within 60..95
            (``render.jpeg_quality`` for a photograph that was no JPEG); ``fixed`` writes ``render.jpeg_quality``.
    """

    light: bool = True
    shadow: bool = True
    colour: bool = True
    blur: bool = True
    noise: bool = True
    jpeg_quality: Literal["source", "fixed"] = "source"

    @classmethod
    def plain(cls) -> RealismConfig:
        """The plain paste."""
        return cls(False, False, False, False, False, "fixed")


@dataclass
class RunConfig:
    """How a dataset is made, not what is in it: the same bytes for any values.

    Attributes:
        engine: ``local`` processes of this machine, or tasks on a ``ray`` cluster.
        address: Of the Ray cluster: ``auto``, ``HOST:PORT``, or ``local`` for one of this machine alone.
        workers: Processes; 0 takes one per core, with Ray every core of the cluster.
        shards: ``i/n`` makes every n-th shard beginning with the i-th, for n machines on one folder.
        sheet: Cells of the contact sheet; 0 makes none.
    """

    engine: Literal["local", "ray"] = "local"
    address: str = "auto"
    workers: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    shards: str = "0/1"
    sheet: int = 64


@dataclass
class GenerateConfig:
    """One dataset.

    Attributes:
        output: Folder to make.
        num_images: Pictures to make, twins included.
        shard_size: Pictures per shard.
        seed: Sample ``i`` is a pure function of the configuration, the seed and ``i``.
        photos: Where photographs come from.
        people_per_image: Fewest and most people put into one picture.
        twins: Every scene twice: picture ``2k`` as sampled, ``2k + 1`` with all limbs intact.
        body: A user's SMPL file; None is the embedded body.
        split: Recorded with every sample.
        split_shares: Share of each split, such as ``{train: 0.8, val: 0.1, test: 0.1}``. Photographs, textures
            and identities are then dealt out among the splits, each to one, and this dataset takes those of its
            ``split``; make the others with the same configuration but ``split``, ``num_images`` and ``output``.
            Empty leaves everything to this dataset.
    """

    output: Path
    num_images: int = 64
    shard_size: int = 1000
    seed: int = 0
    photos: list[PhotoSource] = field(default_factory=lambda: [PhotoSource()])
    people_per_image: list[int] = field(default_factory=lambda: [1, 1])
    twins: bool = False
    body: Path | None = None
    split: str = "train"
    split_shares: dict[str, float] = field(default_factory=dict)
    backgrounds: BackgroundConfig = field(default_factory=BackgroundConfig)
    poses: PoseConfig = field(default_factory=PoseConfig)
    amputation: AmputationConfig = field(default_factory=AmputationConfig)
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    realism: RealismConfig = field(default_factory=RealismConfig)
    hard_cases: HardCasesConfig = field(default_factory=HardCasesConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def content(self) -> dict[str, Any]:
        """The configuration that decides what is in the dataset, as plain JSON values."""
        plain = _plain(dataclasses.asdict(self))
        del plain["run"], plain["output"]
        return plain

    @property
    def num_shards(self) -> int:
        return -(-self.num_images // self.shard_size)

    def shard_indices(self, shard: int) -> range:
        """Samples in a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.num_images))

    def check(self) -> None:
        """UserError naming the first key whose value makes no dataset."""
        fewest, most = [*self.people_per_image, 0, 0][:2]
        shares = {
            "amputation.intact_share": self.amputation.intact_share,
            "amputation.multi_share": self.amputation.multi_share,
            "amputation.in_sight": self.amputation.in_sight,
        }
        problems = [
            (self.num_images < 1, "num_images must be at least 1"),
            (self.shard_size < 1, "shard_size must be at least 1"),
            (self.twins and self.num_images % 2 == 1, "num_images must be even with twins: every scene is made twice"),
            (self.twins and self.shard_size % 2 == 1, "shard_size must be even with twins, which share a shard"),
            (self.amputation.in_sight > 0 and not self.twins,
             "amputation.in_sight is told by the intact twins; set twins, or in_sight to 0"),
            (self.seed < 0, "seed must not be negative"),
            (len(self.people_per_image) != 2 or not 1 <= fewest <= most <= 7,
             "people_per_image takes two numbers, 1 <= fewest <= most <= 7"),
            (not self.photos, "photos is empty; name at least one source of photographs"),
            (len(self.amputation.class_weights) != NUM_CLASSES or min(self.amputation.class_weights, default=-1) < 0
             or sum(self.amputation.class_weights) <= 0,
             f"amputation.class_weights takes {NUM_CLASSES} weights, none negative, not all zero"),
            *((wrong, message) for wrong, message in self.backgrounds.problems()),
            *self.hard_cases.problems(),
            *self.residual.problems(),
            (not 1 <= self.render.jpeg_quality <= 100, "render.jpeg_quality is 1..100"),
            (self.render.focal_factor <= 0, "render.focal_factor must be positive"),
            (self.appearance.per_group < 1, "appearance.per_group must be at least 1"),
            (self.run.workers < 0, "run.workers must not be negative"),
            *((not 0 <= value <= 1, f"{key} is a share, 0..1") for key, value in shares.items()),
            *((wrong, message) for wrong, message in self.poses.problems()),
            *((wrong, message) for wrong, message in split_problems(self.split, self.split_shares)),
            (self.appearance.identities < 0, "appearance.identities must not be negative"),
        ]  # fmt: skip
        for wrong, message in problems:
            if wrong:
                raise UserError(f"config: {message}")
        self.my_shards()

    def my_shards(self) -> list[int]:
        """Shards this machine makes, from ``run.shards``."""
        try:
            i, n = (int(x) for x in self.run.shards.split("/"))
        except ValueError:
            i, n = -1, 0
        if not 0 <= i < n:
            raise UserError(
                f"config: run.shards is i/n with 0 <= i < n, such as 0/4, not {self.run.shards!r}"
            )
        return list(range(i, self.num_shards, n))


@dataclass
class BankRunConfig:
    """How a bank is made, not what is in it.

    Attributes:
        workers: Processes; 0 takes one per core. With a GPU there is one, which has it to itself.
        device: As `RunConfig.device`.
        sheet: Photographs on the sheet of before and after; 0 makes none.
    """

    workers: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    sheet: int = 64


@dataclass
class BackgroundsConfig:
    """One bank of clean backgrounds, made once and used by any number of datasets.

    Attributes:
        output: Folder to make.
        photos: Where photographs come from.
        body: A user's SMPL file, for fitted poses; None is the embedded body.
        focal_factor: As ``render.focal_factor``: of the camera under which poses are fitted.
    """

    output: Path
    photos: list[PhotoSource] = field(default_factory=lambda: [PhotoSource()])
    body: Path | None = None
    focal_factor: float = 5000.0 / 256.0
    backgrounds: BackgroundConfig = field(default_factory=BackgroundConfig)
    run: BankRunConfig = field(default_factory=BankRunConfig)

    def as_generate(self) -> GenerateConfig:
        """The dataset job whose photographs are prepared in the same way."""
        return GenerateConfig(
            output=self.output,
            photos=self.photos,
            body=self.body,
            backgrounds=self.backgrounds,
            render=RenderConfig(focal_factor=self.focal_factor),
            run=RunConfig(workers=self.run.workers, device=self.run.device),
        )

    def content(self) -> dict[str, Any]:
        """The configuration that decides what is in the bank, as plain JSON values."""
        plain = _plain(dataclasses.asdict(self))
        del plain["run"], plain["output"], plain["backgrounds"]["bank"]
        return plain

    def check(self) -> None:
        """UserError naming the first key whose value makes no bank."""
        if self.backgrounds.bank is not None:
            raise UserError("config: backgrounds.bank names a bank to use; a bank is made from photographs")
        self.as_generate().check()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
