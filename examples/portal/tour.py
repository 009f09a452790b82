"""A portal from the first user to the last: run with the address of a database, or alone.

    python tour.py [URL]

Without an address it is what DATABASE_URL holds, or a new file of SQLite. What it makes it removes.
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from sessionproof.contract.errors import Conflict, Expired, Refused
from sessionproof.portal import NewMessage, Portal
from sessionproof.portal.exchange.rows import TABLES, rows_of


def main(url: str, folder: Path) -> None:
    """Go through all of it; an assertion that fails ends it."""
    name = secrets.token_hex(4)
    address = f"ann-{name}@example.org"
    with Portal(url) as portal:
        before = portal.queries.count_users()
        user = sign_up(portal, address)
        token = sign_in(portal, address)
        try:
            chats = talk(portal, user.id, token)
            look_around(portal, user.id, chats)
            close_down(portal, token, chats)
            carry_over(portal, folder)
        finally:
            portal.users.delete(user.id)
        assert portal.queries.count_users() == before
        assert portal.queries.user_by_email(f"anna-{name}@example.org") is None
        assert portal.queries.conversations_of(user.id, hidden=True) == []
        assert portal.queries.count_by_role(user_id=user.id) == {}
        print("Ann was deleted: no conversation, message or token of hers is left")


def sign_up(portal, address):
    """A user with a password, who changes the address and stays the same user."""
    user = portal.users.add(address, "a long passphrase", display_name="Ann")
    try:
        portal.users.add(address, "another")
    except Conflict as error:
        print(f"a second Ann is refused: {error}")
    portal.users.change_email(user.id, address.replace("ann", "anna"))
    assert portal.users.get(user.id).email.startswith("anna")
    portal.users.change_email(user.id, address)
    print("Ann signed up")
    return user


def sign_in(portal, address) -> str:
    """A token; the same words for a wrong password as for somebody unknown."""
    told = set()
    for who, password in ((address, "a guess"), (f"no-{address}", "a guess")):
        try:
            portal.auth.sign_in(who, password)
        except Refused as error:
            told.add(str(error))
    assert len(told) == 1, told
    hour_us = 3_600_000_000
    token = portal.auth.sign_in(address, "a long passphrase", idle_us=hour_us, hard_us=12 * hour_us)
    print("Ann signed in: her token is kept as a digest alone")
    return token


def talk(portal, user_id: str, token: str) -> list[str]:
    """Three conversations, with a tool and what is known of its answer."""
    client = portal.auth.resume(token)
    weather = portal.conversations.create(user_id, title="Weather", model="small-1").id
    seqs = portal.messages.append(
        weather,
        [
            NewMessage("user", "Will it rain in Graz tomorrow?"),
            NewMessage(
                "tool",
                '{"rain": 0.8}',
                details={"request_id": "r-17", "source": "forecast", "latency_us": 420_000},
            ),
            NewMessage(
                "assistant",
                "Yes, at 80%: take an umbrella_.",
                tokens=12,
                details={
                    "model": "small-1",
                    "latency_us": 3_100_000,
                    "sources": ["https://example.org/graz"],
                },
            ),
        ],
        auth_session_id=client.id,
    )
    assert seqs == (1, 2, 3)
    empty = portal.conversations.create(user_id).id
    recipe = portal.conversations.create(
        user_id, title="Bread", messages=[NewMessage("user", "How long does bread take?")]
    ).id
    found = portal.conversations.get(weather)
    print(f"a conversation has {found.message_count} messages and {found.total_tokens} tokens")
    return [weather, empty, recipe]


def look_around(portal, user_id: str, chats: list[str]) -> None:
    """Lists, hidden ones, a search in which % and _ are themselves, and slow answers."""
    weather, empty, _ = chats
    portal.conversations.opened(weather)
    portal.conversations.hide(empty)
    queries = portal.queries
    assert len(queries.conversations_of(user_id)) == 2
    assert [one.id for one in queries.hidden_conversations(user_id)] == [empty]
    portal.conversations.unhide(empty)
    assert len(queries.conversations_of(user_id)) == 3
    print("a conversation was hidden, and shown again")

    for words in ("80%", "umbrella_", "RAIN IN"):
        (found,) = queries.search(words, user_id=user_id)
        print(f"a search for {words!r} finds {found.content!r}")
    assert queries.search("8_%", user_id=user_id) == []

    (slow,) = queries.slow_responses(1_000_000, user_id=user_id)
    print(f"one answer took a second or more: {slow.details['latency_us'] / 1e6:.1f} s")
    print(f"messages by role: {dict(sorted(queries.count_by_role(user_id=user_id).items()))}")
    assert queries.largest_conversations(user_id=user_id)[0].id == weather
    assert len(queries.active_auth_sessions(user_id)) == 1


def close_down(portal, token: str, chats: list[str]) -> None:
    """An archived conversation takes no message, nor does a token that was signed out."""
    portal.conversations.archive(chats[0])
    client = portal.auth.resume(token)
    for one, sign_out in ((chats[0], False), (chats[2], True)):
        if sign_out:
            portal.auth.sign_out(token)
        try:
            portal.messages.append(one, [NewMessage("user", "more")], auth_session_id=client.id)
        except Expired as error:
            print(f"a message is refused: {error}")
        else:
            raise AssertionError("it was stored")


def carry_over(portal, folder: Path) -> None:
    """Out as CSV and as a script, into fresh databases, and equal there."""
    portal.export_csv(folder / "csv")
    portal.dump_sql(folder / "portal.sql")
    before = everything(portal)
    for form, read, source in (
        ("folder of CSV", Portal.import_csv, folder / "csv"),
        ("script of SQL", Portal.load_sql, folder / "portal.sql"),
    ):
        with Portal(f"sqlite:///{folder / source.name}-copy.db") as copy:
            numbers = read(copy, source)
            assert everything(copy) == before
        assert set(numbers) == set(TABLES)
        print(f"all tables went through a {form} into a fresh database, and are equal there")
    script = (folder / "portal.sql").read_bytes()
    (folder / "cut.sql").write_bytes(script[: len(script) // 2])
    with Portal(f"sqlite:///{folder / 'fresh.db'}") as fresh:
        try:
            fresh.load_sql(folder / "cut.sql")
        except Refused:
            print("half a script is refused, and nothing of it is stored")
        assert fresh.queries.count_users() == 0


def everything(portal) -> dict[str, list[dict]]:
    """All rows of all tables, at one moment, in an order that no database decides."""

    def work(session):
        return {
            table: sorted((dict(row) for row in rows_of(session, table)), key=repr)
            for table in TABLES
        }

    return portal.database.moment(work)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        new = f"sqlite:///{made}/portal.db"
        given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DATABASE_URL", new)
        main(given, Path(made))
