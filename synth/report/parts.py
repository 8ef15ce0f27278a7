"""Cards and tables of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def words(name: str) -> str:
    return name.replace("_", " ")


def card(title: str, content: str, note: str = "", *, wide: bool = False) -> str:
    note = f"<p>{escape(note)}</p>" if note else ""
    return f'<div class="card{" wide" if wide else ""}"><h3>{escape(title)}</h3>{content}{note}</div>'


def cards(cards: Iterable[str]) -> str:
    return f'<div class="cards">{"".join(cards)}</div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], numbers_from: int = 99) -> str:
    def cells(values: Sequence[object], tag: str) -> str:
        out = []
        for n, value in enumerate(values):
            text = f"{value:,}" if isinstance(value, int) else str(value)
            out.append(f"<{tag}{' class=n' if n >= numbers_from else ''}>{escape(text)}</{tag}>")
        return "<tr>" + "".join(out) + "</tr>"

    head = cells(heads, "th") if heads else ""
    return "<table>" + head + "".join(cells(row, "td") for row in rows) + "</table>"
