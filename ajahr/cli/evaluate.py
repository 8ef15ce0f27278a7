"""``ajahr evaluate``: the papers' tables, ours beside theirs.

ajahr evaluate tokenizer --checkpoints A.ckpt B.ckpt --bank AMASS=HDM05.npz AMASS=SFU.npz MOYO=val.npz
ajahr evaluate tokenizer --config configs/evaluate/tokenizer_sweep_tiny.yaml     trains what it measures
ajahr evaluate keypoints --annotations ldpose_val.json --detections A.json B.json
ajahr evaluate hmr --models runs/ours runs/hmr2 --datasets a3d=A3D_Dataset 3dpw=3DPW shards=out/people
ajahr evaluate residual --models runs/ours --keypoints runs/points --datasets shards=out/residual limbloss=limbloss.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ajahr.cli import evaluate_hmr, evaluate_keypoints, evaluate_residual
from ajahr.cli.console import call, did_you_mean, parser_of, print_tables
from ajahr.cli.fit import run_job
from ajahr.data.files import make_folder
from ajahr.errors import UserError
from ajahr.evaluation.table_c import Entry, sections, write_reports
from ajahr.evaluation.tables import rich_tables
from ajahr.evaluation.tokenizer import evaluate_banks, load_tokenizer
from ajahr.inference.external import pick_device
from ajahr.training.pose_mesh import PoseMesh
from tokenizer.banks import PoseBank, open_bank
from tokenizer.config import TokenizerConfig
from tokenizer.module import load_trained


@dataclass(frozen=True)
class Size:
    """One row of a sweep; what is not given is as in the sweep's YAML for `ajahr fit`.

    Args:
        num_tokens: 20, 40, 80, 160, 320 or 640.
        num_codes, code_dim: The codebook; the paper writes code_dim x num_codes.
    """

    num_tokens: int
    num_codes: int
    code_dim: int

    @property
    def name(self) -> str:
        return f"{self.code_dim}x{self.num_codes}_{self.num_tokens}tokens"


@dataclass(frozen=True)
class Sweep:
    """Tokenizers to train before they are measured. One whose file is there is not trained again.

    Args:
        fit: A YAML file for `ajahr fit`.
        sizes: The rows.
        options: Further options for `ajahr fit`, as on its command line.
    """

    fit: Path
    sizes: list[Size]
    options: list[str] | None = None


def tokenizer(
    bank: list[str] | None = None,
    checkpoints: list[Path] | None = None,
    sweep: Sweep | None = None,
    output: Path = Path("out/evaluate/tokenizer"),
    body: Path | None = None,
    batch_size: int = 256,
    limit: int | None = None,
    device: str | None = None,
) -> None:
    """MPJPE and MVE of pose tokenizers in the layout of AJAHR's Table C.

    Args:
        bank: NAME=FILE or FILE, any number; files of one name make one column. A3D, AMASS and MOYO are the
            paper's columns.
        checkpoints: .ckpt of `ajahr fit`, .safetensors, or published .pth files.
        sweep: Tokenizers to train first.
        output: Folder of table_c.md, table_c.csv and table_c.json.
        body: An SMPL-format file; None for the embedded body.
        batch_size: Poses at once.
        limit: Poses per file, spread evenly over it; None for all.
        device: cpu, cuda, cuda:1 ...; a GPU if there is one when left out.
    """
    if not bank:
        raise UserError("no bank; give --bank NAME=FILE, for instance one that ajahr prepare made")
    if not checkpoints and sweep is None:
        raise UserError("nothing to evaluate; give --checkpoints, or a sweep by --config")
    on = pick_device(device)  # all of it before anything is trained or measured
    banks = _open_banks(bank)
    make_folder(output)
    paths = [*(checkpoints or []), *(_trained(sweep, output) if sweep else [])]
    names = _names(paths)
    mesh = PoseMesh(body).to(on)
    entries = []
    for name, path in zip(names, paths, strict=True):
        model = load_tokenizer(path).to(on)
        print(f"measuring {name} on {', '.join(banks)}", flush=True)
        scores = [
            evaluate_banks(model, mesh, column, files, batch_size=batch_size, limit=limit)
            for column, files in banks.items()
        ]
        entries.append(Entry(name, model.config, scores))
    print_tables(rich_tables(sections(entries)), width=140)
    for path in write_reports(entries, output):
        print(path)


def _open_banks(given: Sequence[str]) -> dict[str, list[PoseBank]]:
    banks: dict[str, list[PoseBank]] = {}
    for text in given:
        name, _, path = text.rpartition("=")
        banks.setdefault(name or Path(path).stem, []).append(open_bank(path))
    return banks


_SHARED_PARTS = re.compile(r"checkpoints|best(-v\d+)?|last(-v\d+)?|tokenizer|pretrained|model")


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart, without the parts that every run has."""
    telling = [[p for p in path.with_suffix("").parts if not _SHARED_PARTS.fullmatch(p)] for path in paths]
    short = [[p for p in parts if not re.fullmatch(r"version_\d+", p)] for parts in telling]
    for parts in (short, telling):
        for depth in range(1, max(map(len, parts), default=0) + 1):
            names = ["/".join(part[-depth:]) for part in parts]
            if all(names) and len(set(names)) == len(names):
                return names
    return [str(path) for path in paths]


def _trained(sweep: Sweep, output: Path) -> list[Path]:
    """The sweep's tokenizers, trained where their file is not there yet."""
    for size in sweep.sizes:
        TokenizerConfig(size.num_tokens, size.num_codes, size.code_dim)  # refuse a bad row before training
    return [_train(sweep, size, output / size.name) for size in sweep.sizes]


def _train(sweep: Sweep, size: Size, folder: Path) -> Path:
    target = folder / "tokenizer.safetensors"
    if target.is_file():
        print(f"{size.name}: trained already")
        return target
    print(f"{size.name}: training", flush=True)
    shape = [
        f"--model.init_args.config.{key}={getattr(size, key)}"
        for key in ("num_tokens", "num_codes", "code_dim")
    ]
    argv = ["--config", str(sweep.fit), "--output", str(folder), *shape, *(sweep.options or [])]
    trainer = run_job("fit", argv)
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if not best:
        raise UserError(f"{sweep.fit} keeps no checkpoint; let its trainer validate and save the best one")
    load_trained(best).save(target)
    return target


TABLES: dict[str, Callable[..., None]] = {"tokenizer": tokenizer}


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        print(
            "ajahr evaluate tokenizer --help tells the options, and likewise for keypoints, hmr and residual."
        )
        return 0
    if argv[0] == "keypoints":
        return evaluate_keypoints.main(argv[1:])
    if argv[0] == "hmr":
        return evaluate_hmr.main(argv[1:], _names)
    if argv[0] == "residual":
        return evaluate_residual.main(argv[1:], _names)
    if argv[0] not in TABLES:
        raise UserError(
            f"'{argv[0]}' is nothing to evaluate{did_you_mean(argv[0], [*TABLES, 'keypoints', 'hmr', 'residual'])}"
        )
    make = TABLES[argv[0]]
    parser = parser_of(make, f"ajahr evaluate {argv[0]}", "a YAML file of configs/evaluate")
    parser.add_argument("--bank", type=str, nargs="+", help="NAME=FILE or FILE, any number")
    parser.add_argument("--checkpoints", type=Path, nargs="+", help=".ckpt, .safetensors or .pth files")
    return call(make, parser, argv[1:])
