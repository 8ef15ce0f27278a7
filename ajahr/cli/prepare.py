"""``ajahr prepare``: pose banks for the tokenizers.

ajahr prepare sampled                       the bank that needs no licence
ajahr prepare amass FOLDER                  AMASS's archives, unpacked
ajahr prepare moyo FOLDER                   MOYO's train/ and val/ (joblib .pkl, or .npz)
ajahr prepare a3d FILE [FILE ...]           annotations of A3D, or of ajahr-synth
ajahr prepare hmr2 FILE [FILE ...]          .npz annotations of HMR2/4D-Humans, CMU's cmu_mocap.npz
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ajahr.cli.console import call, did_you_mean, parser_of
from ajahr.data.pose_banks import mocap
from ajahr.data.pose_banks.annotations import read_annotations
from ajahr.data.pose_banks.sampled import CHUNK, sample_poses
from ajahr.errors import UserError
from tokenizer.banks import write_bank

BANKS = Path("data/pose_banks")
TOKENHMR_FOLDER = Path("data/tokenization_data")
Item = TypeVar("Item")


def sampled(
    output: Path = BANKS,
    train: int = 200_000,
    val: int = 4000,
    test: int = 4000,
    amputee_share: float = 0.5,
    seed: int = 0,
    workers: int | None = None,
    name: str = "sampled",
) -> None:
    """Poses of this project's own sampler: needs no licence. Writes NAME_train, NAME_val and NAME_test.

    Args:
        output: Folder of the banks.
        train: Poses to train on.
        val: Held-out poses to validate on.
        test: Held-out poses to evaluate on; 0 for none, as with the others.
        amputee_share: Probability that a pose is an amputee's.
        seed: The same seed gives the same banks.
        workers: Processes; None for as many as cores.
        name: Beginning of the files' names.
    """
    _folder(output)
    workers = workers if workers is not None else len(os.sched_getaffinity(0))
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            chunks = sample_poses(count, seed, split, amputee_share, workers)
            parts = list(_track(chunks, -(-count // CHUNK), f"{split} poses, in thousands"))
            poses, absent = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            _write(output / f"{name}_{split}.safetensors", poses, absent)


def amass(folder: Path, output: Path = TOKENHMR_FOLDER) -> None:
    """AMASS (SMPL+H), one bank a dataset, in TokenHMR's splits. Drops a fifth at both ends, keeps every tenth.

    Args:
        folder: Where AMASS's archives were unpacked: FOLDER/CMU/01/01_01_poses.npz ...
        output: Gets smplh/SPLIT/SPLIT_DATASET.npz.
    """
    _sequences(mocap.amass_sequences(folder), "amass", output)


def moyo(folder: Path, output: Path = TOKENHMR_FOLDER) -> None:
    """MOYO, a bank to train and one to validate on. Drops a tenth at both ends, keeps every fifth.

    Args:
        folder: With train/ and val/ in it, of .pkl files as published (read without executing them) or .npz.
        output: Gets smplh/SPLIT/SPLIT_MOYO.npz.
    """
    _sequences(mocap.moyo_sequences(folder), "moyo", output)


def a3d(files: list[Path], output: Path = BANKS / "a3d_train.safetensors") -> None:
    """Poses of A3D's annotations (both of its styles) or of ajahr-synth's, with what is lost.

    Args:
        files: .npz files; they go into one bank.
        output: The bank.
    """
    _annotations(files, output)


def hmr2(files: list[Path], output: Path = BANKS / "hmr2_train.safetensors") -> None:
    """Poses of HMR2's (4D-Humans) .npz annotations; people without a pose are left out.

    Args:
        files: .npz files; they go into one bank.
        output: The bank.
    """
    _annotations(files, output)


SOURCES: dict[str, Callable[..., None]] = {
    source.__name__: source for source in (sampled, amass, moyo, a3d, hmr2)
}


def _sequences(
    found: dict[tuple[str, str], list[Path]], reader: Literal["amass", "moyo"], output: Path
) -> None:
    for (split, name), files in found.items():
        target = output / "smplh" / split / f"{split}_{name}.npz"
        _folder(target.parent)
        _write(target, mocap.gather(files, reader, _track(files, len(files), f"{split} {name}")), None)


def _annotations(files: list[Path], output: Path) -> None:
    _folder(output.parent)
    found = [read_annotations(path) for path in _track(files, len(files), "files")]
    if dropped := sum(one.dropped for one in found):
        print(f"left out: {dropped} people without a pose")
    _write(
        output,
        np.concatenate([one.pose_body for one in found]),
        np.concatenate([one.absent_joints for one in found]),
    )


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}; choose another --output") from error


def _write(path: Path, poses: np.ndarray, absent: np.ndarray | None) -> None:
    try:
        write_bank(path, poses, absent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another --output") from error
    lost = 0 if absent is None else int(absent.any(1).sum())
    print(f"{path}: {len(poses)} poses, {lost} of them amputees'")


def _track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The items, with a bar on a terminal."""
    console = Console(file=sys.stderr)
    with _bar(console) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    with Progress(
        *Progress.get_default_columns(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        print("ajahr prepare SOURCE --help tells the options of each.")
        return 0
    source, options = argv[0], list(argv[1:])
    if source not in SOURCES:
        raise UserError(f"'{source}' is nothing to prepare from{did_you_mean(source, SOURCES)}")
    make = SOURCES[source]
    parser = parser_of(make, f"ajahr prepare {source}")
    if source in ("amass", "moyo"):
        parser.add_argument("folder", type=Path, help="what was unpacked")
    elif source in ("a3d", "hmr2"):
        parser.add_argument("files", type=Path, nargs="+", help=".npz annotation files")
    return call(make, parser, options)
