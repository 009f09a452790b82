"""Looks at a store in a process of its own: opens it, asks what it can, probes it if it is silent.

``python -m sessionproof.engine.describe STORE ANSWER.json OPEN_S OPERATION_S MEMORY FILE``, the
last two being limits in bytes, writes a JSON object: ``refused`` (one line) or claims, declared,
capabilities, version, notes, not_representable.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.contract.errors import NotRepresentable
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, StoreSpec, find_store
from sessionproof.contract.operations import Create
from sessionproof.contract.store import as_offered
from sessionproof.engine.limits import Limits, hold
from sessionproof.trials.probe import STRONGEST, probe, survives
from sessionproof.trials.probe_handles import opened_by_many
from sessionproof.trials.reopening import in_another_process
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.vocabulary import vocabulary


def describe(store: str, deadlines: Deadlines, directory: Path, write: Any) -> None:
    """Write what the store is; a store that ends the process leaves what was written before."""
    try:
        spec = find_store(store)
    except StoreNotFound as error:
        write({"refused": str(error)})
        return
    location = Location(Path(tempfile.mkdtemp(prefix="described-", dir=directory)))
    try:
        handle = Handle(spec, location, deadlines=deadlines)
    except CannotOpen as error:
        write({"refused": f"{store} cannot be opened: {error}"})
        return
    claims = handle.claims
    # Calls run the store: should it end the process here, the run goes on without.
    if claims is None:
        write(_seen(spec, handle, STRONGEST, ["probing ended the store's process"]))
        claims = probe(handle)
    if "create" in handle.capabilities and claims.limits.first_messages:
        write(_seen(spec, handle, claims, ["making a session ended the store's process"]))
        claims = _with_first_messages(spec, handle, claims)
    if handle.claims is None:
        write(_seen(spec, handle, claims, ["probing ended when the store was opened again"]))
        claims = _by_many(spec, location, deadlines, handle, claims)
        write(_seen(spec, handle, claims, ["probing ended when the store was opened again"]))
        claims = survives(handle, lambda: Handle(spec, location, deadlines=deadlines), claims)
    if claims.missing_session == "refuses" and "create" not in handle.capabilities:
        write({"refused": f"{store} claims missing_session=refuses but has no method create"})
        return
    write(_seen(spec, handle, claims, []))
    handle.close()


def _with_first_messages(spec: StoreSpec, handle: Handle, claims: Claims) -> Claims:
    """The claims with whether a creation takes messages: what it has no place for is not owed.

    Any other answer than that is for the suites.
    """
    looked = handle.lend("look at create", lambda store, _: as_offered(claims, store))
    claims, samples = looked.value or claims, vocabulary(spec, claims).samples
    if not claims.limits.first_messages or not samples:
        return claims
    named = None if claims.session_ids == "store" else "described-with-messages"
    failure = handle.invoke(Create("s", samples[:1]), named).failure
    if failure is None or failure.type != NotRepresentable.__name__:
        return claims
    return replace(claims, limits=replace(claims.limits, first_messages=False))


def _by_many(
    spec: StoreSpec, location: Location, deadlines: Deadlines, handle: Handle, claims: Claims
) -> Claims:
    """The claims with who may open the location beside the handle."""
    return opened_by_many(
        handle,
        lambda: Handle(spec, location, deadlines=deadlines),
        lambda: in_another_process(spec, location, deadlines),
        claims,
        awaits=bool(handle.awaited & {"append", "read"}),
    )


def _seen(spec: StoreSpec, handle: Handle, claims: Any, notes: list[str]) -> dict[str, Any]:
    return {
        "claims": claims_to_json(claims),
        "declared": handle.claims is not None,
        "capabilities": sorted(handle.capabilities),
        "version": handle.version,
        "not_representable": list(vocabulary(spec, claims).refused),
        "notes": notes,
    }


def main() -> None:
    """Read the arguments, and never run longer than the deadlines together allow."""
    store, answer, open_s, operation_s, memory, file = sys.argv[1:]
    hold(Limits(memory=int(memory), file=int(file)))
    deadlines = Deadlines(open_s=float(open_s), operation_s=float(operation_s))
    # A hang in C with the interpreter locked stops every timer but this one.
    faulthandler.dump_traceback_later(2 * deadlines.open_s, exit=True)

    def write(value: dict[str, Any]) -> None:
        path = Path(answer)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(value), "utf-8")
        part.replace(path)

    describe(store, deadlines, Path(answer).parent, write)


if __name__ == "__main__":
    main()
