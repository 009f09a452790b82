"""A client: what it sends, and how it writes down whatever comes back."""

from __future__ import annotations

import asyncio

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, NotFound, Refused
from sessionproof.contract.message import Message, Page, Receipt, SessionInfo
from sessionproof.contract.operations import CRASH
from sessionproof.history import files
from sessionproof.history.columns import MISSING, NEVER, NONE, F, Type
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of, tokens_of
from sessionproof.host.process import ProcessEnded
from sessionproof.workload.client import ATTEMPTS, Client, Job, run, run_as_task
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech, speech

SPEECH = Speech(Message("user", "x"), counted=True)
ID = 1 << 8


class Scripted:
    """A store whose methods answer, or raise, what they are given one after the other."""

    def __init__(self, *answers):
        self.answers = [*answers]
        self.asked = []

    def __getattr__(self, name):
        def method(*arguments, **options):
            self.asked.append((name, arguments, options))
            answer = self.answers.pop(0)
            if issubclass(type(answer), BaseException):
                raise answer
            return answer

        return method


@pytest.fixture
def client(tmp_path):
    """Makes a client of one program against a store, and runs it; answers it and the history."""

    def make(store, *calls, ids=("s",), as_task=False, **options):
        job = Job(tuple(calls), client=0, clients=3, first=1, stride=1, budget_s=20.0)
        files.name_sessions(tmp_path, tuple(str(one) for one in ids))
        with Journal(tmp_path, 0) as journal:
            made = Client(
                job,
                store,
                journal,
                speech=options.pop("speech", SPEECH),
                ids=[*ids],
                capabilities=options.pop("capabilities", {"get", "count"}),
                as_task=as_task,
                **options,
            )
            if as_task:
                asyncio.run(run_as_task(made))
            else:
                run(made, asyncio.run)
        return made, files.load(tmp_path)

    return make


def _endings(history):
    """Type, length, value and error of each row, in their order."""
    rows = sorted(history.rows, key=lambda row: row["inv"])
    return [
        (Type(row["type"]), int(row["length"]), int(row["value"]), history.errors[row["error"]])
        for row in rows
    ]


def _messages(*ids):
    return (
        SPEECH.messages(ids[0], 1) if len(ids) == 1 else [SPEECH.messages(one, 1)[0] for one in ids]
    )


def test_messages_say_their_ids(client):
    """The messages of a call have the ids of its place in the program, one after the other."""
    store = Scripted(None, None)
    client(store, Call(F.APPEND, 0, 1), Call(F.APPEND, 0, 3))
    ((_, (_, one), _), (_, (_, three), _)) = store.asked
    assert [message.content for message in one] == [text_of(256)]
    assert [message.content for message in three] == [text_of(512 + at) for at in range(3)]
    assert [message.tokens for message in three] == [tokens_of(512 + at) for at in range(3)]


def test_tool_calls_say_it_in_their_arguments(client):
    """The id of a tool call, which has no text, is in its arguments, and is found there again."""
    sample = Message("assistant", None, kind="tool_call", name="n", call_id="c", arguments={})
    said = Speech(sample, counted=False)
    store = Scripted(None, said.messages(ID, 1))
    _, history = client(store, Call(F.APPEND, 0, 1), Call(F.READ, 0), speech=said)
    assert store.asked[0][1][1][0].arguments == {"text": text_of(ID)}
    read = history.rows[history.rows["f"] == F.READ][0]
    assert (read["length"], read["last"]) == (1, ID)


def test_times_rise_where_they_order_messages():
    """Each message has a later time than those before; where times order nothing there is none."""
    claims = Claims(order="timestamp", keeps={"content", "created_at_us"})
    told = speech([Message("user", "x")], claims)
    times = [message.created_at_us for first in (1, 900) for message in told.messages(first, 3)]
    assert times == sorted(set(times))
    assert speech([Message("user", "x")], Claims()).messages(1, 1)[0].created_at_us is None


ANSWERS = [
    (F.APPEND, None, (Type.OK, 0, NONE, "")),
    (F.APPEND, Receipt(seqs=[7]), (Type.OK, 0, 7, "")),
    (F.APPEND, Receipt(ids=["a"]), (Type.OK, 0, NONE, "")),
    (F.READ, [], (Type.OK, 0, NONE, "")),
    (F.READ, _messages(5, 6), (Type.OK, 2, NONE, "")),
    (F.READ, NotFound("gone"), (Type.OK, MISSING, NONE, "NotFound: gone")),
    (F.COUNT, NotFound("gone"), (Type.OK, MISSING, NONE, "NotFound: gone")),
    (F.APPEND, NotFound("gone"), (Type.FAIL, MISSING, NONE, "NotFound: gone")),
    (F.APPEND, Refused("full"), (Type.FAIL, 0, NONE, "Refused: full")),
    (F.DELETE, None, (Type.OK, 0, NONE, "")),
    (F.READ, OSError("disk"), (Type.INFO, 0, NONE, "OSError: disk")),
]


