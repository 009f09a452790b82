"""Auth sessions: tokens, limits on a clock that can be moved, revocation, sweeps."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from sessionproof.contract.errors import Expired, NotFound, Refused
from sessionproof.portal import Limits, NewMessage

SECOND = 1_000_000
MESSAGE = [NewMessage("user", "hello")]


def test_a_token_is_kept_as_its_digest_alone(portal, user, place, rows):
    """Whoever reads the database finds no token in it."""
    token = portal.auth.sign_in(user.email, "secret")
    kept = rows("SELECT * FROM auth_sessions")
    assert token not in repr(kept)
    if place.path is not None:
        portal.close()
        assert token.encode() not in place.path.read_bytes()


def test_every_sign_in_has_a_token_of_its_own(portal, user):
    """Tokens are never equal, and signing out ends one of them alone."""
    first, second = (portal.auth.sign_in(user.email, "secret") for _ in range(2))
    assert first != second

    portal.auth.sign_out(first)
    portal.auth.sign_out(first)

    with pytest.raises(Expired, match="revoked"):
        portal.auth.resume(first)
    assert portal.auth.resume(second).user_id == user.id


class CountingHasher(PasswordHasher):
    """Counts how often it did its work, which is what takes the time."""

    worked = 0

    def hash(self, *given, **named):
        self.worked += 1
        return super().hash(*given, **named)

    def verify(self, *given, **named):
        self.worked += 1
        return super().verify(*given, **named)


def test_a_wrong_name_and_a_wrong_password_are_told_alike(opened, user):
    """Nobody learns from words, or from work that is left out, whether an address is known."""
    hasher = CountingHasher(1, 8, 1)
    portal, told = opened(hasher=hasher), []
    portal.users.add("none@example.org")  # has no password at all
    for email in (user.email, "nobody@example.org", "none@example.org", "", "\0", "\ud800", None):
        hasher.worked = 0
        with pytest.raises(Refused) as error:
            portal.auth.sign_in(email, "guess")
        told.append((type(error.value), str(error.value), hasher.worked))
    assert set(told) == {(Refused, "the e-mail or the password is wrong", 1)}


def test_sign_ins_at_once_all_renew_an_old_hash(opened, user):
    """Where new hashes cost more, the first of two sign-ins renews it, and the second is let in."""

    class SlowHasher(PasswordHasher):
        """While it makes the new hash, another signs in."""

        def hash(self, *given, **named):
            if not others:
                others.append(opened(hasher=costly).auth.sign_in(user.email, "secret"))
            return super().hash(*given, **named)

    others, costly = [], PasswordHasher(2, 16, 1)
    portal = opened(hasher=SlowHasher(2, 16, 1))
    token = portal.auth.sign_in(user.email, "secret")
    assert {portal.auth.resume(one).user_id for one in (token, *others)} == {user.id}
    assert not costly.check_needs_rehash(portal.users.get(user.id).password_hash)


def test_signing_in_is_remembered(portal, user, clock):
    """The last login is the time of the last sign-in, and not that of one that failed."""
    clock.move(5 * SECOND)
    portal.auth.sign_in(user.email, "secret")
    signed_in_us = clock.now_us()
    clock.move(5 * SECOND)
    with pytest.raises(Refused):
        portal.auth.sign_in(user.email, "guess")
    assert portal.users.get(user.id).last_login_us == signed_in_us


def test_an_idle_limit_ends_with_the_last_activity(portal, user, clock):
    """To the microsecond: activity before the end moves it, none comes too late."""
    token = portal.auth.sign_in(user.email, "secret", idle_us=10)
    for _ in range(3):
        clock.move(9)
        portal.auth.resume(token)
    clock.move(10)
    with pytest.raises(Expired):
        portal.auth.resume(token)


def test_a_hard_limit_ends_however_busy(portal, user, clock):
    """Activity does not move the hard limit."""
    token = portal.auth.sign_in(user.email, "secret", hard_us=10)
    clock.move(9)
    assert portal.auth.resume(token).expires_at_us == clock.now_us() + 1
    clock.move(1)
    with pytest.raises(Expired):
        portal.auth.resume(token)


def test_limits_of_the_portals_own(opened, user, clock):
    """Where nobody says limits, the portal's are those of a new auth session."""
    portal = opened(limits=Limits(idle_us=5, hard_us=None))
    token = portal.auth.sign_in(user.email, "secret")
    clock.move(5)
    with pytest.raises(Expired):
        portal.auth.resume(token)


def test_messages_are_activity_of_their_auth_session(portal, user, conversation, clock):
    """An append keeps the auth session alive, and is refused as a whole once it is over."""
    token = portal.auth.sign_in(user.email, "secret", idle_us=10)
    session = portal.auth.resume(token)
    clock.move(9)
    portal.messages.append(conversation.id, MESSAGE, auth_session_id=session.id)
    assert portal.auth.get(session.id).last_activity_us == clock.now_us()
    clock.move(10)
    with pytest.raises(Expired):
        portal.messages.append(conversation.id, MESSAGE, auth_session_id=session.id)
    assert portal.conversations.get(conversation.id).message_count == 1


