"""Made-up rooms, yards and walls as backgrounds, from nothing that is licensed: a folder for `photos: {kind: clean}`.

    python scripts/make_backgrounds.py data/backgrounds/made --count 240

A model trained before four photographs learns the photographs. These pictures are no photographs; they keep a small
model from trusting what stands behind people: floors in perspective, walls, windows with views, shelves, posts,
clutter, in any colour and light, from crops of scikit-image's pictures that are no scenes and from noise. Picture
i is a function of (seed, i).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ajahr.progress import Progress
from synth.photos.demo import packaged_file

SIZE = (640, 480)
_VIEWS = ("coffee.png", "chelsea.png", "retina.jpg", "hubble_deep_field.jpg",
          "ihc.png", "coins.png", "moon.png", "cell.png", "color.png")  # fmt: skip
_GROUNDS = ("brick.png", "grass.png", "gravel.png")


def load(names: tuple[str, ...]) -> list[np.ndarray]:
    """The pictures as RGB in 0..1."""
    files = [packaged_file("skimage", "data", name) for name in names]
    return [np.asarray(Image.open(file).convert("RGB"), np.float32) / 255 for file in files]


def noise(rng: np.random.Generator, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Cloud-like noise of several octaves, 0..1."""
    total = np.zeros((height, width, channels), np.float32)
    slope = rng.uniform(0.4, 0.9)
    for octave in range(1, 8):
        cells = 2**octave
        small = rng.random((cells, cells * width // height + 1, channels), np.float32)
        big = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        total += slope**octave * big.reshape(height, width, channels)
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def recolour(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Another tint, contrast and brightness."""
    grey = picture.mean(2, keepdims=True)
    picture = grey + rng.uniform(0.0, 1.3) * (picture - grey)
    tint = np.array([rng.uniform(0.6, 1.3) for _ in range(3)], np.float32)
    return np.clip((picture - 0.5) * rng.uniform(0.4, 1.2) * tint + rng.uniform(0.4, 0.75), 0, 1)


def piece(rng: np.random.Generator, pictures: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Part of a picture, mirrored or turned, in another colour."""
    picture = pictures[rng.integers(len(pictures))]
    share = rng.uniform(0.25, 1.0)
    rows, columns = (max(int(share * n), 8) for n in picture.shape[:2])
    top = rng.integers(picture.shape[0] - rows + 1)
    left = rng.integers(picture.shape[1] - columns + 1)
    part = picture[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    if rng.random() < 0.15:
        part = part[::-1]
    return recolour(
        rng, cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=cv2.INTER_AREA)
    )


def surface(rng: np.random.Generator, pictures: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """A wall's or floor's material, seen from the front."""
    kind = rng.integers(4)
    base = np.array(rng.random(3), np.float32) * 0.7 + 0.15
    if kind == 0:
        tile = piece(rng, pictures, 256, 256)
        times = (height // 256 + 1, width // 256 + 1, 1)
        made = np.tile(tile, times)[:height, :width]
    elif kind == 1:
        made = np.broadcast_to(base, (height, width, 3)).copy()
    elif kind == 2:  # boards or tiles
        made = np.broadcast_to(base, (height, width, 3)).copy()
        step = int(rng.integers(16, 90))
        shades = rng.uniform(0.75, 1.15, (height // step + 1, width // step + 1, 1)).astype(np.float32)
        if rng.random() < 0.5:
            shades = np.repeat(shades[:1], len(shades), 0)
        made *= np.kron(shades[..., 0], np.ones((step, step), np.float32))[:height, :width, None]
        made[::step] *= 0.6
        made[:, ::step] *= 0.6
    else:
        made = base * (0.5 + noise(rng, height, width, 1))
    return np.clip(made * (0.85 + 0.3 * noise(rng, height, width, 1)), 0, 1)


def room(rng: np.random.Generator, views: list[np.ndarray], grounds: list[np.ndarray]) -> np.ndarray:
    """A wall over a floor in perspective, with windows and things before it."""
    width, height = SIZE
    horizon = int(height * rng.uniform(0.35, 0.75))
    picture = np.empty((height, width, 3), np.float32)
    picture[:horizon] = surface(rng, grounds, horizon, width)
    if rng.random() < 0.3:
        picture[:horizon] = piece(rng, views, horizon, width)
    floor = surface(rng, grounds, 512, 1024)
    spread = rng.uniform(0.1, 0.45)
    corners = np.array([[spread * 1024, 0], [(1 - spread) * 1024, 0], [1024, 512], [0, 512]], np.float32)
    seen = np.array([[0, horizon], [width, horizon], [width, height], [0, height]], np.float32)
    warped = cv2.warpPerspective(floor, cv2.getPerspectiveTransform(corners, seen), SIZE)
    picture[horizon:] = warped[horizon:]
    for _ in range(rng.integers(0, 5)):
        w, h = (int(rng.uniform(0.08, 0.4) * n) for n in SIZE)
        left, top = int(rng.integers(width - w)), int(rng.integers(max(horizon - h // 2, 1)))
        frame = np.array(rng.random(3), np.float32)
        h = min(h, height - top)
        picture[top : top + h, left : left + w] = frame
        edge = int(rng.integers(2, 10))
        if h > 2 * edge + 8:
            picture[top + edge : top + h - edge, left + edge : left + w - edge] = piece(
                rng, views, h - 2 * edge, w - 2 * edge
            )
    return picture


def clutter(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Posts, boxes, balls and rods, drawn into the picture."""
    width, height = SIZE
    for _ in range(rng.integers(0, 9)):
        colour = tuple(float(c) for c in rng.random(3))
        x, y = int(rng.integers(width)), int(rng.integers(height // 4, height))
        kind = rng.integers(4)
        if kind == 0:
            thickness = int(rng.integers(4, 30))
            cv2.line(
                picture,
                (x, y),
                (x + int(rng.normal() * 30), y - int(rng.integers(60, 400))),
                colour,
                thickness,
            )
        elif kind == 1:
            w, h = int(rng.integers(15, 150)), int(rng.integers(15, 200))
            cv2.rectangle(picture, (x, y - h), (x + w, y), colour, -1)
            cv2.rectangle(picture, (x, y - h), (x + w, y - h // 2), tuple(0.8 * c for c in colour), -1)
        elif kind == 2:
            cv2.ellipse(picture, (x, y), (int(rng.integers(8, 60)), int(rng.integers(8, 60))),
                        float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)  # fmt: skip
        else:
            end = x + int(rng.normal() * 200), y + int(rng.normal() * 120)
            cv2.line(picture, (x, y), end, colour, int(rng.integers(2, 22)), cv2.LINE_AA)


def background(seed: int, index: int, views: list[np.ndarray], grounds: list[np.ndarray]) -> np.ndarray:
    """Picture ``index``, RGB uint8."""
    rng = np.random.default_rng((seed, index))
    width, height = SIZE
    kind = rng.random()
    if kind < 0.65:
        picture = room(rng, views, grounds)
    elif kind < 0.9:
        picture = piece(rng, views, height, width)
    else:
        picture = recolour(rng, noise(rng, height, width))
    clutter(rng, picture)
    light = 1 + rng.uniform(0, 0.5) * (2 * noise(rng, height, width, 1) - 1)
    picture = np.clip(picture * light * rng.uniform(0.5, 1.2), 0, 1)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3))
    picture = np.clip(picture + rng.normal(0, rng.uniform(0.002, 0.02), picture.shape), 0, 1)
    return (picture * 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    views, grounds = load(_VIEWS), load(_GROUNDS)
    with Progress().bar("backgrounds", options.count) as advance:
        for index in range(options.count):
            made = background(options.seed, index, views, grounds)
            cv2.imwrite(
                str(options.folder / f"made_{index:05d}.jpg"), made[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92]
            )
            advance()


if __name__ == "__main__":
    main()
