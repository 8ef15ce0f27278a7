import shutil

import numpy as np
import pytest

from ajahr.data.dataset import open_dataset
from ajahr.errors import UserError
from synth.config import RealismConfig
from synth.remake import Remaker, written_picture


@pytest.fixture(scope="module")
def remaker(realistic_twins):
    return Remaker(realistic_twins)


def test_a_scene_comes_out_to_the_last_byte(remaker, realistic_twins):
    samples = list(open_dataset(realistic_twins))
    for scene in (0, 7, 11):
        for record, sample in zip(remaker.scene(scene), samples[2 * scene : 2 * scene + 2], strict=True):
            assert record.files["jpg"] == sample.jpg and record.files["mask.png"] == sample.mask_png
            assert np.array_equal(written_picture(record), sample.image())


def test_realism_decides_nothing_about_who_stands_where(remaker):
    for scene in range(4):
        full, plain = remaker.scene(scene), remaker.scene(scene, RealismConfig.plain())
        for a, b in zip(full, plain, strict=True):
            assert a.annotation is not None and b.annotation is not None
            assert a.files["mask.png"] == b.files["mask.png"] and a.files["jpg"] != b.files["jpg"]
            for one, other in zip(a.annotation.people, b.annotation.people, strict=True):
                assert np.array_equal(one.keypoints_2d, other.keypoints_2d)
                assert one.limb_levels == other.limb_levels and one.appearance == other.appearance


@pytest.mark.parametrize("step", ["light", "shadow", "colour", "blur", "noise", "jpeg_quality"])
def test_every_step_has_an_effect(remaker, step):
    """A setting that silently does nothing would show here."""
    without = RealismConfig(**{step: "fixed" if step == "jpeg_quality" else False})
    changed = [
        remaker.scene(scene)[0].files["jpg"] != remaker.scene(scene, without)[0].files["jpg"]
        for scene in range(6)
    ]
    assert any(changed)


def test_lost_banks_are_named(realistic_twins, tmp_path):
    shutil.copytree(realistic_twins, tmp_path / "set", ignore=shutil.ignore_patterns("textures"))
    with pytest.raises(UserError, match=r"textures.*gone"):
        Remaker(tmp_path / "set")


def test_a_configuration_of_another_version_is_one_line(realistic_twins, tmp_path):
    shutil.copytree(realistic_twins, tmp_path / "set")
    path = tmp_path / "set" / "dataset.json"
    path.write_text(path.read_text().replace('"people_per_image"', '"persons_per_image"'))
    with pytest.raises(UserError, match="another version") as caught:
        Remaker(tmp_path / "set")
    assert "\n" not in str(caught.value)
