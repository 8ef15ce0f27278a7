"""Models over datasets: a model that knows the truth has no error; labels, removal and NaN do what they say."""

from __future__ import annotations

from pathlib import Path

import benchmark_files as files
import numpy as np
import pytest
import torch
from fake_dataset import write_dataset
from least_regressor import save_least_regressor
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_regressor import small_body, small_config, small_regressor

from ajahr.anatomy import ABSENT_TABLE
from ajahr.errors import UserError
from ajahr.evaluation.benchmarks import open_benchmark
from ajahr.evaluation.measured import Measured
from ajahr.evaluation.run import TrueBodies, comparable, evaluate, load_regressor, passes
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.models.config import BpacConfig
from ajahr.models.regressor import Regressor
from ajahr.training.hmr_losses import absent_joints

TABLE = torch.tensor(ABSENT_TABLE)


class Oracle(Regressor):
    """Answers with the labels of the rows in their order, then is wrong in one chosen way."""

    def __init__(self, dataset, *, levels=None, poison: int | None = None, betas: float = 0.0) -> None:
        super().__init__(small_config(), small_body())
        self.eval()
        pose = rotvec_to_rotmat(dataset.column("pose").astype(np.float64))
        self.pose = torch.from_numpy(pose).float()
        self.betas = torch.from_numpy(dataset.column("betas")) + betas
        true = torch.from_numpy(dataset.column("levels").astype(np.int64))
        self.levels = true if levels is None else torch.tensor(levels).expand_as(true)
        self.poison, self.seen, self.calls = poison, 0, 0

    def forward(self, image, bpac_keypoints=None, **_):
        output = super().forward(image, bpac_keypoints)
        rows = slice(self.seen, self.seen + len(image))
        self.seen, self.calls = self.seen + len(image), self.calls + 1
        output.pose_rotmat, output.betas = self.pose[rows], self.betas[rows]
        if self.poison is not None and rows.start <= self.poison < rows.stop:
            output.betas[self.poison - rows.start] = float("nan")
        output.limb_levels = self.levels[rows]
        output.limb_logits = torch.nn.functional.one_hot(self.levels[rows], 4) * 9.0
        output.limb_probabilities = output.limb_logits.softmax(-1)
        posed = self.body(output.betas, output.pose_rotmat, absent_joints(self.levels[rows], TABLE))
        output.vertices, output.joints, output.keypoints_3d = posed.vertices, posed.joints, posed.keypoints_44
        return output


def one(dataset, model, *variants, **arguments) -> list[Measured]:
    return evaluate(
        "model", model, dataset, TrueBodies(None), list(variants) or None, batch_size=2, **arguments
    )


WRITERS = {
    "a3d": files.write_a3d, "itw_amputee": files.write_itw, "emdb1": files.write_emdb, "3doh50k": files.write_3doh,
}  # fmt: skip


@pytest.mark.parametrize("name", [*WRITERS])
def test_the_truth_has_no_error(tmp_path: Path, name: str) -> None:
    """Law, on files in each benchmark's format; EMDB's true body is female, so there the truth is not neutral."""
    dataset = open_benchmark(f"{name}={WRITERS[name](tmp_path)}")
    (found,) = one(dataset, Oracle(dataset))
    for metric in ("mpjpe_mm", "pa_mpjpe_mm", "mve_mm"):
        mean = found.mean(metric)
        assert mean.people == len(dataset) and not mean.invalid
        if name == "emdb1":
            assert mean.value > 2
        else:
            assert mean.value < 1e-2
    assert found.confusion.amputation.accuracy == 1 and not found.invalid
    assert set(found.view) == {"front"}


def test_3dpw_joints_are_the_files(tmp_path: Path) -> None:
    """Joints of the file are of the neutral body here, its genders are not: only the vertex error sees them."""
    dataset = open_benchmark(f"3dpw={files.write_3dpw(tmp_path)}")
    (found,) = one(dataset, Oracle(dataset))
    assert found.mean("mpjpe_mm").value < 1e-2 < 2 < found.mean("mve_mm").value
    assert found.intervals["mve_mm"].clusters == 2, "two sequences, not four frames"


