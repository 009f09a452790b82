"""The pictures of ``docs/pictures.md``, as files that follow the reader's light or dark setting.

``python -m tests.house.house_pictures --write`` draws them anew. Their colours stand in the style
sheet of the site alone, which also draws them inside of a page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from sessionproof.svg.shapes import arrow, box, element, line, number, text

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
_SLATE = '[data-md-color-scheme="slate"] .picture {'


def style() -> str:
    """The part of the site's style sheet that is about pictures, for a file on its own."""
    sheet = (ASSETS / "site.css").read_text("utf-8").partition("/* Pictures")[2]
    rules = sheet.partition("*/")[2].strip()
    before, _, dark = rules.partition(_SLATE)
    colours, _, after = dark.partition("}")
    media = f"@media (prefers-color-scheme: dark) {{ .picture {{{colours}}} }}"
    return f"{before}{media}{after}"


def picture(width: int, height: int, label: str, inside: Iterable[Markup]) -> str:
    """A whole file; ``label`` says in words what the picture shows."""
    sheet = element("style", Markup(style().replace("\n\n", "\n")))
    svg = element(
        "svg", element("title", label), sheet, *inside, xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}", width=width, height=height, role="img", class_="picture",
    )  # fmt: skip
    return f"{svg}\n"


def lines(x: float, y: float, texts: Sequence[str], class_: str = "") -> list[Markup]:
    """Lines of text below each other."""
    return [text(x, y + 20 * row, one, class_=class_) for row, one in enumerate(texts)]


def lane(y: float, name: str, end: float, start: float = 90) -> list[Markup]:
    """A lane of time with its name before it."""
    return [text(0, y + 4, name, class_="quiet"), line(start, y, end, y, class_="line")]


def bar(x: float, y: float, width: float, said: str, class_: str) -> list[Markup]:
    """A call: as wide as it took, with its words above."""
    return [box(x, y - 8, width, 16, class_=class_), text(x, y - 15, said, class_="code")]


def judged() -> str:
    """From calls to a verdict."""
    inside = [
        box(0, 10, 200, 170, class_="box", radius=6),
        text(16, 36, "what is done to it", class_="strong"),
        *lines(16, 64, ["generated programs", "hostile texts and ids", "many clients at once",
                        "kills, loss of power", "full disks, damaged files"], "quiet"),
        arrow(200, 95, 240, 95, class_="line"),
        box(240, 60, 110, 70, class_="box", radius=6),
        text(295, 100, "your store", class_="strong", anchor="middle"),
        arrow(350, 95, 390, 95, class_="line"),
        box(390, 30, 190, 130, class_="box", radius=6),
        text(406, 56, "what came of it", class_="strong"),
        *lines(406, 84, ["each call and answer,", "by whom and when;", "each change of a file"],
               "quiet"),
        arrow(580, 95, 620, 95, class_="line"),
        box(620, 30, 140, 130, class_="box", radius=6),
        text(636, 56, "checks", class_="strong"),
        text(636, 84, "✓ holds", class_="good"),
        text(636, 106, "✗ broken", class_="bad"),
        text(636, 128, "? could not tell", class_="quiet"),
    ]  # fmt: skip
    said = "Calls go to the store; what came of them is recorded; checks judge the record alone"
    return picture(760, 190, said, inside)


def clients() -> str:
    """A message that was acknowledged and is gone."""
    inside = [
        *lane(50, "client 1", 740), *lane(110, "client 2", 740), *lane(170, "at the end", 740),
        *bar(130, 50, 150, "append(a)  ok", "one"),
        *bar(200, 110, 190, "append(b)  ok", "two"),
        *bar(500, 170, 110, "read()  [b]", "box"),
        element("path", d="M280 60 C 300 150, 420 170, 494 170", class_="bad"),
        text(130, 218, "a was acknowledged before the read began, and the read has it not: "
             "lost-message", class_="bad"),
    ]  # fmt: skip
    said = "Two clients append at once; both are told ok; the read at the end has one of two"
    return picture(760, 230, said, inside)


