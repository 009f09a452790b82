"""The pytest plugin: runs the suites against the store under test, in workers alone.

``pytest --pyargs sessionproof_suites --store STORE`` and ``sessionproof run STORE`` end here. The
controller never runs the store: it plans, hands the plan to xdist's workers, and keeps account of
workers that died. Every record is also written to the worker's own file as soon as it is made.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import os
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.folders import private_folder
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.seed import derive, fresh_seed
from sessionproof.contract.verdicts import Finding, Record, Verdict, record_to_json
from sessionproof.engine import surroundings
from sessionproof.engine.addresses import reached
from sessionproof.engine.children import end_with_the_supervisor
from sessionproof.engine.crashes import crash_record, ended_after
from sessionproof.engine.imports import SUITES_PACKAGE, this_folder_counts, user_modules_first
from sessionproof.engine.judge import conclude, started
from sessionproof.engine.limits import hold
from sessionproof.engine.machine import make_report_folder
from sessionproof.engine.neighbours import no_benchmarks
from sessionproof.engine.plan import DEFAULT_PROFILE, STORES, TIMED, BadUsage, Plan, make_plan
from sessionproof.engine.records import Log, read_events
from sessionproof.engine.seeds import one_test_each, seed_of
from sessionproof.engine.settings import Settings, read_settings
from sessionproof.report.plain import shown
from sessionproof.report.result import EXIT_HOLDS
from sessionproof.report.terminal import print_summary
from sessionproof.report.write import append_step_summary
from sessionproof.trials.examine import examine, unmet
from sessionproof.trials.single import Trial, told
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import FlightRecorder

pytest_plugins = ["sessionproof.classes"]
_HANGS_MOST = 2  # after so many, further tests would only wait out their deadlines
_RESTARTS = 3  # workers that may die before the run is given up


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a plain pytest run, and the one by which ``sessionproof run`` hands a plan."""
    group = parser.getgroup("sessionproof", "judging a chat-session store")
    group.addoption("--store", help="the store under test: module:attr, a known name, cmd:COMMAND")
    group.addoption("--store-profile", help="smoke, gate (the default) or deep")
    group.addoption("--store-seed", type=int, help="the seed that repeats a run")
    group.addoption("--store-baseline", help="TOML file of known breaks with their reasons")
    group.addoption("--store-report", default="sessionproof-report", help="folder of the report")
    group.addoption("--store-plan", help="a plan made by sessionproof run")
    group.addoption("--store-timed", choices=TIMED, default="no", help="whether timed tests run")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Make sure that there are workers: a store may end the process that runs it."""
    if not _is_worker(config) and _chosen(config).store:
        if not hasattr(config.option, "numprocesses"):
            raise pytest.UsageError("stores are run in workers of pytest-xdist: drop -p no:xdist")
        if not config.option.numprocesses:
            config.option.numprocesses = 1
        if config.option.maxworkerrestart is None:
            config.option.maxworkerrestart = str(_RESTARTS)
        no_benchmarks(config)
    elif _is_worker(config) and config.workerinput.get("sessionproof_plan"):  # type: ignore[attr-defined]
        no_benchmarks(config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Plan the run (controller) or take the plan over (worker)."""
    config.addinivalue_line("markers", "guarantee(id): the guarantee that the test judges")
    config.addinivalue_line("markers", "timed: measures time; runs alone after all other tests")
    if _is_worker(config):
        handed = config.workerinput.get("sessionproof_plan")  # type: ignore[attr-defined]
        if handed:
            config.args += config.workerinput["sessionproof_suites"]  # type: ignore[attr-defined]
            _start_runner(config, Plan.from_json(json.loads(handed)))
        return
    plan = _plan(config)
    if plan is None:
        return
    end_with_the_supervisor()
    config.pluginmanager.register(_Controller(config, plan), "sessionproof-controller")


def _plan(config: pytest.Config) -> Plan | None:
    if config.option.store_plan:
        return Plan.from_json(json.loads(Path(config.option.store_plan).read_text("utf-8")))
    chosen = _chosen(config)
    if not chosen.store or config.option.collectonly:
        return None
    seed = config.option.store_seed
    within = ExitStack()
    config.add_cleanup(within.close)  # at the end of the session
    directory = within.enter_context(private_folder())
    try:
        make_report_folder(Path(config.option.store_report), "--store-report")
        return make_plan(
            within.enter_context(reached(chosen.store)),
            profile=config.option.store_profile or DEFAULT_PROFILE,
            seed=fresh_seed() if seed is None else seed,
            directory=directory,
            baseline=chosen.baseline,
        )
    except BadUsage as error:
        raise pytest.UsageError(shown(str(error))) from None


