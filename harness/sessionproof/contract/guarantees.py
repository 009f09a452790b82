"""The registry of guarantees: what is promised, to whom it applies, how much evidence it needs.

A row enters together with the suite that checks it; documents are generated from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sessionproof.contract.claims import Claims


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A condition on the claims, and the words that say it; ``parts`` are those that it joins."""

    words: str
    made: Callable[[Claims], bool]
    parts: tuple[Claim, ...] = ()

    def lacking(self, claims: Claims) -> str:
        """The words of what these claims do not make of it; empty when they make it whole."""
        if self.made(claims):
            return ""
        return ", ".join(filter(None, (one.lacking(claims) for one in self.parts))) or self.words


def joined(*parts: Claim) -> Claim:
    """A condition that all of these make together."""
    return Claim(
        words=", ".join(one.words for one in parts),
        made=lambda claims: all(one.made(claims) for one in parts),
        parts=parts,
    )


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """One row. ``needs`` names capabilities, ``claim`` a claim: without them it is not claimed.

    A need such as ``get|count`` is met by either. ``damage`` is an example of what a break does to
    a user's chat, in a sentence. ``remedy`` is what mends it where the cause is hard to see.
    ``least`` is the least evidence, counted in ``unit``; below it the verdict is "could not tell".
    ``weight`` is its share of the profile's time.
    """

    id: str
    promise: str
    damage: str
    unit: str
    least: int
    needs: tuple[str, ...] = ()
    claim: Claim | None = None
    weight: float = 1.0
    remedy: str = ""

    @property
    def group(self) -> str:
        """The part of the id before the dash."""
        return self.id.partition("-")[0]

    def is_gated(self, *, declared: bool) -> bool:
        """Whether a verdict counts: the claims are ``declared``, or it needs none."""
        return declared or self.claim is None


ATOMIC = Claim(words="atomic_batches", made=lambda claims: claims.atomic_batches)
DURABLE = Claim(
    words="durability of at least process",
    made=lambda claims: claims.at_least("durability", "process"),
)
POWER = Claim(
    words="durability of at least power",
    made=lambda claims: claims.at_least("durability", "power"),
)
VALIDATES = Claim(words="validates", made=lambda claims: claims.validates)
CALLER_IDS = Claim(words="session_ids=caller", made=lambda claims: claims.session_ids == "caller")
RETENTION = Claim(words="limits.retention", made=lambda claims: claims.limits.retention is not None)
NUMBERED = Claim(words="seq_start", made=lambda claims: claims.seq_start is not None)
CHECKSUMS = Claim(words="checksums", made=lambda claims: claims.checksums)
OWN_IDS = Claim(words="ids_from_content=false", made=lambda claims: not claims.ids_from_content)
ERASES = Claim(words="erases", made=lambda claims: claims.erases)
PRIVATE = Claim(words="private_files", made=lambda claims: claims.private_files)
TOKENS = Claim(words="keeps tokens", made=lambda claims: "tokens" in claims.keeps)
DURATIONS = Claim(words="keeps duration_us", made=lambda claims: "duration_us" in claims.keeps)
ON_DELETE = Claim(
    words="on_delete_in_use or on_delete_user",
    made=lambda claims: (claims.on_delete_in_use or claims.on_delete_user) is not None,
)
WARNS = Claim(words="warns", made=lambda claims: claims.warns)
MOVES = Claim(words="transitions", made=lambda claims: bool(claims.transitions))
OVER_LIVE = Claim(
    words="restore_over_live", made=lambda claims: claims.restore_over_live is not None
)
TOGETHER = Claim(
    words="handles of at least tasks", made=lambda claims: claims.at_least("handles", "tasks")
)
APPENDS = Claim(words="writes=append", made=lambda claims: claims.writes == "append")
CONCURRENT = joined(TOGETHER, APPENDS)
NUMBERED_TOGETHER = joined(NUMBERED, CONCURRENT)
ATOMIC_TOGETHER = joined(ATOMIC, CONCURRENT)
LINEARIZABLE = joined(
    Claim(
        words="consistency=linearizable",
        made=lambda claims: claims.at_least("consistency", "linearizable"),
    ),
    CONCURRENT,
)
READS_FOLLOW = Claim(
    words="consistency of at least session",
    made=lambda claims: claims.at_least("consistency", "session"),
)
SESSION = joined(READS_FOLLOW, CONCURRENT)
SEARCHED_TOGETHER = joined(READS_FOLLOW, TOGETHER)
WRITERS = joined(
    Claim(words="writers of at least 2", made=lambda claims: (claims.writers or 0) >= 2),
    CONCURRENT,
)
READERS = joined(
    Claim(words="concurrent_readers", made=lambda claims: claims.concurrent_readers), CONCURRENT
)
PROCESSES = joined(
    Claim(words="handles=processes", made=lambda claims: claims.at_least("handles", "processes")),
    APPENDS,
)
ISOLATED = joined(
    Claim(words="isolation", made=lambda claims: claims.isolation is not None), TOGETHER
)
RENUMBERS = Claim(words="seq_after_delete", made=lambda claims: claims.seq_after_delete is not None)

