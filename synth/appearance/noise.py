"""Value noise in three dimensions: smooth, cheap, the same bytes for the same seed.

Evaluated at body-frame points it has no seams: texels on both sides of a UV cut lie at one point of space.
"""

from __future__ import annotations

import typing

import numpy as np
from jaxtyping import Float32
from numba import njit

_LOW = np.uint64(0xFFFFFFFF)


@njit(cache=True, inline="always")
@typing.no_type_check
def _lattice(x, y, z, seed):
    """Hash of a lattice point to 0..1, in 32-bit arithmetic: numba widens, so every product is cut."""
    h = np.uint64(x) * np.uint64(0x8DA6B343) ^ np.uint64(y) * np.uint64(0xD8163841)
    h ^= np.uint64(z) * np.uint64(0xCB1AB31F) ^ np.uint64(seed) * np.uint64(0x9E3779B9)
    h &= _LOW
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x7FEB352D)) & _LOW
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(0x846CA68B)) & _LOW
    h ^= h >> np.uint64(16)
    return np.float32(h & np.uint64(0xFFFFFF)) * np.float32(1.0 / 16777216.0)


@njit(cache=True)
@typing.no_type_check
def _fractal(points, frequency, octaves, gain, seed, out):
    norm = np.float32(0)
    amplitude = np.float32(1)
    for _ in range(octaves):
        norm += amplitude
        amplitude *= gain
    for i in range(points.shape[0]):
        total = np.float32(0)
        amplitude = np.float32(1)
        f0, f1, f2 = frequency[0], frequency[1], frequency[2]
        for octave in range(octaves):
            x, y, z = points[i, 0] * f0, points[i, 1] * f1, points[i, 2] * f2
            ix, iy, iz = np.int64(np.floor(x)), np.int64(np.floor(y)), np.int64(np.floor(z))
            u, v, w = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
            u = u * u * (np.float32(3) - np.float32(2) * u)
            v = v * v * (np.float32(3) - np.float32(2) * v)
            w = w * w * (np.float32(3) - np.float32(2) * w)
            s = seed + octave * 1013
            a = _lattice(ix, iy, iz, s)
            a += (_lattice(ix + 1, iy, iz, s) - a) * u
            b = _lattice(ix, iy + 1, iz, s)
            b += (_lattice(ix + 1, iy + 1, iz, s) - b) * u
            c = _lattice(ix, iy, iz + 1, s)
            c += (_lattice(ix + 1, iy, iz + 1, s) - c) * u
            d = _lattice(ix, iy + 1, iz + 1, s)
            d += (_lattice(ix + 1, iy + 1, iz + 1, s) - d) * u
            a += (b - a) * v
            c += (d - c) * v
            total += (a + (c - a) * w) * amplitude
            amplitude *= gain
            f0, f1, f2 = f0 * np.float32(2), f1 * np.float32(2), f2 * np.float32(2)
        out[i] = np.float32(2) * total / norm - np.float32(1)


def fractal_noise(
    points: Float32[np.ndarray, "points 3"],
    frequency: float | int | tuple[float | int, float | int, float | int],
    seed: int,
    octaves: int = 3,
    gain: float = 0.5,
) -> Float32[np.ndarray, " points"]:
    """Sum of octaves of value noise in -1..1.

    Args:
        points: Where, in any unit.
        frequency: Lattice cells per unit of the first octave, one for all axes or one for each: unequal ones
            stretch the grain.
        seed: Picks the field.
        octaves: Each next one has twice the frequency.
        gain: Amplitude of each next octave relative to the last.
    """
    axes = np.broadcast_to(np.asarray(frequency, np.float32), (3,)).copy()
    out = np.empty(len(points), np.float32)
    _fractal(np.ascontiguousarray(points), axes, octaves, np.float32(gain), int(seed) & 0x7FFFFFFF, out)
    return out