def _chosen(config: pytest.Config) -> Settings:
    """What the command line names, or pyproject.toml where the suites are run."""
    option = config.option
    given = None if option.store_baseline is None else Path(option.store_baseline)
    if option.store or option.store_plan:
        return Settings(store=option.store or option.store_plan, baseline=given)
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    suites = any(SUITES_PACKAGE in argument for argument in config.args)
    settings = Settings()
    if everything or suites:
        try:
            settings = read_settings(config.rootpath / "pyproject.toml")
        except BadUsage as error:
            raise pytest.UsageError(shown(str(error))) from None
    if given is not None and settings.store is None:
        raise pytest.UsageError("--store-baseline lists breaks of one store: name it by --store")
    return replace(settings, baseline=given or settings.baseline)


def _suites_of_pyproject(config: pytest.Config) -> list[str]:
    """A bare ``pytest`` where pyproject.toml names a store runs the suites too.

    Workers get them by themselves: xdist hands on the arguments that were typed, no others.
    """
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return []
    found = importlib.util.find_spec(SUITES_PACKAGE)
    return list(found.submodule_search_locations or []) if found else []


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _start_runner(config: pytest.Config, plan: Plan) -> None:
    worker = os.environ["PYTEST_XDIST_WORKER"]
    worker = f"timed-{worker}" if config.option.store_timed == "only" else worker  # own files
    this_folder_counts()
    if config.option.store_plan:  # else other tests share this process, with needs of their own
        hold(plan.limits)
    config.pluginmanager.register(_Runner(config, plan, worker), "sessionproof-runner")


