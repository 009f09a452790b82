"""What a manager knows of a session: its row, its facts, and what callers pass of them.

The facts lie in the session's metadata, as one JSON object of those that are set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sessionproof.contract.errors import Refused
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.reference.arguments import short
from sessionproof.reference.codec import checked_json, checked_text, from_json_text, from_value
from sessionproof.reference.managing.settings import BACK_US, Digest, Settings
from sessionproof.reference.statements import SHOWN
from sessionproof.reference.timeouts import LONGEST_US

TEXTS = ("first_user_message", "chat_id", "parent_id")
FACTS = (*TEXTS, "metadata")
_KINDS: tuple[tuple[str, type], ...] = (*((name, str) for name in TEXTS), ("metadata", dict))
_DIGESTS = {"md5": hashlib.md5, "sha256": hashlib.sha256}  # by name they take twice as long

COLUMNS = (
    "session_id, created_at_us, last_activity_us, idle_timeout_us, hard_deadline_us, deadline_us, "
    f"metadata, status, {SHOWN.format('?1')}"
)
"""SQL of what ``Row`` takes, of ``sessions``; ``?1`` is the time."""


class Row(NamedTuple):
    """A session as it is kept; ``shown`` is its status at the time of asking."""

    session_id: str | bytes
    created_at_us: int
    last_activity_us: int
    idle_timeout_us: int | None
    hard_deadline_us: int | None
    deadline_us: int | None
    metadata: str | bytes | None
    status: str
    shown: str

    @property
    def is_over(self) -> bool:
        """Whether it had ended when it was asked for."""
        return self.shown == "expired"


def has_own_limits(row: Row, settings: Settings) -> bool:
    """Whether it has other limits than this manager gives: each access to it is written then."""
    return (row.idle_timeout_us, row.hard_deadline_us) != (settings.kept_us, None)


def is_quiet(row: Row, now_us: int, settings: Settings) -> bool:
    """Whether an access now need not be written, as one was a moment ago, or it counts for nothing.

    A clock that was set back by much has to be written, or the session would live for too long.
    """
    if row.shown not in ("active", "idle"):
        return True
    step_us = 0 if has_own_limits(row, settings) else settings.step_us
    last_us = row.last_activity_us
    return row.status == "active" and last_us - BACK_US <= now_us < last_us + max(step_us, 1)


def session_of(row: Row, settings: Settings) -> ManagedSession:
    """The session as callers see it; raises ValueError or TypeError for what nobody wrote."""
    if not has_own_limits(row, settings):
        ends_us = row.last_activity_us + settings.timeout_us
    elif row.deadline_us is None:
        ends_us = row.last_activity_us + LONGEST_US
    else:
        ends_us = row.deadline_us
    return ManagedSession(
        session_id=from_value(row.session_id),
        created_at_us=row.created_at_us,
        last_accessed_us=row.last_activity_us,
        expires_at_us=ends_us,
        **facts_of(row.metadata),
    )


def facts_of(metadata: str | bytes | None) -> dict[str, Any]:
    """The facts that are set, of metadata that may be another program's."""
    kept = from_json_text(metadata) or {}
    if type(kept) is not dict:
        raise ValueError("metadata is no object")
    return {name: kept[name] for name, kind in _KINDS if type(kept.get(name)) is kind}


def changed(metadata: str | bytes | None, changes: Mapping[str, Json]) -> str | None:
    """Metadata after these changes, as JSON text; what is not a fact of ours stays."""
    kept = from_json_text(metadata) or {}
    if type(kept) is not dict:
        raise ValueError("metadata is no object")
    merged = {name: value for name, value in {**kept, **changes}.items() if value is not None}
    return checked_json(merged, "metadata") if merged else None


def checked_id(value: object, what: str, *, optional: bool = False) -> Any:
    """The value when it is a text that is not empty, or an allowed None; raises ``Refused``."""
    checked_text(value, what, optional=optional)
    if value == "":
        raise Refused(f"{what} must not be empty")
    return value


def checked_facts(changes: object) -> dict[str, Json]:
    """Changes that are facts of the right types; raises ``Refused`` that names what is not."""
    if not isinstance(changes, Mapping):
        raise Refused(f"changes must be a dict, not {type(changes).__name__}")
    unknown = [name for name in changes if name not in FACTS]
    if unknown:
        raise Refused(f"a session has no {short(str(unknown[0]))} to change: {', '.join(FACTS)}")
    for name, value in changes.items():
        if name == "first_user_message":
            checked_text(value, name, optional=True)
        elif name == "metadata":
            if value is not None and type(value) is not dict:
                raise Refused(f"metadata must be a dict or None, not {type(value).__name__}")
            checked_json(value, name)
        else:
            checked_id(value, name, optional=True)
    return dict(changes)


def digest_of_message(message: object, digest: Digest) -> str:
    """The digest of a text's UTF-8 in hexadecimal; raises ``Refused`` for what is no text."""
    raw = checked_text(message, "message").encode("utf-8", "surrogatepass")
    return _DIGESTS[digest](raw, usedforsecurity=False).hexdigest()
