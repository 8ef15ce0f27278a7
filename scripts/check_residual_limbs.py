"""Cuts 8 limbs at 20 lengths, poses them 10 ways and prints what holds, for every body given; then RAFO.

python scripts/check_residual_limbs.py [--bodies own FILE ...] [--lengths 20] [--poses 10]

Closed: every edge has two faces, run through in opposite directions, the Euler number is the intact body's and
the volume positive and no larger than the cut before. Self-intersections are told in two ways. Places: curves
of more than 1 mm along which the surface runs through itself, in the cut body and in the intact one in the pose the
cut one has, lost joints at rest; how finely a surface is cut into faces does not change them. Pairs: faces that pierce
each other, against the intact body with lost joints turned as the pose has them; these grow where a fine end lies in
what a coarse limb lay in. `scripts/stand_in_bodies.py` makes bodies of SMPL's and SMPL-X's sizes and formats.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.poses.sampler import FAMILIES, sample_pose
from ajahr.progress import Progress
from ajahr.residual_limb.intersections import intersection_curves, self_intersections
from ajahr.residual_limb.measure import stl_bytes
from ajahr.residual_limb.rafo import fit_residuals
from ajahr.residual_limb.rafo_problem import Problem, minimise_lbfgs, solve
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limb

_LEAST = 0.001
"""Metres of a curve that count."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bodies", nargs="+", default=["own"], help="own, or SMPL and SMPL-X files")
    parser.add_argument("--lengths", type=int, default=20)
    parser.add_argument("--poses", type=int, default=10)
    args = parser.parse_args()
    rows = []
    for name in args.bodies:
        rows.append(_check(None if name == "own" else Path(name), args.lengths, args.poses))
    words = list(rows[0])
    for word in words:
        print(f"{word:44}" + "".join(f"{row[word]!s:>22}" for row in rows))
    _rafo()


def _poses(mesh: SkinnedMesh, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(3), (count, len(mesh.joints), 1, 1))
    for k, pose in enumerate(poses):
        turned = rotvec_to_rotmat(sample_pose(rng, FAMILIES[k % len(FAMILIES)]).body_pose)
        pose[1:22] = turned[:21]  # SMPL's hand joints are none of SMPL-X's
    return poses


def _check(path: Path | None, lengths: int, count: int) -> dict[str, Any]:
    mesh = SkinnedMesh.read(path)
    poses = _poses(mesh, count)
    intact = [len(self_intersections(mesh.pose(pose), mesh.faces)) for pose in poses]
    at_rest: dict[tuple[frozenset[int], int], int] = {}
    times, closed, falling, flags = [], 0, 0, Counter[str]()
    posed, worse, total, stl, places = 0, [], 0, 0, Counter[str]()
    name = "own" if path is None else path.stem
    with Progress().bar(f"cuts of {name}", len(SEGMENTS) * lengths) as tick:
        for segment in SEGMENTS:
            cut_limb(mesh, segment, 0.5)
            last = np.inf
            for fraction in np.linspace(0, 1, lengths):
                start = time.process_time()
                cut = cut_limb(mesh, segment, float(fraction))
                times.append(time.process_time() - start)
                found = cut.mesh.topology
                closed += found.closed and found.euler_number == mesh.topology.euler_number
                falling += 0 < found.volume <= last * (1 + 1e-6)
                last = found.volume
                flags.update(cut.ends[0].flags or ("none",))
                stl += _opens(cut.mesh)
                for k, (pose, before) in enumerate(zip(poses, intact, strict=True)):
                    vertices = cut.mesh.pose(pose)
                    total += 1
                    posed += topology(vertices, cut.mesh.faces).volume > 0
                    pairs = self_intersections(vertices, cut.mesh.faces)
                    if len(pairs) > before:
                        worse.append(len(pairs) - before)
                    key = cut.mesh.absent, k
                    if key not in at_rest:
                        still = replace(mesh, absent=cut.mesh.absent).pose(pose)
                        at_rest[key] = _places(still, mesh.faces, self_intersections(still, mesh.faces))
                    if _places(vertices, cut.mesh.faces, pairs) > at_rest[key]:
                        places[segment.words] += 1
                tick()
    cuts = len(times)
    return {
        "body": name,
        "vertices, faces": f"{len(mesh.vertices)}, {len(mesh.faces)}",
        "joints": len(mesh.joints),
        "closed, Euler number kept": f"{closed} of {cuts}",
        "volume positive, falls with lambda": f"{falling} of {cuts}",
        "posed: volume positive": f"{posed} of {total}",
        "posed: no more places of self-intersection": f"{total - places.total()} of {total}",
        "  more in": ", ".join(f"{words} {n}" for words, n in places.items()) or "none",
        "posed: no more pairs of piercing faces": f"{total - len(worse)} of {total}",
        "  pairs more where more, of an intact": f"{max(worse, default=0)} of {round(np.mean(intact))}",
        "STL opens closed in trimesh and manifold3d": f"{stl} of {cuts}",
        "flags: none": flags["none"],
        "flags: oblique_cut": flags["oblique_cut"],
        "flags: clamped": flags["clamped"],
        "flags: disarticulation": flags["disarticulation"],
        "a cut, median ms of CPU": f"{1000 * np.median(times):.1f}",
        "a cut, largest": f"{1000 * max(times):.1f}",
    }