@pytest.mark.parametrize(("f", "answer", "ending"), ANSWERS)
def test_an_answer_is_written_down(client, f, answer, ending):
    """What each answer and each refusal means stands in the row."""
    store = Scripted(answer)
    _, history = client(store, Call(f, 0, 1 if f is F.APPEND else 0), capabilities={"count"})
    assert _endings(history) == [ending]


class _Hostile:
    """Whatever one asks of it raises."""

    def __getattribute__(self, name):
        raise RuntimeError(f"do not touch {name}")


class _Elements(list):
    def __iter__(self):
        raise SystemExit(3)


class _Treacherous(Message):
    def __getattribute__(self, name):
        raise KeyboardInterrupt


MALFORMED = [
    (F.READ, None),
    (F.READ, "text"),
    (F.READ, {"a": 1}),
    (F.READ, [{"role": "user", "content": "x"}]),
    (F.READ, [None]),
    (F.READ, 7),
    (F.READ, lambda: _Hostile()),
    (F.READ, _Elements([1])),
    (F.READ, lambda: [_Treacherous("user", "x")]),
    (F.READ, lambda: iter([])),
    (F.COUNT, True),
    (F.COUNT, "3"),
    (F.COUNT, None),
    (F.COUNT, 2.0),
    (F.COUNT, -1),
    (F.COUNT, -5),
    (F.APPEND, 3),
    (F.APPEND, lambda: _Hostile()),
    (F.APPEND, Receipt(seqs=[True])),
    (F.APPEND, Receipt(seqs=[1, 2])),
    (F.APPEND, Receipt(seqs="1")),
    (F.APPEND, lambda: Receipt(seqs=_Hostile())),
    (F.CREATE, None),
    (F.PAGES, []),
    (F.PAGES, Page([], next=True)),
    (F.PAGES, Page([], next=1.5)),
    (F.PAGES, Page(None)),
]


@pytest.mark.parametrize(("f", "answer"), MALFORMED)
def test_what_is_no_answer_is_unknown(client, f, answer):
    """Nothing of it is judged, nothing of it escapes, and the client goes on as another one."""
    store = Scripted(answer() if callable(answer) else answer, None)
    n = 1 if f in (F.APPEND, F.PAGES) else 0
    _, history = client(store, Call(f, 0, n), Call(F.DELETE, 0), capabilities={"count"})
    (type_, _, _, error), after = _endings(history)
    assert type_ is Type.INFO
    assert error.startswith("malformed-answer: ")
    assert after == (Type.OK, 0, NONE, "")
    assert sorted(history.rows["client"]) == [0, 3]
    assert history.rows["ret"].max() == NEVER


class _Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "error",
    [_Unspeakable(), KeyboardInterrupt(), SystemExit(0), StopIteration(), GeneratorExit(),
     asyncio.CancelledError(), RecursionError(), StopAsyncIteration()],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("as_task", [False, True])
def test_whatever_is_raised_is_unknown(client, error, as_task):
    """No exception of a store ends its client, whether it comes at once or when it is awaited."""

    async def awaited():
        raise error

    for first in (error, awaited()):
        store = Scripted(first, None)
        _, history = client(store, Call(F.APPEND, 0, 1), Call(F.DELETE, 0), as_task=as_task)
        assert [ending[0] for ending in _endings(history)][-2:] == [Type.INFO, Type.OK]


def test_texts_that_nobody_sent_are_kept(client):
    """A message without a text, and one with another, have the id 0, and are shown as odd."""
    store = Scripted([Message("user", None), Message("user", {"a": 1}), Message("user", "hello")])
    _, history = client(store, Call(F.READ, 0))
    assert [text for _, text in history.odd] == ["(a NoneType)", "(a dict)", "hello"]


@pytest.mark.parametrize(
    ("messages", "seqs", "value"),
    [(2, [4, 5], 4), (2, [4, 6], NONE), (1, [9], 9)],
)
def test_numbers_that_do_not_follow_each_other_are_none(client, messages, seqs, value):
    """Without atomic batches, the numbers of another client may lie between them."""
    _, history = client(Scripted(Receipt(seqs=seqs)), Call(F.APPEND, 0, messages))
    assert _endings(history) == [(Type.OK, 0, value, "")]


def test_counts_come_from_both_methods_in_turn(client):
    """``get`` and ``count`` may differ in what they keep, so both are asked."""
    info = SessionInfo(session_id="s", message_count=4, total_tokens=17)
    store = Scripted(4, info)
    _, history = client(store, Call(F.COUNT, 0), Call(F.COUNT, 0))
    assert [name for name, _, _ in store.asked] == ["count", "get"]
    assert _endings(history) == [(Type.OK, 4, NONE, ""), (Type.OK, 4, 17, "")]


