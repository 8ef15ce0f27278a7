import dataclasses
import json

import numpy as np
import pytest
import torch
from puppet import ELBOW, HIP, INTACT, RED, Puppet, picture

from ajahr.inference.frames import VideoFile
from ajahr.inference.given import GivenPeople
from ajahr.inference.predictor import AJAHR
from ajahr.inference.video import VideoPredictor
from ajahr.inference.video_files import save_video_result, track_arrays
from ajahr.residual_limb.segments import SEGMENTS

SIZE = (160, 120)


def write(path, levels):
    with VideoFile(path, 25) as file:
        for one in levels:
            file.add(picture(one, SIZE))
        file.finish()
    return path


def given(tmp_path, frames):
    file = tmp_path / "people.json"
    file.write_text(json.dumps({str(k): boxes for k, boxes in frames.items()}))
    return GivenPeople(file)


def test_one_wrong_frame_does_not_change_the_person(puppet, tmp_path):
    says = [ELBOW] * 10
    says[4], says[7] = INTACT, HIP
    model = AJAHR(puppet, device="cpu")
    video = write(tmp_path / "a.mp4", says)
    result = VideoPredictor(model).run(video, tmp_path / "out.mp4")
    (track,) = result.tracks
    assert track.limb_levels.tolist() == list(ELBOW) and track.limb_probabilities[0, 2] > 0.9
    assert [one.probabilities[0].argmax() for one in track.sightings] == [s[0] for s in says]
    # the frame judged intact was decoded by the wrong tokenizer, so it was regressed again, levels given
    given_levels = [call.tolist() for call in puppet.calls if call is not None]
    assert given_levels == [[list(ELBOW)]]
    head = np.stack([one.pose_rotmat[15] for one in track.sightings])
    assert np.allclose(head, head[0])
    assert np.allclose(track.betas[0] * 255, RED[ELBOW], atol=6)  # the median shape, not the mean
    assert result.frames == 10 and not result.damaged


def test_the_overlay_shows_the_fused_person_in_every_frame(model, tmp_path):
    says = [ELBOW] * 6
    says[3] = INTACT
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", says), tmp_path / "out.mp4")
    from ajahr.inference.frames import VideoFrames

    with VideoFrames(result.overlay) as frames:
        pictures = [pixels for _, pixels in frames]
    assert len(pictures) == 6
    (track,) = result.tracks
    ends = np.stack([one.joints[20] + one.translation for one in track.sightings])  # the wrist, at the elbow
    elbows = np.stack([one.joints[18] + one.translation for one in track.sightings])
    assert np.allclose(ends, elbows)


def test_two_people_each_with_their_own_anatomy(puppet, tmp_path):
    frames = {k: [[2 * k, 0, 60 + 2 * k, 120], [100, 0, 150, 118]] for k in range(8)}
    with VideoFile(tmp_path / "a.mp4", 25) as file:
        for _ in range(8):
            image = picture(ELBOW, SIZE)
            image[:, 88:] = picture(HIP, SIZE)[:, 88:]
            file.add(image)
        file.finish()
    model = AJAHR(puppet, device="cpu")
    result = VideoPredictor(model, given=given(tmp_path, frames)).run(tmp_path / "a.mp4")
    assert [track.limb_levels.tolist() for track in result.tracks] == [list(ELBOW), list(HIP)]
    assert result.overlay is None


def test_short_gaps_are_filled_and_long_ones_are_not(model, tmp_path):
    present = {k: [[4 * k, 10, 60 + 4 * k, 110]] for k in (0, 1, 4, 5, 14)}
    video = write(tmp_path / "a.mp4", [INTACT] * 15)
    result = VideoPredictor(model, given=given(tmp_path, present), max_gap=3).run(video)
    first, second = result.tracks
    assert [one.frame for one in first.sightings] == [0, 1, 2, 3, 4, 5]
    assert [one.filled for one in first.sightings] == [False, False, True, True, False, False]
    assert np.allclose(first.sightings[2].box, [8, 10, 68, 110], atol=1e-3)
    assert first.sightings[2].probabilities is None and first.sightings[2].joints.any()
    assert [one.frame for one in second.sightings] == [14]


def test_a_damaged_frame_is_named_and_the_track_goes_on(model, tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 40, (SIZE[1], SIZE[0], 3))
    path = tmp_path / "a.mp4"
    with VideoFile(path, 25) as file:
        for k in range(30):
            file.add((noise + 6 * k).astype(np.uint8))
        file.finish()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    ticks: list[int] = []
    result = VideoPredictor(model, tick=lambda: ticks.append(1)).run(path, tmp_path / "out.mp4")
    assert result.damaged and 10 < result.damaged[0] < 20
    assert len(ticks) == 2 * (result.frames + len(result.damaged))
    (track,) = result.tracks
    frames = [one.frame for one in track.sightings]
    assert frames[0] == 0 and frames[-1] >= 27 and set(result.damaged) < set(frames)  # filled in between
    assert result.frames == len(frames) - len(result.damaged)
    for before, one in zip(track.sightings, track.sightings[1:], strict=False):
        assert one.joints.any() and one.translation[2] > 0  # also where there is nothing to see
        if one.frame in result.damaged:
            assert one.filled and np.array_equal(one.pose_rotmat, before.pose_rotmat)
    projected = track_arrays(track, result)["keypoints_2d"]
    assert np.isfinite(projected).all()