class _Controller:
    """What the process without the store does: hand on the plan, note the dead, conclude."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._started = started(plan.directory)
        self._log = Log(plan.directory, "controller")
        self._crashes = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give the plan to a worker."""
        node.workerinput["sessionproof_plan"] = json.dumps(self._plan.to_json())
        node.workerinput["sessionproof_suites"] = _suites_of_pyproject(self._config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """A worker died while it ran this test: a finding, with what it was doing."""
        events = read_events(self._plan.directory)
        begun = [one for one in events if one.get("nodeid") == crashitem]
        if not begun:
            return
        record = crash_record(begun[-1], self._plan)
        self._log.write(record_to_json(record))
        if record.verdict is Verdict.UNKNOWN:
            report.outcome, report.longrepr = "skipped", (crashitem, 0, shown(record.reason))
        else:
            report.longrepr = _spoken(record.findings)
        if record.findings and record.guarantee in _known(self._plan):
            report.outcome, report.wasxfail = "skipped", _known(self._plan)[record.guarantee]
        self._crashes += 1
        if self._crashes > _RESTARTS:
            ended = f"{self._crashes} processes ended in tests of the store"
            self._log.write({"event": "note", "text": f"{ended}: the rest was not examined"})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say that the run came to its end; in a plain pytest run, conclude and report."""
        if self._config.option.store_plan:
            name = "finished-timed" if self._config.option.store_timed == "only" else "finished"
            (self._plan.directory / name).write_text(str(int(session.exitstatus)), "utf-8")
            return
        directory = self._plan.directory
        chosen = {name for one in read_events(directory) for name in one.get("guarantees", ())}
        self._concluded = conclude(
            replace(self._plan, only=tuple(name for name in self._plan.only if name in chosen)),
            Path(self._config.option.store_report),
            self._started,
            workers=self._config.option.numprocesses,
            interrupted=session.exitstatus == pytest.ExitCode.INTERRUPTED,
        )
        if session.exitstatus == pytest.ExitCode.OK and self._concluded.exit_code != EXIT_HOLDS:
            session.exitstatus = self._concluded.exit_code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The table of guarantees, after a plain pytest run."""
        if not self._config.option.store_plan:
            from rich.console import Console

            terminalreporter.section("sessionproof")
            print_summary(self._concluded.result, Console(), brief=terminalreporter.verbosity < 0)
            terminalreporter.line(self._concluded.where)
            if unsaid := append_step_summary(self._concluded.result, os.environ):
                terminalreporter.line(f"sessionproof: {unsaid}")


class _Runner:
    """What a worker does: run each test as a trial, and keep its record."""

    def __init__(self, config: pytest.Config, plan: Plan, worker: str) -> None:
        self._timed_tests = config.option.store_timed
        self._plan = plan
        self._worker = worker
        self._log = Log(plan.directory, worker)
        self._recorder = FlightRecorder(plan.directory / f"flight-{worker}.txt")
        self._stack = (plan.directory / f"stack-{worker}.txt").open("w")
        faulthandler.enable(self._stack)
        self._hangs = 0
        self._silent = True  # whether the test in hand has no record yet
        self._timed = 0  # tests for the second pass

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the guarantees that were asked for, and the tests of this pass."""
        wanted = [item for item in items if self._is_wanted(item)]
        timed = [item for item in wanted if item.get_closest_marker("timed")]
        others = [item for item in wanted if item not in timed]
        kept = {"no": others, "only": timed, "last": others + timed}[self._timed_tests]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
        self._timed = len(timed)

    def _is_wanted(self, item: pytest.Item) -> bool:
        row = _guarantee(item)
        return self._timed_tests != "only" if row is None else row in self._plan.only

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """With several seeds, a test for each of them."""
        one_test_each(metafunc, self._plan)

    @pytest.fixture
    def trial(self, request: pytest.FixtureRequest) -> Generator[Trial, None, None]:
        """One test of one guarantee: the store on a fresh location, claims, budget, seed."""
        seed = getattr(request, "param", self._plan.seed)
        row = GUARANTEES[_guarantee(request.node) or ""]
        user_modules_first(sys.path)
        store = StoreUnderTest(
            find_store(self._plan.store),
            self._plan.claims,
            parent=self._plan.directory / STORES,
            deadlines=self._plan.profile.deadlines,
            recorder=self._recorder,
        )
        yield Trial(
            guarantee=row,
            store=store,
            capabilities=frozenset(self._plan.capabilities),
            profile=self._plan.profile,
            seed=derive(seed, row.id, request.node.originalname),
            run_seed=seed,
        )
        store.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """The second ring: a hang that locks the interpreter ends this process, with a stack."""
        row = _guarantee(item)
        if row is None:
            return (yield)
        begun = {"event": "begun", "nodeid": item.nodeid, "guarantee": row, "worker": self._worker}
        self._log.write({**begun, "seed": seed_of(item, self._plan)})
        self._recorder.note("")
        test_s, self._silent = self._plan.profile.deadlines.test_s, True
        with ended_after(test_s, self._stack, self._plan.directory, self._worker, item.nodeid):
            answer = yield
        if self._silent:  # it ended before it came to its trial
            reason = "the test could not be begun: what pytest said of it is in the run's log"
            silent = Record(guarantee=row, test=item.name, verdict=Verdict.UNKNOWN, reason=reason)
            self._write(item, silent)
        return answer

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run a suite's test as a trial, keep its record, and tell pytest in its own words."""
        trial = pyfuncitem.funcargs.get("trial")
        if not isinstance(trial, Trial):
            return None
        record = self._record(pyfuncitem, trial)
        if any(finding.anomaly == Anomaly.HANG for finding in record.findings):
            self._hangs += 1
        self._write(pyfuncitem, record)
        pyfuncitem.user_properties.append(("sessionproof", json.dumps(record_to_json(record))))
        if record.verdict is Verdict.BROKEN:
            if record.guarantee in _known(self._plan):
                pytest.xfail(f"known: {_known(self._plan)[record.guarantee]}")
            pytest.fail(_spoken(record.findings), pytrace=False)
        if record.verdict is not Verdict.HOLDS:
            pytest.skip(shown(f"{record.verdict.shown}: {record.reason}"))
        return True

    def _write(self, item: pytest.Item, record: Record) -> None:
        self._silent = False
        self._log.write(record_to_json(replace(record, seed=seed_of(item, self._plan))))

    def _record(self, item: pytest.Function, trial: Trial) -> Record:
        unknown = Record(
            guarantee=trial.guarantee.id, test=item.name, verdict=Verdict.UNKNOWN,
            gated=trial.guarantee.is_gated(declared=self._plan.declared),
        )  # fmt: skip
        lacking = unmet(trial.guarantee, trial.capabilities, trial.claims)
        if self._hangs >= _HANGS_MOST and lacking is None:
            return replace(
                unknown, reason=f"not examined: the store hung in {self._hangs} tests before"
            )
        arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
        try:
            with surroundings.Kept() as changed:
                record = examine(
                    lambda _: item.obj(**arguments),
                    trial,
                    name=item.name,
                    declared=self._plan.declared,
                )
            notes = [surroundings.told(changed)] if changed else []
            return replace(record, notes=(*record.notes, *notes))
        except Exception as error:
            # A check that fails itself says nothing about the store, least of all that it holds.
            reason = f"the check itself failed: {type(error).__name__}: {error}"
            self._write(item, replace(unknown, reason=reason))
            raise

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say what is to be run, once all options have had their say."""
        names = sorted({name for name in map(_guarantee, session.items) if name})
        event = {"event": "collected", "tests": len(session.items), "guarantees": names}
        self._log.write({**event, "timed": self._timed})

    def pytest_sessionfinish(self) -> None:
        """Give the files back."""
        faulthandler.disable()
        self._recorder.close()
        self._stack.close()


def _spoken(findings: Iterable[Finding]) -> str:
    """Findings in pytest's terminal, which shows them as they are."""
    return shown("\n".join(map(told, findings)), lines=True)


def _known(plan: Plan) -> Mapping[str, str]:
    """The reasons of known breaks by their guarantee."""
    return {} if plan.baseline is None else plan.baseline.reasons


def _guarantee(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("guarantee")
    return marker.args[0] if marker is not None else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a store the suites have nothing to judge."""
    if _guarantee(item) and not item.config.pluginmanager.hasplugin("sessionproof-runner"):
        pytest.skip("no store under test: give one with --store")


@pytest.fixture
def trial() -> None:
    """Stands in where no store was named; a run with a store has its own."""
    return
