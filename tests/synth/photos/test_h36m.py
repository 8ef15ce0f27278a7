from pathlib import Path

import pytest

from synth.photos.h36m import camera_of, first_frames


@pytest.mark.parametrize(
    "name, camera",
    [
        ("S1_Directions_1.54138969_000001.jpg", "54138969"),
        ("S11/WalkTogether.60457274/000241.jpg", "60457274"),
        ("s_01_act_02_subact_01_ca_02/s_01_act_02_subact_01_ca_02_000001.jpg", "55011271"),
        ("s_01_act_02_subact_01_ca_05_000001.jpg", None),
        ("154138969_000001.jpg", None),
        ("holiday.jpg", None),
    ],
)
def test_camera(name, camera):
    assert camera_of(Path(name)) == camera


def test_first_frame_of_each_camera():
    names = [
        f"S{subject}_Walking.{camera}_{frame:06d}.jpg"
        for subject in (9, 1)
        for camera in (60457274, 54138969, 58860488, 55011271)
        for frame in (6, 1)
    ]
    found = first_frames(Path(name) for name in [*names, "other.jpg"])
    assert [[path.name for path in frames] for frames in found] == [
        [f"S1_Walking.{camera}_000001.jpg"] for camera in (54138969, 55011271, 58860488, 60457274)
    ]
    assert first_frames([Path("a.jpg")]) == []


def test_the_next_frames_stand_in_for_the_first():
    names = [f"S1_Walking.54138969_{frame:06d}.jpg" for frame in (11, 1, 6)]
    (frames,) = first_frames([Path(name) for name in names], count=2)
    assert [path.name for path in frames] == [names[1], names[2]]
