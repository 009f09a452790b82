"""Where each schema keeps what: data alone. A column that a file lacks is read as NULL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Tables and columns of a schema by what they mean; None for what it does not have.

    ``active`` is the time of the last activity, ``expires`` that of the end. ``state`` are columns
    that become keys of the session's state. ``limits`` is a table with a row for sessions with
    limits: ``idle_timeout_seconds`` and ``expires_at``. ``models`` is the column of a table of
    known models. ``always`` is the role of all messages where there is no column for it.
    ``counters`` are the columns that the old program counted messages and tokens in.
    """

    sessions: str
    key: str
    created: str
    active: str
    status: str | None = None
    title: str | None = None
    owner: str | None = None
    llm_model: str | None = None
    metadata: str | None = None
    expires: str | None = None
    state: tuple[str, ...] = ()
    limits: str | None = None
    models: tuple[str, str] | None = None
    counters: tuple[str | None, str | None] = (None, None)
    messages: str
    message_key: str
    message_id: str | None = None
    number: str | None = None
    role: str | None = None
    always: str | None = None
    content: str
    time: str
    tokens: str | None = None
    duration_s: str | None = None
    message_metadata: str | None = None

    @property
    def tables(self) -> frozenset[str]:
        """The tables that are taken over."""
        models = self.models and self.models[0]
        named = (self.sessions, self.messages, self.limits, models)
        return frozenset(name for name in named if name)


LAYOUTS: dict[str, Layout] = {
    "plain": Layout(
        sessions="sessions",
        key="session_id",
        created="created_at",
        active="updated_at",
        status="status",
        title="title",
        llm_model="model",
        metadata="metadata",
        counters=("message_count", "total_tokens"),
        messages="messages",
        message_key="session_id",
        message_id="message_id",
        role="role",
        content="content",
        time="timestamp",
        tokens="tokens_used",
        message_metadata="metadata",
    ),
    "enhanced": Layout(
        sessions="sessions",
        key="session_id",
        created="created_at",
        active="last_activity",
        status="status",
        title="title",
        llm_model="model_id",
        metadata="metadata",
        expires="expires_at",
        limits="session_timeouts",
        models=("models", "model_id"),
        counters=("message_count", "total_tokens"),
        messages="messages",
        message_key="session_id",
        message_id="message_id",
        number="sequence_number",
        role="role",
        content="content",
        time="timestamp",
        tokens="tokens_used",
        duration_s="duration_seconds",
        message_metadata="metadata",
    ),
    # Its sessions are their own first message: the others were kept by the service behind it.
    "manager": Layout(
        sessions="sessions",
        key="id",
        created="created_at",
        active="updated_at",
        llm_model="model",
        metadata="metadata",
        expires="expires_at",
        state=("chat_id", "parent_message_id"),
        messages="sessions",
        message_key="id",
        always="user",
        content="first_user_message",
        time="created_at",
    ),
    "portal": Layout(
        sessions="conversations",
        key="conversation_id",
        created="created_at",
        active="updated_at",
        status="status",
        title="title",
        owner="user_email",
        llm_model="model",
        counters=("message_count", None),
        messages="messages",
        message_key="conversation_id",
        message_id="message_id",
        role="role",
        content="content",
        time="created_at",
        tokens="tokens",
        message_metadata="metadata",
    ),
}
"""By the name that the audit gives a schema."""
