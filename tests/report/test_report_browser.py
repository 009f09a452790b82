"""A real browser shows the page, runs nothing in it, and needs no sideways scrolling."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest
from report_samples import SAMPLES, three_broken

from sessionproof.report.write import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom",
)  # fmt: skip
WRAPPER = """<!doctype html><body><script>
const names = NAMES, seen = {};
window.addEventListener("message", () => { seen.message = true; });
for (const name of names) {
  const frame = document.createElement("iframe");
  frame.style.cssText = "width:360px;height:640px;border:0";
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    seen[name] = {
      width: root.scrollWidth, visible: root.clientWidth, h1: page.querySelector("h1").innerText,
      scripts: page.scripts.length, images: page.images.length, height: root.scrollHeight,
      surface: frame.contentWindow.getComputedStyle(page.querySelector("header")).borderTopWidth,
    };
    document.body.dataset.seen = JSON.stringify(seen);
  };
  frame.src = name + "/index.html";
  document.body.append(frame);
}
</script>"""


@pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed")
def test_a_browser_shows_the_pages_on_a_phone(tmp_path):
    """At 360 pixels the pages render with style, scroll down only, and run no script."""
    names = ["three_broken", "unclaimed", "hostile"]
    for name in names:
        write_report(SAMPLES[name], tmp_path / name)
    (tmp_path / "wrapper.html").write_text(WRAPPER.replace("NAMES", json.dumps(names)), "utf-8")
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    answer = subprocess.run(
        [BROWSER, *FLAGS, *root, f"--user-data-dir={tmp_path / 'profile'}",
         (tmp_path / "wrapper.html").as_uri()],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    found = re.search(r'data-seen="([^"]*)"', answer.stdout.decode("utf-8"))
    assert found is not None
    seen = json.loads(html.unescape(found[1]))
    assert set(seen) == set(names)
    for name in names:
        assert seen[name]["visible"] <= 360
        assert seen[name]["width"] <= seen[name]["visible"], f"{name} scrolls sideways"
        assert seen[name]["scripts"] == seen[name]["images"] == 0
        assert seen[name]["surface"] == "4px"  # the style sheet is in force
        assert seen[name]["height"] > 1_000
    assert three_broken.verdict in seen["three_broken"]["h1"]
