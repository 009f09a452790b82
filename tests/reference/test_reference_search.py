"""Searching: what is found, by which words, in which order, and around what."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import AsyncReferenceStore, ReferenceStore
from sessionproof.reference.finding.queries import Term, terms_of
from sessionproof.reference.finding.snippets import snippet
from sessionproof.reference.finding.words import words
from sessionproof.workload.hostile import PAYLOADS, TEXTS, hostile_texts

SECOND = 1_000_000


def say(*texts: str, role: str = "user") -> list[Message]:
    return [Message(role, text) for text in texts]


def texts(store: ReferenceStore, query: str, **options: object) -> list[object]:
    return [hit.message.content for hit in store.search(query, **options)]


FOUND = {
    "plain words": ("the quick brown fox", ["quick", "fox the", "QUICK Brown"], ["slow", "quic"]),
    "punctuation around": ("(Hello), \u201cworld\u201d!", ["hello", "world", "hello, world"], []),
    "accents": ("Café in Ångström", ["cafe", "CAFÉ", "angstrom"], ["caf"]),
    "compatibility forms": ("ﬁle Ｈｅｌｌｏ straße", ["file", "hello", "STRASSE"], []),
    "chinese": ("我们明天去北京开会", ["北京", "明天", "我们 开会", "去北京"], ["京北", "上海"]),
    "japanese": ("昨日東京で会議がありました", ["東京", "会議"], ["京都"]),
    "korean": ("학교에서 공부합니다", ["학교", "공부"], ["교학"]),
    "thai": ("ฉันกินข้าวที่บ้าน", ["กินข้าว", "บ้าน"], ["แมว"]),
    "hindi": ("मैं हिन्दी बोलता हूँ", ["हिन्दी"], ["हिन"]),
    "among scripts": ("Python语言3.11", ["python", "语言", "3.11"], ["3.12"]),
    "c++": ("C++ and C# and F#", ["C++", "c#", "F#"], ["D++", "D#"]),
    "names": ("call foo_bar.baz(x->y)", ["foo_bar", "foo_bar.baz", "x->y", "bar"], ["foo_baz"]),
    "generics": ("std::vector<int> v;", ["std::vector", "vector<int>", "v"], ["std:vector"]),
    "mail": ("to a.b+c@mail.example.org.", ["a.b+c@mail.example.org", "mail"], ["a.c@mail"]),
    "urls": ("see https://x.example/a?b=1#c", ["https://x.example/a?b=1#c", "x.example"], []),
    "apostrophes": ("it\u2019s O'Brien's", ["it's", "o\u2019brien's", "O'Brien"], []),
    "phrases": ("one two three", ['"one two"', '"two three" one'], ['"two one"', '"one three"']),
    "beginnings": ("deployment", ["deploy*", "DEPLOY*", "deployment*"], ["deploy", "ploy*"]),
    "no syntax": ("a AND b OR NOT c", ["a AND b", "OR", "not"], ["a AND d", "x OR c"]),
    "open quotes": ('say "well', ['"well', 'say "well', 'say"'], []),
    "long words": ("x" * 1_000 + " y", ["x" * 1_000, "x" * 900 + "*"], ["x" * 999, "z" * 1_000]),
    "joiners": ("co\u00adoperate\u200b now", ["cooperate", "co\u00adoperate"], []),
    "controls": ("one\x00two\x1fthree", ["one", "two", "three"], ["onetwo"]),
    "surrogates": ("half \ud83d here", ["half", "here", "half \ud83d"], []),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_words_are_found_as_people_type_them(store: ReferenceStore, name: str):
    """A text is found by its words in any case, order and script, and by nothing else."""
    text, queries, others = FOUND[name]
    store.append("s", say("something else", text, "another thing"))
    assert [texts(store, query) for query in queries] == [[text]] * len(queries)
    assert [texts(store, query) for query in others] == [[]] * len(others)


@pytest.mark.parametrize("query", ["", " ", "*", '"', '""', "++", "->", "_", "%", "\x00", "\ud800"])
def test_a_query_without_a_word_finds_nothing(store: ReferenceStore, query: str):
    """What has no letter and no digit is no word."""
    store.append("s", say(query or "x", "++ -> _ % *"))
    assert texts(store, query) == []


@pytest.mark.parametrize("query", [*TEXTS, *PAYLOADS], ids=range(len(TEXTS) + len(PAYLOADS)))
def test_a_text_with_a_word_finds_itself(store: ReferenceStore, query: str):
    """Whatever somebody copied out of a message and looks for, finds this message."""
    store.append("s", say("neighbour", query))
    wanted = [query] if terms_of(query) else []
    star = "*" in query  # which may stand for more
    assert texts(store, query) == wanted or star


@given(hostile_texts())
def test_terms_are_made_of_any_text(text: str):
    """No text is an error, and what stands in a term needs no quoting."""
    for term in terms_of(text):
        assert '"' not in term.words
        assert term.expression.startswith(f'"{term.words}"')
        assert set(term.words) <= set(words(text)) | {" "}


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_folding_twice_is_folding_once(text: str):
    """Words of words are the same words, so a hit can be looked for again."""
    once = words(text)
    assert words(once).split() == [part for part in once.split() if words(part)]


def test_terms_know_phrases_and_beginnings():
    """The whole syntax: words, words in quotes, a star at the end."""
    assert terms_of('Foo "bar  baz" qu* foo') == (
        Term("foo"), Term("bar baz"), Term("qu", open_end=True),
    )  # fmt: skip
    assert terms_of('a* b"c') == (Term("a", open_end=True), Term("b"), Term("c"))


def test_a_long_row_of_words_is_looked_for_in_parts():
    """Each with each place would take minutes in a text of one word."""
    row = [f"w{at}" for at in range(70)]
    assert terms_of(f'"{" ".join(row)}"') == (Term(" ".join(row[:64])), Term(" ".join(row[64:])))
    assert terms_of("漢" * 40_000) == (Term(" ".join("漢" * 64)),)
    assert terms_of("-".join(row[:40]) + "*")[-1].open_end


def test_newest_first_over_all_sessions(store: ReferenceStore):
    """Hits come in the order of appends, newest first, as many as asked for, with their session."""
    for at in range(6):
        store.append(f"s{at % 2}", say(f"word number {at}"))
    hits = store.search("word", limit=4)
    assert [(hit.session_id, hit.message.content) for hit in hits] == [
        (f"s{at % 2}", f"word number {at}") for at in (5, 4, 3, 2)
    ]
    assert hits[0].message == store.read("s1")[-1]
    assert texts(store, "word", limit=0) == []


def test_the_best_first(store: ReferenceStore):
    """What speaks of nothing else comes before what only mentions it."""
    far = "fox " + "and many other words " * 20
    store.append("s", say("fox fox fox", far, *(f"noise {at}" for at in range(20))))
    assert texts(store, "fox") == [far, "fox fox fox"]
    assert texts(store, "fox", order="best") == ["fox fox fox", far]
    assert texts(store, "fox", order="best", limit=1) == ["fox fox fox"]


def test_a_search_is_narrowed(store: ReferenceStore, clock: VirtualClock):
    """By session, owner, model, role and time; filters that name nothing find nothing."""
    store.create("a", owner="ann", llm_model="small", messages=say("word one"))
    clock.move(SECOND)
    store.create("b", owner="ann", messages=say("word two", role="assistant"))
    clock.move(SECOND)
    store.create("c", owner="ben", llm_model="small", messages=say("word three"))
    start = clock.now_us() - 2 * SECOND
    for options, found in (
        ({"session_id": "b"}, ["word two"]),
        ({"session_id": "nobody's"}, []),
        ({"owner": "ann"}, ["word two", "word one"]),
        ({"owner": "ann", "session_id": "c"}, []),
        ({"owner": "ann", "order": "best", "limit": 1, "llm_model": "small"}, ["word one"]),
        ({"llm_model": "small"}, ["word three", "word one"]),
        ({"role": "assistant"}, ["word two"]),
        ({"role": "tool"}, []),
        ({"after_us": start + SECOND}, ["word three", "word two"]),
        ({"before_us": start + SECOND}, ["word one"]),
        ({"after_us": start + 1, "before_us": start + 2 * SECOND}, ["word two"]),
    ):
        assert texts(store, "word", **options) == found, options


def test_a_search_of_more_sessions_than_can_be_named(store: ReferenceStore):
    """An owner may have any number of sessions."""
    for at in range(520):
        store.create(f"s{at}", owner="ann", messages=say("word"))
    store.create("other", owner="ben", messages=say("word"))
    assert len(store.search("word", owner="ann", limit=1_000)) == 520


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"order": "oldest"}, "order must be newest or best"),
        ({"role": "boss"}, "role must be one of"),
        ({"limit": -1}, "limit must be an integer"),
        ({"after_us": "now"}, "after_us must be an integer"),
        ({"owner": 5}, "owner must be a string"),
    ],
)
def test_what_is_no_filter_is_refused(store: ReferenceStore, options: dict, error: str):
    """In one line that says what may stand there; so is a query that is no text."""
    with pytest.raises(Refused, match=error):
        store.search("word", **options)
    with pytest.raises(Refused, match="query must be a string"):
        store.search(None)


def test_what_has_no_text_is_found_by_what_it_says(store: ReferenceStore):
    """Texts inside JSON content, and the arguments of a tool call, are searched."""
    call = Message("assistant", None, kind="tool_call", name="f", arguments={"q": ["Oslo", 5]})
    parts = Message("user", [{"type": "text", "text": "Look at this"}, {"url": "pic.png"}])
    store.append("s", [call, parts, Message("user", None)])
    assert store.search("oslo")[0].message.arguments == {"q": ["Oslo", 5]}
    assert store.search("look pic.png")[0].snippet == "text Look at this pic.png"
    assert texts(store, "None") == texts(store, "null") == texts(store, "q") == []


def test_titles_are_searched(store: ReferenceStore, clock: VirtualClock):
    """Sessions are found by their titles, those last active first; new titles at once."""
    store.create("a", title="Trip to Oslo", owner="ann")
    clock.move(SECOND)
    store.create("b", title="Oslo again", owner="ben")
    store.create("c")
    assert [one.session_id for one in store.search_sessions("oslo")] == ["b", "a"]
    assert [one.session_id for one in store.search_sessions("oslo", owner="ann")] == ["a"]
    assert len(store.search_sessions("oslo", limit=1)) == 1
    assert store.search("oslo") == []
    store.update("b", title="Rome")
    store.delete("a")
    store.update("c", title="now in Oslo")
    assert [one.session_id for one in store.search_sessions("oslo")] == ["c"]
    assert store.search_sessions("") == []


def test_snippets_show_where_the_words_are(store: ReferenceStore):
    """Some text around the first of the words, on one line, from a word's beginning."""
    store.append("s", say("a " * 200 + "here is\nthe Needle in the hay " + "b " * 200))
    (hit,) = store.search("needle")
    assert "here is the Needle in the hay" in str(hit.snippet)
    assert str(hit.snippet).startswith("…")
    assert str(hit.snippet).endswith("…")
    assert len(str(hit.snippet)) < 200
    assert snippet("short", terms_of("short")) == "short"
    assert snippet("", terms_of("x")) == ""


def test_what_was_changed_is_refused_with_digests(tmp_path: Path):
    """A store that checks digests answers no hit that is not what was written."""
    with ReferenceStore(tmp_path, check_digests=True) as store:
        store.append("s", say("word of mine", "of mine"))
        assert texts(store, "word") == ["word of mine"]
        rotten = "UPDATE messages SET content = 'word of theirs', digest = x'00000000' WHERE id = 1"
        store._write(lambda db: db.execute(rotten))
        with pytest.raises(Refused, match="message 1 of session 's' is not what was written"):
            store.search("theirs")
        assert texts(store, "of mine") == ["of mine"]


def test_tasks_search(tmp_path: Path):
    """The asynchronous store answers the same."""

    async def work() -> None:
        async with AsyncReferenceStore(tmp_path) as store:
            await asyncio.gather(*(store.append("s", say(f"word {at}")) for at in range(5)))
            hits = await asyncio.gather(*(store.search("word") for _ in range(3)))
            assert [len(one) for one in hits] == [5, 5, 5]
            assert await store.search_sessions("word") == []

    asyncio.run(work())
