"""Lay the rendered people over the photograph, the farthest first."""

from __future__ import annotations

import cv2
import numpy as np

from ajahr.data.mask import person_values
from ajahr.render.compositing import composite_over
from synth.background_bank import BackgroundBank
from synth.record import Record


class Compose:
    """Picture and part mask from the background and everybody's `Person.render`, blended by coverage."""

    def __init__(self, bank: BackgroundBank) -> None:
        self.bank = bank

    def __call__(self, record: Record) -> Record:
        assert record.background is not None
        image = self.bank.image(record.background).copy()
        mask = np.zeros(image.shape[:2], np.uint8)
        for number, person in enumerate(record.people):
            assert person.render is not None
            composite_over(image, person.render)
            x0, y0, x1, y1 = person.render.window
            seen = person.render.parts[y0:y1, x0:x1]
            np.copyto(mask[y0:y1, x0:x1], person_values(seen, number), where=seen > 0)
        if record.background.grey:  # people in a black-and-white photograph have no colour either
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        record.image, record.mask = image, mask
        return record