_ROWS = (
    Guarantee(
        id="CORE-01",
        promise="What was appended is read back, equal in every field that the store keeps, "
        "in append order.",
        damage="The assistant answers without the sentence that the user sent a minute ago.",
        unit="messages",
        least=50,
    ),
    Guarantee(
        id="CORE-02",
        promise="A batch keeps its inner order and lands whole or not at all, also when one of "
        "its elements is invalid.",
        damage="A tool's result is stored without the call that asked for it, and the next "
        "request to the model is refused.",
        unit="batches",
        least=10,
        claim=ATOMIC,
    ),
    Guarantee(
        id="CORE-03",
        promise="The newest n messages are answered, oldest first, for n = 0, 1, all, and more "
        "than all.",
        damage="The last ten messages go to the model as its context; one of them is missing, or "
        "they are in another order.",
        unit="reads",
        least=20,
        needs=("read_last",),
    ),
    Guarantee(
        id="CORE-04",
        promise="Paging by cursor gives every message once, in order, in pages of at most the "
        "limit, also while others append.",
        damage="A user scrolls back through a long chat and sees one message twice and another "
        "never.",
        unit="reads",
        least=10,
        needs=("page",),
    ),
    Guarantee(
        id="CORE-05",
        promise="Sessions do not see each other: no operation on one changes another.",
        damage="One user's message turns up in another user's chat.",
        unit="operations",
        least=40,
    ),
    Guarantee(
        id="CORE-06",
        promise="Each text is read back equal, or refused with an error and nothing is written; "
        "it is never changed.",
        damage="A name, an emoji or a line of code comes back changed, or one character makes "
        "the whole chat unreadable.",
        unit="texts",
        least=30,
    ),
    Guarantee(
        id="CORE-07",
        promise="Session ids are opaque: any two different ids are different sessions, or an id "
        "is refused.",
        damage="Two users whose ids differ in case alone share one conversation.",
        unit="ids",
        least=30,
        claim=CALLER_IDS,
    ),
    Guarantee(
        id="CORE-08",
        promise="All is there after close and reopen, by another handle and by another process.",
        damage="After a restart the conversation begins in the middle, or is gone.",
        unit="reopenings",
        least=3,
        claim=DURABLE,
    ),
    Guarantee(
        id="CORE-09",
        promise="Reading an unknown session is empty or a not-found error, the same each time, "
        "and creates nothing.",
        damage="Looking at a chat that does not exist fills the list of chats with empty ones.",
        unit="reads",
        least=10,
    ),
    Guarantee(
        id="CORE-10",
        promise="An unknown role, a negative number and wrong types are refused, and nothing is "
        "written.",
        damage="One message with a role that no model knows makes every later request of that "
        "chat fail.",
        unit="messages",
        least=5,
        claim=VALIDATES,
    ),
    Guarantee(
        id="CORE-11",
        promise="The whole interface agrees with the oracle for any sequence of operations.",
        damage="After an ordinary mix of edits, deletions and appends the chat is not what the "
        "user made of it.",
        unit="operations",
        least=200,
        weight=3.0,
    ),
    Guarantee(
        id="CORE-12",
        promise="What is returned or passed is a copy: changing it changes nothing stored.",
        damage="Code that shortens a list for display shortens the stored chat.",
        unit="reads",
        least=2,
    ),
    Guarantee(
        id="CORE-13",
        promise="A session created with its first messages is there with all of them, or not at "
        "all.",
        damage="A chat is opened with its system prompt; the prompt is lost, and the assistant "
        "answers without its rules.",
        unit="sessions",
        least=10,
        needs=("create",),
        claim=ATOMIC,
    ),
    Guarantee(
        id="CORE-14",
        promise="Repetition is data: n equal messages count n, and an equal batch sent twice "
        "counts twice.",
        damage="The user says yes twice, and the second answer is taken for a copy and dropped.",
        unit="messages",
        least=30,
    ),
    Guarantee(
        id="CORE-15",
        promise="Replacing a history is all or nothing: when it fails, the old one is there.",
        damage="A summary is to take the place of a long chat; it fails half-way, and both are "
        "gone.",
        unit="replacements",
        least=10,
        needs=("replace",),
    ),
    Guarantee(
        id="CORE-16",
        promise="An append that cannot be stored raises: a store never returns normally for what "
        "it did not keep.",
        damage="The database is locked for some seconds; the chat goes on as if nothing were, and "
        "those messages are never seen again.",
        unit="faults",
        least=2,
    ),
    Guarantee(
        id="CORE-17",
        promise="What a retention limit drops is what the claim says, and nothing else.",
        damage="The system prompt, or the newest message, is dropped when the chat reaches its "
        "limit.",
        unit="messages",
        least=30,
        claim=RETENTION,
    ),
    Guarantee(
        id="FK-01",
        promise="An append to an unknown session is refused or creates it, as claimed: never a "
        "message without its session.",
        damage="A message is stored that belongs to no chat: nobody sees it, nobody can delete it.",
        unit="appends",
        least=10,
        needs=("create|list|get",),
        remedy="Where the store refuses such an append on purpose, say so: claim "
        '`missing_session="refuses"`. Silence means that it creates the session where the caller '
        "names sessions, and nothing where the store does.",
    ),
    Guarantee(
        id="FK-02",
        promise="After a session was deleted, no operation reaches anything of it.",
        damage="A user deletes a chat, and its text still turns up in a search, a count or the "
        "next export.",
        unit="deletions",
        least=10,
        needs=("delete",),
    ),
    Guarantee(
        id="FK-03",
        promise="A deleted id that is used again starts empty: nothing rises from the dead.",
        damage="A new chat under an old id begins with what its user had deleted.",
        unit="deletions",
        least=10,
        needs=("delete",),
    ),
    Guarantee(
        id="FK-04",
        promise="No table of the store holds a row whose session, or whatever else it refers to, "
        "is gone.",
        damage="Deleted conversations go on living in the file, and grow it, until an audit or a "
        "leak finds them.",
        unit="rows",
        least=20,
        needs=("tables",),
    ),
    Guarantee(
        id="FK-05",
        promise="Every connection that the store writes with enforces the foreign keys that its "
        "tables declare.",
        damage="One connection of the pool forgets the pragma, and each delete through it leaves "
        "the messages behind.",
        unit="connections",
        least=1,
        needs=("tables",),
    ),
    Guarantee(
        id="FK-06",
        promise="When a deletion races with appends, in the end the session is gone with all "
        "that belongs to it, or there with every message that was acknowledged after "
        "it.",
        damage="A user deletes a chat while the assistant is still writing: its last answer "
        "stays behind, and belongs to nobody.",
        unit="races",
        least=10,
        needs=("delete",),
        claim=CONCURRENT,
    ),
    Guarantee(
        id="FK-07",
        promise="Removing an LLM's model or a user that is in use is refused or cascades, as "
        "claimed; no reference dangles.",
        damage="A retired model's name cannot be removed at all, or the chats of a user who left "
        "stay behind and belong to nobody.",
        unit="deletions",
        least=2,
        needs=("delete_llm_model|delete_user",),
        claim=ON_DELETE,
    ),
    Guarantee(
        id="FK-08",
        promise="A user whose name changes keeps his sessions, his tokens and his password; a name "
        "that is taken changes nothing.",
        damage="A user changes her address of e-mail, and her chats are gone, or are those of the "
        "next one who has the old address.",
        unit="renames",
        least=5,
        needs=("add_user", "sign_in", "rename_user"),
    ),
    Guarantee(
        id="FK-09",
        promise="Every row of the table of messages is a message that a read answers: what was "
        "removed, or never acknowledged, has left it.",
        damage="A user deletes what she wrote; no screen shows it any more, and it stays in the "
        "file, and in each of its copies, for good.",
        unit="removed messages",
        least=20,
        needs=("tables", "pop_last|clear|delete|delete_message|replace"),
        claim=ERASES,
    ),
    Guarantee(
        id="CNT-01",
        promise="The count of messages equals the messages that can be read, after any sequence of "
        "operations.",
        damage="The sidebar says 12 messages, the chat shows 11, and paging by the count never "
        "ends.",
        unit="counts",
        least=20,
        needs=("get|count",),
    ),
    Guarantee(
        id="CNT-02",
        promise="The total of tokens equals the sum over the messages, unknown ones as 0, after "
        "appends, deletions and edits.",
        damage="A chat that is charged or cut by its tokens is charged for messages that were "
        "deleted, or cut too late for the model.",
        unit="totals",
        least=20,
        needs=("get",),
        claim=TOKENS,
    ),
    Guarantee(
        id="CNT-03",
        promise="The total of durations equals the sum over the messages, within one part in 10^9, "
        "however many operations.",
        damage="The time spent on an emptied chat is 1.1e-16 seconds, and an average over it "
        "divides by nothing.",
        unit="totals",
        least=20,
        needs=("get",),
        claim=DURATIONS,
    ),
    Guarantee(
        id="CNT-04",
        promise="A write that failed leaves counts and totals as they were.",
        damage="Each refused message is counted: the chat is full long before it is.",
        unit="failed writes",
        least=3,
        needs=("get|count",),
    ),
    Guarantee(
        id="CNT-05",
        promise="No reader sees a count that its session never had, or a count and a total "
        "that do not belong together, while others append.",
        damage="For a moment the chat shows 12 messages and the price of 11; the bill is "
        "made of that moment.",
        unit="reads",
        least=50,
        needs=("get|count",),
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CNT-06",
        promise="After many writers at once, in one process and in several, the counters are "
        "those of the messages.",
        damage="Ten users write in one room, and its counter ends at 7 of 10 messages.",
        unit="appends",
        least=100,
        needs=("get|count",),
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CNT-07",
        promise="After a crash at any write, counts and totals are those of the messages.",
        damage="The server is killed; since then the chat says 13 messages and shows 12, and what "
        "trims it trims the wrong one.",
        unit="states",
        least=50,
        needs=("get|count",),
        claim=DURABLE,
    ),
    Guarantee(
        id="CNT-08",
        promise="Editing a message keeps the totals of its session and of every other right.",
        damage="A corrected message keeps its old price: 20 tokens recorded, 510 used.",
        unit="edits",
        least=10,
        needs=("edit_message", "get"),
    ),
    Guarantee(
        id="SEQ-01",
        promise="Sequence numbers rise by one from the declared start while nothing was deleted; "
        "afterwards they rise strictly.",
        damage="A client asks for all after number 41, and is never given 42.",
        unit="numbers",
        least=50,
        claim=NUMBERED,
    ),
    Guarantee(
        id="SEQ-02",
        promise="With many writers on one session, its numbers rise by one without gap, and "
        "no two messages share one.",
        damage="Two messages are both number 41, and a client that asks for what comes after "
        "41 misses one.",
        unit="numbers",
        least=100,
        claim=NUMBERED_TOGETHER,
    ),
    Guarantee(
        id="SEQ-03",
        promise="Messages stay in append order when their times tie; in stores ordered by append, "
        "also when times step back or jump a day.",
        damage="Question and answer change places, because both were stored in the same "
        "millisecond.",
        unit="messages",
        least=50,
    ),
    Guarantee(
        id="SEQ-04",
        promise="The messages of each writer stay in the order in which it sent them, whoever "
        "else writes.",
        damage="A user's second sentence stands before the first, because the assistant was "
        "writing too.",
        unit="messages",
        least=100,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="SEQ-05",
        promise="After the newest messages are removed, the next number follows the declared "
        "rule and never repeats a living one.",
        damage="An undone message's number is given to a new one, and a client that saw the old "
        "one never fetches the new.",
        unit="numbers",
        least=20,
        claim=RENUMBERS,
    ),
    Guarantee(
        id="SEQ-06",
        promise="Any two reads of a session agree on the order of the messages that both saw.",
        damage="The user sees the answer before the question, and after a reload the other "
        "way round.",
        unit="reads",
        least=50,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CONC-01",
        promise="No acknowledged append is lost, however many clients write at once.",
        damage="Two browser tabs answer at the same time, and one of the two messages is "
        "gone without an error.",
        unit="appends",
        least=100,
        claim=CONCURRENT,
        weight=8.0,
    ),
    Guarantee(
        id="CONC-02",
        promise="No message appears twice, also when it was refused and sent again.",
        damage="A retry after a conflict stores the question twice, and the model answers it "
        "twice.",
        unit="appends",
        least=100,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CONC-03",
        promise="A message whose append was refused is never seen, not even for a moment (G1a).",
        damage="The client was told that nothing was stored and writes again; both are in "
        "the chat.",
        unit="reads",
        least=50,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CONC-04",
        promise="No reader sees a part of a batch, and no batch is mixed with another (G1b).",
        damage="The model is given a tool call without its result, because the batch was "
        "half written.",
        unit="reads",
        least=50,
        claim=ATOMIC_TOGETHER,
    ),
    Guarantee(
        id="CONC-05",
        promise="Each session is linearizable: one order of its operations, true to real "
        "time, explains every answer; unknown outcomes take effect once, at any time, "
        "or never.",
        damage="An append is acknowledged, and a read that begins afterwards does not have it.",
        unit="operations",
        least=100,
        claim=LINEARIZABLE,
        weight=1.5,
    ),
    Guarantee(
        id="CONC-06",
        promise="Each client reads what it has written, and never less than it has read before.",
        damage="A user sends a message, and it is missing from the page that follows.",
        unit="reads",
        least=50,
        claim=SESSION,
    ),
    Guarantee(
        id="CONC-07",
        promise="Transactions over several sessions form no cycle that the claimed isolation rules "
        "out (G0, G1c, G-single, G2; with real-time edges where it is strict).",
        damage="A message is moved from one chat to another while a third client reads both, and "
        "that client sees it in neither.",
        unit="transactions",
        least=200,
        needs=("transact",),
        claim=ISOLATED,
    ),
    Guarantee(
        id="CONC-08",
        promise="Every operation of concurrent clients ends within its deadline; where "
        "fairness is claimed, none of them starves.",
        damage="Two workers wait for each other's locks, and the service stands until it is "
        "restarted.",
        unit="operations",
        least=100,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CONC-09",
        promise="Up to the claimed number of writers, no operation fails because others are "
        "at work.",
        damage="At noon, when everybody writes, users are told that the database is locked.",
        unit="appends",
        least=50,
        claim=WRITERS,
    ),
    Guarantee(
        id="CONC-10",
        promise="A handle that threads share, handles in threads, and handles in spawned and "
        "forked processes each work as claimed, or are refused with a clear error.",
        damage="The web server forks its workers after opening the store, and two of them "
        "write into each other's transactions.",
        unit="ways",
        least=1,
        claim=CONCURRENT,
    ),
    Guarantee(
        id="CONC-11",
        promise="After close, files, threads and child processes are exactly those from before.",
        damage="Each request leaves a file open, and after a day no request can open one.",
        unit="cycles",
        least=5,
    ),
    Guarantee(
        id="CONC-12",
        promise="Readers go on while a writer is at work.",
        damage="While a long conversation is imported, nobody can read theirs.",
        unit="reads",
        least=10,
        claim=READERS,
    ),
    Guarantee(
        id="CONC-13",
        promise="Many processes and threads that open one fresh location at once all succeed, "
        "and what they append is kept.",
        damage="After a deployment all workers start at once, and half of them fail because "
        "a table exists already.",
        unit="openings",
        least=40,
        claim=PROCESSES,
        weight=10.0,
        remedy="SQLite's busy timeout does not cover `PRAGMA journal_mode=WAL` on a fresh file: "
        'where others open it at the same moment, it is answered "database is locked" at once. '
        "Try it again until it is taken.",
    ),
    Guarantee(
        id="CONC-14",
        promise="Under controlled schedules, small programs of two clients keep CONC-01 to "
        "CONC-06; the report says which schedules were tried.",
        damage="A race that needs an unlucky moment loses one message in a million, and no test "
        "has ever seen it.",
        unit="schedules",
        least=100,
        claim=TOGETHER,
        weight=7.0,
    ),
    Guarantee(
        id="CONC-15",
        promise="A message that is taken back is given to one caller alone and is gone, and no "
        "other is lost, however many take back and append at once.",
        damage="Two workers take the newest message back to answer it anew: both are given the "
        "same one, and the user gets two answers.",
        unit="takings",
        least=20,
        needs=("pop_last",),
        claim=CONCURRENT,
    ),
    Guarantee(
        id="DUR-01",
        promise="After kill -9 at any moment, every acknowledged message is there when the store "
        "is opened again.",
        damage="A new version is rolled out; the answers of the last seconds, which users have "
        "already read, are gone.",
        unit="crashes",
        least=20,
        claim=DURABLE,
    ),
    Guarantee(
        id="DUR-02",
        promise="After kill -9 at any single write, what is there is whole: no operation is half "
        "done, and nothing is there that was not sent.",
        damage="The process is killed inside a batch: the tool's result is there without the call "
        "that asked for it, and each further request to the model is refused.",
        unit="writes",
        least=20,
        claim=DURABLE,
    ),
    Guarantee(
        id="DUR-03",
        promise="After a loss of power at any point, the store opens, is whole, and has every "
        "message that it acknowledged.",
        damage="The machine loses power; in the morning the last hour of each chat is missing, "
        "or the file cannot be opened.",
        unit="states",
        least=50,
        claim=POWER,
    ),
    Guarantee(
        id="DUR-04",
        promise="When a file operation fails, or the disk is full, the call raises, earlier data "
        "stays, and the store works again once there is space.",
        damage="The disk was full for a minute. What was written before can no longer be read, "
        "or nothing is stored any more until somebody restarts the service.",
        unit="faults",
        least=5,
    ),
    Guarantee(
        id="DUR-05",
        promise="After a crash the store opens by itself, and goes on.",
        damage="After each crash somebody must delete a lock file by hand, at three in the "
        "morning.",
        unit="states",
        least=50,
        claim=DURABLE,
    ),
    Guarantee(
        id="DUR-06",
        promise="A crash in a backup, a restore, a repair, a migration, a sweep or a snapshot "
        "leaves the old state or the new one, and never a backup that is none.",
        damage="The machine restarts while a backup is restored: the old chats are gone, and the "
        "restored ones are half there.",
        unit="states",
        least=10,
        needs=("backup|restore|repair|migrate|sweep|snapshot|maintain",),
        claim=DURABLE,
    ),
    Guarantee(
        id="DUR-07",
        promise="A location that cannot be written is refused with a clear error, one whose folder "
        "is missing is refused or made as declared, and nothing is created elsewhere.",
        damage="The volume was not mounted; the chats of a day went to a folder that the next "
        "start wiped.",
        unit="places",
        least=2,
    ),
    Guarantee(
        id="DUR-08",
        promise="After kill -9 of the whole database server under load, and its restart, every "
        "acknowledged message is there, once and in order, and the store goes on by itself with "
        "the handles that it has.",
        damage="The database server runs out of memory and is back within a second; the answers "
        "of the last second are gone, or every chat shows an error until the service is restarted.",
        unit="kills",
        least=3,
        claim=POWER,
        weight=2.0,
    ),
    Guarantee(
        id="DUR-09",
        promise="Where the connection is cut while a write is under way, its outcome is told as "
        "open or as refused, and never wrongly: what was acknowledged is there, what was refused "
        "is not, nothing is there twice; and the store goes on.",
        damage="The network drops one packet. The user's sentence is stored twice and the "
        "assistant answers it twice, or it is gone although it was shown as sent.",
        unit="cuts",
        least=20,
        claim=DURABLE,
        weight=2.0,
    ),
    Guarantee(
        id="COR-01",
        promise="Structural damage to a file is never served as good data: there is an error, or "
        "the store's own check fails.",
        damage="A disk fails slowly. Chats miss their middle, nothing says so, and by the time "
        "somebody asks, the last good backup has been replaced.",
        unit="damages",
        least=20,
        weight=3.0,
    ),
    Guarantee(
        id="COR-02",
        promise="Content that changed by itself on the disk is found, by the store's own check or "
        "by reading it.",
        damage="One bit of a dosage in a patient's chat is another, and every reader believes it.",
        unit="flips",
        least=10,
        claim=CHECKSUMS,
    ),
    Guarantee(
        id="COR-03",
        promise="A file that is empty, cut, foreign or no database gives a clear error, and is "
        "neither changed nor replaced by an empty store.",
        damage="A failed copy left an empty file. The service starts with it, all chats are gone, "
        "and users begin new ones on top.",
        unit="files",
        least=6,
    ),
    Guarantee(
        id="COR-04",
        promise="Recovery saves every message that an independent salvage can read, invents none, "
        "says what was lost, and its result is in order.",
        damage="Of ten thousand chats three pages were damaged, and the recovery gave up at the "
        "first of them.",
        unit="damages",
        least=10,
        needs=("recover",),
    ),
    Guarantee(
        id="COR-05",
        promise="After a restore nothing of the log that lay beside the old file is merged into "
        "what was restored.",
        damage="A backup was put back, and the old file's log undid the restore, or mixed the "
        "pages of two databases.",
        unit="restores",
        least=2,
        needs=("backup", "restore"),
    ),
    Guarantee(
        id="COR-06",
        promise="Orphans, wrong counters, gaps, bad roles and dead rows are found by the store's "
        "own check, and mended by its repair after a backup; good messages stay.",
        damage="The check says that all is well while the counters have drifted for months; the "
        "repair renumbers the messages that were right.",
        unit="damages",
        least=3,
        needs=("verify", "repair", "tables"),
    ),
    Guarantee(
        id="COR-07",
        promise="One damaged record neither hides the other messages, nor stops the next append, "
        "nor passes unnoticed.",
        damage="The last line of a chat was torn when the power failed: the whole chat can no "
        "longer be opened, for one message.",
        unit="records",
        least=2,
    ),
    Guarantee(
        id="BAK-01",
        promise="A backup taken under full write load can be restored, is in order, and has every "
        "message that was acknowledged before it began.",
        damage="The nightly copy was taken while the service wrote. When it is needed, it cannot "
        "be opened, or misses what was still in the log.",
        unit="backups",
        least=3,
        needs=("backup", "restore"),
    ),
    Guarantee(
        id="BAK-02",
        promise="A restore verifies before it replaces, keeps a copy of what was there, with its "
        "log, and never overwrites an older copy.",
        damage="The wrong file is restored: the live chats are replaced by nothing, and there is "
        "no way back.",
        unit="restores",
        least=4,
        needs=("backup", "restore"),
    ),
    Guarantee(
        id="BAK-03",
        promise="Backups have names of their own, and the removal of old ones takes only the "
        "store's own, never the last good one.",
        damage="The disk was damaged for a month. Each night a damaged backup replaced the oldest "
        "one, until no good one was left.",
        unit="backups",
        least=5,
        needs=("backup",),
    ),
    Guarantee(
        id="MIG-01",
        promise="A legacy file migrates with every valid message, orphans are put aside and told, "
        "counters are right, and to migrate again changes nothing.",
        damage="After the upgrade the chats without a parent are gone without a word, and every "
        "counter is what it was before the migration that promised to mend it.",
        unit="files",
        least=4,
        needs=("migrate",),
        claim=CALLER_IDS,  # else which session is which cannot be told
    ),
    Guarantee(
        id="MIG-02",
        promise="A rollback gives the old file back, byte for byte.",
        damage="The new release does not work, and the way back gives a file that the old release "
        "cannot open.",
        unit="files",
        least=4,
        needs=("migrate", "rollback"),
    ),
    Guarantee(
        id="TMO-01",
        promise="A session does not expire before its idle limit, and does after it, whatever was "
        "done in between.",
        damage="A user pauses to think, and the assistant has forgotten the conversation; or it "
        "never ends, and the next person at the desk reads it.",
        unit="limits",
        least=10,
        needs=("set_limits",),
    ),
    Guarantee(
        id="TMO-02",
        promise="A session ends at its hard limit, however busy it is.",
        damage="A stolen session lives for ever, because its thief keeps it busy.",
        unit="limits",
        least=10,
        needs=("set_limits",),
    ),
    Guarantee(
        id="TMO-03",
        promise="What counts as activity is what the store says, and nothing else.",
        damage="A job deletes old messages every night, and no session ever expires.",
        unit="activities",
        least=6,
        needs=("set_limits",),
    ),
    Guarantee(
        id="TMO-04",
        promise="A warning is given once before a session expires, and again only after new "
        "activity.",
        damage="The user is told every minute that his session will end, or never.",
        unit="warnings",
        least=6,
        needs=("set_limits", "sweep"),
        claim=WARNS,
    ),
    Guarantee(
        id="TMO-05",
        promise="An expired session refuses messages with a clear error, and its messages can be "
        "read, or not, as the store says; reading it changes nothing.",
        damage="An answer is written into a session that has ended, and nobody ever sees it.",
        unit="sessions",
        least=6,
        needs=("set_limits",),
    ),
    Guarantee(
        id="TMO-06",
        promise="A sweep beside appends never loses an acknowledged one, and never ends a session "
        "that is in use.",
        damage="A user presses enter as the sweep runs, and his message is gone.",
        unit="races",
        least=10,
        needs=("set_limits", "sweep"),
        claim=TOGETHER,
    ),
    Guarantee(
        id="TMO-07",
        promise="Two sweeps at once expire each session once, and tell it once.",
        damage="The user gets two mails about one session, and the archive keeps it twice.",
        unit="races",
        least=10,
        needs=("set_limits", "sweep"),
        claim=TOGETHER,
    ),
    Guarantee(
        id="TMO-08",
        promise="A clock that steps back, or leaps over an hour, a day or a year, expires what is "
        "due by it, and makes no session immortal.",
        damage="The clocks change in the night, and every user is signed out; or nobody ever "
        "again.",
        unit="steps",
        least=10,
        needs=("set_limits", "set_clock"),
    ),
    Guarantee(
        id="TMO-09",
        promise="What a sweep costs grows with what expires, and not with what is stored.",
        damage="The sweep takes a second a minute, and all writers wait for it.",
        unit="sweeps",
        least=10,
        needs=("set_limits", "sweep"),
    ),
    Guarantee(
        id="TMO-10",
        promise="A session's status changes along the moves that the store declares, and no other.",
        damage="An archived conversation takes messages again, after the archive was sent away.",
        unit="moves",
        least=10,
        needs=("set_status",),
        claim=MOVES,
    ),
    Guarantee(
        id="MGR-01",
        promise="The id that a manager generates is the MD5 or SHA-256 of the message: equal "
        "messages have equal ids, other messages other ones.",
        damage="A client computes the id as it always did, and finds nobody's session.",
        unit="ids",
        least=10,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-02",
        promise="A managed session is what was given, for itself: two that begin alike are two, "
        "unless it is claimed that they are one.",
        damage="Two users write 'hi', and each reads the other's answers.",
        unit="created sessions",
        least=10,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-03",
        promise="An update of a managed session changes what it names, in that session alone; of "
        "an unknown session it answers so, and changes nothing.",
        damage="The next question is sent as an answer to another user's message.",
        unit="updates",
        least=10,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-04",
        promise="A managed session is new until it has a parent id, however often that is asked.",
        damage="Each message begins a new conversation at the provider, which knows nothing of "
        "the last one.",
        unit="answers",
        least=10,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-05",
        promise="A manager's counts, lists and metrics agree with its sessions, whatever was done.",
        damage="The dashboard shows 12 sessions, and the machine is full of 12,000.",
        unit="counts",
        least=20,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-06",
        promise="A managed session lives until its limit after the last access, to the "
        "millisecond and in every time zone, and not longer than is claimed.",
        damage="A user types for a while, and is a stranger; or his session is open for whoever "
        "comes next.",
        unit="ends",
        least=6,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-07",
        promise="A clean-up removes exactly the managed sessions that are over, and says how many.",
        damage="The clean-up takes a session whose user has just come back.",
        unit="cleanups",
        least=6,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-08",
        promise="To look at a managed session changes nothing: it removes none that is over, and "
        "lets none live on; accesses are written no more often than is claimed.",
        damage="Somebody opens the list of sessions, and all that are over are gone before they "
        "were counted.",
        unit="looks",
        least=6,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-09",
        promise="A manager's timer cleans up by itself, is one however often it is started, rests "
        "once it is stopped, and keeps no process alive.",
        damage="The service is told to stop and does not, as a timer waits for its next turn.",
        unit="turns",
        least=4,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-10",
        promise="After shutdown a manager refuses every call in one line, shutdown itself does "
        "nothing more, and the sessions are there for the next instance.",
        damage="A request comes while the service stops, and ends in a traceback about a closed "
        "database.",
        unit="refused calls",
        least=17,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-11",
        promise="The next instance of a manager has all sessions, facts and times of the last one, "
        "after a close and after a kill.",
        damage="A deployment signs every user out.",
        unit="openings",
        least=4,
        needs=("manager",),
        claim=DURABLE,
    ),
    Guarantee(
        id="MGR-12",
        promise="A manager refuses what is no message, no id, no fact and no call, in one line, "
        "and changes nothing.",
        damage="A client sends null for an id, and all such clients share the session 'null'.",
        unit="arguments",
        least=40,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-13",
        promise="What a clean-up costs grows with what is over, and not with what is stored.",
        damage="Every ten minutes all users wait until the clean-up has looked at each session.",
        unit="cleanups",
        least=10,
        needs=("manager",),
    ),
    Guarantee(
        id="MGR-14",
        promise="Deleting managed sessions, one or all, removes them with their messages, says "
        "what it did, and touches nothing else.",
        damage="A user deletes his conversation, and its messages stay in the file.",
        unit="removals",
        least=6,
        needs=("manager",),
    ),
    Guarantee(
        id="SNAP-01",
        promise="A session that is restored from a snapshot is what it was: every field, the "
        "order, the numbers and the totals.",
        damage="A conversation is taken back to yesterday, and its tool calls have lost their "
        "arguments.",
        unit="snapshots",
        least=6,
        needs=("snapshot", "restore_snapshot"),
    ),
    Guarantee(
        id="SNAP-02",
        promise="A snapshot outlives the deletion of its session.",
        damage="The copy that was made before the deletion was deleted with it.",
        unit="snapshots",
        least=3,
        needs=("snapshot", "restore_snapshot", "delete"),
    ),
    Guarantee(
        id="SNAP-03",
        promise="A snapshot that is taken while others write is the session as it was at one "
        "moment.",
        damage="The snapshot has the answer without the question.",
        unit="snapshots",
        least=10,
        needs=("snapshot", "restore_snapshot"),
        claim=CONCURRENT,
    ),
    Guarantee(
        id="SNAP-04",
        promise="To restore a snapshot twice, or over newer messages, does what the store says, "
        "and loses nothing silently.",
        damage="A click on restore removes an hour of conversation without a word.",
        unit="restores",
        least=6,
        needs=("snapshot", "restore_snapshot"),
        claim=OVER_LIVE,
    ),
    Guarantee(
        id="SRCH-01",
        promise="A message is found by its words as soon as its append is acknowledged; a deleted "
        "one is not.",
        damage="A user deletes a message, and everybody in the team still finds it.",
        unit="searches",
        least=20,
        needs=("search",),
    ),
    Guarantee(
        id="SRCH-02",
        promise="Whatever a user types is searched for and is no error; each hit is there once, "
        "in the order and within the limit that was asked for.",
        damage="A user searches for C++, and sees a syntax error of the database.",
        unit="searches",
        least=30,
        needs=("search",),
    ),
    Guarantee(
        id="SRCH-03",
        promise="What can be found is what is stored, after any sequence of operations.",
        damage="The search answers what was edited away, and misses what was written instead.",
        unit="searches",
        least=30,
        needs=("search",),
    ),
    Guarantee(
        id="STATE-01",
        promise="What was set is read back, a later value wins, and nothing else changes.",
        damage="The assistant asks for the delivery address that it was given a minute ago.",
        unit="values",
        least=30,
        needs=("get_state", "set_state"),
    ),
    Guarantee(
        id="STATE-02",
        promise="Values that several clients set under different keys never lose each other.",
        damage="Two tools of one assistant end at the same time, and the result of one is gone.",
        unit="values",
        least=30,
        needs=("get_state", "set_state"),
        claim=TOGETHER,
    ),
    Guarantee(
        id="STATE-03",
        promise="State that is written together with messages is there with them, or not at all, "
        "also after a crash.",
        damage="The order is noted as sent, and the message that says so is missing: it is sent "
        "again.",
        unit="states",
        least=20,
        needs=("append_with_state",),
        claim=DURABLE,
    ),
    Guarantee(
        id="SEC-01",
        promise="No input is run as SQL, a path, a template or a format.",
        damage="A user writes a quote and a semicolon, and every chat is gone.",
        unit="inputs",
        least=30,
    ),
    Guarantee(
        id="SEC-02",
        promise="A store that keeps files stays inside its directory, whatever the ids and texts.",
        damage="A session named ../../etc/cron.d/job writes a file there.",
        unit="inputs",
        least=10,
    ),
    Guarantee(
        id="SEC-03",
        promise="Two sessions named by the store are two sessions, also when their first messages "
        "are equal.",
        damage="Two users who begin with hi read each other's chat.",
        unit="sessions",
        least=4,
        needs=("create",),
        claim=OWN_IDS,
    ),
    Guarantee(
        id="SEC-04",
        promise="Passwords and tokens are never kept or told in clear; nobody gets in with a wrong "
        "password, or with a token that ran out or was revoked.",
        damage="Whoever reads a backup signs in as every user, and signing out on a lost phone "
        "does not end it.",
        unit="attempts",
        least=20,
        needs=("add_user", "sign_in", "whose"),
    ),
    Guarantee(
        id="SEC-05",
        promise="New files are readable by their owner alone.",
        damage="Everybody with an account on the machine reads every conversation.",
        unit="files",
        least=1,
        claim=PRIVATE,
    ),
    Guarantee(
        id="SCALE-01",
        promise="An append costs the same in a session of 100,000 messages as in one of 1,000.",
        damage="The longer a chat goes on, the longer each answer takes to be saved, until it "
        "times out.",
        unit="rounds",
        least=20,
    ),
    Guarantee(
        id="SCALE-02",
        promise="The newest messages, a page and the facts of a session cost the same however "
        "many messages it has, and however many sessions there are.",
        damage="The service is fast in its first week, and each week of conversations makes it "
        "slower for everybody.",
        unit="rounds",
        least=20,
        needs=("read_last|page|get",),
    ),
    Guarantee(
        id="SCALE-03",
        promise="Memory stays flat while a long session is read page by page, and while calls are "
        "repeated.",
        damage="The service grows by a few megabytes an hour, and is killed in the night.",
        unit="calls",
        least=100,
    ),
    Guarantee(
        id="SCALE-04",
        promise="A session of 100,000 messages is read back whole, in order, and counted right.",
        damage="A chat works for months; then its oldest messages are gone, or its totals are "
        "wrong.",
        unit="messages",
        least=1_000,
    ),
    Guarantee(
        id="PERF-01",
        promise="No operation costs more than the store claims, measured against raw SQLite in "
        "the same rounds.",
        damage="A release makes each message twice as dear to save, and nobody sees it before the "
        "bill.",
        unit="rounds",
        least=20,
    ),
    Guarantee(
        id="PERF-02",
        promise="No query of an append, a look-up or a page scans a table or sorts in a temporary "
        "tree.",
        damage="An index is forgotten, and every message reads the whole table.",
        unit="statements",
        least=2,
    ),
    Guarantee(
        id="PERF-04",
        promise="To list sessions or to read messages takes a constant number of statements, "
        "however many there are.",
        damage="The list of chats runs a query for each chat, and takes seconds for a busy user.",
        unit="calls",
        least=2,
    ),
)

GUARANTEES: dict[str, Guarantee] = {row.id: row for row in _ROWS}
