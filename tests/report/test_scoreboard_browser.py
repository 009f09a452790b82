"""A real browser shows the board at any width, and its filter narrows rows without hiding facts."""

from __future__ import annotations

import html
import json
import re

import pytest
from report_samples import HOSTILE
from scoreboard_samples import BROKEN, SHUT, SOUND, board, entry
from test_report_browser import BROWSER, DARK, browse

from sessionproof.report.scoreboard.files import write_board

pytestmark = [
    pytest.mark.night,
    pytest.mark.skipif(BROWSER is None, reason="no browser is installed"),
]

WIDTHS = (360, 1280)
PAGES = ("index.html", "stores/broken.html", "stores/sound.html", "stores/shut.html")
STEPS = """<!doctype html><body><script>
const seen = {};
const pages = PAGES, widths = WIDTHS;
async function look(file, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:640px;border:0`;
  frame.src = file;
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  const page = frame.contentDocument, root = page.documentElement;
  const facts = seen[`${file} ${width}`] = {
    sideways: root.scrollWidth > root.clientWidth,
    ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    boxes: [...page.querySelectorAll("pre, .scroll")].filter((one) =>
      one.checkVisibility() && one.scrollWidth > one.clientWidth && one.tabIndex < 0).length,
    labels: [...page.querySelectorAll("input, select")].filter((one) => !one.labels.length).length,
    title: page.title,
  };
  if (file !== "index.html") return;
  const shown = () => [...page.querySelectorAll("tr.store")].filter((one) => one.checkVisibility())
    .map((one) => one.querySelector("th a").textContent);
  const set = (id, value, event) => {
    page.getElementById(id).value = value;
    page.getElementById(id).dispatchEvent(new frame.contentWindow.Event(event));
  };
  facts.all = shown();
  set("words", "BROKEN-pack 1.2", "input");
  facts.named = [shown(), page.getElementById("state").textContent];
  set("words", "", "input");
  set("standing", "unconfirmed", "change");
  facts.unconfirmed = shown();
  set("standing", "holds", "change");
  facts.holds = shown();
  set("words", "no such store", "input");
  facts.none = [shown(), page.getElementById("state").textContent];
}
(async () => {
  for (const file of pages) for (const width of widths) await look(file, width);
  document.body.dataset.seen = JSON.stringify(seen);
})();
</script>"""


def look(folder, tmp_path, *flags):
    """What a script sees that opens the pages of the board in this folder at each width."""
    text = STEPS.replace("PAGES", json.dumps(PAGES)).replace("WIDTHS", json.dumps(WIDTHS))
    (folder / "steps.html").write_text(text, "utf-8")
    out, said = browse(tmp_path, (folder / "steps.html").as_uri(), "--dump-dom", *flags)
    assert not said
    found = re.search(r'data-seen="([^"]*)"', out)
    assert found is not None
    return json.loads(html.unescape(found[1]))


def test_the_pages_fit_and_the_filter_narrows(tmp_path):
    """On phones and screens, light and dark: no sideways scrolling, labels, rows as chosen."""
    folder = tmp_path / "board"
    bad = entry("bad", package=HOSTILE, version=HOSTILE)
    write_board(board(BROKEN, SOUND, SHUT, bad), folder)
    for flags, ground in (((), "rgb(247, 247, 245)"), ((DARK,), "rgb(20, 23, 26)")):
        seen = look(folder, tmp_path, *flags)
        assert set(seen) == {f"{file} {width}" for file in PAGES for width in WIDTHS}
        for name, one in seen.items():
            assert not one["sideways"], name
            assert one["boxes"] == one["labels"] == 0, name
            assert one["ground"] == ground
            assert one["title"].endswith("sessionproof")
        for width in WIDTHS:
            one = seen[f"index.html {width}"]
            assert one["all"] == ["bad", "broken", "shut", "sound"]
            assert one["named"] == [["broken"], "1 of 4 stores"]
            assert one["unconfirmed"] == ["broken"]
            assert one["holds"] == ["bad", "broken", "sound"]
            assert one["none"] == [[], "0 of 4 stores"]


def test_without_scripts_all_is_shown(tmp_path):
    """The rows are in the page itself, and the filter that could not work is not."""
    folder = tmp_path / "board"
    write_board(board(BROKEN, SOUND), folder)
    text = (folder / "index.html").read_text("utf-8")
    bare = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    (folder / "bare.html").write_text(bare, "utf-8")
    out, _ = browse(tmp_path, (folder / "bare.html").as_uri(), "--dump-dom")
    assert out.count('<tr class="store"') == 2
    assert "<tr hidden" not in out
    assert '<form id="filter" role="search" hidden' in out
