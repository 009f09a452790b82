"""The names of what can go wrong: one list for findings, reports and documents."""

from __future__ import annotations

from enum import StrEnum


class Anomaly(StrEnum):
    """What was seen, in the field's word for it; ``meaning`` says it in a sentence."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Anomaly:
        """Make a member that is its name and carries its meaning."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    LOST_MESSAGE = "lost-message", "an acknowledged message is not there"
    DUPLICATE = "duplicate", "a message that was appended once is there more often"
    REORDER = "incompatible-order", "messages are there in another order than they were appended"
    PHANTOM = "phantom", "a message is there that nobody appended"
    LEAK = "cross-session-leak", "a message of one session is read in another"
    CHANGED = "changed-content", "a message came back with other content than was appended"
    ABORTED_READ = "aborted-read", "what a refused operation tried to write can be read (G1a)"
    TORN_BATCH = "torn-batch", "a part of a batch is there without the rest"
    RESURRECTION = "resurrection", "what was deleted is back"
    PHANTOM_SESSION = "phantom-session", "a session exists that nobody created"
    LOST_SESSION = "lost-session", "a session that was created is not there"
    COUNTER_DRIFT = "counter-drift", "a counter disagrees with the messages that it counts"
    SEQUENCE_GAP = "sequence-gap", "a sequence number is missing although nothing was deleted"
    DUPLICATE_SEQUENCE = "duplicate-sequence", "two messages carry one sequence number"
    SEQUENCE_ORDER = "sequence-order", "sequence numbers do not rise in append order"
    WRONG_ANSWER = "wrong-answer", "an operation answered something else than the contract says"
    UNEXPECTED_REFUSAL = "unexpected-refusal", "an operation that the store owes was refused"
    ACCEPTED_INVALID = "accepted-invalid", "what the store claims to refuse was accepted"
    ALIASING = "aliasing", "changing a returned or passed object changes what is stored"
    MALFORMED = "malformed-answer", "an answer has a type or shape that the contract does not allow"
    HANG = "hang", "an operation did not end within its deadline"
    CRASH = "crash", "the process of the store ended during an operation"
