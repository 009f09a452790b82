"""A real browser shows the page of sessions: texts stay texts, at any width, and are found."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest

from sessionproof import Message
from sessionproof.report.browsing import Browsed, render_page

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--enable-logging=stderr",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--allow-file-access-from-files", "--virtual-time-budget=6000",
)  # fmt: skip
TAKEN = "document.title = 'taken'"
HOSTILE = f'</script><script>{TAKEN}</script><img src=x onerror="{TAKEN}">'
MANY = 10_000
STEPS = """<!doctype html><body><script>
const seen = {};
const later = (work) => new Promise((done) => setTimeout(() => done(work()), 400));
async function look(width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:640px;border:0`;
  frame.src = "page.html";
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  const page = frame.contentDocument, root = page.documentElement;
  const at = (id) => page.getElementById(id);
  const style = (one) => frame.contentWindow.getComputedStyle(one);
  const shown = () => [...page.querySelectorAll(".message")];
  const type = (id, text) => {
    at(id).value = text;
    at(id).dispatchEvent(new Event("input", { bubbles: true }));
    at(id).dispatchEvent(new Event("change", { bubbles: true }));
  };
  const facts = seen[width] = {
    title: page.title, images: page.images.length, scripts: page.scripts.length,
    sideways: root.scrollWidth > root.clientWidth,
    first: shown()[0].querySelector(".text").textContent,
    direction: style(shown()[1].querySelector(".text")).direction,
    listed: at("sessions").children.length, ground: style(page.body).backgroundColor,
    labels: [...page.querySelectorAll("input, select")].filter((one) => !one.labels.length).length,
  };
  page.querySelectorAll("#sessions button")[1].click();
  facts.opened = [shown().length, at("state").textContent];
  facts.focus = page.activeElement.id;
  [...page.querySelectorAll("#content > button")].at(-1).click();
  facts.more = shown().length;
  type("words", "NEEDLE 9990");
  const marks = () => page.querySelectorAll("mark").length;
  await later(() => { facts.found = [shown().length, at("state").textContent, marks()]; });
  page.querySelector(".message button").click();
  facts.hit = page.querySelector(".found .text").textContent.slice(0, 40);
  type("words", "<IMG SRC");
  await later(() => { facts.hostile = [shown().length, page.images.length]; });
  type("words", "");
  type("role", "tool");
  await later(() => { facts.role = shown().length; });
  type("filter", "many");
  await later(() => { facts.narrowed = at("sessions").children.length; });
  facts.after = [page.title, root.scrollWidth > root.clientWidth];
}
(async () => {
  for (const width of [360, 390, 1280]) await look(width);
  document.body.dataset.seen = JSON.stringify(seen);
})();
</script>"""

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed"
)


def sessions() -> list[Browsed]:
    many = [(n, "then", Message("user", f"needle {n} {'word ' * 40}")) for n in range(1, MANY)]
    hostile = [
        (1, "then", Message("user", HOSTILE)),
        (2, "then", Message("user", "مرحبا بالعالم")),
        (3, "then", Message("tool", "x" * 5_000, kind="tool_result")),
    ]
    return [
        Browsed(session_id=HOSTILE, facts={"title": HOSTILE, "owner": HOSTILE}, messages=hostile),
        Browsed(session_id="many", facts={"last activity": "then"}, messages=many),
    ]


def look(tmp_path, *flags) -> dict:
    (tmp_path / "page.html").write_text(render_page(HOSTILE, sessions(), made="now"), "utf-8")
    (tmp_path / "steps.html").write_text(STEPS, "utf-8")
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    ended = subprocess.run(
        [BROWSER, *FLAGS, *flags, *root, profile, "--dump-dom", (tmp_path / "steps.html").as_uri()],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in ended.stderr.decode("utf-8", "replace")
    found = re.search(r'data-seen="([^"]*)"', ended.stdout.decode("utf-8"))
    assert found, ended.stdout[-2_000:]
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict:
    return look(tmp_path_factory.mktemp("light"))


@pytest.mark.parametrize("width", ["360", "390", "1280"])
def test_texts_stay_texts_at_every_width(seen: dict, width: str):
    """Hostile titles and messages are read, none runs; nothing needs sideways scrolling."""
    facts = seen[width]
    assert facts["first"] == HOSTILE
    assert (facts["title"], facts["after"][0]) == (f"{HOSTILE} – sessions",) * 2
    assert (facts["images"], facts["scripts"], facts["labels"]) == (0, 2, 0)
    assert (facts["sideways"], facts["after"][1]) == (False, False)
    assert facts["direction"] == "rtl"


def test_ten_thousand_messages_are_read_in_parts(seen: dict):
    """A chat opens with its first part, goes on when asked, and its reader is where it begins."""
    facts = seen["1280"]
    assert facts["listed"] == 2
    assert facts["opened"] == [200, "9,999 messages, 200 of them shown"]
    assert (facts["more"], facts["focus"]) == (400, "main")


def test_the_search_finds_and_opens(seen: dict):
    """Words are found without case, shown with marks, and open the chat at their message."""
    facts = seen["1280"]
    assert facts["found"] == [1, "1 message found", 1]
    assert facts["hit"].startswith("needle 9990 ")
    assert facts["hostile"] == [1, 0]
    assert facts["role"] == 1
    assert facts["narrowed"] == 1


def test_the_page_has_a_dark_ground(seen: dict, tmp_path):
    """Who prefers it dark has it dark."""
    dark = look(tmp_path, "--blink-settings=preferredColorScheme=0")
    grounds = [re.findall(r"\d+", one["1280"]["ground"]) for one in (seen, dark)]
    light, black = (sum(map(int, ground)) for ground in grounds)
    assert light > 600 > 150 > black