def test_one_pass_where_keypoints_are_not_looked_at(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", shards=1)
    dataset = open_benchmark(f"shards={tmp_path / 'set'}")
    noisy = dataset.protocol.variant(keypoints="detector")
    blind = small_regressor(
        bpac=BpacConfig(inputs="image", widths=(16, 16, 16, 16), blocks=(1, 1, 1, 1), resolution=32)
    )
    for model, count in ((small_regressor(), 2), (blind, 1), (small_regressor(bpac=None), 1)):
        assert len(passes(model, [dataset.protocol, noisy])) == count
    a, b = evaluate("m", blind, dataset, TrueBodies(None), [dataset.protocol, noisy])
    assert (a.protocol, b.protocol) == (dataset.protocol, noisy)
    np.testing.assert_array_equal(a.errors["mve_mm"], b.errors["mve_mm"])


def test_h36m_has_joints_and_no_mesh(tmp_path: Path) -> None:
    """Motion capture joints in the extra block (facts 1.7), everybody intact."""
    path = files.write_hmr2(tmp_path / "h36m_val_p2.npz", ["S9/a.jpg", "S11/b.jpg"], tmp_path)
    dataset = open_benchmark(f"h36m_p2={path.parent}")
    (found,) = one(dataset, Oracle(dataset))
    assert found.mean("mpjpe_mm").value < 1e-2 and set(found.errors) == {"mpjpe_mm", "pa_mpjpe_mm"}
    assert found.confusion.false_amputation_rate == 0 and found.intervals["mpjpe_mm"].clusters == 2


def test_which_labels_remove_parts(tmp_path: Path) -> None:
    """A model that calls everybody intact: no error with the true labels, one with its own, for amputees only."""
    dataset = open_benchmark(f"a3d={files.write_a3d(tmp_path)}")
    oracle = Oracle(dataset, levels=[0, 0, 0, 0])
    truth, own, part = one(
        dataset,
        oracle,
        dataset.protocol,
        dataset.protocol.variant(labels="predicted"),
        dataset.protocol.variant(labels="predicted", removal="left_out"),
    )
    assert oracle.calls == 2, "three variants, one pass over two batches"
    assert truth.mean("mve_mm").value < 1e-2
    assert part.mean("mpjpe_mm").value < own.mean("mpjpe_mm").value, "what is gone counts no more"
    by_level = own.by_level("mve_mm")
    assert by_level["intact"].value < 1e-2 and by_level["amputated"].value > 20
    assert part.by_level("mpjpe_mm")["amputated"].value < 2  # hips are regressed from skin of the thigh too
    assert own.confusion.hallucinated_limb_rate == 1 and own.confusion.false_amputation_rate == 0
    assert own.against(truth)["mve_mm"].difference.value == pytest.approx(-own.mean("mve_mm").value, abs=1e-2)
    assert comparable(own, own) and not comparable(own, truth)


def test_nan_is_named_and_in_no_mean(tmp_path: Path) -> None:
    dataset = open_benchmark(f"a3d={files.write_a3d(tmp_path)}")
    (clean,) = one(dataset, Oracle(dataset, betas=0.3))
    (found,) = one(dataset, Oracle(dataset, betas=0.3, poison=1))
    assert found.invalid == [dataset.keys[1]]
    rest = clean.errors["mpjpe_mm"][[0, 2]]
    mean = found.mean("mpjpe_mm")
    assert mean.value == pytest.approx(rest.mean(), abs=1e-3) and mean.people == 2
    assert mean.invalid == (dataset.keys[1],) and found.intervals["mve_mm"].people == 2
    assert found.confusion.limbs == 8, "its limb status does not count either"


def test_batches_and_detector_keypoints(tmp_path: Path) -> None:
    """A real model of random weights: the batch size changes nothing, the keypoints shown change its answers."""
    write_dataset(tmp_path / "set", shards=1)
    dataset = open_benchmark(f"shards={tmp_path / 'set'}")
    model = small_regressor()
    noisy = dataset.protocol.variant(keypoints="detector")
    a, b = evaluate("m", model, dataset, TrueBodies(None), [dataset.protocol, noisy], batch_size=3)
    (c,) = evaluate("m", model, dataset, TrueBodies(None), batch_size=16)
    np.testing.assert_allclose(a.errors["mve_mm"], c.errors["mve_mm"], rtol=1e-4)
    assert a.probabilities is not None and b.probabilities is not None
    assert np.abs(a.probabilities - b.probabilities).max() > 1e-6
    assert set(a.occlusion) <= {"none", "1 or 2", "3 to 5", "6 and more"} and len(a) == len(dataset)
    assert a.calibration is not None and 0 <= a.calibration.error <= 1


def test_pck_in_the_whole_picture(tmp_path: Path) -> None:
    path = files.write_hmr2(tmp_path / "coco_val.npz", ["a.png", "b.png"], tmp_path)
    dataset = open_benchmark(f"coco={path}")
    assert dataset.box_sides.tolist() == [100, 100]
    model = small_regressor()
    (found,) = evaluate("m", model, dataset, TrueBodies(None), batch_size=1)
    assert set(found.pck) == {0.05, 0.1} and not found.errors
    assert found.pck[0.05].labelled == 34 and 0 <= found.pck[0.05].mean <= found.pck[0.1].mean < 1


def test_weights_without_a_tokenizer(tmp_path: Path) -> None:
    folder = save_least_regressor(tmp_path / "w")
    assert load_regressor(folder, small_body()).config.name == "tiny"
    file = folder / "model.safetensors"
    with safe_open(file, "pt") as opened:
        stamp = opened.metadata()
    kept = {k: v for k, v in load_file(file).items() if not k.startswith("switch.decoders.amputee")}
    save_file(kept, file, metadata=stamp)
    with pytest.raises(UserError, match="no tokenizer 'amputee' in it"):
        load_regressor(folder, small_body())


def test_a_missing_picture_stops_it(tmp_path: Path) -> None:
    dataset = open_benchmark(f"a3d={files.write_a3d(tmp_path)}")
    next((tmp_path / "COCO_val/Images").glob("*_001.png")).unlink()
    with pytest.raises(UserError, match=r"amp_8_001\.png") as caught:
        one(dataset, small_regressor())
    assert "\n" not in str(caught.value)
