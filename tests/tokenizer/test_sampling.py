from __future__ import annotations

import numpy as np
import pytest
import torch

from tokenizer.banks import PoseBank
from tokenizer.errors import InputError
from tokenizer.rotations import rotmat_to_rot6d
from tokenizer.sampling import BankMixture, PartNoise, batch_generator


def _bank(name: str, poses: int, mark: float, amputees: tuple[int, ...] | None = None) -> PoseBank:
    """Every pose turns its first joint by `mark`; row r turns its second by r / 1000."""
    rotvecs = np.zeros((poses, 63), np.float32)
    rotvecs[:, 0] = mark
    rotvecs[:, 3] = np.arange(poses) / 1000
    absent = None
    if amputees is not None:
        absent = np.zeros((poses, 21), bool)
        absent[list(amputees), 20] = True
    return PoseBank(name, rotvecs, absent)


def _drawn(mixture: BankMixture, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bank mark, row and amputee of each of `count` draws."""
    rotmats, absent = mixture.draw(batch_generator(0, 0), count)
    turn = torch.atan2(rotmats[:, :2, 2, 1], rotmats[:, :2, 1, 1])
    return turn[:, 0].numpy().round(3), (turn[:, 1] * 1000).round().int().numpy(), absent.any(1).numpy()


def test_amputees_and_intact_are_drawn_alike_whatever_the_banks_sizes() -> None:
    intact, amputee = _bank("amass", 900, 0.1), _bank("a3d", 10, 0.2, tuple(range(10)))
    marks, _, lacks = _drawn(BankMixture([(intact, 1.0)], [(amputee, 1.0)]))
    assert abs(lacks.mean() - 0.5) < 0.03
    assert np.array_equal(marks == np.float32(0.2), lacks)


def test_banks_are_drawn_by_weight_and_rows_uniformly() -> None:
    banks = [(_bank("a", 4, 0.1), 3.0), (_bank("b", 1000, 0.2), 1.0)]
    marks, rows, _ = _drawn(BankMixture(banks, amputee_probability=0.0))
    of_a = marks == np.float32(0.1)
    assert abs(of_a.mean() - 0.75) < 0.03
    assert np.abs(np.bincount(rows[of_a], minlength=4) / of_a.sum() - 0.25).max() < 0.04


def test_a_bank_of_both_kinds_serves_both() -> None:
    bank = (_bank("mixed", 10, 0.1, amputees=(2, 7)), 1.0)
    _, rows, lacks = _drawn(BankMixture([bank], [bank], amputee_probability=0.3))
    assert set(rows[lacks]) == {2, 7} and set(rows[~lacks]) == set(range(10)) - {2, 7}
    assert abs(lacks.mean() - 0.3) < 0.03


def test_no_amputees_reach_the_intact_tokenizer() -> None:
    banks = [(_bank("amass", 5, 0.1), 1.0), (_bank("a3d", 5, 0.2, (0, 1, 2, 3)), 9.0)]
    marks, rows, lacks = _drawn(BankMixture(banks, amputee_probability=0.0))
    assert not lacks.any() and set(rows[marks == np.float32(0.2)]) == {4}


def test_a_batch_depends_on_seed_step_and_rank_alone() -> None:
    mixture = BankMixture([(_bank("a", 900, 0.1), 1.0)], amputee_probability=0.0)
    seen = {
        key: mixture.draw(batch_generator(*key), 8)[0].numpy().tobytes()
        for key in [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 1, 1), (1, 1, 0), (1, 0, 0)]
    }
    assert len(set(seen.values())) == len(seen)
    assert mixture.draw(batch_generator(0, 2, 0), 8)[0].numpy().tobytes() == seen[0, 2, 0]


def test_impossible_mixtures_are_refused() -> None:
    intact, amputee = _bank("a", 3, 0.1), _bank("b", 3, 0.1, (0, 1, 2))
    for of_intact, of_amputee, probability, message in (
        ([], [], 0.5, "no intact poses"),
        ([(intact, 1.0)], [], 0.5, "no amputee poses"),
        ([(intact, 1.0)], [(intact, 1.0)], 0.5, "no amputee poses"),
        ([(amputee, 1.0)], [(amputee, 1.0)], 0.5, "no intact poses"),
        ([(intact, 0.0)], [], 0.0, "bank a has weight 0.0"),
        ([(intact, 1.0)], [], 1.5, "0 to 1"),
    ):
        with pytest.raises(InputError, match=message):
            BankMixture(of_intact, of_amputee, probability)


NOISE = PartNoise([[11, 14], [12, 15, 17, 19]], [0, 100], [0.01, 0.5])


def test_noise_adds_one_number_to_one_part_of_at_most_half_the_batch(rotmats: torch.Tensor) -> None:
    clean = rotmat_to_rot6d(rotmats)
    sizes, parts = set(), set()
    for step in range(60):
        rng = batch_generator(0, step)
        added = NOISE(clean, rng, step) - clean
        touched = added.abs().amax((1, 2)) > 0
        sizes.add(int(touched.sum()))
        for sample in added[touched]:
            joints = tuple(sample.abs().amax(1).nonzero()[:, 0].tolist())
            assert list(joints) in NOISE.parts
            parts.add(joints)
            number = sample[joints[0], 0]
            torch.testing.assert_close(sample[list(joints)], number.expand(len(joints), 6), atol=1e-6, rtol=0)
            assert 0 < number <= NOISE.scale(step) + 1e-6
        assert len({tuple(s.abs().amax(1).nonzero()[:, 0].tolist()) for s in added[touched]}) <= 1
    assert sizes == {0, 1, 2, 3}  # of 6
    assert len(parts) == 2


def test_noise_grows_at_its_steps_and_leaves_its_input_alone(rotmats: torch.Tensor) -> None:
    assert [NOISE.scale(step) for step in (0, 99, 100, 10**6)] == [0.01, 0.01, 0.5, 0.5]
    clean = rotmat_to_rot6d(rotmats)
    before = clean.clone()
    NOISE(clean, batch_generator(0, 3), 200)
    assert torch.equal(clean, before)


@pytest.mark.parametrize(
    "wrong",
    [
        ([[21]], [0], [0.1]),
        ([], [0], [0.1]),
        ([[1]], [5], [0.1]),
        ([[1]], [0, 10], [0.1]),
        ([[1]], [0, 20, 10], [0.1, 0.2, 0.3]),
        ([[1]], [0], [-0.1]),
    ],
)
def test_impossible_noise_is_refused(wrong: tuple) -> None:
    with pytest.raises(InputError, match="noise"):
        PartNoise(*wrong)
