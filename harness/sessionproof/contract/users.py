"""Users, and the tokens by which they are known once they have signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class AddsUsers(Protocol):
    """There are users."""

    def add_user(self, name: str, password: str) -> str:
        """Make a user; answers the id by which he is known for ever.

        The name is what he signs in with, such as an address of e-mail. ``Conflict`` where it is
        taken; a name that its user has no more is free again.
        """
        ...


class SignsIn(Protocol):
    """A user proves who he is, and gets a token for it."""

    def sign_in(
        self, name: str, password: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> str:
        """A new token; it runs out as a session does (``set_limits``), None: as the store likes.

        Refused, in the same words whether the name or the password is wrong. Refused for a user who
        is not active. A store that limits attempts is judged with a limit above fifty in a row.
        """
        ...


class KnowsTokens(Protocol):
    """A token stands for its user until it ends."""

    def whose(self, token: str) -> str:
        """The id of the token's user, and activity of it.

        ``Expired`` when it ran out or was signed out; ``NotFound`` when there is no such token.
        Either will do for a token whose user was deleted, and any refusal for one whose user is
        not active.
        """
        ...


class SignsOut(Protocol):
    """A token can be ended on purpose."""

    def sign_out(self, token: str) -> None:
        """End this token alone; one that has ended stays ended."""
        ...


class ActivatesUsers(Protocol):
    """Users can be shut out."""

    def set_user_active(self, user_id: str, active: bool) -> None:
        """Shut the user out, or let him in again: tokens count only while he is active."""
        ...


class RenamesUsers(Protocol):
    """A user's name can change."""

    def rename_user(self, user_id: str, name: str) -> None:
        """The new name signs in, the old one does not; whatever is his stays his."""
        ...


class DeletesUsers(Protocol):
    """Users can be removed."""

    def delete_user(self, user_id: str) -> None:
        """Remove the user. What happens to his sessions is the claim ``on_delete_user``.

        His tokens end in any case in which the removal is not refused.
        """
        ...


class OwnsSessions(Protocol):
    """Sessions belong to users."""

    def set_owner(self, session_id: str, user_id: str) -> None:
        """Give the session to the user; ``NotFound`` where either is unknown."""
        ...

    def sessions_of(self, user_id: str) -> Sequence[str]:
        """The ids of his sessions, each once, in any order; ``NotFound`` for an unknown user."""
        ...
