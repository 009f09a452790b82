"""Which messages a workload may send to this store: within its claims, and representable."""

from __future__ import annotations

from collections.abc import Iterator, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.contract.seed import generator
from sessionproof.oracle.model import differing
from sessionproof.workload.conversation import texts
from sessionproof.workload.guard import outcome_of


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Sample messages, one for each kind and role that the store can express.

    ``refused`` says of each that it cannot, in a sentence: listed, never broken.
    """

    claims: Claims
    spec: StoreSpec
    samples: tuple[Message, ...]
    refused: tuple[str, ...]

    def representable(self, message: Message) -> bool:
        """Whether the adapter's own translation keeps this message."""
        return _problem(self.spec, message, self.claims.keeps) is None


def vocabulary(spec: StoreSpec, claims: Claims) -> Vocabulary:
    """What can be said to the store; ``samples`` is empty when nothing can."""
    samples, refused = [], []
    for name, message in _samples(claims):
        problem = _problem(spec, message, claims.keeps)
        if problem is None:
            samples.append(message)
        else:
            refused.append(f"{name}: {problem}")
    return Vocabulary(claims, spec, tuple(samples), tuple(refused))


def made_messages(vocabulary: Vocabulary, seed: int, number: int = 160) -> tuple[Message, ...]:
    """The samples, then so many messages with realistic texts and the fields that are kept."""
    random = generator(seed, "messages")
    pool = texts(seed)
    made = [timed(sample, vocabulary.claims) for sample in vocabulary.samples]
    for at in range(number):
        sample = vocabulary.samples[at % len(vocabulary.samples)]
        message = _filled(sample, random.choice(pool), vocabulary.claims, random)
        if _within_limits(message, vocabulary.claims) and vocabulary.representable(message):
            made.append(message)
    return tuple(made)


def _filled(sample: Message, text: str, claims: Claims, random: Random) -> Message:
    """The sample with a text and some of the kept fields; edges more often than chance has them.

    Times and ids only mark that a message has one: its place in a program decides which.
    """
    keeps = claims.keeps
    extra: dict[str, Any] = {
        "tokens": random.choice((0, 1, random.randrange(5_000))),
        "duration_us": random.choice((0, random.randrange(90_000_000))),
        "metadata": random.choice(_METADATA),
        "id": MARK_ID,
    }
    if sample.kind == "tool_call":
        called = replace(sample, arguments={"text": text, "limit": random.randrange(9)})
        return timed(called, claims)
    kept = {name: value for name, value in extra.items() if name in keeps and random.random() < 0.5}
    if "created_at_us" in keeps and random.random() < 0.5:
        kept["created_at_us"] = MARK_US
    if "name" in keeps and sample.kind == "text" and random.random() < 0.2:
        kept["name"] = random.choice(("weather", "données"))
    return timed(replace(sample, content=text, **kept), claims)


def takes_times(claims: Claims) -> bool:
    """Whether the store orders by times that its clients give; others give times of their own."""
    return claims.order == "timestamp" and "created_at_us" in claims.keeps


def timed(message: Message, claims: Claims) -> Message:
    """With a time in stores ordered by it: without one, it would have that of its append."""
    return replace(message, created_at_us=MARK_US) if takes_times(claims) else message


def _within_limits(message: Message, claims: Claims) -> bool:
    """Whether the store documents that it takes so long a text, with room for a token."""
    limits = (claims.limits.content_bytes, claims.limits.batch_bytes)
    text = message.content if isinstance(message.content, str) else ""
    return all(limit is None or len(text.encode()) + _TOKEN_BYTES <= limit for limit in limits)


# Stand for a time and an id that the place in a program decides.
MARK_US = 0
MARK_ID = "given"

_TOKEN_BYTES = 8  # as in " #12345"

_METADATA: tuple[dict[str, Any], ...] = (
    {},
    {"model": "large-1", "temperature": 0.7, "stream": True},
    {"größe": [1, 2, {"tief": None}], "": "leerer Name"},
    {"sources": ["a.md", "b.md"], "score": -3, "ratio": 1.5e-7},
)


def _samples(claims: Claims) -> Iterator[tuple[str, Message]]:
    if "text" in claims.kinds:
        for role in sorted(claims.roles) if "role" in claims.keeps else ["user"]:
            yield f"text of role {role!r}", Message(role, "x")
    roles = claims.roles if "role" in claims.keeps else {"assistant", "tool"}
    if "tool_call" in claims.kinds and "assistant" in roles:
        call = Message(
            "assistant", None, kind="tool_call", name="lookup", call_id="call-0",
            arguments={"city": "Oslo"},
        )  # fmt: skip
        yield "tool call", call
    if "tool_result" in claims.kinds and "tool" in roles:
        yield "tool result", Message("tool", "x", kind="tool_result", call_id="call-0")


def _problem(spec: StoreSpec, message: Message, keeps: Set[str]) -> str | None:
    if spec.encode is None or spec.decode is None:
        return None
    try:
        back = spec.decode(spec.encode(deepcopy(message)))
        if not isinstance(back, Message):
            return "decode(encode(message)) is no Message"
        changed = differing(message, back, keeps)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the adapter says no in its own way
        failure = outcome_of(error).failure
        return str(failure) if failure else "it raised"
    return f"decode(encode(message)) changes {', '.join(changed)}" if changed else None
