"""The page of sessions: complete, in one file, and no text of a chat can leave its place."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re

import pytest

from sessionproof import Message
from sessionproof.report.browsing import Browsed, readable, render_page

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028\u2029",
    "a\0b\x1b[31m",
    "\ud800 \udfff",
    "\u202egnp.exe",
    "\U000e0041\u200b\ufeff",
]


def page_of(*messages: Message, title: str = "T", session_id: str = "s", **known) -> str:
    one = Browsed(
        session_id=session_id,
        facts={"title": known.pop("named", "n"), "owner": known.pop("owner", "o")},
        messages=[(number, "then", message) for number, message in enumerate(messages, 1)],
        earlier=known.pop("earlier", 0),
    )
    return render_page(title, [one], made="now", **known)


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes, and what is in scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append("")

    def handle_endtag(self, tag):
        self.seen.append((f"/{tag}", {}))

    def handle_data(self, data):
        if self.seen and self.seen[-1][0] in ("script", "style"):
            self.inside[-1] += data


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    return found


def data_of(page: str) -> list:
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str):
    """Whatever a title, an owner, an id or a message holds, the page has the same elements."""
    plain = elements(page_of(Message("user", "x"))).seen
    call = {"kind": "tool_call", "name": text, "call_id": text, "arguments": {text: text}}
    page = page_of(
        Message("user", text), Message("assistant", None, **call), Message(text, [text]),
        title=text, session_id=text, named=text, owner=text,
    )  # fmt: skip
    assert elements(page).seen == plain
    page.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_is_there(text: str):
    """What a reader sees is the text, with what cannot be seen as escapes."""
    page = page_of(Message("user", text), session_id=text)
    (session,) = data_of(page)
    assert session["id"] == readable(text) == session["messages"][0][-1]
    assert "\0" not in page


def test_the_policy_names_script_and_style():
    """Nothing runs or loads but what the policy names by digest, and nothing is asked for."""
    page = page_of(Message("user", "x"))
    found = elements(page)
    (policy,) = [one["content"] for tag, one in found.seen if one.get("http-equiv")]
    assert policy.startswith("default-src 'none'; ")
    style, data, script = found.inside
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    links = [one for _, one in found.seen if "src" in one or "href" in one or "action" in one]
    assert {one.get("href") for one in links} == {"#main", "data:,"}
    assert json.loads(data)
    assert "innerHTML" not in script
    assert not re.search(r"https?://|@import|url\(", script + style)


def test_everything_that_is_known_of_a_message_is_shown():
    """Role, number, kind, time, name, call, tokens, duration and the arguments of a call."""
    call = Message(
        "assistant", "let me see", kind="tool_call", name="w", call_id="c1",
        arguments={"c": "Rom"}, tokens=1_200, duration_us=2_500_000,
    )  # fmt: skip
    (session,) = data_of(page_of(call, Message(None, {"a": [1]}), Message("user", None)))
    first, second, third = session["messages"]
    assert first[:4] == [1, "assistant", "tool_call", "then"]
    assert first[4] == "w · c1 · 1,200 tokens · 2.5 s"
    assert first[5] == 'let me see\n{\n  "c": "Rom"\n}'
    assert (second[1], json.loads(second[5])) == ("no role", {"a": [1]})
    assert third[5] == ""


def test_what_is_not_on_the_page_is_said():
    """Sessions and messages that found no room are counted; a page that has all says nothing."""
    assert "Not on this page" not in page_of(Message("user", "x"))
    page = page_of(Message("user", "x"), left_out=1_234, earlier=56)
    assert "1,234 older sessions, and 56 earlier messages" in page


def test_an_empty_store_has_a_page():
    """Without sessions it says so."""
    assert data_of(render_page("T", [], made="now")) == []


def test_scripts_of_people_stay_readable():
    """Joiners of emoji, marks of direction and newlines stay; ends of lines are one."""
    for text in ("👩‍👩‍👧", "می‌خواهم", "שלום\u200f!", "日本語", "a\nb\tc", "é", "\ue000"):
        assert readable(text) == text
    assert readable("a\r\nb\rc") == "a\nb\\rc"
