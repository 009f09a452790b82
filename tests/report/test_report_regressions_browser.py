"""A real browser shows the pages of speed over time at every width, and runs and loads nothing."""

from __future__ import annotations

import html
import json
import re

import pytest
from test_report_browser import BROWSER, browse

from fixtures.regressions.gates import COMPARISON, night
from fixtures.regressions.runs import nights, stepped
from sessionproof.bench.tracking.trend import trends
from sessionproof.report.regressions import render_comparison, render_nights, render_trends

WIDTHS = (360, 1280)
WRAPPER = """<!doctype html><body><script>
const names = NAMES, widths = WIDTHS, seen = {};
for (const name of names) for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:640px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    seen[name + " " + width] = {
      width: root.scrollWidth, visible: root.clientWidth,
      scripts: page.scripts.length, images: page.images.length,
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

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed")


def test_every_page_fits_every_width(tmp_path):
    """No page scrolls sideways, what scrolls takes the focus, and the newest run is in sight."""
    found = trends(nights({"append": stepped(60, 40, 0.2), "get": [3.0] * 60}),
                   find=lambda values: [40] if len(values) > 40 else [])  # fmt: skip
    pages = {
        "trend": render_trends(found),
        "comparison": render_comparison(COMPARISON),
        "nights": render_nights([night()]),
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(text, "utf-8")
    page = WRAPPER.replace("NAMES", json.dumps([*pages])).replace("WIDTHS", json.dumps(WIDTHS))
    (tmp_path / "wrapper.html").write_text(page, "utf-8")
    out, said = browse(tmp_path, (tmp_path / "wrapper.html").as_uri(), "--dump-dom")
    assert not said
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', out)[1]))
    assert len(seen) == len(pages) * len(WIDTHS)
    for name, one in seen.items():
        assert one["width"] <= one["visible"], name
        assert (one["scripts"], one["images"], one["boxes"]) == (0, 0, 0), name
        assert one["newest"], name