def test_nobody_in_a_video(puppet, tmp_path):
    model = AJAHR(puppet, detector=lambda image: np.zeros((0, 5), np.float32), device="cpu")
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", [INTACT] * 3), tmp_path / "out.mp4")
    assert result.tracks == [] and result.frames == 3 and result.overlay.is_file()


def test_only_so_many_frames(model, tmp_path):
    ticks = []
    predictor = VideoPredictor(model, tick=lambda: ticks.append(1))
    result = predictor.run(write(tmp_path / "a.mp4", [INTACT] * 9), max_frames=4)
    assert result.frames == 4 and len(ticks) == 8


def test_files_of_a_video(model, tmp_path):
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", [ELBOW] * 4), tmp_path / "o" / "a.mp4")
    path = save_video_result(result, tmp_path / "o", "a", {"bytes": 3})
    document = json.loads(path.read_text())
    (track,) = document["tracks"]
    assert (track["first_frame"], track["last_frame"], track["frames"]) == (0, 3, 4)
    assert track["limbs"]["left_arm"]["status"] == "elbow" and document["bytes"] == 3
    assert document["overlay"] == "a.mp4" and document["fps"] == 25
    with np.load(tmp_path / "o" / track["file"]) as arrays:
        assert arrays["pose_rotmat"].shape == (4, 24, 3, 3) and arrays["limb_levels"].tolist() == list(ELBOW)
        assert arrays["frame_probabilities"].shape == (4, 4, 4)
        projected = result.camera.project(arrays["keypoints_3d"])
        assert np.allclose(projected, arrays["keypoints_2d"], atol=1e-3)
        middle = arrays["keypoints_2d"][0, 8]  # the middle of the hips
        assert np.abs(middle - [80, 60]).max() < 25


def _with_head(torch_body, lambdas):
    """A puppet whose residual head says another lambda in each call of one picture."""

    class Talker(Puppet):
        def forward(self, image, bpac_keypoints=None, *, limb_levels=None):
            if limb_levels is None:
                said = [lambdas[(self.told + i) % len(lambdas)] for i in range(len(image))]
                self.told += len(image)
                output = super().forward(image, bpac_keypoints, limb_levels=limb_levels)
                fractions = torch.tensor(said)[:, None].repeat(1, 8)
                return dataclasses.replace(output, residual_lambda=fractions)
            return super().forward(image, bpac_keypoints, limb_levels=limb_levels)

    talker = Talker(torch_body, residual=(0.4, 0.05))
    talker.told = 0
    return talker


def test_a_residual_limb_has_one_length_through_the_video(torch_body, tmp_path):
    says = [ELBOW] * 7
    says[2] = INTACT
    lambdas = [0.40, 0.44, 0.42, 0.90, 0.38, 0.41, 0.43]
    model = AJAHR(_with_head(torch_body, lambdas), device="cpu", stature=1.8, batch_size=1)
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", says), tmp_path / "o" / "a.mp4")
    (track,) = result.tracks
    end = track.ends[0]
    assert end.segment.name == "left_above_elbow_res" and end.frames == 7 and track.ends[1:] == (None,) * 3
    assert end.fraction == pytest.approx(0.42) and 0.05 < end.sd < 0.3, "the median, and that frames differ"
    assert {one.ends[0].length for one in track.sightings} == {track.limb_ends[0].length}
    path = save_video_result(result, tmp_path / "o", "a")
    (told,) = json.loads(path.read_text())["tracks"]
    arm = told["limbs"]["left_arm"]
    assert arm["amputation"] == "transhumeral" and told["limbs"]["left_leg"]["amputation"] is None
    assert arm["residual"]["lambda"] == pytest.approx(0.42) and arm["residual"]["scaled"]
    with np.load(tmp_path / "o" / told["file"]) as arrays:
        assert arrays["residual_segment"].tolist() == [SEGMENTS.index(end.segment), -1, -1, -1]
        assert arrays["residual_lambda"][0] == pytest.approx(0.42) and np.isnan(arrays["residual_lambda"][1])
        np.testing.assert_allclose(arrays["frame_lambda"][:, 0], lambdas, atol=1e-6)
        assert 1000 * arrays["residual_length"][0] == pytest.approx(arm["residual"]["length_mm"], abs=0.1)
        joints, ends = arrays["joints_3d"], arrays["residual_ends_3d"]
        anchor, upstream = joints[:, end.segment.anchor], joints[:, end.segment.upstream]
        np.testing.assert_allclose(ends[:, 0], 0.58 * anchor + 0.42 * upstream, atol=1e-5)
        assert np.isnan(ends[:, 1:]).all() and arrays["residual_scaled"]


