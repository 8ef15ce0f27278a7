"""BEDLAM's textures on an SMPL body: Meshcapade skins with clothing laid over them.

Neither comes with this project: the skins (`bedlam_body_textures_meshcapade.zip`, CC BY-NC) and the clothing
overlays are on https://bedlam.is.tue.mpg.de after registration. Their UV layout is that of SMPL's
`smpl_uv.obj`, not the embedded body's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import MissingAsset, UserError
from synth.appearance.groups import GROUPS, SEXES, Group, Sex, sample_group, sample_sex
from synth.appearance.source import CACHE_BYTES, TextureEntry, TextureSource

_GROUP_IN_NAME = {
    "african": Group.AFRICAN, "asian": Group.ASIAN, "hispanic": Group.HISPANIC, "indian": Group.INDIAN,
    "mideast": Group.MIDDLE_EASTERN, "seasian": Group.SOUTHEAST_ASIAN, "white": Group.WHITE,
}  # fmt: skip
_SEX_IN_NAME = {"f": Sex.FEMALE, "m": Sex.MALE}
_SKIN = re.compile(rf"skin_([fm])_({'|'.join(_GROUP_IN_NAME)})_(\d+)_ALB", re.IGNORECASE)
_OVERLAY = re.compile(r"rp_([a-z]+)_posed_(\d+)_texture_(\d+)", re.IGNORECASE)
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tga", ".tif", ".tiff")
OVERLAY_LIST = "textures_clothing_overlay.json"
"""In BEDLAM's render repository: overlay names under "m" and "f". Used when it lies beside the overlays."""
_MALE_SUBJECTS = frozenset(
    ["aaron", "ben", "christopher", "corey", "daniel", "elias", "eric", "ethan", "henry"]
)
"""First names in the published list under "m"; all others there are women."""


def parse_skin_name(name: str) -> tuple[Sex, Group] | None:
    """Sex and group of a skin texture by its file name; None for other files."""
    found = _SKIN.fullmatch(Path(name).stem)
    return None if found is None else (_SEX_IN_NAME[found[1].lower()], _GROUP_IN_NAME[found[2].lower()])


def parse_overlay_name(name: str) -> Sex | None:
    """Sex of a clothing overlay by its subject's first name; None for other files, normal maps too."""
    found = _OVERLAY.fullmatch(Path(name).stem)
    if found is None:
        return None
    return Sex.MALE if found[1].lower() in _MALE_SUBJECTS else Sex.FEMALE


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MissingAsset(f"{folder}: no such folder; BEDLAM's textures are at https://bedlam.is.tue.mpg.de")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _IMAGE_SUFFIXES
        and not any("preview" in p.lower() for p in path.relative_to(folder).parts)
    )


