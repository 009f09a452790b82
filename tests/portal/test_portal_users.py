"""Users: made, found, renamed, shut out, removed with all that is theirs."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from sessionproof.contract.errors import Conflict, NotFound, NotRepresentable, Refused, TooLarge
from sessionproof.portal import NewMessage

TABLES = ("users", "auth_sessions", "conversations", "messages")


def test_a_user_comes_back_as_he_was_made(portal, clock):
    """What is known of a user is read as it was given, his metadata to the type of each number."""
    details = {"plan": "pro", "score": 1.0, "tags": ["ä", None, True], "deep": {"n": 2**53 + 1}}
    made = portal.users.add("ann@example.org", "secret", display_name="Ann", details=details)

    found = portal.users.get(made.id)

    assert (found.email, found.display_name, found.is_active) == ("ann@example.org", "Ann", True)
    assert repr(found.details) == repr(details)
    assert found.created_at_us == clock.now_us()
    assert found.last_login_us is None
    assert portal.users.by_email("ann@example.org").id == made.id


def test_two_users_never_share_an_address(portal, user, rows):
    """A second user with an address that is taken is refused, and changes nothing."""
    with pytest.raises(Conflict, match="e-mail is taken"):
        portal.users.add(user.email, "other")
    assert rows("SELECT count(*) FROM users") == [(1,)]


def test_an_address_changes_and_the_user_stays(portal, user, conversation):
    """The new address signs in, the old one does not, and whatever was his is his still."""
    token = portal.auth.sign_in("ann@example.org", "secret")

    portal.users.change_email(user.id, "anna@example.org")

    assert portal.auth.resume(token).user_id == user.id
    assert portal.auth.sign_in("anna@example.org", "secret")
    assert portal.conversations.get(conversation.id).user_id == user.id
    assert portal.users.by_email("ann@example.org") is None
    with pytest.raises(Refused, match="wrong"):
        portal.auth.sign_in("ann@example.org", "secret")


def test_an_address_that_is_taken_is_no_new_address(portal, user):
    """A change to somebody else's address is refused, and both users keep their own."""
    other = portal.users.add("bob@example.org")
    with pytest.raises(Conflict, match="e-mail is taken"):
        portal.users.change_email(other.id, user.email)
    assert portal.users.get(other.id).email == "bob@example.org"
    portal.users.change_email(other.id, "bob@example.org")  # his own: no conflict with himself


def test_a_user_is_removed_with_all_that_is_his(portal, user, conversation, rows):
    """After a user is deleted nothing of him is left in any table, and others keep theirs."""
    portal.auth.sign_in(user.email, "secret")
    portal.messages.append(conversation.id, [NewMessage("user", "mine")])
    other = portal.users.add("bob@example.org", "secret")
    portal.auth.sign_in(other.email, "secret")
    kept = portal.conversations.create(other.id, messages=[NewMessage("user", "his")])

    portal.users.delete(user.id)

    left = {table: rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    assert left == dict.fromkeys(TABLES, 1)
    assert portal.conversations.get(kept.id).message_count == 1
    for call in (portal.users.get, portal.users.delete, portal.users.activate):
        with pytest.raises(NotFound, match="no user"):
            call(user.id)
    with pytest.raises(NotFound):
        portal.conversations.get(conversation.id)


def test_nothing_is_left_where_keys_are_off(portal, user, conversation, foreign, rows):
    """Another program that deletes a user with foreign keys off leaves nothing of him either."""
    portal.messages.append(conversation.id, [NewMessage("user", "mine")])
    portal.auth.begin(user.id)

    foreign.execute(f"DELETE FROM users WHERE id = '{user.id}'")

    assert [rows(f"SELECT count(*) FROM {table}") for table in TABLES] == [[(0,)]] * 4


def test_a_deactivated_user_is_shut_out_until_he_is_let_in(portal, user):
    """Neither his password nor his tokens count while he is deactivated; afterwards both do."""
    token = portal.auth.sign_in(user.email, "secret")

    portal.users.deactivate(user.id)
    portal.users.deactivate(user.id)

    assert not portal.users.get(user.id).is_active
    with pytest.raises(Refused, match="not active"):
        portal.auth.resume(token)
    with pytest.raises(Refused, match="not active"):
        portal.auth.sign_in(user.email, "secret")
    portal.users.activate(user.id)
    assert portal.auth.resume(token).user_id == user.id


def test_a_password_is_kept_as_a_hash_alone(portal, place, user, rows):
    """No column and no byte of the file has the password; equal passwords have two hashes."""
    portal.users.add("bob@example.org", "secret")
    hashes = [row[0] for row in rows("SELECT password_hash FROM users")]
    assert len(set(hashes)) == 2
    assert all(one.startswith("$argon2id$") for one in hashes)
    if place.path is not None:
        portal.close()
        assert b"secret" not in place.path.read_bytes()


def test_a_new_password_takes_the_old_ones_tokens_along(portal, user):
    """After a change of the password the old one and every token of before are refused."""
    token = portal.auth.sign_in(user.email, "secret")
    portal.users.set_password(user.id, "better")
    with pytest.raises(Refused, match="ended"):
        portal.auth.resume(token)
    with pytest.raises(Refused, match="wrong"):
        portal.auth.sign_in(user.email, "secret")
    assert portal.auth.sign_in(user.email, "better")


def test_a_hash_of_another_cost_is_made_anew(portal, opened, user, rows):
    """A password of another cost signs in, and is hashed at today's from then on."""
    dearer = opened(hasher=PasswordHasher(2, 16, 1))
    before = rows("SELECT password_hash FROM users")

    dearer.auth.sign_in(user.email, "secret")

    after = rows("SELECT password_hash FROM users")
    assert "m=8,t=1" in before[0][0]
    assert "m=16,t=2" in after[0][0]
    assert portal.auth.sign_in(user.email, "secret")


@pytest.mark.parametrize(
    ("email", "error"),
    [
        ("", Refused),
        (None, Refused),
        (b"ann", Refused),
        ("a" * 321, TooLarge),
        ("ann\0@example.org", NotRepresentable),
        ("\ud800@example.org", NotRepresentable),
    ],
)
def test_what_is_no_address_is_refused_in_a_line(portal, rows, email, error):
    """An address that cannot be kept is refused before anything is written."""
    with pytest.raises(error) as told:
        portal.users.add(email, "secret")
    assert len(str(told.value).splitlines()) == 1
    assert rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("password", ["", 7, b"secret", "x" * 1025, "a\0b", "\udfff"])
def test_what_is_no_password_is_refused(portal, password):
    """A user is not made with a password that nobody could give again."""
    with pytest.raises(Refused):
        portal.users.add("ann@example.org", password)
    assert portal.users.by_email("ann@example.org") is None


@pytest.mark.parametrize(
    "details", [[], "x", {"n": float("nan")}, {"n": 2**63}, {"k\0": 1}, {1: 2}, {"s": "\ud800"}]
)
def test_metadata_that_cannot_be_kept_is_refused(portal, details):
    """Metadata is an object that both databases keep as it is, or nothing is written."""
    with pytest.raises(Refused):
        portal.users.add("ann@example.org", details=details)
    assert portal.users.by_email("ann@example.org") is None


def test_what_is_not_given_stays(portal, user):
    """A change sets what it names: None takes away, silence leaves."""
    portal.users.change(user.id, display_name="Ann", details={"a": 1})
    portal.users.change(user.id, display_name=None)
    found = portal.users.get(user.id)
    assert (found.display_name, found.details) == (None, {"a": 1})
