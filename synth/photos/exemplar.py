"""Fill a person-sized hole with patches of the same picture.

Diffusion (Telea, Navier-Stokes) smears over holes this large. Here the hole is filled so that every patch in
it looks like some patch outside (Wexler, Shechtman, Irani 2007), coarse to fine, with the nearest patches
found by PatchMatch (Barnes et al. 2009), patches weighted and texture compared as in Newson et al. 2014. One
thread, own random numbers: the same picture and hole give the same bytes.

It copies what is there: somebody who stays in the picture because no annotation names them may be copied too.
"""

from __future__ import annotations

import typing

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from numba import njit

RADIUS = 3
"""Patches are 7 x 7 px."""
_COARSEST_HALF_WIDTH = 4.0
"""The pyramid ends where the hole is at most so many px from its edge to its middle."""
_SMALLEST_SIDE = 40
"""... or where halving would make the shorter side less than this: the first fill needs some picture."""
_COARSE_ROUNDS, _FINE_ROUNDS = 10, 3
_FINE_SIDE = 250
"""Levels with a longer shorter side take the few rounds."""
_FIRST_ROW_PENALTY = 10_000.0
_FIRST_SIDE_PENALTIES = (0.0, 1000.0, 3000.0)
"""The first fill is tried with these prices of taking patches from further aside, per (image height)^2."""
_CONFIDENCE_FALL = 0.85
"""Weight of a patch falls by this factor per pixel into the hole."""
_ROW_PENALTY = 2000.0
"""Price of taking a patch from another height, per (image height)^2: ground stays below, sky above."""
_SEED = 0x2545F491
_CHANNELS = 5
"""Red, green, blue, and how strongly the picture changes nearby along rows and columns: without the last two
smooth patches win everywhere, since an average is smooth."""
_TEXTURE_WINDOW = 15
_TEXTURE_WEIGHT = 5.0


@njit(cache=True)
@typing.no_type_check
def _next(state):
    """xorshift32."""
    state[0] ^= (state[0] << np.uint32(13)) & np.uint32(0xFFFFFFFF)
    state[0] ^= state[0] >> np.uint32(17)
    state[0] ^= (state[0] << np.uint32(5)) & np.uint32(0xFFFFFFFF)
    return state[0]


@njit(cache=True)
@typing.no_type_check
def _distance(image, ty, tx, sy, sx, limit, penalty):
    """Mean squared difference of two patches over the part of the first that lies in the picture, plus the
    price of the height between them; ``limit`` where it is no less."""
    height, width = image.shape[:2]
    step = np.float32(ty - sy) / np.float32(height)
    price = penalty * step * step
    if price >= limit:
        return limit
    total = np.float32(0.0)
    y0, y1 = max(ty - RADIUS, 0), min(ty + RADIUS + 1, height)
    x0, x1 = max(tx - RADIUS, 0), min(tx + RADIUS + 1, width)
    count = np.float32((y1 - y0) * (x1 - x0))
    bound = (limit - price) * count
    oy, ox = sy - ty, sx - tx
    for y in range(y0, y1):
        for x in range(x0, x1):
            for c in range(_CHANNELS):
                step = image[y, x, c] - image[y + oy, x + ox, c]
                total += step * step
        if total >= bound:
            return limit
    return total / count + price


