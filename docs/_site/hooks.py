"""What the site makes of the pages: links of pages that are named, pictures in the page, a report.

MkDocs calls these functions; what stands in the repository stays as it is read there.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from sessionproof.report.html import render_html
from sessionproof.report.write import read_result

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "_site" / "sample"  # the first run of docs/start.md
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"`docs/([\w/-]+\.md)`")
_PICTURE = re.compile(r"^!\[[^\]]*\]\(assets/([\w-]+\.svg)\)$", re.MULTILINE)
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_files(files: Any, *, config: Any) -> Any:
    """Add the sample report, whose page is drawn as this version draws pages."""
    page = render_html(read_result(SAMPLE / "result.json"))
    files.append(File.generated(config, "sample/index.html", content=page))
    for path in sorted(SAMPLE.rglob("*")):
        if path.is_file():
            name = f"sample/{path.relative_to(SAMPLE).as_posix()}"
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page with a link wherever it names another, and with its pictures in it."""
    here = posixpath.dirname(page.file.src_uri)
    parts = _FENCED.split(markdown)  # text and blocks of code in turns
    parts[::2] = [_PICTURE.sub(_inside, _NAMED.sub(_linked(here), text)) for text in parts[::2]]
    return "".join(parts)


def _linked(here: str) -> Any:
    """What stands in the place of a page's name on a page of this folder."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.relpath(found[1], here or ".")
        return f"[{_title(found[1])}]({target})"

    return link


@cache
def _title(name: str) -> str:
    """The first headline of a page; its name where it is not there, which the build refuses."""
    path = ROOT / "docs" / name
    found = _TITLE.search(path.read_text("utf-8")) if path.exists() else None
    return found[1].strip() if found else name


def _inside(found: re.Match[str]) -> str:
    """The picture itself: so it has the colours of the page, light or dark."""
    picture = (ROOT / "docs" / "assets" / found[1]).read_text("utf-8")
    return f'<figure tabindex="0">{_STYLE.sub("", picture).strip()}</figure>'  # it may scroll