def _places(vertices: np.ndarray, faces: np.ndarray, pairs: np.ndarray) -> int:
    """Curves longer than `_LEAST` along which a surface runs through itself."""
    lengths, curves = intersection_curves(vertices, faces, pairs)
    return int((np.bincount(curves, weights=lengths) > _LEAST).sum()) if len(pairs) else 0


def _opens(mesh: SkinnedMesh) -> bool:
    """Whether both libraries take the STL for a closed solid."""
    import manifold3d
    import trimesh

    solid: Any = trimesh.load(io.BytesIO(stl_bytes(mesh)), file_type="stl")
    solid.merge_vertices()
    raw = manifold3d.Mesh(np.asarray(solid.vertices, np.float32), np.asarray(solid.faces, np.uint32))
    made = manifold3d.Manifold(raw)
    same = abs(made.volume() - 1e9 * mesh.topology.volume) < 1e-3 * made.volume()
    return bool(solid.is_volume and made.status() == manifold3d.Error.NoError and same)


def _rafo() -> None:
    mesh = SkinnedMesh.read()
    poses = _poses(mesh, 10)
    rng = np.random.default_rng(0)
    camera = Camera.centred(1000, 1000, 1200.0)
    people = 64
    joints = np.empty((people, 24, 3))
    for k in range(people):
        rotmats = poses[k % len(poses)].copy()
        rotmats[0] = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(np.array([0, rng.uniform(-3, 3), 0]))
        joints[k] = mesh.pose_joints(rotmats)[1] + (0, -0.2, 3)
    anchor = joints[:, [s.anchor for s in SEGMENTS]]
    upstream = joints[:, [s.upstream for s in SEGMENTS]]
    truth = rng.uniform(0.1, 0.9, (people, 8))
    points = np.zeros((people, 8, 3))
    points[..., :2] = camera.project(anchor + truth[..., None] * (upstream - anchor))
    points[..., :2] += rng.normal(0, 2, (people, 8, 2))
    points[:, [0, 3, 4, 7], 2] = 1
    start = time.perf_counter()
    found = fit_residuals(joints, points, camera)
    batched = (time.perf_counter() - start) / (4 * people)
    start = time.perf_counter()
    for k in range(people):
        fit_residuals(joints[k : k + 1], points[k : k + 1], camera)
    singly = (time.perf_counter() - start) / people
    problem = Problem.build(anchor[:16, 0], upstream[:16, 0], points[:16, 0, :2], camera)
    start = time.perf_counter()
    slow = minimise_lbfgs(problem)[1]
    lbfgs = (time.perf_counter() - start) / 16
    error = np.abs(found.fraction - truth)[found.accepted]
    print(
        f"RAFO, 2 px: {found.accepted.sum()} of {4 * people} accepted, median |lambda error| {np.median(error):.4f}"
    )
    print(
        f"a limb: batched {1000 * batched:.3f} ms, a person of four alone {1000 * singly:.2f} ms, "
        f"L-BFGS {1000 * lbfgs:.1f} ms; largest difference in lambda {np.abs(slow - solve(problem)[1]).max():.1e}"
    )


if __name__ == "__main__":
    main()
