"""The capabilities of a store behind the protocol: each is one call, sent as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from sessionproof.contract.health import Health
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.transactions import Step, StepAnswer
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified


class Calls(ABC):
    """The methods of all capabilities, whichever of them the store has."""

    @abstractmethod
    def _call(self, method: str, **params: Any) -> Any:
        """The store's answer to a call."""

    def create(self, session_id: str | None = None, *, messages: Sequence[Message] = ()) -> str:
        """Make a session with its first messages; answers its id."""
        return self._call("create", session_id=session_id, messages=messages)  # type: ignore[no-any-return]

    def get(self, session_id: str) -> SessionInfo | None:
        """The session's facts."""
        return self._call("get", session_id=session_id)  # type: ignore[no-any-return]

    def list(self) -> Sequence[str]:
        """The ids of all sessions."""
        return self._call("list")  # type: ignore[no-any-return]

    def delete(self, session_id: str) -> None:
        """Remove the session and all that belongs to it."""
        self._call("delete", session_id=session_id)

    def clear(self, session_id: str) -> None:
        """Remove all messages of the session."""
        self._call("clear", session_id=session_id)

    def read_last(self, session_id: str, n: int) -> Sequence[Message]:
        """The newest ``n`` messages, oldest first."""
        return self._call("read_last", session_id=session_id, n=n)  # type: ignore[no-any-return]

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """At most ``limit`` messages after the cursor, oldest first."""
        return self._call("page", session_id=session_id, cursor=cursor, limit=limit)  # type: ignore[no-any-return]

    def count(self, session_id: str) -> int:
        """How many messages the session has."""
        return self._call("count", session_id=session_id)  # type: ignore[no-any-return]

    def pop_last(self, session_id: str) -> Message | None:
        """Remove the newest message and answer it."""
        return self._call("pop_last", session_id=session_id)  # type: ignore[no-any-return]

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove one message."""
        self._call("delete_message", session_id=session_id, message_id=message_id)

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Put another message in the place of one."""
        self._call("edit_message", session_id=session_id, message_id=message_id, message=message)

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all that the session has."""
        self._call("replace", session_id=session_id, messages=messages)

    def get_state(self, session_id: str, key: str) -> Json:
        """The value of the key; None when it was never set."""
        return self._call("get_state", session_id=session_id, key=key)  # type: ignore[no-any-return]

    def set_state(self, session_id: str, key: str, value: Json) -> None:
        """Set one key; other keys stay."""
        self._call("set_state", session_id=session_id, key=key, value=value)

    def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> Receipt | None:
        """Add messages and set keys of the session's state in one step."""
        return self._call(  # type: ignore[no-any-return]
            "append_with_state", session_id=session_id, messages=messages, state=state
        )

    def transact(self, steps: Sequence[Step]) -> Sequence[StepAnswer]:
        """Carry appends and reads of several sessions out as one."""
        return self._call("transact", steps=steps)  # type: ignore[no-any-return]

    def add_llm_model(self, name: str) -> None:
        """Make an LLM's model known."""
        self._call("add_llm_model", name=name)

    def set_llm_model(self, session_id: str, name: str | None) -> None:
        """Let the session name this model, or none."""
        self._call("set_llm_model", session_id=session_id, name=name)

    def delete_llm_model(self, name: str) -> None:
        """Forget the model."""
        self._call("delete_llm_model", name=name)

    def set_limits(
        self, session_id: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> None:
        """Let the session expire."""
        self._call("set_limits", session_id=session_id, idle_us=idle_us, hard_us=hard_us)

    def touch(self, session_id: str) -> None:
        """Keep the session alive."""
        self._call("touch", session_id=session_id)

    def set_status(self, session_id: str, status: str) -> None:
        """Move the session to another status."""
        self._call("set_status", session_id=session_id, status=status)

    def sweep(self) -> Swept:
        """Warn of and expire what is due."""
        return self._call("sweep")  # type: ignore[no-any-return]

    def set_clock(self, now_us: int | None) -> None:
        """Set the clock of the store's process."""
        self._call("set_clock", now_us=now_us)

    def snapshot(self, session_id: str, *, reason: str | None = None) -> str:
        """Keep the session as it is; answers the snapshot's id."""
        return self._call("snapshot", session_id=session_id, reason=reason)  # type: ignore[no-any-return]

    def restore_snapshot(self, snapshot_id: str, *, session_id: str | None = None) -> str:
        """Make the session as it was; answers its id."""
        return self._call(  # type: ignore[no-any-return]
            "restore_snapshot", snapshot_id=snapshot_id, session_id=session_id
        )

    def snapshots(self, session_id: str | None = None) -> Sequence[SnapshotInfo]:
        """The snapshots of a session, or all."""
        return self._call("snapshots", session_id=session_id)  # type: ignore[no-any-return]

    def search(self, query: str, *, limit: int = 100) -> Sequence[Hit]:
        """Messages that have the words of the query."""
        return self._call("search", query=query, limit=limit)  # type: ignore[no-any-return]

    def health(self) -> Health:
        """What the store says of itself."""
        return self._call("health")  # type: ignore[no-any-return]

    def maintain(self) -> Sequence[str]:
        """Do what is due."""
        return self._call("maintain")  # type: ignore[no-any-return]

    def tables(self) -> SqliteTables:
        """What lies behind the store, for audits."""
        return self._call("tables")  # type: ignore[no-any-return]

    def verify(self, session_id: str | None = None) -> Verified:
        """Check all data, or one session's."""
        return self._call("verify", session_id=session_id)  # type: ignore[no-any-return]

    def backup(self, folder: str, *, keep: int | None = None) -> str:
        """Make a new backup in the folder; answers its path."""
        return self._call("backup", folder=folder, keep=keep)  # type: ignore[no-any-return]

    def restore(self, backup: str, directory: str) -> str | None:
        """Put the backup's data in the place of that in the directory."""
        return self._call("restore", backup=backup, directory=directory)  # type: ignore[no-any-return]

    def recover(self, damaged: str, directory: str) -> Recovered:
        """Save what can be read of a damaged store."""
        return self._call("recover", damaged=damaged, directory=directory)  # type: ignore[no-any-return]

    def repair(self, directory: str, *, dry_run: bool = True) -> Repaired:
        """Mend the data in a directory."""
        return self._call("repair", directory=directory, dry_run=dry_run)  # type: ignore[no-any-return]

    def migrate(self, file: str, directory: str, *, dry_run: bool = False) -> Migrated:
        """Take over a file of another schema."""
        return self._call(  # type: ignore[no-any-return]
            "migrate", file=file, directory=directory, dry_run=dry_run
        )

    def rollback(self, directory: str) -> None:
        """Take the migration back."""
        self._call("rollback", directory=directory)

    def add_user(self, name: str, password: str) -> str:
        """Make a user; answers the id."""
        return self._call("add_user", name=name, password=password)  # type: ignore[no-any-return]

    def sign_in(
        self, name: str, password: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> str:
        """A new token for the user of this name."""
        return self._call(  # type: ignore[no-any-return]
            "sign_in", name=name, password=password, idle_us=idle_us, hard_us=hard_us
        )

    def whose(self, token: str) -> str:
        """The id of the token's user."""
        return self._call("whose", token=token)  # type: ignore[no-any-return]

    def sign_out(self, token: str) -> None:
        """End the token."""
        self._call("sign_out", token=token)

    def set_user_active(self, user_id: str, active: bool) -> None:
        """Shut the user out, or let him in again."""
        self._call("set_user_active", user_id=user_id, active=active)

    def rename_user(self, user_id: str, name: str) -> None:
        """Let the user sign in by another name."""
        self._call("rename_user", user_id=user_id, name=name)

    def delete_user(self, user_id: str) -> None:
        """Remove the user."""
        self._call("delete_user", user_id=user_id)

    def set_owner(self, session_id: str, user_id: str) -> None:
        """Give the session to the user."""
        self._call("set_owner", session_id=session_id, user_id=user_id)

    def sessions_of(self, user_id: str) -> Sequence[str]:
        """The ids of the user's sessions."""
        return self._call("sessions_of", user_id=user_id)  # type: ignore[no-any-return]

    def manager(self, call: str, arguments: Mapping[str, Json]) -> Json:
        """One call of a session manager."""
        return self._call("manager", call=call, arguments=arguments)  # type: ignore[no-any-return]
