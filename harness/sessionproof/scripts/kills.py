"""Scripts that kill processes while they append, and look for what they had acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import message_call
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.expressions import Unwritable
from sessionproof.workload.texts import said

_ATTEMPTS = 40
_CALLS = 1_000  # of a client, more than it lives to make


def kill_script(
    sample: Message,
    claims: Claims,
    *,
    clients: int,
    threads: int,
    made: Sequence[str],
    hosted: bool,
) -> list[str]:
    """Lines that fail while something acknowledged is gone after SIGKILL.

    ``made`` are lines that make the session ``s0`` with an open ``store``, where it must be made.
    The clients are forks with so many ``threads``, or threads with a process each behind pipes if
    the store is ``hosted``. Raises Unwritable for stores of which a script cannot tell.
    """
    if sample.kind == "tool_call" or claims.limits.retention is not None:
        raise Unwritable("what is kept cannot be told by a few lines")
    message = message_call(said(sample, "TEXT", at_us=sample.created_at_us))
    append = f"mine.append(s0, [{message.replace(repr('TEXT'), 'text')}])"
    return [
        "store.close()",
        f"for attempt in range({_ATTEMPTS}):  # not every moment shows it",
        "    s0 = f's{attempt}'",
        *(indented(["store = open_store(location)", *made, "store.close()"]) if made else ()),
        *indented(_hosted(append, clients) if hosted else _forked(append, clients, threads)),
        "    try:",
        "        store = open_store(location)",
        "        texts = [message.content for message in store.read(s0)]",
        "        store.close()",
        "    except Exception as error:",
        "        raise AssertionError(f'unreadable after kill -9: {error!r}') from error",
        "    lost = [text for text in kept if text and text not in texts]",
        "    assert not lost, f'acknowledged, and lost by kill -9: {lost}'",
        "store = open_store(location)",
    ]


def _forked(append: str, clients: int, threads: int) -> Iterator[str]:
    yield "reading, writing = os.pipe()"
    yield "def work(client):"
    yield "    mine = open_store(location)"
    yield f"    for n in range({_CALLS}):"
    yield "        text = f'{client}: {n}'"
    yield f"        {append}"
    yield "        os.write(writing, f'{text}\\n'.encode())"
    yield "children = []"
    yield f"for client in range({clients}):"
    yield "    child = os.fork()"
    yield "    if child == 0:"
    yield "        try:"
    if threads > 1:
        yield f"            names = [(f'thread {{n}}',) for n in range({threads})]"
        yield "            mine = [threading.Thread(target=work, args=name) for name in names]"
        yield "            for one in mine:"
        yield "                one.start()"
        yield "            for one in mine:"
        yield "                one.join()"
    else:
        yield "            work(client)"
    yield "        finally:"
    yield "            os._exit(1)"
    yield "    children.append(child)"
    yield "os.close(writing)"
    yield "with os.fdopen(reading) as pipe:"
    yield "    kept = [pipe.readline().strip() for _ in range(1 + attempt)]"
    yield "    for child in children:"
    yield "        time.sleep(0.0003 * (attempt % 4))"
    yield "        os.kill(child, signal.SIGKILL)"
    yield "        os.waitpid(child, 0)"
    yield "    kept += pipe.read().splitlines()"


def _hosted(append: str, clients: int) -> Iterator[str]:
    yield f"stores = [open_store(location) for _ in range({clients})]"
    yield "kept = []"
    yield "def work(mine, client):"
    yield "    with suppress(Exception):  # its process is killed"
    yield f"        for n in range({_CALLS}):"
    yield "            text = f'{client}: {n}'"
    yield f"            {append}"
    yield "            kept.append(text)"
    yield "pairs = zip(stores, range(len(stores)))"
    yield "clients = [threading.Thread(target=work, args=pair) for pair in pairs]"
    yield "for one in clients:"
    yield "    one.start()"
    yield "while len(kept) <= attempt and any(one.is_alive() for one in clients):"
    yield "    time.sleep(0.0003)"
    yield "for one in stores:"
    yield "    one.kill()"
    yield "for one in clients:"
    yield "    one.join()"