@njit(cache=True)
@typing.no_type_check
def _search(image, source, target, match, cost, state, rounds, penalty):
    """PatchMatch: improve every target's ``match``, a source pixel with a similar patch, and its ``cost``."""
    height, width = image.shape[:2]
    far = max(height, width)
    for y in range(height):  # the picture has changed since the costs were taken
        for x in range(width):
            if target[y, x]:
                cost[y, x] = _distance(image, y, x, match[y, x, 0], match[y, x, 1], np.float32(1e30), penalty)
    for turn in range(rounds):
        back = 1 if turn % 2 == 0 else -1
        for j in range(height):
            y = j if back == 1 else height - 1 - j
            for i in range(width):
                x = i if back == 1 else width - 1 - i
                if not target[y, x]:
                    continue
                best_y, best_x, best = match[y, x, 0], match[y, x, 1], cost[y, x]
                for k in range(2):  # what the neighbours before found, moved along
                    ny, nx = (y - back, x) if k == 0 else (y, x - back)
                    if ny < 0 or nx < 0 or ny >= height or nx >= width or not target[ny, nx]:
                        continue
                    sy, sx = match[ny, nx, 0] + y - ny, match[ny, nx, 1] + x - nx
                    if sy < 0 or sx < 0 or sy >= height or sx >= width or not source[sy, sx]:
                        continue
                    found = _distance(image, y, x, sy, sx, best, penalty)
                    if found < best:
                        best_y, best_x, best = sy, sx, found
                reach = far
                while reach >= 1:
                    sy = best_y + np.int64(_next(state) % np.uint32(2 * reach + 1)) - reach
                    sx = best_x + np.int64(_next(state) % np.uint32(2 * reach + 1)) - reach
                    reach //= 2
                    if sy < 0 or sx < 0 or sy >= height or sx >= width or not source[sy, sx]:
                        continue
                    found = _distance(image, y, x, sy, sx, best, penalty)
                    if found < best:
                        best_y, best_x, best = sy, sx, found
                match[y, x, 0], match[y, x, 1], cost[y, x] = best_y, best_x, best


@njit(cache=True)
@typing.no_type_check
def _vote(image, hole, target, match, cost, confidence, spread, best_only):
    """Every hole pixel from the patches that cover it: their weighted mean, or the best one's pixel."""
    height, width = image.shape[:2]
    colour = np.zeros(_CHANNELS, np.float32)
    for y in range(height):
        for x in range(width):
            if not hole[y, x]:
                continue
            weights = np.float32(0.0)
            top = np.float32(-1.0)
            colour[:] = 0
            for ty in range(max(y - RADIUS, 0), min(y + RADIUS + 1, height)):
                for tx in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width)):
                    if not target[ty, tx]:
                        continue
                    sy, sx = match[ty, tx, 0] + y - ty, match[ty, tx, 1] + x - tx
                    weight = confidence[ty, tx] * np.exp(-cost[ty, tx] / spread) + np.float32(1e-12)
                    if best_only:
                        if weight > top:
                            top, weights = weight, np.float32(1.0)
                            for c in range(_CHANNELS):
                                colour[c] = image[sy, sx, c]
                    else:
                        weights += weight
                        for c in range(_CHANNELS):
                            colour[c] += weight * image[sy, sx, c]
            for c in range(_CHANNELS):
                image[y, x, c] = colour[c] / weights


@njit(cache=True)
@typing.no_type_check
def _peel(image, hole, layer, source, match, row_penalty, side_penalty):
    """First fill, from the edge inwards: each pixel from the patch most like what is known around it.

    Searches every source, so it is meant for the smallest picture of a pyramid only.
    """
    height, width = image.shape[:2]
    known = ~hole
    offsets = np.empty(((2 * RADIUS + 1) ** 2, 2), np.int64)
    for ring in range(1, layer.max() + 1):
        for y in range(height):
            for x in range(width):
                if layer[y, x] != ring:
                    continue
                count = 0
                for ty in range(max(y - RADIUS, 0), min(y + RADIUS + 1, height)):
                    for tx in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width)):
                        if known[ty, tx]:
                            offsets[count, 0], offsets[count, 1] = ty - y, tx - x
                            count += 1
                best, best_y, best_x = np.float32(1e30), match[y, x, 0], match[y, x, 1]
                for sy in range(height):
                    step = np.float32(y - sy) / np.float32(height)
                    for sx in range(width):
                        if not source[sy, sx]:
                            continue
                        side = np.float32(x - sx) / np.float32(height)
                        price = row_penalty * step * step + side_penalty * side * side
                        total, bound = np.float32(0.0), (best - price) * count
                        for k in range(count):
                            dy, dx = offsets[k, 0], offsets[k, 1]
                            for c in range(_CHANNELS):
                                d = image[y + dy, x + dx, c] - image[sy + dy, sx + dx, c]
                                total += d * d
                            if total >= bound:
                                break
                        if total < bound:
                            best, best_y, best_x = total / count + price, sy, sx
                match[y, x, 0], match[y, x, 1] = best_y, best_x
                for c in range(_CHANNELS):
                    image[y, x, c] = image[best_y, best_x, c]
        for y in range(height):
            for x in range(width):
                if layer[y, x] == ring:
                    known[y, x] = True


