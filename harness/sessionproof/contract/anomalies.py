"""The names of what can go wrong: one list for findings, reports and documents."""

from __future__ import annotations

from enum import StrEnum


class Anomaly(StrEnum):
    """What was seen, in the field's word for it; ``MEANINGS`` says each in a sentence."""

    LOST_MESSAGE = "lost-message"
    DUPLICATE = "duplicate"
    REORDER = "incompatible-order"
    PHANTOM = "phantom"
    LEAK = "cross-session-leak"
    LOST_UPDATE = "lost-update"
    CHANGED = "changed-content"
    ABORTED_READ = "aborted-read"
    TORN_BATCH = "torn-batch"
    RESURRECTION = "resurrection"
    PHANTOM_SESSION = "phantom-session"
    LOST_SESSION = "lost-session"
    ORPHAN = "orphan"
    UNREACHABLE = "unreachable-row"
    UNENFORCED = "unenforced-reference"
    COUNTER_DRIFT = "counter-drift"
    SEQUENCE_GAP = "sequence-gap"
    DUPLICATE_SEQUENCE = "duplicate-sequence"
    SEQUENCE_ORDER = "sequence-order"
    WRONG_ANSWER = "wrong-answer"
    UNEXPECTED_REFUSAL = "unexpected-refusal"
    ACCEPTED_INVALID = "accepted-invalid"
    ALIASING = "aliasing"
    INJECTION = "injection"
    ESCAPE = "outside-location"
    EXPOSED = "exposed-file"
    IN_CLEAR = "secret-in-clear"
    MALFORMED = "malformed-answer"
    GROWTH = "growing-cost"
    MEMORY = "growing-memory"
    SLOW = "slower-than-claimed"
    SCAN = "full-scan"
    STATEMENTS = "statements-per-row"
    STALE_READ = "stale-read"
    READ_YOUR_WRITES = "read-your-writes"
    NON_MONOTONIC = "non-monotonic-read"
    FUTURE_READ = "future-read"
    REAL_TIME = "order-contradicts-real-time"
    WRITE_ORDER = "non-monotonic-writes"
    INTERMEDIATE_READ = "intermediate-read"
    NOT_LINEARIZABLE = "not-linearizable"
    INTERNAL = "internal"
    G0 = "G0"
    G0_PROCESS = "G0-process"
    G0_REALTIME = "G0-realtime"
    G1C = "G1c"
    G1C_PROCESS = "G1c-process"
    G1C_REALTIME = "G1c-realtime"
    G_SINGLE = "G-single"
    G_SINGLE_PROCESS = "G-single-process"
    G_SINGLE_REALTIME = "G-single-realtime"
    G_NONADJACENT = "G-nonadjacent"
    G_NONADJACENT_PROCESS = "G-nonadjacent-process"
    G_NONADJACENT_REALTIME = "G-nonadjacent-realtime"
    G2 = "G2"
    G2_PROCESS = "G2-process"
    G2_REALTIME = "G2-realtime"
    BUSY = "busy-error"
    STARVED = "starvation"
    BLOCKED_READER = "blocked-reader"
    LEFT_OPEN = "left-open"
    UNREADABLE = "unreadable"
    PARTIAL = "partial-operation"
    STUCK = "stuck"
    SWALLOWED = "swallowed-error"
    UNNOTICED = "unnoticed-damage"
    OVERWRITTEN = "overwritten-file"
    UNSAVED = "unsaved-message"
    BAD_BACKUP = "bad-backup"
    UNMENDED = "unmended-damage"
    HANG = "hang"
    CRASH = "crash"