@pytest.mark.parametrize("facts", [{"message_count": -1}, {"message_count": 1, "total_tokens": -1}])
def test_a_fact_below_zero_is_no_answer(client, facts):
    """A history has other meanings for negative numbers: there, it would say something else."""
    store = Scripted(SessionInfo(session_id="s", **facts))
    _, history = client(store, Call(F.COUNT, 0), capabilities={"get"})
    ((type_, _, _, error),) = _endings(history)
    assert (type_, error.startswith("malformed-answer: ")) == (Type.INFO, True)


def test_a_count_that_is_not_kept_is_not_judged(client):
    """None in the place of a fact is no answer, and no fault either."""
    store = Scripted(SessionInfo(session_id="s"))
    _, history = client(store, Call(F.COUNT, 0), capabilities={"get"})
    assert _endings(history)[0][0] is Type.FAIL


def test_pages_are_read_to_their_end(client):
    """All pages are one read, whose times are those of the last call."""
    store = Scripted(Page(_messages(1, 2), next="a"), Page(_messages(3), next=2), Page([]))
    _, history = client(store, Call(F.PAGES, 0, 2))
    assert [options["cursor"] for _, _, options in store.asked] == [None, "a", 2]
    (row,) = history.rows
    assert (row["type"], row["length"], row["last"], row["n"]) == (Type.OK, 3, 3, 2)


def test_a_cursor_that_leads_back_is_malformed(client):
    """Paging that never ends is found after one turn."""
    store = Scripted(*[Page(_messages(1), next="again")] * 3)
    _, history = client(store, Call(F.PAGES, 0, 2))
    assert _endings(history)[0][3] == (
        "malformed-answer: the cursor 'again' leads back: paging never ends"
    )
    assert len(store.asked) == 2


@pytest.mark.parametrize("as_task", [False, True])
def test_conflicts_are_tried_again_with_a_bound(client, as_task):
    """Each attempt is a row of its own under the same id, and each sends the same messages."""
    store = Scripted(*[Conflict("busy")] * ATTEMPTS, None)
    _, history = client(store, Call(F.APPEND, 0, 1), Call(F.DELETE, 0), as_task=as_task)
    appends = history.rows[history.rows["f"] == F.APPEND]
    assert len(appends) == ATTEMPTS
    assert set(appends["id"]) == {ID}
    assert set(appends["type"]) == {Type.FAIL}
    assert len({str(arguments) for name, arguments, _ in store.asked if name == "append"}) == 1


def test_a_taken_name_is_not_tried_again(client):
    """A creation that conflicts would conflict for ever."""
    store = Scripted(Conflict("taken"))
    _, history = client(store, Call(F.CREATE, 0))
    assert len(history.rows) == 1


def test_a_session_is_called_by_the_name_that_the_store_gave_it(client):
    """Nobody calls a session before it has a name."""
    store = Scripted("named-7", None)
    made, history = client(
        store, Call(F.READ, 0), Call(F.CREATE, 0), Call(F.DELETE, 0), ids=(None,), by_store=True
    )
    assert store.asked == [("create", (None,), {}), ("delete", ("named-7",), {})]
    assert made.ids == ["named-7"]
    assert sorted(history.rows["id"]) == [2 << 8, 3 << 8]


def test_a_client_stops_when_the_process_of_its_store_has_ended(client):
    """What would follow is only refused."""
    store = Scripted(ProcessEnded("it ended"), None)
    made, history = client(store, Call(F.APPEND, 0, 1), Call(F.DELETE, 0))
    assert made.stopped is not None
    assert made.stopped.failure.type == CRASH
    assert len(history.rows) == 1


def test_no_call_begins_after_the_time_of_a_round(tmp_path):
    """A slow store has fewer calls, and a round its end."""
    store = Scripted(None)
    job = Job((Call(F.DELETE, 0),) * 3, client=0, clients=2, first=1, stride=1, budget_s=-1.0)
    with Journal(tmp_path, 0) as journal:
        run(Client(job, store, journal, speech=SPEECH, ids=["s"], capabilities=()), asyncio.run)
    assert store.asked == []


def test_tasks_take_turns_also_where_the_store_awaits_nothing(tmp_path):
    """Between two calls of one task the others have theirs."""
    said = []

    class Store:
        def __init__(self, name):
            self.name = name

        def delete(self, _):
            said.append(self.name)

    async def both():
        with Journal(tmp_path, 0) as one, Journal(tmp_path, 1) as two:
            clients = [
                Client(
                    Job((Call(F.DELETE, 0),) * 3, at, 3, 1 + at, 2, 20.0),
                    Store(at),
                    journal,
                    speech=SPEECH,
                    ids=["s"],
                    capabilities=(),
                    as_task=True,
                )
                for at, journal in enumerate((one, two))
            ]
            await asyncio.gather(*map(run_as_task, clients))

    asyncio.run(both())
    assert said == [0, 1, 0, 1, 0, 1]
