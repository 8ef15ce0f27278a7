"""The report page: one HTML file that asks for nothing beyond itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np

from ajahr.anatomy import INTACT_INDEX, LIMBS, NUM_CLASSES, Limb, class_name, from_ajahr_index
from ajahr.data.files import write_atomic
from ajahr.data.record import LimbStatus
from ajahr.residual_limb.segments import SEGMENTS
from synth.appearance.groups import GROUP_SHARES
from synth.report.charts import Bar, bars, histogram, stacked, strips
from synth.report.gather import GalleryItem, ReportData, gather
from synth.report.parts import card, cards, table, words
from synth.report.quality import cost_section, quality_section
from synth.report.style import SCRIPT, STYLE

REPORT_NAME = "report.html"
LIMB_COLOURS = {Limb.LEFT_ARM: "--c1", Limb.RIGHT_ARM: "--c2", Limb.LEFT_LEG: "--c3", Limb.RIGHT_LEG: "--c4"}
STATUS_COLOURS = {
    LimbStatus.INTACT: "--ok",
    LimbStatus.OCCLUDED: "--hid",
    LimbStatus.AMPUTATED: "--lost",
    LimbStatus.PROSTHESIS: "--worn",
}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_SECTIONS = ("Gallery", "People", "Bodies and cameras", "Quality", "Cost", "Provenance")
_CASES_NOTE = (
    "People for whom a hard case was arranged, whether they have lost a limb or not; what it hides is told limb by "
    "limb. Below: prostheses worn."
)


def write_report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    per_class: int = 4,
    ring_pictures: int = 64,
    plain_pictures: int = 32,
    tick: Callable[[], None] | None = None,
) -> Path:
    """Write the report of a finished dataset; ``report.html`` in its folder when ``out`` is None.

    The other arguments and errors are those of `synth.report.gather.gather`. The file is whole or not there.
    """
    path = Path(out) if out is not None else Path(folder) / REPORT_NAME
    data = gather(
        folder,
        per_class=per_class,
        ring_pictures=ring_pictures,
        plain_pictures=plain_pictures,
        tick=tick,
    )
    write_atomic(path, page(data).encode())
    return path


def page(data: ReportData) -> str:
    """The HTML."""
    contents = (
        _gallery(data), _people(data), _bodies(data), quality_section(data), cost_section(data), _provenance(data)
    )  # fmt: skip
    ids = [name.split()[0].lower() for name in _SECTIONS]
    links = "".join(f'<a href="#{i}">{escape(name)}</a>' for i, name in zip(ids, _SECTIONS, strict=True))
    sections = "".join(
        f'<section id="{i}"><h2>{escape(name)}</h2>{content}</section>'
        for i, name, content in zip(ids, _SECTIONS, contents, strict=True)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(data.name)}: dataset report</title><style>{STYLE}</style></head><body>"
        f"{_header(data)}<nav><div>{links}</div></nav><main>{sections}</main><dialog><div></div><p></p></dialog>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _header(data: ReportData) -> str:
    counts, manifest = data.manifest.counts, data.manifest
    size = sum(entry.tar.size + entry.npz.size for entry in manifest.shards)
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    tiles = [
        (f"{counts['samples',]:,}", "pictures"),
        (f"{counts['people',]:,}", "people"),
        (f"{counts['people',] - counts['limbs_lost', '0']:,}", "with limb loss"),
        (f"{counts['with_intact_twin',]:,}", "twin pairs"),
        (f"{sum(1 for path in counts if path[0] == 'photo'):,}", "source photographs"),
        (f"{sum(manifest.drops.values()):,}", "drops"),
        (f"{size / unit:.1f} {name}", f"in {len(manifest.shards):,} shards"),
    ]
    cells = "".join(f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles)
    return (
        f"<header><div><h1>{escape(data.name)}</h1><p>People with limb loss put into photographs. "
        f"Seed {manifest.run.seed}, body {escape(manifest.run.body.name)}.</p>"
        f'<div class="tiles">{cells}</div></div></header>'
    )


# ----------------------------------------------------------------------------------------------- gallery


def _class(index: int) -> tuple[str, Limb | None]:
    found = from_ajahr_index(index)
    return ("intact", None) if found is None else (class_name(*found), found[0])


def _gallery(data: ReportData) -> str:
    chips = ["", *[words(limb.name.lower()) for limb in LIMBS], "intact"]
    buttons = "".join(
        f'<button type="button" data-show="{name}" aria-pressed="{str(not name).lower()}">{name or "all"}</button>'
        for name in chips
    )
    groups = []
    for index in _class_order():
        name, limb = _class(index)
        items = data.gallery.get(index, [])
        count = data.manifest.counts["ajahr_index", str(index)]
        show = "intact" if limb is None else words(limb.name.lower())
        about = f"AJAHR-Index {index}, {count:,} people"
        if limb is None:
            about += ", twins included; shown are those that are nobody's twin"
        figures = "".join(_figure(item) for item in items)
        content = (
            f'<div class="strip">{figures}</div>' if items else '<p class="none">no picture of this class</p>'
        )
        groups.append(
            f'<div class="class" data-limb="{show}"><h3>{words(name)}<small>{about}</small></h3>{content}</div>'
        )
    return (
        "<p>The amputee on the left, the intact twin of the same scene on the right. A click enlarges.</p>"
        f'<div class="chips">{buttons}</div>{"".join(groups)}'
    )


def _class_order() -> list[int]:
    """By limb, then by how much of it is lost; intact last."""

    def place(index: int) -> tuple[int, int]:
        found = from_ajahr_index(index)
        assert found is not None
        return int(found[0]), int(found[1])

    return [*sorted(range(NUM_CLASSES), key=place), INTACT_INDEX]


def _figure(item: GalleryItem) -> str:
    def picture(data: bytes, text: str) -> str:
        source = base64.b64encode(data).decode()
        width, height = item.size
        return f'<img src="data:image/jpeg;base64,{source}" alt="{escape(text)}" width="{width}" height="{height}">'

    pictures = picture(item.picture, item.words)
    if item.twin is not None:
        pictures += picture(item.twin, f"intact twin of {item.key}")
    kind = "" if item.twin is not None else ' class="single"'
    return (
        f'<figure{kind}><button type="button" aria-label="enlarge {escape(item.key)}">{pictures}</button>'
        f"<figcaption>{escape(item.words)}<span>{escape(item.key)} · {escape(item.photo)}</span></figcaption></figure>"
    )


# ------------------------------------------------------------------------------------------------ people


def _counted(data: ReportData, kind: str) -> list[tuple[str, int]]:
    """Names under ``kind`` with their counts, the largest first."""
    found = [(path[1], n) for path, n in data.manifest.counts.items() if path[0] == kind and n]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _people(data: ReportData) -> str:
    counts = data.manifest.counts
    classes = []
    for index in _class_order()[:-1]:
        name, limb = _class(index)
        assert limb is not None
        classes.append(Bar(words(name), counts["ajahr_index", str(index)], LIMB_COLOURS[limb]))
    statuses = [
        (
            words(limb.name.lower()),
            [
                (str(status), counts["limb_status", limb.name.lower(), str(status)], STATUS_COLOURS[status])
                for status in LimbStatus
                if any(counts["limb_status", each.name.lower(), str(status)] for each in LIMBS)
            ],
        )
        for limb in LIMBS
    ]
    lost = [Bar(f"{n} limb{'s' * (n != '1')}", count) for n, count in sorted(_counted(data, "limbs_lost"))]
    groups = [
        Bar(words(group), counts["group", str(group)], "--c3", share) for group, share in GROUP_SHARES.items()
    ]
    cases = [Bar(words(name), count, "--hid") for name, count in _counted(data, "hard_case")]
    worn = [Bar(words(name), count, "--worn") for name, count in _counted(data, "prosthesis")]
    sexes = [Bar(name, count, "--c4") for name, count in _counted(data, "gender")]
    poses = [Bar(name.removeprefix("sampled/"), count, "--c2") for name, count in _counted(data, "pose")]
    lower = "Share of all losses. A person who lost several limbs counts once in each class."
    return (
        "<p>Counts are dataset.json's, over every shard; intact twins are counted as the people they show.</p>"
        + cards(
            [
                card("Amputation class", bars(classes), lower),
                card(
                    "What holds for each limb",
                    stacked(statuses) + "<br>" + bars(lost),
                    "Below: limbs lost per person.",
                ),
                *([card("Hard cases", bars(cases) + "<br>" + bars(worn), _CASES_NOTE)] if cases else []),
                card("Group", bars(groups), "The marks are A3D's proportions, which groups are drawn by.")
                + card("Sex", bars(sexes)),
                card(
                    "Pose",
                    bars(poses),
                    "Fitted poses are of people in the photographs; the others are sampled, by family.",
                ),
            ]
        )
    )


# ------------------------------------------------------------------------------------ bodies and cameras


def _bodies(data: ReportData) -> str:
    people, shards = data.people, len([entry for entry in data.manifest.shards if entry.samples])
    part = (
        ""
        if data.read_shards == shards
        else f" Read from {data.read_shards} of {shards:,} shards, spread evenly."
    )
    betas = [(f"β{n}", people["betas"][:, n].astype(np.float64)) for n in range(people["betas"].shape[1])]
    limit = float(np.ceil(max(abs(people["betas"]).max(), 1.0)))

    def by_limb(name: str) -> str:
        pairs = (
            (Limb.LEFT_ARM, Limb.RIGHT_ARM, "arms", "--c1"),
            (Limb.LEFT_LEG, Limb.RIGHT_LEG, "legs", "--c2"),
        )
        series = [(word, people[name][:, [int(a), int(b)]].ravel(), colour) for a, b, word, colour in pairs]
        return histogram(series, words(name))

    names = dict.fromkeys(one.bone for one in SEGMENTS)
    bones = {word: [k for k, one in enumerate(SEGMENTS) if one.bone == word] for word in names}
    ends = [
        (word, people["residual_lambda"][:, mine].ravel(), f"--c{k}")
        for k, (word, mine) in enumerate(bones.items(), 1)
    ]

    return f"<p>Over {len(people['betas']):,} people.{part}</p>" + cards(
        [
            card(
                "Shape",
                strips(betas, "betas", (-limit, limit)),
                "Median, quartiles, and 5 to 95 % of each of SMPL's betas.",
            ),
            card(
                "Camera scale",
                histogram([("people", people["camera_scale"], "--c1")], "camera scale"),
                "s of HMR's crop camera (s, tx, ty), the crop being 1.2 times the box brought to 192:256.",
            ),
            card(
                "Person, px",
                histogram([("people", people["box_px"], "--c3")], "longer side of the box, px"),
                "Longer side of the box, the part outside the picture included.",
            ),
            card(
                "Residual limb, px",
                by_limb("residual_limb_px"),
                "Length in the picture from shoulder or hip to where the limb ends; losses at the shoulder or "
                "hip leave none.",
            ),
            *(
                ()
                if np.isnan(people["residual_lambda"]).all()
                else (
                    card(
                        "Ends inside bones",
                        histogram(ends, "lambda"),
                        "Where limbs end that do not end at a joint: 0 at the bone's lower joint, 1 at its upper one.",
                    ),
                )
            ),
            card(
                "Intact limb, px",
                by_limb("intact_limb_px"),
                "Length in the picture from shoulder or hip to hand or foot, along the bones.",
            ),
        ]
    )


# -------------------------------------------------------------------------------------------- provenance


def _provenance(data: ReportData) -> str:
    manifest, run = data.manifest, data.manifest.run
    facts = [
        ("seed", str(run.seed)),
        ("code", run.code),
        ("finished by", manifest.finished_by),
        ("body", f"{run.body.name} ({run.body.licence})"),
        *[(f"body, {gender}", f"SHA-256 {sha}") for gender, sha in run.body.sha256.items()],
        ("packages", ", ".join(f"{name} {version}" for name, version in manifest.packages.items())),
        ("splits", ", ".join(f"{name} {n:,}" for name, n in _counted(data, "split"))),
    ]
    photos, licences = _counted(data, "photo"), _counted(data, "licence")
    shards = [(e.name, e.samples, e.people, e.tar.size, e.tar.sha256) for e in manifest.shards[:200]]
    more = "" if len(manifest.shards) <= 200 else f" (the first 200 of {len(manifest.shards):,})"
    config = escape(json.dumps(run.config, indent=2, ensure_ascii=False))
    several = f", the first 100 of {len(photos):,}" if len(photos) > 100 else ""
    return (
        cards(
            [
                card("Made by", table((), facts), wide=True),
                card(
                    "Licences of the photographs",
                    table(("licence", "pictures"), licences, numbers_from=1),
                    wide=True,
                ),
                '<div class="card wide">'
                f"<details><summary>Photographs{several}</summary>"
                f"{table(('photograph', 'pictures'), photos[:100], numbers_from=1)}</details>"
                f"<details><summary>Configuration</summary><pre>{config}</pre></details>"
                f"<details><summary>Shards{more}</summary>"
                f"{table(('shard', 'pictures', 'people', 'bytes', 'SHA-256 of the tar'), shards)}</details></div>",
            ]
        )
        + "<footer>Written by ajahr-synth report. Nothing on this page comes from elsewhere.</footer>"
    )
