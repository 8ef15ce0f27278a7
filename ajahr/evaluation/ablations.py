"""The papers' ablation tables, our runs beside them: Table 4(a)-(e), Table B, Fig. D.

A run is known by the name of its YAML file in configs/hmr/ablations, which is also that of its default output:
`ajahr evaluate hmr --models out/hmr/ablations/noise_25 ...` makes the tables it has rows of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ajahr.evaluation.measured import Measured
from ajahr.evaluation.protocols import Benchmark, LabelsFrom
from ajahr.evaluation.published_hmr import ERRORS, METRICS, Triple, row
from ajahr.evaluation.tables import Section

OURS = "ours"
"""The row of the unchanged AJAHR, whatever its run is called."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    name: str
    """Of the YAML file, or `OURS`."""
    title: str
    paper: Mapping[Benchmark, Triple]
    """Empty where the paper shows a curve, or nothing."""


@dataclass(frozen=True)
class Ablation:
    """One table."""

    key: str
    title: str
    labels: LabelsFrom
    """Whose labels remove parts in it."""
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def names(self) -> list[str]:
        """YAML files to train, without the unchanged one."""
        return [one.name for one in self.rows if one.name != OURS]


_TABLE_B = (
    "The ticks of the paper's rows are lost in the text we have; their order is a guess but for the last."
)


def _row(name: str, title: str, *values: float) -> Row:
    return Row(name, title, row(*values) if values else {})


def _ours(labels: LabelsFrom, title: str = "AJAHR") -> Row:
    table = "AJAHR (Table 4)" if labels == "predicted" else "AJAHR (Table 2/3)"
    return Row(OURS, title, ERRORS[labels][table])


def _table(
    key: str, title: str, labels: LabelsFrom, *rows: Row, ours: str = "AJAHR", note: str = ""
) -> Ablation:
    """The rows, and the unchanged AJAHR last."""
    return Ablation(key, title, labels, (*rows, _ours(labels, ours)), note)


ABLATIONS: dict[str, Ablation] = {
    one.key: one
    for one in (
        _table(
            "4a", "Table 4(a): noise on keypoints", "predicted",
            _row("noise_100", "noise ratio 100 %",
                 117.71, 96.22, 60.97, 99.03, 75.64, 49.31, 91.30, 91.21, 71.31, 144.08, 147.41, 88.08),
            _row("noise_75", "noise ratio 75 %",
                 115.77, 94.78, 59.31, 97.91, 73.31, 46.88, 89.12, 89.32, 69.74, 142.21, 145.99, 86.51),
            _row("noise_50", "noise ratio 50 %",
                 115.31, 94.12, 59.22, 97.43, 72.77, 45.87, 88.76, 88.98, 69.32, 141.78, 145.01, 86.17),
            _row("noise_25", "noise ratio 25 %",
                 114.82, 94.03, 58.88, 97.31, 72.08, 45.08, 87.98, 88.37, 68.71, 140.09, 144.24, 85.21),
            note="The paper's noise unit is not published: a ratio r is Gaussian noise of 1.5 sqrt(r / 100) px here.",
        ),
        _table(
            "4b", "Table 4(b): what BPAC-Net sees", "predicted",
            _row("image_only", "image only",
                 131.81, 109.98, 74.21, 113.71, 87.09, 59.54, 105.88, 103.12, 85.44, 152.21, 154.55, 92.71),
            _row("keypoints_only", "keypoints only",
                 118.21, 96.12, 61.71, 100.87, 74.87, 46.91, 90.12, 89.21, 70.77, 141.64, 146.21, 87.88),
        ),
        _table(
            "4c", "Table 4(c): baselines with BPAC-Net", "predicted",
            Row("hmr2_bpac", "HMR2.0 + BPAC-Net", ERRORS["predicted"]["HMR2.0 + BPAC (Table 4c)"]),
            Row("cliff_bpac", "BEDLAM-CLIFF + BPAC-Net", ERRORS["predicted"]["BEDLAM-CLIFF + BPAC (Table 4c)"]),
            _row("tokenhmr_bpac", "TokenHMR + BPAC-Net (ours alone)"),
            note="BEDLAM-CLIFF is not in this toolkit.",
        ),
        _table(
            "4d", "Table 4(d): tokens", "predicted",
            _row("tokens_160", "160 tokens",
                 117.38, 98.12, 61.94, 101.56, 75.83, 47.21, 90.47, 90.28, 71.04, 144.78, 147.91, 89.63),
            _row("tokens_640", "640 tokens",
                 127.92, 107.43, 64.75, 106.67, 77.69, 50.36, 93.81, 96.92, 75.08, 149.35, 151.80, 94.12),
            note="AJAHR has 320 tokens in the paper, 80 in the tiny preset.",
        ),
        _table(
            "4e", "Table 4(e): single or switched tokenizers", "truth",
            _row("single_amputee", "amputee tokenizer alone",
                 115.70, 93.75, 59.08, 96.32, 72.76, 45.92, 74.71, 74.51, 49.93, 118.09, 131.12, 78.08),
            _row("single_intact", "intact tokenizer alone",
                 113.09, 92.07, 57.97, 95.34, 72.02, 45.02, 76.01, 76.31, 50.99, 120.81, 134.71, 81.82),
        ),
        _table(
            "Ba", "Table B(a): fine-tuning and cross-attention, true labels", "truth",
            _row("full_no_cross_attention", "full",
                 114.53, 94.37, 58.68, 97.16, 72.68, 46.00, 74.98, 74.45, 48.80, 121.62, 133.73, 77.94),
            _row("full", "full, cross-attention",
                 112.99, 92.05, 58.84, 95.73, 71.33, 47.72, 73.98, 74.30, 49.71, 122.34, 132.95, 81.23),
            _row("no_cross_attention", "partial",
                 116.78, 95.84, 57.29, 98.66, 72.01, 44.95, 75.99, 73.29, 49.54, 126.46, 139.05, 83.88),
            ours="partial, cross-attention (AJAHR)", note=_TABLE_B,
        ),
        _table(
            "Bb", "Table B(b): fine-tuning and cross-attention, BPAC-Net's labels", "predicted",
            _row("full_no_cross_attention", "full",
                 113.42, 97.33, 59.87, 97.98, 73.68, 47.76, 89.34, 89.96, 69.87, 143.49, 154.83, 85.17),
            _row("full", "full, cross-attention",
                 113.93, 94.12, 58.87, 98.51, 73.88, 48.90, 89.12, 88.12, 68.17, 145.01, 153.17, 90.12),
            _row("no_cross_attention", "partial",
                 115.65, 97.98, 59.08, 99.34, 72.23, 45.16, 88.51, 88.32, 68.19, 148.28, 157.51, 93.11),
            ours="partial, cross-attention (AJAHR)", note=_TABLE_B,
        ),
        Ablation(
            "D", "Fig. D: share of people with a limb loss in a batch", "truth",
            (_row("share_25", "25 %"), _ours("truth", "50 %"), _row("share_75", "75 %"), _row("share_100", "100 %")),
            "The paper draws curves without numbers.",
        ),
    )
}  # fmt: skip
"""By what a command calls them."""
_COLUMNS = ("MVE", "MPJPE", "PA-MPJPE")


