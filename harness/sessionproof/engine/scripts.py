"""The text of a reproducer: a finding's script, with the imports and the opening that it needs."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import keyword
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import sessionproof
from sessionproof.contract.guarantees import Guarantee
from sessionproof.contract.lookup import SCHEMES, STORES
from sessionproof.contract.verdicts import Finding
from sessionproof.report.brief import brief
from sessionproof.report.plain import cut, shown
from sessionproof.scripts.clients import START

HOLDS = "holds now"  # what a script says last when the store is mended
HELD = f"{HOLDS}; it did not fail when it was written either: no proof that it is mended"
_WIDTH = 100
_TOLD_MOST = 300
_AUDITS = {
    "counter_problems": "sessionproof.audit.tables",
    "orphan_problems": "sessionproof.audit.tables",
    "unread_problems": "sessionproof.audit.tables",
    "sequence_problems": "sessionproof.audit.sequence",
}  # SQL that reads the store's own tables
_FROM = {"Path": "pathlib", "Sequence": "collections.abc", "closing": "contextlib",
         "namedtuple": "collections", "suppress": "contextlib"}  # fmt: skip
_ENDED = '''def ended(*raised):
    """Say it and end: a thread that the store left would keep the process for ever."""
    traceback.print_exception(*raised)
    sys.stdout.flush()
    os._exit(1)


sys.excepthook = ended


'''  # for stores that are awaited: many have such threads, and no script closes what fails


def source_of(
    store: str,
    guarantee: Guarantee,
    finding: Finding,
    file: Path,
    paths: Sequence[str] = (),
    *,
    times: int = 1,
    held: bool = False,
) -> str:
    """The file that shows the finding against the store of this name.

    ``file`` is where it will lie, by the path that a person types. ``paths`` are entries of the
    import path beside the folder from which it is started. What does not show every time is tried
    so many ``times``, each on an empty location. ``held`` says that it did not fail when it was
    tried, so that it proves nothing later.
    """
    last = HELD if held else HOLDS
    body = "\n".join(finding.script)
    if stands_alone(finding):
        script = f"{_ENDED if 'asyncio.run(' in body else ''}{body}\n    print({last!r})"
        top = _top(store, guarantee, finding, file, paths, script, held=held)
        return "\n".join([*top, "", "", script, ""])
    location = "tempfile.mkdtemp()"
    if starts_itself(finding):
        location = f"sys.argv[1] if sys.argv[1:] else {location}"
    opening = f"location = Location(Path({location}))"
    if "directory" in body:
        opening += "\ndirectory = location.root"
    defined = ""
    if _awaits(body):
        parameters = ", ".join(name for name in ("location", "directory") if name in body)
        defined = f"{_ENDED}async def main({parameters}):\n{_indented(body)}\n\n\n"
        body = f"asyncio.run(main({parameters}))"
    script = f"{opening}\n{body}"
    if times > 1:
        script = (
            f"for attempt in range({times}):  # it does not show every time\n{_indented(script)}"
        )
    script = f"{defined}{script}\nprint({last!r})"
    apart = ["", ""] if defined else [""]
    top = _top(store, guarantee, finding, file, paths, script, held=held)
    return "\n".join([*top, *apart, script, ""])


def _top(
    store: str,
    guarantee: Guarantee,
    finding: Finding,
    file: Path,
    paths: Sequence[str],
    script: str,
    *,
    held: bool,
) -> Iterator[str]:
    """What stands above the script: what it is about, and the imports that it needs."""
    yield from _head(guarantee, finding, file, held=held)
    yield from _standard(script)
    yield ""
    yield f"sys.path[:0] = {['', *paths]}  # the folder where it is started, as in the run"
    if "open_store" in _names(script):  # else it is named alone, and not imported yet
        yield from _store(store)
    if "STORE" in _names(script):
        yield f"STORE = {store!r}"
    yield f"from sessionproof import {', '.join(_of_the_contract(script))}"
    for name in sorted(_names(script) & {*_AUDITS}):
        yield f"from {_AUDITS[name]} import {name}"


def stands_alone(finding: Finding) -> bool:
    """Whether the script opens its locations itself, for as many attempts as it needs."""
    return START in finding.script


def starts_itself(finding: Finding) -> bool:
    """Whether the script goes on in another process, on the same data."""
    return any("sys.argv" in line for line in finding.script)


def _indented(lines: str) -> str:
    return textwrap.indent(lines, "    ")


def _head(guarantee: Guarantee, finding: Finding, file: Path, *, held: bool) -> Iterator[str]:
    def told(text: str, start: str = "", indent: str = "          ") -> str:
        harmless = shown(text).replace("\\", "\\\\").replace('"""', "'''")
        return textwrap.fill(
            harmless, _WIDTH, initial_indent=start, subsequent_indent=indent,
            break_on_hyphens=False,
        )  # fmt: skip

    yield told(f"{guarantee.id}: {guarantee.promise}", '"""', "")
    yield ""
    yield told(f"expected: {cut(brief(finding.expected), _TOLD_MOST)}")
    yield told(f"seen:     {cut(brief(finding.seen), _TOLD_MOST)}")
    if finding.at:
        yield told(f"at:       {cut(finding.at, _TOLD_MOST)}")
    yield ""
    if held:
        yield "It did not fail when it was written: that it does not is no proof that it is mended."
    else:
        yield f"It fails as long as the store does that, and says {HOLDS!r} once it is mended:"
    yield ""
    yield f"    python {shown(str(file))}".replace("\\", "\\\\")
    yield '"""'
    yield ""


def _standard(source: str) -> list[str]:
    """The imports from the standard library that the source needs."""
    tree = ast.parse(source)
    names = _names(source)
    set_here = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    modules = {"sys"} | {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in sys.stdlib_module_names - set_here
    }
    parts = {name: _FROM[name] for name in names & _FROM.keys()}
    lines = [f"import {name}" for name in sorted(modules)]
    for module in sorted(set(parts.values())):
        listed = ", ".join(sorted(name for name, home in parts.items() if home == module))
        lines.append(f"from {module} import {listed}")
    return lines


def _of_the_contract(source: str) -> list[str]:
    return sorted(_names(source) & set(sessionproof.__all__))


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _store(name: str) -> list[str]:
    """The lines that name the store's factory ``open_store``, as the lookup finds it."""
    scheme, colon, rest = name.partition(":")
    schemes = {point.name: point for point in importlib.metadata.entry_points(group=SCHEMES)}
    if colon and scheme in schemes:
        point = schemes[scheme]
        return [
            f"from {point.module} import {point.attr}",
            f"open_store = {point.attr}({rest!r})",
        ]
    registered = {point.name: point for point in importlib.metadata.entry_points(group=STORES)}
    module, attribute = scheme, rest
    if name in registered:
        module, attribute = registered[name].module, registered[name].attr
    if all(part.isidentifier() and not keyword.iskeyword(part) for part in module.split(".")):
        if "." not in attribute:
            return [f"from {module} import {attribute} as open_store"]
        return [f"import {module}", f"open_store = {module}.{attribute}"]
    return ["import importlib", f"open_store = importlib.import_module({module!r}).{attribute}"]


def _awaits(body: str) -> bool:
    """Whether the lines await anything, outside of a function of their own."""
    code = compile(body, "script", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return bool(code.co_flags & inspect.CO_COROUTINE)
