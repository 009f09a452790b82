"""Lines of scripts in which a call may raise, and what is looked at afterwards."""

from __future__ import annotations


def attempt(*lines: str, quiet: bool = False) -> list[str]:
    """The lines in a ``try`` block; ``raised`` says afterwards whether they raised."""
    inside = [f"    {line}" for line in lines]
    shown = [] if quiet else ["    print(type(error).__name__, error)"]
    caught = f"except Exception{'' if quiet else ' as error'}:"
    return ["raised = False", "try:", *inside, caught, "    raised = True", *shown]


def texts_of(session: str, *, into: str = "texts") -> str:
    """The line that reads the texts of a session, an expression, into a variable."""
    return f"{into} = [message.content for message in store.read({session})]"
