"""A real browser shows the page of a run: it loads nothing, by keyboard and on paper, too."""

from __future__ import annotations

import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

import pytest
from pypdf import PdfReader
from report_samples import LOST, SAMPLES, three_broken

from sessionproof.report.write import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--enable-logging=stderr",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--allow-file-access-from-files", "--virtual-time-budget=3000",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"
STEPS = """<!doctype html><body><script>
const frame = document.createElement("iframe"), seen = {};
frame.style.cssText = "width:1280px;height:640px;border:0";
frame.onload = () => {
  const page = frame.contentDocument;
  const told = (box) => [...box.querySelectorAll(".readout p")].filter(
    (one) => one.checkVisibility()).map((one) => one.innerText);
  const box = page.querySelector(".window"), bars = [...box.querySelectorAll("a.op")];
  seen.quiet = told(box);
  seen.bars = bars.map((bar) => {
    bar.focus();
    return [page.activeElement === bar, bar.getAttribute("aria-label"), told(box)];
  });
  page.activeElement.blur();
  box.querySelector(".ways a").click();
  setTimeout(() => {
    seen.jumped = page.activeElement.getAttribute("class");
    const details = box.querySelector("details");
    seen.closed = !details.open;
    bars[1].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    setTimeout(() => {
      seen.opened = details.open;
      seen.target = page.querySelector("tr:target").innerText;
      document.body.dataset.seen = JSON.stringify(seen);
    }, 300);
  }, 300);
};
frame.src = "together/index.html";
document.body.append(frame);
</script>"""

# What the browser asks its maker for by itself; that no page does is seen by its text.
ERRANDS = re.compile(r"^(http://)?[\w.-]+\.(google|googleapis|gvt1)\.com[:/]")

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed"
)


def browse(tmp_path, url, *flags):
    """What the browser writes to stdout, and to its console, when it opens the address."""
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    ended = subprocess.run(
        [BROWSER, *FLAGS, *flags, *root, f"--user-data-dir={tmp_path / 'profile'}", url],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    said = re.findall(r"CONSOLE[^\n]*", ended.stderr.decode("utf-8", "replace"))
    return ended.stdout.decode("utf-8"), said


def test_a_window_is_told_by_keyboard(tmp_path):
    """Focus on a bar shows what it is, and links lead to the guilty one and to its row."""
    write_report(SAMPLES["together"], tmp_path / "together")
    (tmp_path / "steps.html").write_text(STEPS, "utf-8")
    out, said = browse(tmp_path, (tmp_path / "steps.html").as_uri(), "--dump-dom")
    assert not said
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', out)[1]))
    assert [words[:14] for words in seen["quiet"]] == ["Point at a bar"]
    assert seen["bars"]
    for focused, name, told in seen["bars"]:
        assert focused
        (words,) = told
        client, call = name.split(";")[0].split(": ")
        assert words.replace("(", " ").startswith(f"{client} {call}")
        assert all(part in words for part in name.split("; ")[1:])
    assert "guilty" in seen["jumped"].split()
    assert seen["closed"]
    assert seen["opened"]
    assert seen["target"].startswith("2")


class Listener(http.server.ThreadingHTTPServer):
    """Serves a folder, is the proxy for all else, and keeps what was asked for."""

    def __init__(self, folder):
        self.asked = set()
        self.folder = folder
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers a page of the folder, and nothing else."""

    def do_GET(self):
        self.server.asked.add(self.path)
        name = self.path.partition("http://page.test/")[2]
        file = self.server.folder / name if name else None
        found = file is not None and file.is_file()
        body = file.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        self.server.asked.add(self.path)
        self.send_error(502)

    def log_message(self, *_):
        """Nothing goes to stderr."""


def asked_for(tmp_path, name):
    """All that the browser asks for, of any host, when it opens a page of the folder."""
    with Listener(tmp_path) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            proxy = f"--proxy-server=http://127.0.0.1:{listener.server_port}"
            _, said = browse(tmp_path, f"http://page.test/{name}", "--dump-dom", proxy)
        finally:
            listener.shutdown()
            thread.join()
    return {one for one in listener.asked if not ERRANDS.search(one)}, said


def test_a_page_loads_nothing(tmp_path):
    """The browser asks for the page and nothing else, of its own host or another's."""
    (tmp_path / "loads.html").write_text(
        '<link rel="icon" href="data:,"><img src="a.png"><img src="http://other.test/b.png">'
        "<script>console.error('a word')</script>",
        "utf-8",
    )
    control, said = asked_for(tmp_path, "loads.html")
    assert {"http://page.test/a.png", "http://other.test/b.png"} <= control
    assert any("a word" in line for line in said)
    for name in ("three_broken", "hostile"):
        write_report(SAMPLES[name], tmp_path / name)
        asked, said = asked_for(tmp_path, f"{name}/index.html")
        assert asked == {f"http://page.test/{name}/index.html"}
        assert not said


def test_print_has_what_is_folded_away(tmp_path):
    """On paper the evidence is open, the filter and the ways through the page are gone."""
    page = write_report(three_broken, tmp_path / "report")
    browse(tmp_path, page.as_uri(), f"--print-to-pdf={tmp_path / 'out.pdf'}")
    paper = PdfReader(tmp_path / "out.pdf")
    text = " ".join(" ".join(one.extract_text() for one in paper.pages).split())
    assert three_broken.verdict in text
    assert "KeyError: 'm3'" in text
    assert "should answer" in text
    assert LOST.script[-1] in text
    assert all(one.id in text for one in three_broken.guarantees)
    assert "With the words" not in text
    assert "Skip to the results" not in text
    assert len(paper.pages) > 5
