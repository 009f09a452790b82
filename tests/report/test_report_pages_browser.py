"""A real browser shows every page that we write at any width; axe-core finds nothing in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_pages import NAMES, SCRIPTED, pages
from test_report_browser import BROWSER, DARK, asked_for, browse

WIDTHS = (360, 1440)
GROUNDS = {(): "rgb(247, 247, 245)", (DARK,): "rgb(20, 23, 26)"}
WRAPPER = """<!doctype html><body><script>
const names = NAMES, widths = WIDTHS, seen = {};
for (const name of names) for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:640px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    seen[name + " " + width] = {
      width: root.scrollWidth, visible: root.clientWidth, height: root.scrollHeight,
      ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
      scripts: page.querySelectorAll("script:not([type])").length, images: page.images.length,
      unlabelled: [...page.querySelectorAll("input, select")].filter((one) => !one.labels.length)
        .length,
      boxes: [...page.querySelectorAll("pre, .scroll, .drawn")].filter((one) =>
        one.checkVisibility() && one.scrollWidth > one.clientWidth && one.tabIndex < 0).length,
      newest: [...page.querySelectorAll(".wide .drawn")].every((one) => {
        const dots = one.querySelectorAll(".dot"), box = one.getBoundingClientRect();
        return dots[dots.length - 1].getBoundingClientRect().right <= box.right; }),
    };
    document.body.dataset.seen = JSON.stringify(seen);
  };
  frame.src = name + ".html";
  document.body.append(frame);
}
</script>"""
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
AXE = """
<script src="axe.min.js"></script>
<script>
addEventListener("load", async () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const found = await axe.run(document, { runOnly: RULES, resultTypes: ["violations"] });
  document.documentElement.dataset.found = JSON.stringify({
    rules: found.passes.length,
    wrong: found.violations.map((one) =>
      [one.id, one.help, one.nodes.slice(0, 5).map((node) => node.html.slice(0, 300))]),
  });
});
</script>"""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed")


@pytest.mark.parametrize("flags", GROUNDS, ids=["light", "dark"])
def test_every_page_fits_every_width(tmp_path, flags):
    """No page scrolls sideways, what scrolls takes the focus, and inputs are labelled."""
    for name, text in pages().items():
        (tmp_path / f"{name}.html").write_text(text, "utf-8")
    page = WRAPPER.replace("NAMES", json.dumps(NAMES)).replace("WIDTHS", json.dumps(WIDTHS))
    (tmp_path / "wrapper.html").write_text(page, "utf-8")
    out, said = browse(tmp_path, (tmp_path / "wrapper.html").as_uri(), "--dump-dom", *flags)
    assert not said
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', out)[1]))
    assert set(seen) == {f"{name} {width}" for name in NAMES for width in WIDTHS}
    for name, one in seen.items():
        assert one["visible"] <= int(name.split()[1])
        assert one["width"] <= one["visible"], f"{name} scrolls sideways"
        assert one["height"] > 500, name
        assert one["scripts"] == (name.split()[0] in SCRIPTED), name
        assert (one["images"], one["boxes"], one["unlabelled"]) == (0, 0, 0), name
        assert one["newest"], name
        assert one["ground"] == GROUNDS[flags], name


@pytest.mark.night
@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_nothing(tmp_path, name):
    """The browser asks for the page and nothing else, of its own host or another's."""
    (tmp_path / "page.html").write_text(pages()[name], "utf-8")
    asked, said = asked_for(tmp_path, "page.html")
    assert asked == {"http://page.test/page.html"}
    assert not said


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The text of axe-core, as npm brings it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: it brings axe-core")
    folder = tmp_path_factory.mktemp("axe")
    ended = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", folder, "axe-core"],
        capture_output=True, check=False, timeout=300, cwd=folder,
    )  # fmt: skip
    if ended.returncode:
        pytest.skip("npm cannot install axe-core here")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def examined(tmp_path: Path, text: str, width: int, *flags: str):
    """What axe-core says of the page in a frame of this width; its policy gives way to axe-core."""
    bare = POLICY.sub("", text, count=1)
    assert bare != text
    page = bare.replace("</body>", f"{AXE.replace('RULES', json.dumps(RULES))}</body>")
    (tmp_path / "page.html").write_text(page, "utf-8")
    frame = (
        f'<!doctype html><iframe style="width:{width}px;height:900px;border:0" src="page.html">'
        "</iframe><script>setInterval(() => { const found = document.querySelector('iframe')"
        ".contentDocument.documentElement.dataset.found; if (found) "
        "document.documentElement.dataset.seen = found; }, 50);</script>"
    )
    (tmp_path / "frame.html").write_text(frame, "utf-8")
    slowly = "--virtual-time-budget=60000"
    out, _ = browse(tmp_path, (tmp_path / "frame.html").as_uri(), "--dump-dom", slowly, *flags)
    found = re.search(r'data-seen="([^"]*)"', out)
    assert found is not None, "axe-core did not come to its end"
    return json.loads(html.unescape(found[1]))


@pytest.mark.night
def test_axe_sees_what_is_wrong(tmp_path, axe):
    """A page without a language, with pale text and an input without a label is told as such."""
    (tmp_path / "axe.min.js").write_text(axe, "utf-8")
    bad = (
        '<!doctype html><html><head><meta http-equiv="Content-Security-Policy" content="x">'
        '<title>t</title></head><body><main><p style="color:#ccc">pale</p><input></main></body>'
    )
    wrong = {one[0] for one in examined(tmp_path, bad, 360)["wrong"]}
    assert {"html-has-lang", "color-contrast", "label"} <= wrong


@pytest.mark.night
@pytest.mark.parametrize("name", [one for one in NAMES if one != "hostile"])  # one name for all
def test_axe_finds_nothing(tmp_path, name, axe):
    """By the rules of WCAG 2.2 A and AA, on a phone and on a screen, light and dark."""
    (tmp_path / "axe.min.js").write_text(axe, "utf-8")
    for width in WIDTHS:
        for flags in GROUNDS:
            found = examined(tmp_path, pages()[name], width, *flags)
            assert found["rules"] > 10
            assert not found["wrong"], (width, flags)