def schedules() -> str:
    """Two clients, stopped and let go."""
    rows = [
        (20, "append(a) begins", "one"), (20, "SELECT max(seq)  →  none", "one"),
        (400, "append(b) begins", "two"), (400, "SELECT max(seq)  →  none", "two"),
        (400, "INSERT OR REPLACE … seq 1, b", "two"), (400, "ok", "two"),
        (20, "INSERT OR REPLACE … seq 1, a", "one"), (20, "ok", "one"),
    ]  # fmt: skip
    inside = [
        text(20, 20, "client 1", class_="strong"), text(400, 20, "client 2", class_="strong"),
        line(0, 30, 760, 30, class_="line"),
        *(text(x, 54 + 24 * row, said, class_=f"code {who}")
          for row, (x, said, who) in enumerate(rows)),
        text(220, 82, "is stopped here", class_="bad"),
        arrow(330, 78, 388, 98, class_="bad"),
        arrow(388, 178, 300, 198, class_="bad"),
        line(0, 236, 760, 236, class_="line"),
        text(20, 260, "read()  →  [a]", class_="code"),
        text(200, 260, "b was acknowledged, and a stands in its place", class_="bad"),
    ]  # fmt: skip
    said = "Client 1 is stopped between its SELECT and its INSERT; client 2 does both meanwhile"
    return picture(760, 272, said, inside)


def crashes() -> str:
    """What a kill and a loss of power leave of the same changes."""
    changes = ["write", "write", "fsync", "ok", "write", "write"]
    places = [150 + 80 * row for row in range(len(changes))]
    survived = {"was done": (70, 6), "after a kill": (120, 5), "after a loss of power": (170, 3)}
    inside = [
        text(150, 24, "append(a)", class_="code"), text(470, 24, "append(b)", class_="code"),
        element("path", d="M542 40 l-8 45 l14 8 l-10 45 l12 8 l-8 44", class_="bad"),
        text(556, 50, "crash", class_="bad"),
    ]  # fmt: skip
    for name, (y, kept) in survived.items():
        inside += [text(0, y + 4, name, class_="quiet")]
        for row, (x, change) in enumerate(zip(places, changes, strict=True)):
            tone = "good strong" if change == "ok" else "code"
            faint = "" if row < kept or change == "ok" else " faint"
            inside += [
                element("g", box(x, y - 14, 64, 26, class_="box"),
                        text(x + 32, y + 4, change, class_=tone, anchor="middle"),
                        class_=faint.strip() or "kept"),
            ]  # fmt: skip
    inside += lines(650, 124, ["b half written:", "none of it"], "quiet")
    inside += lines(650, 174, ["a was told ok:", "it must be there"], "quiet")
    said = "A crash between two writes: a kill keeps all before it, a loss of power what was synced"
    return picture(760, 205, said, inside)


def shrunk() -> str:
    """A long program, and the two calls that are left of it."""
    widths = [150, 90, 170, 120, 60, 140, 100, 160, 80, 130, 110, 150]
    kept = {3, 9}
    inside = [
        *(box(0, 10 + 15 * row, width, 9, class_="two" if row in kept else "box")
          for row, width in enumerate(widths)),
        text(0, 208, "60 calls, one of them wrong", class_="quiet"),
        arrow(185, 95, 325, 95, class_="line"),
        text(182, 78, "smaller, while it", class_="quiet"),
        text(182, 120, "fails in the same way", class_="quiet"),
        box(340, 50, 420, 90, class_="box", radius=6),
        text(354, 84, "store.append('s0', [Message('user', 'a\\u2028b')])", class_="code"),
        text(354, 110, "store.read('s0')   # JSONDecodeError", class_="code"),
        text(340, 208, "2 calls, and a script that runs them without the harness", class_="quiet"),
    ]  # fmt: skip
    said = "A program of many calls becomes the two calls that show the same"
    return picture(760, 220, said, inside)


PICTURES: dict[str, Callable[[], str]] = {
    "judged.svg": judged,
    "clients.svg": clients,
    "schedules.svg": schedules,
    "crashes.svg": crashes,
    "shrunk.svg": shrunk,
}


if __name__ == "__main__":
    for name, drawn in PICTURES.items():
        if sys.argv[1:] == ["--write"]:
            (ASSETS / name).write_text(drawn(), "utf-8")
        else:
            sys.stdout.write(f"{name}: {number(len(drawn()))} bytes\n")
