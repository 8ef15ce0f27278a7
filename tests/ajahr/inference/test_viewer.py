"""The page: self-contained, and drawn by a real browser without a complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.inference.limb_pictures import END, RESIDUAL, body_meshes
from ajahr.inference.viewer import Shown, save_viewer, viewer_page
from ajahr.residual_limb.segments import SEGMENT
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limb

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def shown() -> Shown:
    cut = cut_limb(SkinnedMesh.read(), SEGMENT["left_below_knee_res"], 0.4)
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    meshes = body_meshes(cut.mesh, cut.ends, rotmats)
    return Shown("person 0", meshes, [("left below knee", [("length", "240.0 ± 5.1 mm")])])


def test_nothing_from_outside_and_names_are_no_markup(shown: Shown) -> None:
    wicked = Shown("</script><script>alert(1)</script>", shown.meshes, [("<b>", [("<i>", "</script>")])])
    text = viewer_page([shown, wicked], title='"><script>x</script>', key={"residual limb": RESIDUAL})
    assert text.count("<script") == 2  # the data's and our own
    assert not re.search(r"url\(|@import|fetch\(|https?://|src=", text)
    assert "240.0 ± 5.1 mm" in text and "rgb(214,48,44)" in text
    assert viewer_page([shown], title="a") == viewer_page([shown], title="a")


def test_nobody_and_an_unwritable_place(shown: Shown, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one person"):
        viewer_page([], title="a")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        save_viewer(tmp_path / "file" / "page.html", [shown], title="a")


def chromium(page: Path, profile: Path) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    return subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader", f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0",
            "--window-size=900,700", "--virtual-time-budget=4000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip


# frames at once: the probe then needs no clock
AT_ONCE = "<head><script>window.requestAnimationFrame = draw => { draw(); return 0; };</script>"
PROBE = """<script>
  window.addEventListener('error', e => console.error(e.message));
  const canvas = document.getElementById('view'), gl = canvas.getContext('webgl2'), told = [];
  function count() {
    const w = canvas.width, h = canvas.height, px = new Uint8Array(4 * w * h);
    gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, px);
    let red = 0, body = 0, sum = 0;
    for (let i = 0; i < px.length; i += 4) {
      if (px[i] < 250 || px[i + 1] < 250) { body++; sum = (sum * 31 + (i >> 2)) % 1000003; }
      if (px[i] > 90 && px[i + 1] < px[i] * .5) red++;
    }
    return `${body}/${red}/${sum}`;
  }
  const press = name => [...document.querySelectorAll('button')].find(b => b.textContent === name).click();
  for (const side of ['front', 'left', 'back', 'T-pose']) { press(side); told.push(count()); }
  document.title = told.join(' ');
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_draws_it_from_all_sides(shown: Shown, tmp_path: Path) -> None:
    text = viewer_page([shown], title="one", key={"residual limb": RESIDUAL, "its end": END})
    page = tmp_path / "page.html"
    page.write_text(text.replace("<head>", AT_ONCE).replace("</body>", PROBE))
    done = chromium(page, tmp_path / "profile")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
    found = re.search(r"<title>([^<]*)</title>", done.stdout)
    assert found is not None
    views = [tuple(map(int, view.split("/"))) for view in found[1].split()]
    assert len(views) == 4
    for body, red, _ in views:
        assert body > 3000 and 0.01 < red / body < 0.2
    assert len({place for *_, place in views[:3]}) == 3  # front, left and back are three pictures


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_the_browser_test_would_notice_a_broken_mesh(shown: Shown, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(re.sub(r'"glb": "[^"]{8}', '"glb": "AAAAAAAA', viewer_page([shown], title="one")))
    done = chromium(page, tmp_path / "profile")
    assert "CONSOLE" in done.stderr and "no GLB" in done.stderr
