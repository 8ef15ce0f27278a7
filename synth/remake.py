"""Scenes of a finished dataset once more, under another realism: what a step changes, and what it changes nothing of.

A sample is a function of the configuration, the banks, the seed and its number; dataset.json has the first and the
third, ``.work`` the second. Realism decides nothing about who stands where.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.cli.console import Parser
from ajahr.data.dataset import Manifest, read_manifest
from ajahr.errors import UserError
from synth.config import GenerateConfig, RealismConfig
from synth.generate import WORK, load_recipe, make_scene
from synth.record import Record, Stage


class Remaker:
    """Makes scenes of one dataset again.

    Args:
        folder: the finished dataset.

    Raises:
        UserError: no finished dataset; its banks are not there any more; or it was made from a configuration that
            this version does not know.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.config = config_of(self.manifest, self.folder)
        work = self.folder / WORK
        missing = [place for place in self._banks(work) if not place.is_dir()]
        if missing:
            raise UserError(
                f"{missing[0]}: the bank this dataset was made from is gone, so its pictures cannot be made again"
            )
        self._recipe = load_recipe(self.config, work)

    def _banks(self, work: Path) -> list[Path]:
        config = self.config
        return [config.backgrounds.bank or work / "backgrounds", config.appearance.bank or work / "textures"]

    @property
    def num_scenes(self) -> int:
        return self.config.num_images // (2 if self.config.twins else 1)

    def scene(self, scene: int, realism: RealismConfig | None = None) -> list[Record]:
        """The pictures of a scene, two with twins, none if it was given up; as in the dataset when None is given."""
        recipe = self._recipe
        if realism is not None:
            recipe = [stage.under(realism) if isinstance(stage, _Realistic) else stage for stage in recipe]
        records, _ = make_scene(self.config, recipe, scene)
        return records


def written_picture(record: Record) -> UInt8[np.ndarray, "height width 3"]:
    """RGB as a reader of the dataset sees it, JPEG and all."""
    image = cv2.imdecode(np.frombuffer(record.files["jpg"], np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.ascontiguousarray(image[..., ::-1])


@runtime_checkable
class _Realistic(Protocol):
    """A stage that knows steps of realism."""

    def under(self, realism: RealismConfig) -> Stage: ...


def config_of(manifest: Manifest, folder: Path) -> GenerateConfig:
    """The configuration a dataset was made from. UserError if this version does not know all of it."""
    parser = Parser(prog="ajahr-synth")
    parser.add_class_arguments(GenerateConfig, None)
    try:
        parsed = parser.parse_object({**manifest.run.config, "output": str(folder)})
        return GenerateConfig(**vars(parser.instantiate(parsed)))
    except (UserError, TypeError, ValueError, KeyError) as error:
        cause = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder}: made by another version, so its pictures cannot be made again ({cause})"
        ) from None
