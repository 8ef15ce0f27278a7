"""Groups of people in results: by what the camera sees, by what is hidden."""

from __future__ import annotations

import benchmark_files as files
import numpy as np
import pytest
from fake_dataset import write_dataset
from measured_people import invented
from scipy.spatial.transform import Rotation

from ajahr.evaluation.benchmarks import open_benchmark
from ajahr.evaluation.measured import occlusions, views


@pytest.mark.parametrize(
    ("turn", "seen"), [(0, "front"), (40, "front"), (-90, "side"), (130, "side"), (180, "back")]
)
def test_views(tmp_path, turn: float, seen: str) -> None:
    """A person who faces the camera, turned about the vertical of the picture."""
    dataset = open_benchmark(f"a3d={files.write_a3d(tmp_path)}")
    facing = Rotation.from_euler("y", turn, degrees=True) * Rotation.from_rotvec(files.FACING)
    dataset.tables[0].rows["pose"][:, 0] = facing.as_rotvec()
    dataset.tables[0].rows["has_betas"][1] = False
    assert views(dataset).tolist() == [seen, "unknown", seen]


def test_hidden_keypoints_are_known_of_generated_people_only(tmp_path) -> None:
    write_dataset(tmp_path / "set", shards=1)
    dataset = open_benchmark(f"shards={tmp_path / 'set'}")
    rows = dataset.tables[0].rows
    rows["hidden"] = False
    rows["hidden"][0, :4] = True
    rows["keypoints_2d"][..., 2] = 1
    found = occlusions(dataset)
    assert found[0] == "3 to 5" and set(found[1:]) == {"none"}
    assert set(occlusions(open_benchmark(f"a3d={files.write_a3d(tmp_path / 'a')}"))) == {"unknown"}


def test_means_of_groups() -> None:
    found = invented(nan=True)
    assert {k: (v.value, v.people) for k, v in found.by(found.view, "mve_mm").items()} == {
        "front": (85.0, 2),
        "back": (80.0, 3),
    }
    assert found.of_limbs("mve_mm")["trunk"].value == 41
    assert found.against(invented(shift=-10))["mve_mm"].difference.value == -10
    assert np.isclose(found.intervals["mve_mm"].value, 82)