def test_an_append_that_is_refused_is_no_activity(portal, user, conversation, clock):
    """What is not stored does not keep an auth session alive either."""
    session = portal.auth.resume(portal.auth.begin(user.id, idle_us=10))
    portal.conversations.archive(conversation.id)
    clock.move(5)
    for place, error in ((conversation.id, Expired), ("unknown", NotFound)):
        with pytest.raises(error):
            portal.messages.append(place, MESSAGE, auth_session_id=session.id)
    assert portal.auth.get(session.id).last_activity_us == clock.now_us() - 5


def test_a_revoked_auth_session_takes_no_messages(portal, user, conversation):
    """Neither does one whose user is shut out, nor one that there is not."""
    one, other = (portal.auth.resume(portal.auth.begin(user.id)) for _ in range(2))
    portal.auth.revoke(one.id)
    portal.auth.revoke(one.id)
    with pytest.raises(Expired):
        portal.messages.append(conversation.id, MESSAGE, auth_session_id=one.id)
    with pytest.raises(NotFound):
        portal.messages.append(conversation.id, MESSAGE, auth_session_id="unknown")
    portal.users.deactivate(user.id)
    with pytest.raises(Refused, match="not active"):
        portal.messages.append(conversation.id, MESSAGE, auth_session_id=other.id)
    assert portal.messages.read(conversation.id) == []


def test_nobody_writes_into_conversations_of_others(portal, user, conversation):
    """They are as unknown as those that there are not, archived or not, and nothing is told."""
    stranger = portal.users.add("stranger@example.org", "secret")
    session = portal.auth.resume(portal.auth.begin(stranger.id, idle_us=10))
    for _ in range(2):
        with pytest.raises(NotFound, match="conversation"):
            portal.messages.append(conversation.id, MESSAGE, auth_session_id=session.id)
        portal.conversations.archive(conversation.id)
    assert portal.auth.get(session.id).last_activity_us == session.last_activity_us
    assert portal.messages.read(conversation.id) == []


def test_all_of_a_user_are_revoked_at_once(portal, user):
    """Every auth session of the user ends, and none of anybody else's."""
    mine = [portal.auth.begin(user.id) for _ in range(3)]
    other = portal.auth.begin(portal.users.add("bob@example.org").id)
    assert portal.auth.revoke_all(user.id) == 3
    assert portal.auth.revoke_all(user.id) == 0
    for token in mine:
        with pytest.raises(Expired):
            portal.auth.resume(token)
    assert portal.auth.resume(other)


def test_a_sweep_tells_each_end_once(portal, opened, user, clock):
    """What has run out is written down and told to one of all callers; what goes on is not."""
    short = [portal.auth.resume(portal.auth.begin(user.id, idle_us=5)).id for _ in range(3)]
    portal.auth.begin(user.id, idle_us=50)
    assert portal.auth.sweep() == ()
    clock.move(5)
    other = opened()
    assert sorted(portal.auth.sweep() + other.auth.sweep()) == sorted(short)
    assert portal.auth.sweep() == ()
    assert {portal.auth.get(one).ended_by for one in short} == {"expired"}


def test_a_clock_that_steps_neither_kills_nor_preserves(portal, user, clock):
    """After a step back of a year the idle limit counts from the new time on."""
    token = portal.auth.begin(user.id, idle_us=10 * SECOND)
    clock.move(-365 * 24 * 3600 * SECOND)
    portal.auth.resume(token)
    clock.move(10 * SECOND)
    with pytest.raises(Expired):
        portal.auth.resume(token)


def test_limits_that_are_set_anew(portal, user, clock):
    """New limits count from now on; what had ended stays ended until it is opened again."""
    session = portal.auth.resume(portal.auth.begin(user.id, idle_us=5))
    clock.move(5)
    portal.auth.set_limits(session.id, hard_us=100)
    with pytest.raises(Expired):
        portal.auth.touch(session.id)
    assert portal.auth.get(session.id).ended_by == "expired"

    portal.auth.reopen(session.id)

    assert portal.auth.touch(session.id).expires_at_us == clock.now_us() + 100
    clock.move(100)
    with pytest.raises(Expired):
        portal.auth.reopen(session.id)
    portal.auth.set_limits(session.id)
    portal.auth.revoke(session.id)
    with pytest.raises(Expired):
        portal.auth.reopen(session.id)


@pytest.mark.parametrize("limits", [{"idle_us": 0}, {"hard_us": -1}, {"idle_us": 1.5}])
def test_limits_below_one_are_refused(portal, user, limits):
    """A limit is a whole number of microseconds, and at least one."""
    with pytest.raises(Refused):
        portal.auth.begin(user.id, **limits)


def test_unknown_tokens_and_users(portal):
    """What there is not is told so: no token, no user, no auth session."""
    for call in (
        lambda: portal.auth.resume("made up"),
        lambda: portal.auth.sign_out("made up"),
        lambda: portal.auth.begin("nobody"),
        lambda: portal.auth.revoke("none"),
        lambda: portal.auth.set_limits("none", idle_us=1),
        lambda: portal.auth.reopen("none"),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(Refused, match="must be a text"):
        portal.auth.resume(None)
