"""Numbers by counter."""

from __future__ import annotations

import numpy as np

from ajahr.data.hmr.chance import uniform


def test_is_splitmix64():
    """First numbers of the published generator, seeded with the mixed seed (here computed in plain integers)."""
    mask = 2**64 - 1

    def mixed(z: int) -> int:
        z = (z + 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    state = mixed(mixed(0 ^ 5) ^ 7)
    expected = [(mixed((state + k * 0x9E3779B97F4A7C15) & mask) >> 11) / 2**53 for k in (1, 2, 3)]
    np.testing.assert_array_equal(uniform([(5, 7)], 3)[0], expected)


def test_a_sample_does_not_depend_on_its_batch():
    seeds = [(3, 0, n) for n in range(50)]
    whole = uniform(seeds, 20)
    np.testing.assert_array_equal(uniform(seeds[17:18], 20)[0], whole[17])
    np.testing.assert_array_equal(uniform(seeds, 8), whole[:, :8])


def test_numbers_are_uniform_and_unrelated():
    numbers = uniform([(1, side, n) for side in (0, 1) for n in range(4000)], 6)
    assert numbers.min() >= 0 and numbers.max() < 1
    assert len(np.unique(numbers)) == numbers.size
    np.testing.assert_allclose(numbers.mean(0), 0.5, atol=0.02)
    np.testing.assert_allclose(numbers.var(0), 1 / 12, atol=0.005)
    related = np.corrcoef(np.concatenate([numbers[:-1], numbers[1:]], 1).T) - np.eye(12)
    assert np.abs(related).max() < 0.06
