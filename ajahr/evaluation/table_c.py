"""AJAHR's Table C: tokenizers of different sizes on A3D, AMASS and MOYO, the paper's numbers beside ours."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ajahr.evaluation.tables import Section, json_text, markdown, write_texts
from ajahr.evaluation.tokenizer import BankScores
from tokenizer.config import TokenizerConfig

PAPER_BANKS = ("A3D", "AMASS", "MOYO")
PAPER: dict[tuple[int, int, int], tuple[tuple[float, float], ...]] = {
    (128, 2048, 320): ((1.72, 8.05), (2.24, 8.62), (7.49, 16.50)),
    (256, 1024, 320): ((1.92, 8.50), (2.50, 8.80), (7.15, 16.18)),
    (256, 2048, 20): ((5.51, 12.60), (7.62, 15.00), (23.10, 38.87)),
    (256, 2048, 40): ((3.49, 9.76), (4.51, 10.67), (14.50, 26.04)),
    (256, 2048, 80): ((2.39, 8.56), (3.07, 8.97), (10.05, 19.44)),
    (256, 2048, 160): ((2.07, 8.38), (2.74, 8.67), (6.68, 14.60)),
    (256, 2048, 640): ((2.59, 9.03), (2.60, 9.03), (8.02, 16.60)),
    (256, 2048, 320): ((1.56, 8.01), (1.90, 8.08), (5.52, 13.47)),
}
"""(code_dim, num_codes, num_tokens) to (MPJPE, MVE) in mm on A3D, AMASS, MOYO; the last row is "Ours"."""
CAPTION = (
    "MPJPE / MVE in mm of reconstructed poses: root at identity, mean shape, no alignment. The paper's are of "
    "SMPL-H after 200k steps; its evaluator compared mean hands with flat ones, a constant error in its MVE."
)


@dataclass
class Entry:
    """One tokenizer in the table."""

    name: str
    config: TokenizerConfig
    scores: list[BankScores]

    @property
    def size(self) -> tuple[int, int, int]:
        return (self.config.code_dim, self.config.num_codes, self.config.num_tokens)


Row = list[str]


def table_rows(entries: Sequence[Entry]) -> tuple[Row, list[Row]]:
    """Heading and rows: ours per bank, then the paper's, in the order of Table C; sizes it lacks come first."""
    banks = list(dict.fromkeys(score.bank for entry in entries for score in entry.scores))
    heading = ["tokenizer", "codebook", "tokens", *(f"{b} (ours)" for b in banks)]
    heading += [f"{b} (paper)" for b in PAPER_BANKS]
    rows: list[Row] = []
    by_size: dict[tuple[int, int, int], list[Entry]] = {}
    for entry in entries:
        by_size.setdefault(entry.size, []).append(entry)
    sizes = [*(s for s in sorted(by_size) if s not in PAPER), *PAPER]
    for size in sizes:
        paper = [f"{m:.2f} / {v:.2f}" for m, v in PAPER.get(size, ())] or ["-"] * len(PAPER_BANKS)
        mine = by_size.get(size, [])
        for entry in mine:
            of = {score.bank: score.whole for score in entry.scores}
            cells = [f"{of[b].mpjpe_mm:.2f} / {of[b].mve_mm:.2f}" if b in of else "-" for b in banks]
            rows.append([entry.name, f"{size[0]}x{size[1]}", str(size[2]), *cells, *paper])
        if not mine:
            rows.append(["-", f"{size[0]}x{size[1]}", str(size[2]), *["-"] * len(banks), *paper])
    return heading, rows


def limb_rows(entries: Sequence[Entry]) -> tuple[Row, list[Row]]:
    """MPJPE / MVE of each limb."""
    limbs = list(entries[0].scores[0].by_limb)
    rows = [
        [entry.name, score.bank, *(f"{e.mpjpe_mm:.2f} / {e.mve_mm:.2f}" for e in score.by_limb.values())]
        for entry in entries
        for score in entry.scores
    ]
    return ["tokenizer", "bank", *(limb.replace("_", " ") for limb in limbs)], rows


