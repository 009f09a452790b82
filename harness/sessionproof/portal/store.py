"""A portal as a store under test.

A session of the contract is a conversation together with the auth session of the client who works
in it, under one id: limits, ``touch`` and sweeps are about the auth session, messages and counters
about the conversation. Both belong to a guest until the session is given to a user.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from urllib.parse import quote

from argon2 import PasswordHasher
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

import sessionproof
from sessionproof.contract.addresses import schema_of
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Conflict, Expired, NotFound, Refused
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message, Page, Receipt, SessionInfo
from sessionproof.contract.store import CAPABILITIES, SqliteTables
from sessionproof.portal import appending, auth, conversations, models, values
from sessionproof.portal.face import Portal
from sessionproof.portal.storing import CLAIMS, decode, encode
from sessionproof.portal.tokens import new_token

GUEST = "guest of sessionproof"
"""What the user is called whose sessions are nobody's; he has no password."""

_HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""Judged is that passwords are hashed, and not for how long: Argon2 at its least."""

_PART = 500
_TABLES = models.Base.metadata.tables


class PortalStore:
    """The contract's calls over a portal's own. Any number of threads and processes may use it."""

    claims = CLAIMS
    version = sessionproof.__version__
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(
        self,
        location: Location,
        *,
        clock: Clock | None = None,
        url: str | None = None,
        claims: Claims = CLAIMS,
    ) -> None:
        """On a file below the location, or in the location's schema of the server at ``url``."""
        self.claims = claims
        url = url or location.url
        self._path = None if url else location.path("portal.db")
        if self._path is None:
            self._portal = Portal(url, schema=schema_of(location), clock=clock, hasher=_HASHER)
        else:
            there = f"sqlite:///{quote(str(self._path))}"
            self._portal = Portal(there, clock=clock, hasher=_HASHER)
        self._clock, self._database = self._portal.clock, self._portal.database
        self._guest = self._known_guest()
        self.capabilities = CAPABILITIES.keys() - ({"tables"} if self._path is None else set())

    def close(self) -> None:
        """Give the connections back."""
        self._portal.close()

    # Messages

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages, all or none, as activity of the auth session."""
        new = _encoded(messages)
        if not new:
            return Receipt((), ())
        seqs = self._portal.messages.append(session_id, new, auth_session_id=session_id)
        return Receipt(seqs, tuple(f"{session_id}.{seq}" for seq in seqs))

    def read(self, session_id: str) -> builtins.list[Message]:
        """All messages, oldest first."""
        return [decode(one) for one in self._portal.messages.read(session_id)]

    def read_last(self, session_id: str, n: int) -> builtins.list[Message]:
        """The newest ``n`` messages, oldest first."""
        return [decode(one) for one in self._portal.messages.read_last(session_id, n)]

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """A page; its cursor is the number of its last message."""
        after = 0 if cursor is None else values.whole(cursor, "cursor")
        most = values.whole(limit, "limit", least=1)
        found = self._portal.messages.page(session_id, after=after, limit=most + 1)
        rows = found[:most]
        return Page([decode(one) for one in rows], rows[-1].seq if len(found) > most else None)

    def count(self, session_id: str) -> int:
        """The conversation's own counter."""
        return self._portal.conversations.get(session_id).message_count

    def pop_last(self, session_id: str) -> Message | None:
        """Remove the newest message, in one transaction."""
        key = values.identity(session_id, "session_id")
        its = select(models.Conversation).where(models.Conversation.id == key)
        newest = (
            select(models.Message)
            .where(models.Message.conversation_id == key)
            .order_by(models.Message.seq.desc())
            .limit(1)
        )

        def work(session: Session) -> Message | None:
            if session.scalars(its.with_for_update()).one_or_none() is None:
                raise values.absent("session", session_id)
            last = session.scalars(newest).one_or_none()
            if last is None:
                return None
            here = (models.Message.conversation_id == key, models.Message.seq == last.seq)
            session.execute(delete(models.Message).where(*here))
            return decode(last)

        return self._database.write(work)

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove the message of this id."""
        self._portal.messages.delete(session_id, _seq(session_id, message_id))

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Put another message in its place; it keeps its number, and its time if none is given."""
        new, seq = encode(message), _seq(session_id, message_id)
        self._portal.messages.edit(
            session_id, seq, role=new.role, content=new.content, tokens=new.tokens,
            details=new.details,
            created_at_us=values.SAME if new.created_at_us is None else new.created_at_us,
        )  # fmt: skip

    # Sessions

    def create(self, session_id: str | None = None, *, messages: Sequence[Message] = ()) -> str:
        """Make both halves with the first messages, in one transaction; the id is a new one."""
        if session_id is not None and type(session_id) is not str:
            raise Refused("session_id must be a text, or nothing: the portal gives ids itself")
        now_us = self._clock.now_us()
        rows = appending.rows_of(_encoded(messages), now_us)
        row = conversations.new_row(self._guest, now_us)
        client = auth.new_row(self._guest, new_token(), now_us, None, None) | {"id": row["id"]}

        def work(session: Session) -> None:
            # Statements of tables: what models would need is kept in memory for each engine.
            session.execute(insert(_TABLES["auth_sessions"]).values(client))
            session.execute(insert(_TABLES["conversations"]).values(row))
            if rows:
                appending.append(session, row["id"], rows)

        self._database.write(work)
        return str(row["id"])

    def get(self, session_id: str) -> SessionInfo:
        """The conversation's facts, and the auth session's last activity."""
        key = values.identity(session_id, "session_id")
        talks, clients = models.Conversation, models.AuthSession
        both = select(talks, clients).join(clients, clients.id == talks.id).where(talks.id == key)
        row = self._database.read(lambda session: session.execute(both).one_or_none())
        if row is None:
            raise values.absent("session", session_id)
        talk, client = row
        return SessionInfo(
            session_id=talk.id,
            message_count=talk.message_count,
            total_tokens=talk.total_tokens,
            created_at_us=talk.created_at_us,
            last_activity_us=client.last_activity_us,
            status=_status(talk, client, self._clock.now_us()),
            owner=None if talk.user_id == self._guest else talk.user_id,
            title=talk.title,
            llm_model=talk.model,
            metadata=talk.details,
        )

    def list(self) -> builtins.list[str]:
        """The ids of all conversations."""
        query = select(models.Conversation.id)
        return self._database.read(lambda session: [*session.scalars(query)])

    def delete(self, session_id: str) -> None:
        """Remove both halves with the messages, in one transaction."""
        key = values.identity(session_id, "session_id")

        def work(session: Session) -> None:
            session.execute(delete(models.AuthSession).where(models.AuthSession.id == key))
            gone = delete(models.Conversation).where(models.Conversation.id == key)
            if not session.execute(gone.returning(models.Conversation.id)).all():
                raise values.absent("session", session_id)

        self._database.write(work)

    def tables(self) -> SqliteTables:
        """Conversations and messages. Auth sessions are users', so they are no children."""
        return SqliteTables(
            str(self._path), "messages", "conversation_id", message_seq="seq",
            sessions="conversations", session_key="id", message_tokens="tokens",
            session_count="message_count", session_tokens="total_tokens",
        )  # fmt: skip

    # Its life

    def set_limits(
        self, session_id: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> None:
        """The limits of the auth session."""
        self._portal.auth.set_limits(session_id, idle_us=idle_us, hard_us=hard_us)

    def touch(self, session_id: str) -> None:
        """Activity of the auth session; refused where the conversation is archived."""
        key = values.identity(session_id, "session_id")
        status = select(models.Conversation.status).where(models.Conversation.id == key)

        def work(session: Session) -> None:
            auth.acted(session, models.AuthSession.id == key, self._clock)
            if session.scalars(status).one_or_none() != "active":
                raise Expired("the conversation is archived, and takes no messages")

        self._database.write(work)

    def set_status(self, session_id: str, status: str) -> None:
        """Archive the conversation, or open it again, which is activity; nothing else."""
        key = values.identity(session_id, "session_id")
        wanted = values.one_of(status, "status", STATUSES)
        client = select(models.AuthSession).where(models.AuthSession.id == key).with_for_update()
        talk = select(models.Conversation).where(models.Conversation.id == key).with_for_update()

        def work(session: Session) -> None:
            one, other = session.scalars(client).one_or_none(), session.scalars(talk).one_or_none()
            if one is None or other is None:
                raise values.absent("session", session_id)
            now_us = self._clock.now_us()
            was = _status(other, one, now_us)
            if was == wanted:
                return
            if f"{was}>{wanted}" not in self.claims.transitions:
                raise Refused(f"a session that is {was} does not become {wanted}")
            if wanted == "active":
                _require_more(one, now_us)
                again = {"last_activity_us": now_us, "ended_at_us": None, "ended_by": None}
                half = update(models.AuthSession).where(models.AuthSession.id == key)
                session.execute(half.values(**again))
            told_us = max(now_us, other.updated_at_us + 1)
            half = update(models.Conversation).where(models.Conversation.id == key)
            session.execute(half.values(status=wanted, updated_at_us=told_us))

        self._database.write(work)

    def sweep(self) -> Swept:
        """Write down which auth sessions are over; told are those of conversations that go on."""
        over = self._portal.auth.sweep()
        going = select(models.Conversation.id).where(models.Conversation.status == "active")

        def work(session: Session) -> builtins.list[str]:
            parts = (over[at : at + _PART] for at in range(0, len(over), _PART))
            found = (session.scalars(going.where(models.Conversation.id.in_(ids))) for ids in parts)
            return [one for ids in found for one in ids]

        return Swept(expired=tuple(self._database.moment(work)) if over else ())

    # Users

    def add_user(self, name: str, password: str) -> str:
        """A user with this address."""
        return self._portal.users.add(name, values.text(password, "password", 1_024, least=1)).id

    def sign_in(
        self, name: str, password: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> str:
        """The token of a new auth session."""
        return self._portal.auth.sign_in(name, password, idle_us=idle_us, hard_us=hard_us)

    def whose(self, token: str) -> str:
        """The user of the token, as its activity."""
        return self._portal.auth.resume(token).user_id

    def sign_out(self, token: str) -> None:
        """End the token."""
        self._portal.auth.sign_out(token)

    def set_user_active(self, user_id: str, active: bool) -> None:
        """Activate or deactivate the user."""
        if active:
            self._portal.users.activate(user_id)
        else:
            self._portal.users.deactivate(user_id)

    def rename_user(self, user_id: str, name: str) -> None:
        """Change the address, and nothing else."""
        self._portal.users.change_email(user_id, name)

    def delete_user(self, user_id: str) -> None:
        """Remove the user with all that is his."""
        self._portal.users.delete(user_id)

    def set_owner(self, session_id: str, user_id: str) -> None:
        """Give both halves to the user."""
        key, user = values.identity(session_id, "session_id"), values.identity(user_id, "user_id")

        def work(session: Session) -> None:
            if session.get(models.User, user, with_for_update={"read": True}) is None:
                raise values.absent("user", user_id)
            for half in (models.AuthSession, models.Conversation):
                given = update(half).where(half.id == key).values(user_id=user).returning(half.id)
                if not session.execute(given).all():
                    raise values.absent("session", session_id)

        self._database.write(work)

    def sessions_of(self, user_id: str) -> builtins.list[str]:
        """The ids of the user's conversations."""
        key = values.identity(user_id, "user_id")
        query = select(models.Conversation.id).where(models.Conversation.user_id == key)

        def work(session: Session) -> builtins.list[str]:
            if session.get(models.User, key) is None:
                raise values.absent("user", user_id)
            return [*session.scalars(query)]

        return self._database.moment(work)

    def _known_guest(self) -> str:
        """The guest's id; whoever opens the portal first makes him."""
        found = self._portal.users.by_email(GUEST)
        if found is None:
            try:
                return self._portal.users.add(GUEST).id
            except Conflict:
                found = self._portal.users.by_email(GUEST)
                if found is None:
                    raise
        return found.id


def _encoded(messages: Sequence[Message]) -> builtins.list[appending.NewMessage]:
    if isinstance(messages, str | bytes | Message) or not isinstance(messages, Sequence):
        raise Refused(f"messages must be a sequence of Message, not {type(messages).__name__}")
    return [encode(one) for one in messages]


def _seq(session_id: str, message_id: object) -> int:
    """The number in a message's id; raises ``NotFound`` for one that is not of this session."""
    if type(message_id) is str:
        talk, _, number = message_id.rpartition(".")
        if talk == session_id and number.isascii() and number.isdecimal() and len(number) < 19:
            return int(number)
    raise NotFound("there is no such message in the session")


def _status(talk: models.Conversation, client: models.AuthSession, now_us: int) -> str:
    if talk.status != "active":
        return talk.status
    over = client.expires_at_us is not None and client.expires_at_us <= now_us
    return "expired" if over or client.ended_at_us is not None else "active"


def _require_more(client: models.AuthSession, now_us: int) -> None:
    """Raise ``Expired`` for an auth session that cannot go on."""
    hard = client.hard_deadline_us
    if client.ended_by == "revoked" or (hard is not None and hard <= now_us):
        raise Expired("the auth session was revoked, or is past its hard limit")