def test_the_cut_surface_is_drawn_in_every_frame(torch_body, tmp_path):
    from ajahr.inference.frames import VideoFrames

    says = [ELBOW] * 4
    says[1] = INTACT
    model = AJAHR(Puppet(torch_body, residual=(0.5, 0.05)), device="cpu")
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", says), tmp_path / "out.mp4")
    (track,) = result.tracks
    with VideoFrames(result.overlay) as frames:
        pictures = [pixels.astype(int) for _, pixels in frames]
    for shown, sighting in zip(pictures, track.sightings, strict=True):
        middle = (sighting.ends[0].end + sighting.joints[16] + sighting.translation) / 2
        x, y = result.camera.project(middle[None])[0].astype(int)
        red, green, blue = shown[y, x]
        assert red > 1.5 * max(green, blue)


def test_without_a_head_a_track_is_as_ajahr_has_it(model, tmp_path):
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", [ELBOW] * 2), tmp_path / "out.mp4")
    (track,) = result.tracks
    assert track.limb_levels[0] == 2 and track.ends == (None,) * 4 and track.surface is None
    arrays = track_arrays(track, result)
    assert (arrays["residual_segment"] == -1).all() and np.isnan(arrays["residual_ends_3d"]).all()


def test_what_cannot_be_cut_is_told_and_the_body_comes_all_the_same(torch_body, tmp_path, monkeypatch):
    from ajahr.errors import UserError
    from ajahr.inference import person_track

    def refuse(*_):
        raise UserError("no closed surface")

    monkeypatch.setattr(person_track, "rest_surface", refuse)
    model = AJAHR(Puppet(torch_body, residual=(0.5, 0.05)), device="cpu")
    result = VideoPredictor(model).run(write(tmp_path / "a.mp4", [ELBOW] * 2), tmp_path / "out.mp4")
    (track,) = result.tracks
    assert track.surface is None and track.limb_ends[0].flags == ("not_cut: no closed surface",)
    assert result.overlay.is_file()


def test_a_live_length_holds_until_it_is_sure():
    from ajahr.inference.person_track import TrackEnd, _held

    segment = SEGMENTS[0]
    before, near, far = (TrackEnd(segment, f, 0.03, "head", 5) for f in (0.40, 0.42, 0.45))
    assert _held(near, before).fraction == 0.40 and _held(far, before).fraction == 0.45
    assert _held(near, None) is near and _held(None, before) is None
    other = TrackEnd(SEGMENTS[1], 0.41, 0.03, "head", 5)
    assert _held(other, before) is other


class FakeCamera:
    """cv2.VideoCapture of a camera: a few frames, then Ctrl-C."""

    def __init__(self, frames):
        self.frames = list(frames)

    def isOpened(self):
        return True

    def get(self, what):
        return 0.0

    def read(self):
        if not self.frames:
            raise KeyboardInterrupt
        frame = self.frames.pop(0)
        return True, frame[..., ::-1].copy()

    def release(self):
        pass


@pytest.mark.parametrize("overlay", [True, False])
def test_a_camera_until_ctrl_c(puppet, tmp_path, monkeypatch, overlay):
    from ajahr.inference import frames

    says = [ELBOW] * 12
    says[8] = INTACT
    monkeypatch.setattr(frames.cv2, "VideoCapture", lambda source: FakeCamera(picture(s, SIZE) for s in says))
    model = AJAHR(puppet, device="cpu")
    result = VideoPredictor(model).run(0, tmp_path / "out.mp4" if overlay else None)
    (track,) = result.tracks
    assert result.frames == 12 and track.limb_levels.tolist() == list(ELBOW)
    head = np.stack([one.pose_rotmat[15] for one in track.sightings])
    assert np.allclose(head, head[0])  # the odd frame was decoded as its person's, not as its own
    assert (tmp_path / "out.mp4").is_file() is overlay


def test_a_camera_has_residual_limbs_too(torch_body, tmp_path, monkeypatch):
    from ajahr.inference import frames

    says = [picture(ELBOW, SIZE) for _ in range(4)]
    monkeypatch.setattr(frames.cv2, "VideoCapture", lambda source: FakeCamera(says))
    model = AJAHR(Puppet(torch_body, residual=(0.4, 0.05)), device="cpu")
    (track,) = VideoPredictor(model).run(0, tmp_path / "out.mp4").tracks
    assert track.ends[0].fraction == pytest.approx(0.4) and track.surface is not None
    assert all(one.ends[0] is not None for one in track.sightings)