def level_rows(entries: Sequence[Entry], *, present: bool = False) -> tuple[Row, list[Row]]:
    """MPJPE / MVE of people who lost this much: of the whole pose, or of what is there."""
    scores = [(entry.name, score) for entry in entries for score in entry.scores]
    kinds = list(dict.fromkeys(kind for _, score in scores for kind in score.by_level))
    rows = []
    for name, score in scores:
        cells = []
        for kind in kinds:
            e = score.by_level.get(kind)
            mm = (
                None
                if e is None
                else (e.present_mpjpe_mm, e.present_mve_mm)
                if present
                else (e.mpjpe_mm, e.mve_mm)
            )
            cells.append("-" if mm is None else f"{mm[0]:.2f} / {mm[1]:.2f}")
        rows.append([name, score.bank, *cells])
    return ["tokenizer", "bank", *kinds], rows


def present_rows(entries: Sequence[Entry]) -> tuple[Row, list[Row]]:
    """`level_rows` of joints and vertices that are there."""
    return level_rows(entries, present=True)


def codebook_rows(entries: Sequence[Entry]) -> tuple[Row, list[Row]]:
    """Use of the codebook."""
    heading = ["tokenizer", "bank", "poses", "rotation (deg)", "perplexity", "dead codes"]
    rows = [
        [
            entry.name,
            s.bank,
            str(s.whole.poses),
            f"{s.rotation_deg:.2f}",
            f"{s.perplexity:.0f}",
            f"{100 * s.dead_codes:.1f} %",
        ]
        for entry in entries
        for s in entry.scores
    ]
    return heading, rows


SECTIONS = (
    ("Table C", table_rows),
    ("Use of the codebook", codebook_rows),
    ("Per limb, MPJPE / MVE in mm", limb_rows),
    ("Per level of amputation, whole pose, MPJPE / MVE in mm", level_rows),
    ("Per level of amputation, without what is lost, MPJPE / MVE in mm", present_rows),
)


def sections(entries: Sequence[Entry]) -> list[Section]:
    """Every table of the report."""
    return [
        Section(title, *make(entries), note=CAPTION if make is table_rows else "") for title, make in SECTIONS
    ]


def csv_text(entries: Sequence[Entry]) -> str:
    """One line per tokenizer, bank and group of poses or limb; full precision."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(
        [
            *("tokenizer", "code_dim", "num_codes", "num_tokens", "bank", "group", "poses"),
            *("mpjpe_mm", "mve_mm", "present_mpjpe_mm", "present_mve_mm"),
        ]
    )
    for entry in entries:
        for score in entry.scores:
            head = [entry.name, *entry.size, score.bank]
            for group, e in {"all": score.whole, **score.by_level}.items():
                write.writerow([*head, group, *dataclasses.astuple(e)])
            for limb, e in score.by_limb.items():
                write.writerow([*head, f"limb:{limb}", score.whole.poses, e.mpjpe_mm, e.mve_mm, "", ""])
    return out.getvalue()


def write_reports(entries: Sequence[Entry], folder: str | Path) -> list[Path]:
    """table_c.md, table_c.csv and table_c.json.

    Raises:
        UserError: the folder cannot be written to.
    """
    as_json = [
        {"name": e.name, "config": e.config.to_dict(), "scores": [dataclasses.asdict(s) for s in e.scores]}
        for e in entries
    ]
    paper = [{"code_dim": s[0], "num_codes": s[1], "num_tokens": s[2]} | {
        bank: {"mpjpe_mm": m, "mve_mm": v} for bank, (m, v) in zip(PAPER_BANKS, row, strict=True)
    } for s, row in PAPER.items()]  # fmt: skip
    return write_texts(
        folder,
        {
            "table_c.md": markdown(sections(entries)),
            "table_c.csv": csv_text(entries),
            "table_c.json": json_text({"ours": as_json, "paper": paper}),
        },
    )