MEANINGS: dict[Anomaly, str] = {
    Anomaly.LOST_MESSAGE: "an acknowledged message is not there",
    Anomaly.DUPLICATE: "a message that was appended once is there more often",
    Anomaly.REORDER: "messages are there in another order than they were appended",
    Anomaly.PHANTOM: "a message is there that nobody appended",
    Anomaly.LEAK: "a message of one session is read in another",
    Anomaly.LOST_UPDATE: "an acknowledged value is gone, as another client wrote over it",
    Anomaly.CHANGED: "a message came back with other content than was appended",
    Anomaly.ABORTED_READ: "what a refused operation tried to write can be read (G1a)",
    Anomaly.TORN_BATCH: "a part of a batch is there without the rest",
    Anomaly.RESURRECTION: "what was deleted is there, still or again",
    Anomaly.PHANTOM_SESSION: "a session exists that nobody created",
    Anomaly.LOST_SESSION: "a session that was created is not there",
    Anomaly.ORPHAN: "a row is there whose session, or whatever else it refers to, is gone",
    Anomaly.UNREACHABLE: "a row of a message is there that no read answers",
    Anomaly.UNENFORCED: "a connection writes without the foreign keys that the tables declare",
    Anomaly.COUNTER_DRIFT: "a counter disagrees with the messages that it counts",
    Anomaly.SEQUENCE_GAP: "a sequence number is missing although nothing was deleted",
    Anomaly.DUPLICATE_SEQUENCE: "two messages carry one sequence number",
    Anomaly.SEQUENCE_ORDER: "sequence numbers do not rise in append order",
    Anomaly.WRONG_ANSWER: "an operation answered something else than the contract says",
    Anomaly.UNEXPECTED_REFUSAL: "an operation that the store owes was refused",
    Anomaly.ACCEPTED_INVALID: "what the store claims to refuse was accepted",
    Anomaly.ALIASING: "changing a returned or passed object changes what is stored",
    Anomaly.INJECTION: "an input was run as code, SQL, a pattern or a template",
    Anomaly.ESCAPE: "something outside the location was read, written or removed",
    Anomaly.EXPOSED: "a file of the store can be read by others than its owner",
    Anomaly.IN_CLEAR: "a password or a token is kept or told so that it can be used",
    Anomaly.MALFORMED: "an answer has a type or shape that the contract does not allow",
    Anomaly.GROWTH: "an operation costs more, the more is stored",
    Anomaly.MEMORY: "memory grows with every further call",
    Anomaly.SLOW: "an operation costs more than the store claims, measured against a floor",
    Anomaly.SCAN: "a query reads or sorts a whole table where an index would do",
    Anomaly.STATEMENTS: "a call runs a statement for every row",
    Anomaly.STALE_READ: "a read misses what was acknowledged before it began",
    Anomaly.READ_YOUR_WRITES: "a client does not read what it has written itself",
    Anomaly.NON_MONOTONIC: "a later read answers less than an earlier one",
    Anomaly.FUTURE_READ: "a read answers what was written only after it had ended",
    Anomaly.REAL_TIME: "an append stands before another that had ended when it began (G0)",
    Anomaly.WRITE_ORDER: "the messages of one client are there in another order than it sent them",
    Anomaly.INTERMEDIATE_READ: "a read ends inside a batch (G1b)",
    Anomaly.NOT_LINEARIZABLE: "no order of the operations explains what they answered",
    Anomaly.INTERNAL: "a transaction disagrees with its own earlier steps",
    Anomaly.G0: "transactions append before each other, in a circle",
    Anomaly.G1C: "transactions depend on each other's appends and reads, in a circle",
    Anomaly.G_SINGLE: "a circle of transactions, one of which misses what another wrote: a read of "
    "more than one moment, or an update that was lost",
    Anomaly.G_NONADJACENT: "a circle of transactions, some of which miss what others wrote, never "
    "two in a row: no snapshots explain it",
    Anomaly.G2: "a circle of transactions that miss each other's writes, as in write skew",
    Anomaly.G0_PROCESS: "G0, as one client did one thing before another",
    Anomaly.G0_REALTIME: "G0, as one transaction had ended when another began",
    Anomaly.G1C_PROCESS: "G1c, as one client did one thing before another",
    Anomaly.G1C_REALTIME: "G1c, as one transaction had ended when another began",
    Anomaly.G_SINGLE_PROCESS: "G-single, as one client did one thing before another",
    Anomaly.G_SINGLE_REALTIME: "G-single, as one transaction had ended when another began",
    Anomaly.G_NONADJACENT_PROCESS: "G-nonadjacent, as one client did one thing before another",
    Anomaly.G_NONADJACENT_REALTIME: "G-nonadjacent, as one transaction had ended when another "
    "began",
    Anomaly.G2_PROCESS: "G2, as one client did one thing before another",
    Anomaly.G2_REALTIME: "G2, as one transaction had ended when another began",
    Anomaly.BUSY: "an operation failed because others were at work",
    Anomaly.STARVED: "a client completed nothing while another completed a thousand operations",
    Anomaly.BLOCKED_READER: "a reader waited for a writer",
    Anomaly.LEFT_OPEN: "a file, a thread or a process of the store outlives its handle",
    Anomaly.UNREADABLE: "what was stored can no longer be opened or read",
    Anomaly.PARTIAL: "an operation that was interrupted took effect in part",
    Anomaly.STUCK: "after a crash or a fault the store does not go on",
    Anomaly.SWALLOWED: "an operation returned normally although its writing failed",
    Anomaly.UNNOTICED: "damage is served as good data, and nothing says so",
    Anomaly.OVERWRITTEN: "a file that was to be kept was changed, replaced or removed",
    Anomaly.UNSAVED: "recovery left out a message that can still be read in the file",
    Anomaly.BAD_BACKUP: "a backup, or what was restored from it, is not what was stored",
    Anomaly.UNMENDED: "damage that a repair owes to mend is still there afterwards",
    Anomaly.HANG: "an operation did not end within its deadline",
    Anomaly.CRASH: "the process of the store ended during an operation",
}
