"""Searching on PostgreSQL: the same words are found, by the same tests where these fit both."""

from __future__ import annotations

import threading

import pytest
import test_reference_search as on_sqlite

from sessionproof import Message
from sessionproof.reference.finding.queries import terms_of
from sessionproof.reference.postgres import index, searching
from sessionproof.workload.hostile import PAYLOADS, TEXTS

test_newest_first_over_all_sessions = on_sqlite.test_newest_first_over_all_sessions
test_the_best_first = on_sqlite.test_the_best_first
test_a_search_is_narrowed = on_sqlite.test_a_search_is_narrowed
test_a_search_of_more_sessions_than_can_be_named = (
    on_sqlite.test_a_search_of_more_sessions_than_can_be_named
)
test_what_is_no_filter_is_refused = on_sqlite.test_what_is_no_filter_is_refused
test_what_has_no_text_is_found_by_what_it_says = (
    on_sqlite.test_what_has_no_text_is_found_by_what_it_says
)
test_titles_are_searched = on_sqlite.test_titles_are_searched


def storable(text):
    """Whether PostgreSQL takes the text."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def say(*texts):
    return [Message("user", text) for text in texts]


def texts(store, query, **options):
    return [hit.message.content for hit in store.search(query, **options)]


FOUND = {name: case for name, case in on_sqlite.FOUND.items() if storable(case[0])}
COPIED = [text for text in (*TEXTS, *PAYLOADS) if storable(text)]


@pytest.fixture(params=["walked", "indexed"])
def way(request, monkeypatch):
    """Both ways to find: message by message from the newest, and by the index alone."""
    if request.param == "indexed":
        monkeypatch.setattr(searching, "_WALKED_MOST", 0)


@pytest.mark.usefixtures("way")
def test_words_are_found_as_people_type_them(store):
    """A text is found by its words in any case, order and script, and by nothing else."""
    for name, (text, queries, others) in FOUND.items():
        store.append("s", say("something else", text, "another thing"))
        assert [texts(store, query) for query in queries] == [[text]] * len(queries), name
        assert [texts(store, query) for query in others] == [[]] * len(others), name
        store.clear("s")


def test_a_query_without_a_word_finds_nothing(store):
    """What has no letter and no digit is no word; whatever is typed is no error."""
    store.append("s", say("x", "++ -> _ % *"))
    for query in ["", " ", "*", '"', '""', "++", "->", "_", "%", "\0", "\ud800", "'", "\\", ":*"]:
        assert texts(store, query) == [], query
    for query in ["x\0", "x \ud800", "x'", "x\\", "x:*", "x & !y", "x" + " x y" * 50_000]:
        store.search(query)


@pytest.mark.usefixtures("way")
def test_a_text_with_a_word_finds_itself(store):
    """Whatever somebody copied out of a message and looks for, finds this message."""
    store.append("s", say("neighbour", *COPIED))
    for text in COPIED:
        assert text in texts(store, text, limit=1_000) or not terms_of(text), text


@pytest.mark.usefixtures("way")
def test_long_texts_are_found_by_all_their_words(store):
    """Wherever they stand, also in a row, and though others come thousands of times."""
    code = "if a_b == c_d: call(x)\n" * 10_000 + "the foo_bar at last"
    store.append("s", say(code, "漢字" * 20_000 + "北京", "other"))
    assert texts(store, "foo_bar") == texts(store, '"at last"') == [code]
    assert len(texts(store, "字北京")) == 1
    assert texts(store, "bar_foo") == texts(store, "京北") == []
    assert store.verify().ok


def test_more_words_than_postgresql_takes(store):
    """Of a text with a megabyte of different words the first are found; a letter may have marks."""
    many = " ".join(f"word{at:07}" for at in range(150_000))
    marked = "北" + "\u0654" * 5_000
    store.append("s", say(many, marked))
    assert texts(store, "word0000000 word0050000") == [many]
    assert texts(store, "word0149999") == []
    assert texts(store, marked) == [marked]
    assert len(index.bounded(" ".join(["a" * 3_000] * 3)).split()[0]) == 2_000


def test_frequent_and_rare_words_of_many_messages(store):
    """Both ways to look agree, wherever the messages with the word are."""
    store.append("old", say(*(f"old rare{at % 700} every" for at in range(1_400))))
    store.append("new", say(*(f"new some{at % 40} every" for at in range(1_200))))
    for query, number in (("every", 2_600), ("old", 1_400), ("rare5", 2), ("some7 new", 30)):
        found = texts(store, query, limit=5_000)
        assert len(found) == number
        assert texts(store, query, limit=5_001) == found
        assert texts(store, query, limit=10) == found[:10]
        assert texts(store, query, limit=600) == found[:600]
    assert len(texts(store, "every", session_id="old", limit=3_000)) == 1_400
    assert len(texts(store, "every", order="best", limit=3_000)) == searching.RANKED


def test_an_edit_and_a_deletion_take_words_out(store, foreign):
    """At once, whoever looks into the index; and what is there instead is found."""
    first, second, third = store.append("s", say("alpha", "beta", "gamma")).ids
    store.create("t", title="delta")
    assert len(texts(store, "alpha")) == len(store.search_sessions("delta")) == 1
    store.edit_message("s", first, Message("assistant", "epsilon"))
    store.delete_message("s", second)
    store.update("t", title="zeta")
    assert foreign.execute("SELECT words FROM search_index").fetchall() == [("=s1 =ruser gamma",)]
    assert texts(store, "alpha") == texts(store, "beta") == store.search_sessions("delta") == []
    assert texts(store, "epsilon", role="assistant") == ["epsilon"]
    assert texts(store, "epsilon", role="user") == []
    assert len(store.search_sessions("zeta")) == 1
    store.clear("s")
    store.delete("t")
    assert foreign.execute("SELECT count(*) FROM search_index").fetchone() == (0,)
    assert texts(store, "gamma") == texts(store, third) == store.search_sessions("zeta") == []
    assert foreign.execute("SELECT count(*) FROM search_again").fetchone() == (0,)
    assert store.verify().ok


def test_who_is_looked_at_while_it_goes_is_not_left_behind(store, foreign):
    """A message that goes between a look at it and the end of that look leaves no words."""
    store.append("s", say("alpha"))
    foreign.execute("BEGIN")
    foreign.execute("INSERT INTO search_index SELECT id, 'alpha' FROM messages")
    store.clear("s")
    foreign.execute("COMMIT")
    assert texts(store, "alpha") == []
    assert foreign.execute("SELECT count(*) FROM search_index").fetchone() == (0,)


def test_many_messages_are_looked_at_in_parts(store, monkeypatch):
    """By their number and by their length; all are found after one search."""
    monkeypatch.setattr(index, "MOST", 7)
    monkeypatch.setattr(index, "_MOST_BYTES", 2_000)
    parts = []
    look = index.look

    def looked(db, upto):
        parts.append(look(db, upto)[0])
        return parts[-1], parts[-1] > 0

    monkeypatch.setattr(index, "look", looked)
    store.append("s", say(*("word " * 200 if at % 3 else "word" for at in range(30))))
    assert len(texts(store, "word")) == 30
    assert sum(parts) == 30
    assert max(parts) <= 7
    assert len(parts) > 10


def test_a_session_is_found_while_it_is_restored(opened, monkeypatch):
    """Which sessions are meant, and what they say, is of one moment."""
    store, other = opened(), opened()
    store.append("s", say("word"))
    taken = store.snapshot("s")
    sids = searching._sids

    def restored_meanwhile(db, of_sessions):
        found = sids(db, of_sessions)
        other.append("s", say("newer"))
        other.restore_snapshot(taken, replace=True)
        assert texts(other, "newer") == []  # which brings the index up
        return found

    monkeypatch.setattr(searching, "_sids", restored_meanwhile)
    assert texts(store, "word", session_id="s") == ["word"]


def test_what_is_written_while_a_search_catches_up_may_be_what_was_there(opened, monkeypatch):
    """A session that is restored meanwhile has new rows for old messages, which are found."""
    store, other = opened(), opened()
    store.append("s", say("word"))
    taken = store.snapshot("s")
    look = index.look

    def restored_meanwhile(db, upto):
        other.append("s", say("newer"))
        other.restore_snapshot(taken, replace=True)
        return look(db, upto)

    monkeypatch.setattr(index, "look", restored_meanwhile)
    assert texts(store, "word") == ["word"]


def test_who_writes_does_not_keep_a_search_for_ever(opened, monkeypatch):
    """What comes while a search catches up is left to the next one."""
    store, writer = opened(), opened()
    monkeypatch.setattr(index, "MOST", 1)
    look, done = index.look, []

    def looked(db, upto):
        done.append(writer.append("s", say("word")))
        return look(db, upto)

    monkeypatch.setattr(index, "look", looked)
    store.append("s", say("word", "word"))
    assert len(texts(store, "word")) >= 2
    assert len(done) <= 4


def test_who_searches_at_once_finds_all_that_was_acknowledged(opened):
    """Searchers wait for each other, and none misses what another is looking at."""
    stores = [opened(preset="web"), opened(preset="web")]
    missed, stop = [], threading.Event()

    def search(store, own):
        at = 0
        while not stop.is_set():
            at += 1
            store.append(f"s{own}", say(f"word own{own}n{at}"))
            if len(texts(store, f"own{own}n{at}")) != 1:
                missed.append((own, at))

    clients = [threading.Thread(target=search, args=(one, at)) for at, one in enumerate(stores * 2)]
    for one in clients:
        one.start()
    stop.wait(2)
    stop.set()
    for one in clients:
        one.join()
    assert missed == []
    assert stores[0].verify().ok


def test_an_edit_beside_a_search_hides_nothing(opened):
    """A message that has the word before and after an edit is found at any time."""
    store = opened(preset="web")
    (name,) = store.append("s", say("word 0")).ids
    stop = threading.Event()

    def edit():
        at = 0
        while not stop.is_set():
            at += 1
            store.edit_message("s", name, Message("user", f"word {at}"))
            stop.wait(0.003)

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        found = [len(texts(store, "word")) for _ in range(40)]
    finally:
        stop.set()
        editor.join()
    assert found == [1] * 40


def test_words_folded_by_another_rule_are_looked_at_again(store, foreign):
    """Whoever made the index: it is made anew, and has no entry of what is gone."""
    store.append("s", say("alpha", "beta"))
    store.create("t", title="gamma")
    assert len(texts(store, "alpha")) == 1
    foreign.execute("UPDATE search_index SET words = 'strange'")
    foreign.execute("INSERT INTO search_index VALUES (999, 'nobody'), (-999, '=t nobody')")
    foreign.execute("UPDATE search_rule SET folding = 0")
    assert len(texts(store, "alpha beta")) == 0
    assert texts(store, "beta") == ["beta"]
    assert len(store.search_sessions("gamma")) == 1
    assert foreign.execute("SELECT count(*) FROM search_index").fetchone() == (3,)
    foreign.execute("DELETE FROM search_rule")
    assert texts(store, "alpha") == ["alpha"]
    assert store.verify().ok
