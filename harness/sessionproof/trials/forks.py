"""Scripts of handles that do not work: in another thread, and on both sides of a fork."""

from __future__ import annotations

from sessionproof.contract.operations import message_call
from sessionproof.trials.lines import made
from sessionproof.trials.single import Trial
from sessionproof.workload.texts import said
from sessionproof.workload.vocabulary import timed


def script_of_thread(trial: Trial, *, shared: bool) -> tuple[str, ...]:
    """Lines that append in a thread, on the handle of another one or on one of its own."""
    if {"append", "read", "open"} & trial.store.awaited:
        return ()
    mine = "store" if shared else "open_store(location)"
    return (
        *made(trial, "s0"),
        "errors = []",
        "def use():",
        "    try:",
        f"        {mine}.append(s0, [{message_call(timed(trial.words.samples[0], trial.claims))}])",
        "    except Exception as error:",
        "        errors.append(error)",
        "client = threading.Thread(target=use)",
        "client.start()",
        "client.join()",
        "assert not errors, errors",
    )


def script_of_fork(trial: Trial, *, inherits: bool, each: int) -> tuple[str, ...]:
    """Lines that fork, append on both sides, and look that all acknowledged texts are there once.

    None where the store is called in an event loop: it does not outlive a fork.
    """
    if {"append", "read", "open"} & trial.store.awaited:
        return ()
    sample = timed(trial.words.samples[0], trial.claims)
    if sample.kind == "tool_call":
        return ()
    message = message_call(said(sample, "TEXT", at_us=sample.created_at_us))
    message = message.replace("'TEXT'", "text")
    mine = "store" if inherits else "open_store(location)"
    return (
        *made(trial, "s0"),
        "def append(store, text):",
        "    for again in range(40):  # a conflict is tried again",
        "        try:",
        f"            return store.append(s0, [{message}])",
        "        except Conflict:",
        "            time.sleep(again / 10_000)",
        "    raise Conflict('each time')",
        "reading, writing = os.pipe()",
        "child = os.fork()",
        "if child == 0:",
        "    try:",
        f"        mine = {mine}",
        f"        for text in [f'child {{n}}' for n in range({each})]:",
        "            try:",
        "                append(mine, text)",
        "            except Exception as error:",
        "                print(type(error).__name__, error)  # a clear refusal is right",
        "            else:",
        "                os.write(writing, f'{text}\\n'.encode())",
        "    finally:",
        "        os._exit(0)",
        "os.close(writing)",
        f"kept = [f'parent {{n}}' for n in range({each})]",
        "for text in kept:",
        "    append(store, text)",
        "with os.fdopen(reading) as pipe:",
        "    kept += pipe.read().splitlines()",
        "os.waitpid(child, 0)",
        "texts = [message.content for message in store.read(s0)]",
        "assert sorted(texts) == sorted(kept), (texts, kept)",
        *([] if inherits else [f"assert len(kept) > {each}, 'the child was refused'"]),
    )
