from __future__ import annotations

import math

import numpy as np
import pytest

from synth.appearance.noise import fractal_noise

MASK = 0xFFFFFFFF


def lattice(x: int, y: int, z: int, seed: int) -> float:
    h = (x * 0x8DA6B343 & MASK) ^ (y * 0xD8163841 & MASK)
    h ^= (z * 0xCB1AB31F & MASK) ^ (seed * 0x9E3779B9 & MASK)
    h = (h ^ h >> 16) * 0x7FEB352D & MASK
    h = (h ^ h >> 15) * 0x846CA68B & MASK
    h ^= h >> 16
    return (h & 0xFFFFFF) / 16777216


def naive(point, frequency: float, seed: int, octaves: int, gain: float) -> float:
    total = norm = 0.0
    for octave in range(octaves):
        p = [c * frequency * 2**octave for c in point]
        i = [math.floor(c) for c in p]
        t = [(c - k) ** 2 * (3 - 2 * (c - k)) for c, k in zip(p, i, strict=True)]
        value = 0.0
        for dx in (0, 1):
            for dy in (0, 1):
                for dz in (0, 1):
                    weight = math.prod(a if d else 1 - a for a, d in zip(t, (dx, dy, dz), strict=True))
                    value += weight * lattice(i[0] + dx, i[1] + dy, i[2] + dz, seed + octave * 1013)
        total += value * gain**octave
        norm += gain**octave
    return 2 * total / norm - 1


@pytest.mark.parametrize("seed", [0, 7, 123_456_789])
def test_twin_naive_loop(seed):
    points = np.random.default_rng(seed).uniform(-1, 1, (40, 3)).astype(np.float32)
    expected = [naive(p.astype(float), 9.0, seed, 3, 0.5) for p in points]
    np.testing.assert_allclose(fractal_noise(points, 9.0, seed), expected, atol=2e-4)


def test_law_range_continuity_and_seeds():
    points = np.random.default_rng(0).uniform(-1, 1, (20_000, 3)).astype(np.float32)
    field = fractal_noise(points, 20.0, 3)
    assert field.min() >= -1 and field.max() <= 1 and field.std() > 0.1
    assert np.array_equal(field, fractal_noise(points, 20.0, 3))
    near = fractal_noise(points + np.float32(1e-5), 20.0, 3)  # also across lattice planes and the origin
    assert np.abs(near - field).max() < 0.01
    assert abs(np.corrcoef(field, fractal_noise(points, 20.0, 4))[0, 1]) < 0.05


def test_law_unequal_frequencies_stretch_the_grain():
    line = np.zeros((2000, 3), np.float32)
    line[:, 0] = np.linspace(0, 1, 2000)
    fine = np.abs(np.diff(fractal_noise(line, (40.0, 5.0, 5.0), 0, octaves=1))).mean()
    along = np.abs(np.diff(fractal_noise(line[:, [1, 0, 2]], (40.0, 5.0, 5.0), 0, octaves=1))).mean()
    assert fine > 4 * along
