"""Scripts of handles that are closed, or that more threads use than they have connections."""

from __future__ import annotations

from sessionproof.scripts.sweeps import Setting

_HANG = "faulthandler.dump_traceback_later({}, exit=True)  # no answer"


def crowd_lines(setting: Setting, clients: int, answer_s: float) -> list[str]:
    """Lines that fail while calls of many threads on one handle do not end."""
    return [
        *_begun(setting),
        "def work(number):",
        "    ready.wait(60)",
        "    for count in range(4):",
        "        text = f'{number}, {count}'",
        "        with suppress(Exception):  # it may be refused",
        f"            store.append(session, [{setting.message}])",
        "        with suppress(Exception):",
        "            store.read(session)",
        f"ready = threading.Barrier({clients})",
        f"threads = [threading.Thread(target=work, args=(at,)) for at in range({clients})]",
        _HANG.format(f"{answer_s:g}"),
        *_run(),
        "text = 'afterwards'",
        f"store.append(session, [{setting.message}])",
        "assert store.read(session)[-1].content == 'afterwards'",
        "faulthandler.cancel_dump_traceback_later()",
    ]


def closed_lines(setting: Setting, clients: int, answer_s: float) -> list[str]:
    """Lines that fail while a handle that is closed hangs, or acknowledges what it does not keep.

    So many ``clients`` use it at once while it is closed; with none of them it is used afterwards.
    """
    return [
        "for attempt in range(20):",
        "    location = Location(Path(tempfile.mkdtemp()))",
        "    used = open_store(location)",
        *(f"    {line.replace('store.', 'used.')}" for line in _begun(setting)),
        "    def work(number):",
        "        for count in range(10):",
        "            text = f'{number}, {count}'",
        "            try:",
        f"                used.append(session, [{setting.message}])",
        "            except Exception:",
        "                return  # it is refused",
        "            kept.append(text)",
        "    kept = []",
        f"    threads = [threading.Thread(target=work, args=(at,)) for at in range({clients})]",
        f"    {_HANG.format(f'{answer_s:g}')}",
        *(f"    {line}" for line in _run()[:2]),
        "    used.close()",
        *(f"    {line}" for line in _run()[2:]),
        "    work('afterwards')",
        "    faulthandler.cancel_dump_traceback_later()",
        "    other = open_store(location)",
        "    there = [one.content for one in other.read(session)]",
        "    other.close()",
        "    gone = [text for text in kept if text not in there]",
        "    assert not gone, f'{len(gone)} messages were acknowledged, and are gone'",
    ]


def _begun(setting: Setting) -> list[str]:
    return [
        "name = text = 's0'",
        f"session = {setting.made.replace('maker', 'store')}",
        f"store.append(session, [{setting.message}])",
    ]


def _run() -> list[str]:
    return [
        "for thread in threads:",
        "    thread.start()",
        "for thread in threads:",
        "    thread.join()",
    ]
