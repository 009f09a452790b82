"""The tests of a user's ``class TestMyStore(SessionStoreSuite)``, in any pytest.

One run of the engine judges the store of a class, in processes and with a configuration of its
own, as ``sessionproof run`` does; the tests of the class tell what it said. So pytest's own process
never runs the store, and nothing of the user's settings can bend the run. Under pytest-xdist the
first worker that comes to a class judges it, and the others wait for what it says.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from sessionproof.contract.folders import private_folder
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.machine import lock
from sessionproof.contract.seed import fresh_seed
from sessionproof.contract.verdicts import Record, Verdict, record_from_json
from sessionproof.engine.addresses import reached
from sessionproof.engine.judge import LOG, judge
from sessionproof.engine.machine import cores, fast_folder, make_report_folder
from sessionproof.engine.plan import DEFAULT_PROFILE, BadUsage, make_plan, wanted_rows
from sessionproof.report.plain import shown
from sessionproof.report.result import EXITS_IN_ORDER, RunResult
from sessionproof.report.terminal import print_summary
from sessionproof.report.write import PAGE, RESULT, append_step_summary, read_result
from sessionproof.trials.single import told

_PROPERTY = "sessionproof_report"
_WORST_FIRST = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.HOLDS, Verdict.NOT_CLAIMED)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a run said of a class's store. ``refused`` is why there was none, in one line.

    ``report`` is its folder, ``known`` holds the reasons of known breaks by id.
    """

    refused: str = ""
    report: str = ""
    records: tuple[Record, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)

    def tell(self, guarantee: str, test: str) -> None:
        """End a test in pytest's words: it returns when its guarantee holds there."""
        if self.refused:
            pytest.skip(shown(f"not judged: {self.refused}"))
        own = [one for one in self.records if one.test.partition("[")[0] == test]
        if not own:
            pytest.skip(f"{Verdict.UNKNOWN.shown}: the run ended before it was judged")
        verdict = next(word for word in _WORST_FIRST if any(one.verdict is word for one in own))
        if verdict is Verdict.BROKEN:
            if guarantee in self.known:
                pytest.xfail(f"known: {self.known[guarantee]}")
            findings = [finding for one in own for finding in one.findings]
            promise = f"{guarantee}: {GUARANTEES[guarantee].promise}"
            lines = [promise, *map(told, findings)]
            pytest.fail(shown("\n".join(lines), lines=True), pytrace=False)
        if verdict is not Verdict.HOLDS:
            reasons = [one.reason for one in own if one.verdict is verdict]
            pytest.skip(shown(f"{verdict.shown}: {'; '.join(dict.fromkeys(reasons))}"))


@pytest.fixture(scope="class")
def sessionproof_class(request: pytest.FixtureRequest) -> Judged:
    """The judgement of a class, made before a fixture of a single test changes anything."""
    return request.config.stash[_CLASSES].of(request)


@pytest.fixture
def sessionproof_judged(request: pytest.FixtureRequest, sessionproof_class: Judged) -> Judged:
    """The judgement of a test's class."""
    request.config.stash[_CLASSES].told_by(request.node, request.cls, sessionproof_class)
    return sessionproof_class


def pytest_configure(config: pytest.Config) -> None:
    """Every session may meet such classes."""
    config.stash[_CLASSES] = Classes(config)
    config.pluginmanager.register(config.stash[_CLASSES], "sessionproof-classes")


