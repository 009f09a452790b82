"""Transcripts in one line an operation, for the tests of the oracle and of the checks.

``append s0 [a b]`` appends two messages, ``read s0 [a b]`` has read them, ``pop s0 a`` took one
away, ``both s0 k 1 [a]`` appended one and set a key. A line ends with how it ended, if not well:
``fail`` (NotFound), ``fail:Conflict``, ``info``. ``#`` in a receipt stands for its numbers:
``append s0 [a b] #1,2``.
"""

from sessionproof.contract.message import Message, Receipt, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Count,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Failure,
    Get,
    GetState,
    List,
    Outcome,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    SetState,
)


def message(word):
    """A user's message of one word; ``a:tool`` gives it a role."""
    text, _, role = word.partition(":")
    return Message(role or "user", text)


def h(*lines):
    """A transcript of these lines."""
    return tuple(map(_completed, lines))


def _completed(line):
    line, outcome = _ending(line)
    line, _, numbers = line.partition(" #")
    head, bracket, rest = line.partition("[")
    groups = rest.removesuffix("]").split("|") if bracket else []
    parts = tuple(tuple(map(message, group.split())) for group in groups)
    word, *given = head.split()
    operation, answer = _WORDS[word](given, parts)
    if numbers:
        answer = Receipt(seqs=tuple(map(int, numbers.split(","))))
    session = getattr(operation, "session", None)
    return Completed(operation, outcome or Outcome("ok", answer), session)


def _ending(line):
    head, _, last = line.rpartition(" ")
    kind, _, name = last.partition(":")
    if head and kind in ("fail", "info"):
        name = name or {"fail": "NotFound", "info": "Indefinite"}[kind]
        return head, Outcome(kind, failure=Failure(name, "as the test says"))
    return line, None


def _flat(parts):
    return parts[0] if parts else ()


def _fact(given):
    if given[1:] == ["none"]:
        return None
    return SessionInfo(
        session_id=given[0], **{k: int(v) for k, v in (g.split("=") for g in given[1:])}
    )


def _popped(given):
    return None if given[1:] in ([], ["none"]) else message(given[1])


def _number(text):
    return None if text == "none" else int(text)


_WORDS = {
    "append": lambda g, p: (Append(g[0], _flat(p)), None),
    "read": lambda g, p: (Read(g[0]), _flat(p)),
    "create": lambda g, p: (Create(g[0], _flat(p)), g[0]),
    "get": lambda g, p: (Get(g[0]), _fact(g)),
    "list": lambda g, p: (List(), tuple(g)),
    "delete": lambda g, p: (Delete(g[0]), None),
    "clear": lambda g, p: (Clear(g[0]), None),
    "last": lambda g, p: (ReadLast(g[0], int(g[1])), _flat(p)),
    "pages": lambda g, p: (ReadPages(g[0], int(g[1])), p),
    "count": lambda g, p: (Count(g[0]), int(g[1]) if g[1:] else 0),
    "pop": lambda g, p: (PopLast(g[0]), _popped(g)),
    "remove": lambda g, p: (DeleteMessage(g[0], int(g[1])), None),
    "edit": lambda g, p: (EditMessage(g[0], int(g[1]), message(g[2])), None),
    "replace": lambda g, p: (Replace(g[0], _flat(p)), None),
    "state": lambda g, p: (GetState(g[0], g[1]), _number(g[2]) if g[2:] else None),
    "set": lambda g, p: (SetState(g[0], g[1], int(g[2])), None),
    "both": lambda g, p: (AppendWithState(g[0], _flat(p), {g[1]: int(g[2])}), None),
    "reopen": lambda g, p: (Reopen(), None),
}
