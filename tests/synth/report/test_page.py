"""The page: whole, self-contained, and without a complaint from a real browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from fake_dataset import changed, make_person, make_record, run_stamp, write_dataset, write_shard

from ajahr.data.dataset import claim_folder, finish_dataset
from ajahr.data.record import LimbStatus
from ajahr.errors import UserError
from synth.report.page import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "img", "br"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "set"
    write_dataset(folder, shards=4)
    return write_report(folder)


@pytest.fixture(scope="module")
def text(report) -> str:
    return report.read_text()


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass  # <line .../> of the charts

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_tag_is_closed_and_every_address_is_inside(text):
    page = Balance()
    page.feed(text)
    assert page.open == []
    assert len(page.addresses) > 10
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert not re.search(r"url\(|@import|fetch\(|https?://(?!www\.w3)", text)


def test_the_same_dataset_gives_the_same_page(report, tmp_path):
    assert write_report(report.parent, tmp_path / "again.html").read_bytes() == report.read_bytes()


def test_counts_of_the_manifest_are_on_it(text):
    for shown in ("<b>16</b><span>pictures", "<b>24</b><span>people", "<b>8</b><span>twin pairs"):
        assert shown in text
    assert "no person left" in text and "unreadable photograph" in text


def test_names_from_outside_cannot_become_markup(tmp_path):
    stamp = claim_folder(tmp_path / "set", run_stamp(note="</pre><script>alert(1)</script>"))
    write_shard(tmp_path / "set", 0, make_record("0", make_person(), photo='"><script>alert(2)</script>'))
    finish_dataset(tmp_path / "set", stamp, 1)
    assert write_report(tmp_path / "set").read_text().count("<script") == 1  # our own


def test_an_empty_dataset_writes_no_page(tmp_path):
    stamp = claim_folder(tmp_path / "set", run_stamp())
    write_shard(tmp_path / "set", 0)
    finish_dataset(tmp_path / "set", stamp, 1)
    with pytest.raises(UserError, match="empty"):
        write_report(tmp_path / "set")
    assert not list((tmp_path / "set").glob("*report*"))


def chromium(page, profile, *what: str) -> subprocess.CompletedProcess:
    assert BROWSER is not None
    return subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", *what, page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_opens_it_without_a_complaint(report, tmp_path):
    """The script runs to its end in a copy that clicks on everything and writes down what it saw."""
    copy = tmp_path / "copy.html"
    clicks = """<script>
      document.querySelectorAll('.chips button')[1].click();
      const shown = [...document.querySelectorAll('.class')].filter(group => !group.hidden).length;
      document.querySelector('figure button').click();
      const large = document.querySelectorAll('dialog[open] img').length;
      const broken = [...document.images].filter(image => !image.complete || !image.naturalWidth).length;
      document.title = `shown ${shown} large ${large} broken ${broken}`;
    </script></body>"""
    copy.write_text(report.read_text().replace("</body>", clicks))
    done = chromium(copy, tmp_path / "profile", "--dump-dom")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
    assert "<title>shown 3 large 2 broken 0</title>" in done.stdout


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_the_browser_test_would_notice_a_complaint(report, tmp_path):
    copy = tmp_path / "copy.html"
    copy.write_text(report.read_text().replace("</body>", '<img src="https://example.org/a.png"></body>'))
    done = chromium(copy, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" in done.stderr and "Content Security Policy" in done.stderr


def test_cost_and_plain_paste_are_on_the_page(realistic_twins, tmp_path):
    page = write_report(realistic_twins, tmp_path / "a.html", plain_pictures=3).read_text()
    Balance().feed(page)
    assert "3 scenes made once more without any step of realism" in page
    for words in ("pictures a second and core", "100,000,000", "hours of one core", "put on", "compose"):
        assert words in page


def test_what_is_gone_is_said(text):
    assert "the timings are not there any more" in text
    assert "not measured: " in text and "another version" in text


def test_hard_cases_and_prostheses_are_counted_where_there_are_any(text, tmp_path):
    assert "Hard cases" not in text
    worn = changed(
        make_person((0, 0, 2, 0)),
        limb_status=(*[LimbStatus.INTACT] * 2, LimbStatus.PROSTHESIS, LimbStatus.INTACT),
        prosthesis=(None, None, "blade", None),
        hard_cases=("wheelchair", "prosthesis"),
    )
    stamp = claim_folder(tmp_path, run_stamp())
    write_shard(tmp_path, 0, make_record("a", worn))
    finish_dataset(tmp_path, stamp, 1)
    page = write_report(tmp_path).read_text()
    card = page[page.index("Hard cases") :]
    assert card.index("wheelchair") < card.index("blade")
