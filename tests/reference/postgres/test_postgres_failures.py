"""PostgreSQL's errors as the contract's: definite where the server says so, open where nobody can.

The errors are made by a server, and not by hand.
"""

import time

import psycopg
import pytest

from sessionproof.contract.errors import (
    Conflict,
    Indefinite,
    NotRepresentable,
    Refused,
    TooLarge,
)
from sessionproof.contract.message import Message
from sessionproof.reference.postgres.failures import (
    AGAIN,
    LostBeforeCommitError,
    as_store_error,
    is_lost,
    one_line,
)

HELLO = Message("user", "hello")


def raised_by(server, sql, *before, wait_s=0.0):
    """The error of a statement, and its connection."""
    connection = psycopg.connect(server.url, autocommit=True)
    for one in before:
        connection.execute(one)
    time.sleep(wait_s)
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(sql)
    return raised.value, connection


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 9223372036854775807 + 1", TooLarge),
        ("SELECT 1 / 0", Refused),
        ("SELECT nothing", Refused),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$", Refused),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", Conflict),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$", Conflict),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '55P03'; END $$", Refused),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57014'; END $$", Refused),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '54000'; END $$", TooLarge),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'SP001'; END $$", Conflict),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'SP002'; END $$", Refused),
    ],
)
def test_what_the_server_refuses_on_a_living_connection_is_definite(server, sql, kind):
    """The statement was undone and the connection goes on: nothing was stored, and that is said."""
    error, connection = raised_by(server, sql)
    with connection:
        assert not is_lost(error, connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)
    told = as_store_error(error, where="here", writes=True)
    assert type(told) is kind
    assert not isinstance(told, Indefinite)
    assert "\n" not in str(told)


@pytest.mark.parametrize("writes", [True, False])
def test_a_connection_that_the_server_ends_leaves_a_write_open(server, writes):
    """An administrator, a crash or a shutdown may come before the commit or behind it."""
    error, connection = raised_by(server, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_lost(error, connection)
    told = as_store_error(error, where="here", writes=writes)
    assert isinstance(told, Indefinite if writes else Refused)
    assert ("open" if writes else "cannot be read") in str(told)


@pytest.mark.parametrize(
    ("sql", "before"),
    [
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40003'; END $$", ()),
        ("COMMIT", ("BEGIN", "SET LOCAL idle_in_transaction_session_timeout = 1")),
    ],
)
def test_what_ends_more_than_a_statement_leaves_a_write_open(server, sql, before):
    """A router may not know what became of a commit; what is FATAL or PANIC is no answer to it."""
    error, connection = raised_by(server, sql, *before, wait_s=0.2)
    assert is_lost(error, connection)
    connection.close()
    assert type(as_store_error(error, where="here", writes=True)) is Indefinite
    assert type(as_store_error(error, where="here", writes=False)) is Refused


def test_a_transaction_that_was_lost_before_its_end_is_refused():
    """The server undoes what nobody asked it to commit."""
    told = as_store_error(LostBeforeCommitError("gone"), where="here", writes=True)
    assert type(told) is Refused
    assert "nothing was stored" in str(told)


def test_only_what_was_undone_is_tried_again(server):
    """Deadlocks and serialization failures undo the whole transaction; nothing else is repeated."""
    for state in ("40001", "40P01"):
        sql = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"
        error, connection = raised_by(server, sql)
        connection.close()
        assert isinstance(error, AGAIN)
    error, connection = raised_by(server, "SELECT 1 / 0")
    connection.close()
    assert not isinstance(error, AGAIN)


def test_texts_that_it_does_not_take_are_not_representable(store):
    """U+0000 and lone surrogates are refused by a word of their own, and nothing is stored."""
    for text in ("a\0b", "a\ud800b"):
        with pytest.raises(NotRepresentable):
            store.append("s", [Message("user", text)])
    assert store.read("s") == []


def test_an_id_that_is_taken_is_a_conflict_in_its_words(store):
    """Who asks again with another id gets through."""
    message = Message("user", "hello", id="own")
    store.append("s", [message])
    with pytest.raises(Conflict, match="message id is taken"):
        store.append("s", [message])
    assert store.count("s") == 1


def test_a_line_of_an_error_is_never_empty():
    """Errors without a text are named by their type."""
    assert one_line(ValueError("first\nsecond")) == "first"
    assert one_line(ValueError()) == "ValueError"
