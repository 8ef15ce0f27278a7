"""Time of a residual-limb cut beside what other libraries need to cut the same limb, in turns in one run.

python scripts/bench_cut.py [--body FILE] [--rounds 5]

trimesh's `slice_plane` needs the limb as a mesh of its own (on a whole body its plane meets both legs), does not
close it here (no cap; it needs shapely all the same) and keeps no skin weights. manifold3d splits the whole body by
the plane and takes the parts apart, keeps neither vertex numbers nor weights, and is told which part is the limb.
Ours leaves a closed body with a dome, weights, texture and a vertex map, and checks that it is closed. CPU time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np
import trimesh

from ajahr.residual_limb.segments import SEGMENTS, Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limb

FRACTIONS = (0.1, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    mesh = SkinnedMesh.read(args.body)
    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)

    def ours(segment: Segment, fraction: float) -> float:
        return cut_limb(mesh, segment, fraction).mesh.topology.volume

    def sliced(segment: Segment, fraction: float) -> float:
        point, normal = _plane(mesh, segment, fraction)
        limb = mesh.weights[:, mesh.descendants(segment.upstream)].sum(1) > 0.5
        stump: Any = whole.submesh([np.flatnonzero(limb[mesh.faces].all(1))], append=True)
        return float(stump.slice_plane(point, -normal).area)

    def split(segment: Segment, fraction: float) -> float:
        point, normal = _plane(mesh, segment, fraction)
        body = manifold3d.Manifold(manifold3d.Mesh(mesh.vertices, mesh.faces.astype(np.uint32)))
        distal, _ = body.split_by_plane(normal.tolist(), float(normal @ point))
        middle = mesh.joints[segment.anchor]
        part = min(
            distal.decompose(), key=lambda one: np.linalg.norm(one.to_mesh().vert_properties.mean(0) - middle)
        )
        return (body - part).volume()

    ways: dict[str, Callable[[Segment, float], float]] = {
        "cut_limb": ours,
        "trimesh slice, no cap": sliced,
        "manifold3d split": split,
    }
    start = time.process_time()
    fresh = SkinnedMesh.read(args.body)
    made = time.process_time()
    cut_limb(fresh, SEGMENTS[0], 0.3)
    print(
        f"{len(mesh.vertices)} vertices; reading a body {1000 * (made - start):.1f} ms, "
        f"the first cut of a limb {1000 * (time.process_time() - made):.1f} ms"
    )
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(args.rounds + 1):
        for segment in SEGMENTS:
            for fraction in FRACTIONS:
                for name, way in ways.items():
                    start = time.process_time()
                    way(segment, fraction)
                    if round_:  # the first round warms up
                        times[name].append(time.process_time() - start)
    base = float(np.median(times["cut_limb"]))
    for name, found in times.items():
        middle = float(np.median(found))
        print(
            f"{name:24} median {1000 * middle:6.1f} ms, 95 % {1000 * np.quantile(found, 0.95):6.1f} ms, "
            f"{middle / base:5.2f} of ours"
        )


def _plane(mesh: SkinnedMesh, segment: Segment, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    upstream, anchor = mesh.joints[segment.upstream], mesh.joints[segment.anchor]
    normal = (anchor - upstream) / np.linalg.norm(anchor - upstream)
    return (anchor + fraction * (upstream - anchor)).astype(float), normal.astype(float)


if __name__ == "__main__":
    main()