def exemplar_fill(
    image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture with its hole filled by patches of the rest; pixels outside the hole stay.

    Raises:
        ValueError: not one whole patch of the picture lies outside the hole.
    """
    if not hole.any():
        return image.copy()
    levels = _pyramid(image, hole)
    start, solution = _start(levels)
    for depth in reversed(range(start)):
        solution = _refine(levels[depth], solution, depth == 0)
    if start == 0:  # a small picture: the start was on the finest level, whose last vote is still to come
        solution = _improve(levels[0], solution.picture, solution.match, 1, True)
    filled = np.clip(np.rint(solution.picture[..., :3]), 0, 255).astype(np.uint8)
    return np.where(hole[..., None], filled, image)


class _Level(typing.NamedTuple):
    """One picture of the pyramid and where its patches come from and go to."""

    picture: np.ndarray
    hole: np.ndarray
    source: np.ndarray
    """Centres of patches that lie in the picture and outside the hole."""
    target: np.ndarray
    """Centres of patches that touch the hole."""
    inward: np.ndarray
    """Distance to the hole's edge, px."""


class _Solution(typing.NamedTuple):
    picture: np.ndarray
    match: np.ndarray
    energy: float
    """Mean cost of the patches that touch the hole."""


def _level(picture: np.ndarray, hole: np.ndarray) -> _Level:
    kernel = np.ones((2 * RADIUS + 1,) * 2, np.uint8)
    gap = hole.astype(np.uint8)
    source = cv2.erode(1 - gap, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    inward = cv2.distanceTransform(gap, cv2.DIST_L2, 3)
    return _Level(picture, hole, source, cv2.dilate(gap, kernel) > 0, inward)


def _pyramid(image: np.ndarray, hole: np.ndarray) -> list[_Level]:
    """From fine to coarse. Hole pixels never run into the averages."""
    levels = [_level(np.concatenate([image.astype(np.float32), _texture(image, ~hole)], axis=2), hole)]
    if not levels[0].source.any():
        raise ValueError("the hole leaves no patch to fill it with")
    while True:
        picture, gap = levels[-1].picture, levels[-1].hole
        height, width = gap.shape
        if levels[-1].inward.max() <= _COARSEST_HALF_WIDTH or min(height, width) < 2 * _SMALLEST_SIDE:
            return levels
        size = ((width + 1) // 2, (height + 1) // 2)
        known = (~gap).astype(np.float32)
        share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
        # cv2.resize takes at most four channels here
        mean = np.stack(
            [
                cv2.resize(picture[..., c] * known, size, interpolation=cv2.INTER_AREA)
                for c in range(_CHANNELS)
            ],
            -1,
        )
        level = _level(mean / np.maximum(share, 1e-6)[..., None], share < 0.5)
        if not level.source.any():
            return levels
        levels.append(level)


def _texture(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mean size of the gradient's two parts in a window, taken over known pixels only."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    channels = []
    for axis in (1, 0):
        step = np.abs(np.diff(grey, axis=axis, append=np.take(grey, [-1], axis=axis)))
        good = known & np.roll(known, -1, axis=axis)
        window = (_TEXTURE_WINDOW, _TEXTURE_WINDOW)
        weight = cv2.boxFilter(good.astype(np.float32), -1, window)
        channels.append(cv2.boxFilter(step * good, -1, window) / np.maximum(weight, 1e-3))
    return _TEXTURE_WEIGHT * np.stack(channels, axis=-1)


def _start(levels: list[_Level]) -> tuple[int, _Solution]:
    """The depth of the best of several first fills, and that fill.

    What the first fill puts into the hole is refined, not rethought, by the finer levels, and it is cheap: so
    a few are made, and the one with the least energy goes on.
    """
    top = len(levels) - 1
    judged = max(top - 1, 0)
    best = None
    for side_penalty in _FIRST_SIDE_PENALTIES:
        solution = _first_fill(levels[top], side_penalty)
        if judged < top:
            solution = _refine(levels[judged], solution, False)
        if best is None or solution.energy < best.energy:
            best = solution
    assert best is not None
    return judged, best


def _first_fill(level: _Level, side_penalty: float) -> _Solution:
    picture = level.picture.copy()
    match = np.zeros((*level.hole.shape, 2), np.int32)
    places = np.argwhere(level.source)
    rng = np.random.default_rng(_SEED)
    match[level.target] = places[rng.integers(len(places), size=int(level.target.sum()))]
    rings = np.ceil(level.inward).astype(np.int32) * level.hole
    penalties = np.float32(_FIRST_ROW_PENALTY), np.float32(side_penalty)
    _peel(picture, level.hole, rings, level.source, match, *penalties)
    return _improve(level, picture, match, _COARSE_ROUNDS, False)


def _refine(level: _Level, coarse: _Solution, last: bool) -> _Solution:
    """The fill of the next finer level, started from the matches of the coarser one."""
    height, width = level.hole.shape
    rows, columns = np.nonzero(level.target)
    match = np.zeros((height, width, 2), np.int32)
    # a coarse target may lie just beside a fine one
    near_y = np.minimum(rows // 2, coarse.match.shape[0] - 1)
    near_x = np.minimum(columns // 2, coarse.match.shape[1] - 1)
    up = coarse.match[near_y, near_x] * 2 + np.stack([rows % 2, columns % 2], -1)
    match[rows, columns] = np.clip(up, 0, [height - 1, width - 1])
    _repair(match, level)
    picture = level.picture.copy()
    confidence = _confidence(level)
    _vote(
        picture, level.hole, level.target, match, np.zeros_like(confidence), confidence, np.float32(1), False
    )
    rounds = _FINE_ROUNDS if min(height, width) > _FINE_SIDE else _COARSE_ROUNDS
    return _improve(level, picture, match, rounds, last)


def _improve(level: _Level, picture, match, rounds: int, last: bool) -> _Solution:
    """Search and vote in turn. The finest level's last vote takes single pixels, which keeps the grain."""
    state = np.array([_SEED], np.uint32)
    cost = np.full(level.hole.shape, 1e30, np.float32)
    confidence = _confidence(level)
    for turn in range(rounds):
        _search(picture, level.source, level.target, match, cost, state, 2, np.float32(_ROW_PENALTY))
        spread = np.float32(max(np.percentile(cost[level.target], 75), 1.0))
        sharp = last and turn == rounds - 1
        _vote(picture, level.hole, level.target, match, cost, confidence, spread, sharp)
    return _Solution(picture, match, float(cost[level.target].mean()))


def _confidence(level: _Level) -> np.ndarray:
    return (_CONFIDENCE_FALL**level.inward).astype(np.float32)


def _repair(match: np.ndarray, level: _Level) -> None:
    """Matches that fell beside the sources of this level go to the nearest source."""
    bad = level.target & ~level.source[match[..., 0], match[..., 1]]
    if not bad.any():
        return
    _, labels = cv2.distanceTransformWithLabels(
        (~level.source).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(labels, np.int64)
    where = np.zeros((labels.max() + 1, 2), np.int32)
    where[labels[level.source]] = np.argwhere(level.source)
    match[bad] = where[labels[match[bad][:, 0], match[bad][:, 1]]]