def ablation_sections(results: Sequence[Measured]) -> list[Section]:
    """Every table that one of the models is a row of, in the paper's layout: a line each of ours and of the paper.

    The unchanged model is the one that is called ``ajahr``, ``paper``, ``base``, ``small`` or ``tiny``.
    """
    made = []
    for one in ABLATIONS.values():
        by_name: dict[str, dict[str, Measured]] = {}
        for measured in results:
            protocol = measured.protocol
            if protocol.metrics and (protocol.labels, protocol.removal) == (one.labels, "collapsed"):
                by_name.setdefault(row_name(measured.model), {}).setdefault(measured.dataset, measured)
        if not any(name in by_name for name in one.names):
            continue
        datasets = list(dict.fromkeys(dataset for mine in by_name.values() for dataset in mine))
        made.append(_section(one, by_name, datasets))
    return made


def row_name(model: str) -> str:
    """Of a model as reports call it."""
    last = model.rpartition("/")[2]
    for size in ("", "tiny_", "small_", "base_", "paper_"):
        name = last.removeprefix(size)
        if any(name in one.names for one in ABLATIONS.values()):
            return name
    return OURS if last in ("ajahr", "paper", "base", "small", "tiny", OURS) else last


def _section(one: Ablation, found: Mapping[str, Mapping[str, Measured]], datasets: Sequence[str]) -> Section:
    benchmark: dict[str, Benchmark] = {
        dataset: m.protocol.name for mine in found.values() for dataset, m in mine.items()
    }
    rows = []
    for wanted in one.rows:
        mine = found.get(wanted.name, {})
        cells = [_cells(mine[dataset]) if dataset in mine else ["-"] * 3 for dataset in datasets]
        rows.append([wanted.title, "ours", *(cell for three in cells for cell in three)])
        theirs = [wanted.paper.get(benchmark[dataset]) for dataset in datasets]
        if any(theirs):
            cells = [[f"{v:.2f}" for v in three] if three else ["-"] * 3 for three in theirs]
            rows.append([wanted.title, "paper", *(cell for three in cells for cell in three)])
    heading = ["", "", *(f"{dataset} {column}" for dataset in datasets for column in _COLUMNS)]
    return Section(one.title, heading, rows, 2, one.note)


def _cells(measured: Measured) -> list[str]:
    values = [measured.mean(metric) if metric in measured.errors else None for metric in METRICS]
    return ["-" if v is None or not v.people else f"{v.value:.2f}" for v in values]