class Classes:
    """What pytest calls: judges classes when their first test comes, and concludes at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._judged: dict[type, Judged] = {}
        self._untold: set[type] = set()  # judged here, and no test has told it yet
        self._results: dict[str, RunResult] = {}

    def of(self, request: pytest.FixtureRequest) -> Judged:
        """What the run of the requesting class said; it is run when nobody asked before."""
        kind = request.cls
        if kind not in self._judged:
            base = request.getfixturevalue("tmp_path_factory").getbasetemp().parent
            self._judged[kind], made = self._shared(kind, request.session, base)
            if made:
                self._untold.add(kind)
        return self._judged[kind]

    def told_by(self, item: pytest.Item, kind: type, judged: Judged) -> None:
        """The first test of a class hands the result on, or says why there is none."""
        if kind in self._untold:
            self._untold.remove(kind)
            if judged.refused:
                pytest.fail(shown(judged.refused), pytrace=False)
            item.user_properties.append((_PROPERTY, judged.report))

    def _shared(self, kind: type, session: pytest.Session, base: Path) -> tuple[Judged, bool]:
        """The judgement of a class, and whether it was made here and not by another worker."""
        worker = getattr(self._config, "workerinput", None)
        if worker is None:
            return self._run(kind, session), True
        key = f"{worker['testrunuid']} {kind.__module__} {kind.__qualname__}"
        answer = base / f"sessionproof-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
        with answer.with_suffix(".lock").open("w") as file:
            lock(file.fileno(), wait=True)  # given back by the system when the worker dies
            if answer.exists():
                value = json.loads(answer.read_text("utf-8"))
                records = tuple(map(record_from_json, value.pop("records")))
                return Judged(**value, records=records), False
            judged = self._run(kind, session)
            draft = answer.with_suffix(".draft")
            draft.write_text(json.dumps(asdict(judged)), "utf-8")
            draft.replace(answer)
        return judged, True

    def _run(self, kind: type, session: pytest.Session) -> Judged:
        option = self._config.option
        started_in = self._config.invocation_params.dir
        report = started_in / option.store_report / _folder(kind, session.items)
        baseline = getattr(kind, "baseline", None)
        accepted = getattr(kind, "accept_unknown", ())
        try:
            wanted_rows(accepted)
            with private_folder(fast_folder()) as directory, reached(store_name(kind)) as store:
                plan = make_plan(
                    store,
                    profile=option.store_profile or getattr(kind, "profile", DEFAULT_PROFILE),
                    seed=fresh_seed() if option.store_seed is None else option.store_seed,
                    directory=directory,
                    require=getattr(kind, "require", ()),
                    only=_guarantees(kind, session.items),
                    baseline=None if baseline is None else self._config.rootpath / baseline,
                )
                make_report_folder(report, "--store-report")
                made = judge(
                    plan, report, workers=cores(), follow=lambda _: None, accept_unknown=accepted
                )
        except BadUsage as error:
            return Judged(refused=f"{kind.__name__}: {error}")
        if made.result.interrupted:
            raise KeyboardInterrupt
        if made.never_started:
            return Judged(refused=f"no test ran; what pytest said is in {report / LOG}")
        if made.unwritten:
            return Judged(refused=made.unwritten)
        known = {} if plan.baseline is None else dict(plan.baseline.reasons)
        return Judged(report=str(report), records=made.records, known=known)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The run has deadlines of its own: pytest-timeout would end it with its first test."""
        if self._config.pluginmanager.hasplugin("timeout"):
            for item in items:
                if _guarantee(item) is not None:
                    item.add_marker(pytest.mark.timeout(0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Read the results whose tests were told, here or in a worker."""
        if hasattr(self._config, "workerinput"):
            return
        for name, folder in report.user_properties:
            if name == _PROPERTY and folder not in self._results:
                self._results[str(folder)] = read_result(Path(str(folder)) / RESULT)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A result that no failed test explains still decides: what could not be told, say."""
        codes = [one.exit_code for one in self._results.values()]
        if codes and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = min(codes, key=EXITS_IN_ORDER.index)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """A table of guarantees for each class; with ``-q`` what fails alone."""
        from rich.console import Console

        for folder, result in self._results.items():
            terminalreporter.section(f"sessionproof {Path(folder).name}")
            print_summary(result, Console(), brief=terminalreporter.verbosity < 0)
            terminalreporter.line(f"report: {Path(folder) / PAGE}")
            if unsaid := append_step_summary(result, os.environ):
                terminalreporter.line(f"sessionproof: {unsaid}")


def store_name(kind: type) -> str:
    """The name by which a child process finds the class's store; raises BadUsage."""
    store = getattr(kind, "store", None)
    if isinstance(store, str):
        return store
    remedy = "name it, as store = 'module:attr'"
    if store is None:
        raise BadUsage(f"it names no store: {remedy}")
    if not (inspect.isclass(store) or inspect.isfunction(store)):
        raise BadUsage(f"its store is a {type(store).__name__}, which has no name: {remedy}")
    module, name = store.__module__, store.__qualname__
    try:
        found = attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        found = None
    if found is not store:
        raise BadUsage(f"its store cannot be found as {module}:{name}: {remedy}")
    return f"{module}:{name}"


def _guarantee(item: pytest.Item) -> str | None:
    """The guarantee of a test that SessionStoreSuite gave its class."""
    return getattr(getattr(item, "function", None), "sessionproof_guarantee", None)


def _guarantees(kind: type, items: Iterable[pytest.Item]) -> tuple[str, ...]:
    """What is to be judged: the guarantees of the tests that were chosen."""
    chosen = [_guarantee(item) for item in items if getattr(item, "cls", None) is kind]
    return tuple(dict.fromkeys(name for name in chosen if name is not None))


def _folder(kind: type, items: Iterable[pytest.Item]) -> str:
    """The class's name; with its module where another class of the session has the same."""
    others = {item.cls for item in items if isinstance(item, pytest.Function) and item.cls}
    alone = sum(one.__name__ == kind.__name__ for one in others) < 2
    return kind.__name__ if alone else f"{kind.__module__}.{kind.__name__}"


_CLASSES = pytest.StashKey[Classes]()
