"""Stores imported under control: what their modules begin and keep is managed, too."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from functools import partial
from types import ModuleType

from sessionproof.contract.lookup import StoreSpec, find_store
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import QUIET, Ended, Usual
from sessionproof.schedule.locks import patched
from sessionproof.schedule.managed import lasting


def imported(
    store: str | Callable[[], StoreSpec],
    controller: Controller | None = None,
    *,
    modules: Collection[str] = (),
) -> StoreSpec:
    """The store of this name, or what is answered, found as a task of the controller.

    This thread is the task. What modules that are new, and ``modules``, took from others by name
    is under control as well. Raises StoreNotFound, and RuntimeError where it waits for ever.
    """
    before = {*sys.modules}
    find = partial(find_store, store) if isinstance(store, str) else store
    spec = find() if controller is None else _as_task(find, controller)
    for name in {*sys.modules} - before | {*modules}:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            patched(module)
    return spec


def _as_task(find: Callable[[], StoreSpec], controller: Controller) -> StoreSpec:
    found: list[StoreSpec] = []

    def drive() -> None:
        if controller.run({QUIET}) is Ended.DEADLOCK:
            controller.give_up()

    controller.begin(Usual())
    task = controller.add(QUIET, "the import")
    driver = threading.Thread(target=drive, daemon=True)
    driver.start()
    controller.work(task, lambda: found.append(find()))
    driver.join()
    if not found:
        raise RuntimeError("the store cannot be imported: everybody waits")
    controller.give_up(spared=lasting(controller.tasks))
    controller.go_on()
    return found[0]
