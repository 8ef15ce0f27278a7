"""What every report is made of: tables for a terminal and as Markdown, and files that are whole or as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from ajahr.data.files import make_folder, write_atomic


@dataclass(frozen=True)
class Section:
    """A table: first ``names`` columns are words, the others numbers."""

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 2
    note: str = ""


def rich_tables(sections: Sequence[Section]) -> list[Table]:
    """For a terminal."""
    tables = []
    for section in sections:
        table = Table(title=section.title, title_justify="left", caption=section.note or None)
        for column, name in enumerate(section.heading):
            table.add_column(name, justify="left" if column < section.names else "right")
        for row in section.rows:
            table.add_row(*row)
        tables.append(table)
    return tables


def markdown(sections: Sequence[Section]) -> str:
    """All tables as Markdown."""
    parts = []
    for section in sections:
        lines = [f"## {section.title}", ""]
        if section.note:
            lines += [section.note, ""]
        table = (section.heading, ["---"] * len(section.heading), *section.rows)
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def json_text(document: Any) -> str:
    """Indented JSON; NaN and infinity, which JSON lacks, are null."""
    return json.dumps(_plain(document), indent=1, allow_nan=False) + "\n"


def write_texts(folder: str | Path, texts: Mapping[str, str]) -> list[Path]:
    """Files by name, each whole or as it was before.

    Raises:
        UserError: the folder cannot be written to.
    """
    folder = Path(folder)
    make_folder(folder)
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    return [folder / name for name in texts]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
