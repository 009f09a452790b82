"""Lines of scripts that start clients, in threads or in processes, and let them end."""

from __future__ import annotations

from collections.abc import Iterator

WITH_PARENT = (  # a script that gave up on a call that hangs leaves no process behind
    "    parent = multiprocessing.parent_process()",
    "    threading.Thread(target=lambda: os._exit(parent.join() or 1), daemon=True).start()",
)
START = "if __name__ == '__main__':"
ENDED = (
    "for order in orders:",
    "    order.put(None)",
    "for one in clients:",
    "    one.join()",
)


def started(processes: bool, each: str, number: str) -> Iterator[str]:
    """The lines that start a ``client`` for each of ``each``, expressions; ``number`` of them.

    Each takes its orders from a queue of its own; answers come in one for all.
    """
    if processes:
        yield "context = multiprocessing.get_context('spawn')"
        queue, barrier, start = "context.SimpleQueue", "context.Barrier", "context.Process"
    else:
        yield "sys.setswitchinterval(1e-5)  # threads take turns more often"
        queue, barrier, start = "queue.SimpleQueue", "threading.Barrier", "threading.Thread"
    yield f"orders, answers = [{queue}() for _ in {each}], {queue}()"
    yield f"ready = {barrier}({number})"
    yield "clients = ["
    yield f"    {start}(target=client, args=(number, order, ready, answers), daemon=True)"
    yield "    for number, order in enumerate(orders)"
    yield "]"
    yield "for one in clients:"
    yield "    one.start()"