def lay_over(
    skin: UInt8[np.ndarray, "height width rgb=3"], overlay: UInt8[np.ndarray, "height width rgba=4"]
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """``overlay`` with straight alpha over ``skin``."""
    alpha = overlay[..., 3:].astype(np.uint16)
    mixed = skin * (255 - alpha) + overlay[..., :3] * alpha
    return ((mixed + 127) // 255).astype(np.uint8)


class BedlamTextures(TextureSource):
    """Skins of a folder, each time with clothing of the same sex when there is any.

    Args:
        folder: Searched with its subfolders for skins and, when ``overlays`` is None, for clothing too;
            previews are left out.
        overlays: Folder of the clothing overlays.
        size: Side to which textures are scaled down, px; the files are several times larger.
        scaled: Folder to keep scaled files in. Decoding an original is slow; with it, done once.
        cache_bytes: Memory for decoded textures.

    Raises:
        UserError: no such folder; a sex and group without a skin, named: A3D's proportions need all 14.
    """

    def __init__(
        self,
        folder: Path,
        overlays: Path | None = None,
        *,
        size: int = 1024,
        scaled: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        super().__init__(cache_bytes)
        self.size, self.scaled = size, scaled
        if scaled is not None:
            make_folder(scaled)
        pictures = _pictures(folder)
        skins: dict[tuple[Sex, Group], list[Path]] = {(sex, group): [] for sex in SEXES for group in GROUPS}
        for path in pictures:
            kind = parse_skin_name(path.name)
            if kind is not None:
                skins[kind].append(path)
        lacking = [f"{sex} {group}" for (sex, group), paths in skins.items() if not paths]
        if len(lacking) == len(skins):
            raise UserError(
                f"{folder}: no BEDLAM skin texture (skin_f_african_01_ALB.png and so on); unzip "
                "bedlam_body_textures_meshcapade.zip into it"
            )
        if lacking:
            raise UserError(
                f"{folder}: no skin texture of {', '.join(lacking)}; add them, A3D's shares need all groups"
            )
        self._skins = skins
        self._overlays = self._find_overlays(pictures if overlays is None else _pictures(overlays))
        if overlays is not None and not any(self._overlays.values()):
            raise UserError(f"{overlays}: no clothing overlay (rp_aaron_posed_002_texture_01.png and so on)")

    @staticmethod
    def _find_overlays(pictures: Sequence[Path]) -> dict[Sex, list[Path]]:
        listed: dict[str, Sex] = {}
        for path in {parent / OVERLAY_LIST for picture in pictures for parent in picture.parents[:2]}:
            if path.is_file():
                try:
                    tree = json.loads(path.read_bytes())
                    listed |= {str(name): sex for key, sex in _SEX_IN_NAME.items() for name in tree[key]}
                except (ValueError, KeyError, TypeError):
                    raise UserError(
                        f"{path}: not a list of overlays under 'm' and 'f'; remove or mend it"
                    ) from None
        found: dict[Sex, list[Path]] = {sex: [] for sex in SEXES}
        for path in pictures:
            sex = parse_overlay_name(path.name)
            if sex is not None:
                found[listed.get(path.stem, sex)].append(path)
        return found

    def entries_of(self, sex: Sex, group: Group) -> Sequence[TextureEntry]:
        """The skins, unclothed; `choose` dresses one."""
        return self._entries[sex, group]

    @cached_property
    def _entries(self) -> dict[tuple[Sex, Group], list[TextureEntry]]:
        return {
            (sex, group): [TextureEntry(path.stem, sex, group, self, {"skin": path.stem}) for path in paths]
            for (sex, group), paths in self._skins.items()
        }

    @cached_property
    def _paths(self) -> dict[str, Path]:
        every = [*self._skins.values(), *self._overlays.values()]
        return {path.stem: path for paths in every for path in paths}

    def choose(self, rng: np.random.Generator) -> TextureEntry:
        """A skin, group first, and clothing of the same sex, evenly among its files."""
        group, sex = sample_group(rng), sample_sex(rng)
        found = self._entries[sex, group]
        entry = found[int(rng.integers(len(found)))]
        clothing = self._overlays[sex]
        if not clothing:
            return entry
        overlay = clothing[int(rng.integers(len(clothing)))].stem
        return TextureEntry(f"{entry.id}+{overlay}", sex, group, self, {**entry.labels, "clothing": overlay})

    def decode(self, entry: TextureEntry) -> UInt8[np.ndarray, "height width rgb=3"]:
        skin = self._scaled(self._paths[entry.labels["skin"]], 3)
        if "clothing" not in entry.labels:
            return skin
        overlay = self._scaled(self._paths[entry.labels["clothing"]], 4)
        if overlay.shape[:2] != skin.shape[:2]:
            overlay = cv2.resize(overlay, skin.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return lay_over(skin, overlay)

    def _scaled(self, path: Path, channels: int) -> np.ndarray:
        """The picture, RGB or RGBA, not larger than `size`."""
        kept = None if self.scaled is None else self.scaled / f"{path.stem}_{self.size}.png"
        if kept is not None and kept.is_file():
            return _read(kept, channels)
        image = _read(path, channels)
        if max(image.shape[:2]) <= self.size:
            return image
        factor = self.size / max(image.shape[:2])
        shape = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        if channels == 4:  # averaged with straight alpha, colours beyond the cloth's edge would mix in
            alpha = image[..., 3:].astype(np.float32) / 255
            small = cv2.resize(
                np.concatenate([image[..., :3] * alpha, alpha], 2), shape, interpolation=cv2.INTER_AREA
            )
            colour = small[..., :3] / np.maximum(small[..., 3:], 1 / 255)
            image = np.concatenate([colour, small[..., 3:] * 255], 2).round().clip(0, 255).astype(np.uint8)
        else:
            image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
        if kept is not None:
            order = cv2.COLOR_RGBA2BGRA if channels == 4 else cv2.COLOR_RGB2BGR
            write_atomic(kept, cv2.imencode(".png", cv2.cvtColor(image, order))[1].tobytes())
        return image


def _read(path: Path, channels: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):
        image = None
    if image is None or image.ndim != 3 or image.dtype != np.uint8:
        raise UserError(f"{path}: not readable as an 8-bit colour picture; copy it again")
    if channels == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    if image.shape[2] == 3:
        raise UserError(f"{path}: a clothing overlay without an alpha channel; copy the PNG again")
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)
