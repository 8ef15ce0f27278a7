"""What looks for a difference: logistic regression on features of one picture or of two, and a network on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.optimize import minimize
from scipy.special import expit

from synth.leak.features import residual_features

Picture = tuple[UInt8[np.ndarray, "_ _ rgb=3"], Bool[np.ndarray, "_ _"]]
"""A picture and what is hidden of it."""


class FeatureClassifier:
    """Logistic regression on `residual_features`, standardised, with a ridge."""

    name = "residual features, logistic regression"

    def __init__(self, ridge: float = 1e-2) -> None:
        self.ridge = ridge

    def fit(self, pictures: Sequence[Picture], labels: Bool[np.ndarray, " pictures"]) -> None:
        features = _features(pictures)
        self.mean, self.spread = features.mean(0), features.std(0) + 1e-9
        self.weights = _logistic(self._inputs(features), labels, self.ridge)

    def scores(self, pictures: Sequence[Picture]) -> Float[np.ndarray, " pictures"]:
        """Above 0 for an amputee."""
        return self._inputs(_features(pictures)) @ self.weights

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        return np.column_stack([(features - self.mean) / self.spread, np.ones(len(features))])


class DifferenceClassifier:
    """Which of two twins side by side is the amputee: logistic regression on differences of their features.

    The sharpest of all, because what the scene looks like cancels out; twins without a difference get exactly 0.
    """

    name = "twins side by side, feature differences"

    def __init__(self, ridge: float = 1e-2) -> None:
        self.ridge = ridge

    def fit(self, pairs: Sequence[tuple[Picture, Picture]]) -> None:
        """From pairs, the amputee first."""
        differences = self._differences(pairs)
        self.spread = np.sqrt((differences**2).mean(0)) + 1e-9
        both = np.concatenate([differences, -differences]) / self.spread
        self.weights = _logistic(both, np.arange(len(both)) < len(differences), self.ridge)

    def scores(self, pairs: Sequence[tuple[Picture, Picture]]) -> Float[np.ndarray, " pairs"]:
        """Above 0 where the first is the amputee."""
        return self._differences(pairs) / self.spread @ self.weights

    @staticmethod
    def _differences(pairs: Sequence[tuple[Picture, Picture]]) -> np.ndarray:
        return _features([first for first, _ in pairs]) - _features([second for _, second in pairs])


def _features(pictures: Sequence[Picture]) -> np.ndarray:
    return np.stack([residual_features(*picture) for picture in pictures]).astype(np.float64)


def _logistic(inputs: np.ndarray, labels: np.ndarray, ridge: float) -> np.ndarray:
    """Weights that tell the labels apart."""
    signs = np.where(labels, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (inputs @ weights)
        gradient = -(expit(-margin) * signs) @ inputs / len(signs) + ridge * weights
        return float(np.logaddexp(0, -margin).mean() + 0.5 * ridge * weights @ weights), gradient

    return minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x


class PixelClassifier:
    """A small convolutional network on crops: colours, what a high pass leaves of them, and what is hidden.

    The score of a picture is the mean over a grid of crops.
    """

    name = "pixels, small convolutional network"

    def __init__(self, steps: int = 400, batch: int = 32, crop: int = 96, seed: int = 0) -> None:
        self.steps, self.batch, self.crop, self.seed = steps, batch, crop, seed

    def fit(self, pictures: Sequence[Picture], labels: Bool[np.ndarray, " pictures"]) -> None:
        import torch
        from torch import nn

        rng = np.random.default_rng(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = nn.Sequential(
                nn.Conv2d(7, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
                nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
                nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1),
            )  # fmt: skip
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=3e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=self.steps)
        corners = [self._corners(hidden) for _, hidden in pictures]
        self.network.train()
        for _ in range(self.steps):
            chosen = rng.integers(0, len(pictures), self.batch)
            crops = [self._input(pictures[i], corners[i][int(rng.integers(len(corners[i])))]) for i in chosen]
            logits = self.network(torch.from_numpy(np.stack(crops)))[:, 0]
            target = torch.from_numpy(labels[chosen].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        self.network.eval()

    def scores(self, pictures: Sequence[Picture]) -> Float[np.ndarray, " pictures"]:
        """Above 0 for an amputee."""
        import torch

        found = []
        with torch.inference_mode():
            for picture in pictures:
                corners = self._corners(picture[1])
                some = [corners[i] for i in np.linspace(0, len(corners) - 1, 8).round().astype(int)]
                crops = np.stack([self._input(picture, corner) for corner in some])
                found.append(float(self.network(torch.from_numpy(crops)).mean()))
        return np.array(found)

    def _corners(self, hidden: np.ndarray) -> list[tuple[int, int]]:
        """Corners of crops with most to see, on the grid of JPEG blocks; at least one."""
        height, width = hidden.shape
        share = cv2.blur((~hidden).astype(np.float32), (self.crop, self.crop), anchor=(0, 0))
        rows = range(0, max(height - self.crop, 0) + 1, 16)
        columns = range(0, max(width - self.crop, 0) + 1, 16)
        grid = [(float(share[row, column]), row, column) for row in rows for column in columns]
        most = max(seen for seen, _, _ in grid)
        return [(row, column) for seen, row, column in grid if seen >= min(0.7, most)]

    def _input(self, picture: Picture, corner: tuple[int, int]) -> np.ndarray:
        """Channels first: RGB, its high pass, what is to be seen; 0 wherever it is hidden."""
        row, column = corner
        window = (slice(row, row + self.crop), slice(column, column + self.crop))
        image, hidden = picture[0][window].astype(np.float32), picture[1][window]
        if hidden.shape != (self.crop, self.crop):
            pad = [(0, self.crop - hidden.shape[0]), (0, self.crop - hidden.shape[1])]
            image, hidden = np.pad(image, [*pad, (0, 0)]), np.pad(hidden, pad, constant_values=True)
        # of seen pixels alone: what is hidden must not come in through the filter
        inner = cv2.erode((~hidden).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
        high = np.clip(image - cv2.blur(image, (3, 3)), -8, 8) / 4
        channels = np.concatenate(
            [(image / 255 - 0.5) * ~hidden[..., None], high * inner[..., None], ~hidden[..., None]], axis=2
        )
        return np.ascontiguousarray(channels.transpose(2, 0, 1), dtype=np.float32)
