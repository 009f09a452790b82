"""Loads by workers: who dies, whose clock differs, and what is judged of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from loaded_stores import Right, Workers, within

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.store import capabilities_of
from sessionproof.history import files
from sessionproof.history.columns import ROW, F, History, Lists, Type
from sessionproof.trials.load_report import Run, exit_code, summary, write_load
from sessionproof.trials.load_verdict import judged_load, unrecorded
from sessionproof.trials.recorded_load import Part, Recorded, Submitted, Wanted, Wave
from sessionproof.trials.waves import Load
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.slices import here, number_of, origins_of
from sessionproof.workload.waves import Plot, drawn, rounds_beside

MS = 1_000_000
AHEAD = 300 * MS
"""Of a clock: longer than a wave of these tests takes, so that it surely shows."""


@pytest.fixture
def loaded(tmp_path):
    """Carries a load out by such workers; answers what was recorded, and the verdict."""

    def load(workers, *, store="loaded_stores:Right", operations=1_500, mix="hot", **changes):
        opened = find_store(store).open(Location(tmp_path))
        claims, capabilities = opened.claims, frozenset(capabilities_of(opened))
        opened.close()
        number = len([*tmp_path.glob("location-*")])
        root, folder = tmp_path / f"location-{number}", tmp_path / f"history-{number}"
        for made in (root, folder):
            made.mkdir()
        plot = Plot(
            seed=changes.pop("seed", 3),
            mix=mix,
            clients=2,
            claims=replace(claims, **changes),
            capabilities=capabilities,
            beside=rounds_beside(mix, 1),
        )
        wanted = Wanted(
            store=store,
            location=Location(root),
            deadlines=Deadlines(),
            plot=plot,
            seconds=60.0,
            operations=operations,
        )
        with workers:
            recorded = Load(wanted, workers, folder).run()
        return recorded, judged_load(recorded, plot, folder)

    return load


def anomalies(verdict):
    """What was found that the claims rule out."""
    return {told.incident.anomaly for told in verdict.breaks}


def shown_stale(loaded, **machines):
    """Whether one of three loads shows the stale store: a busy machine may hide it in one."""
    return any(
        Anomaly.STALE_READ
        in anomalies(loaded(Workers(**machines), store="loaded_stores:Stale", seed=seed)[1])
        for seed in (3, 4, 5)
    )


@pytest.mark.parametrize("mix", ["hot", "mixed", "counts", "pages", "batches", "writes"])
def test_a_right_store_holds(mix, loaded):
    """Every mix is judged whole, and nothing is found in it."""
    recorded, verdict = loaded(Workers(), mix=mix)
    assert not verdict.breaks
    assert not [one for one in verdict.unknown if "beside" not in one]
    assert recorded.made >= 1_500
    assert verdict.judged.examined["operations"] > recorded.made  # final reads too


def test_a_store_that_names_sessions_is_loaded(loaded):
    """Sessions that must be created first are, and are known by the names that the store gave."""
    changes = {"session_ids": "store", "missing_session": "refuses"}
    recorded, verdict = loaded(Workers(), store="loaded_stores:Named", **changes)
    assert not verdict.breaks
    assert verdict.judged.examined["appends"] > 300
    assert recorded.made > 1_500  # creations too


@pytest.mark.parametrize("loud", [False, True])
def test_what_a_lost_worker_wrote_is_no_break(loud, loaded):
    """Appends that nobody recorded are of unknown outcome: no phantoms, and nothing twice."""
    recorded, verdict = loaded(Workers(lost=(0, 2, 3), loud=loud))
    assert not verdict.breaks, verdict.breaks[0].sentence
    assert verdict.unrecorded > 50
    assert verdict.ended[Type.INFO] == verdict.unrecorded
    assert bool(recorded.deaths) == loud


def test_an_order_that_kills_every_worker_is_given_up(loaded):
    """Three deaths are told, and it cannot be told whether all is right."""
    recorded, verdict = loaded(Workers(lost=range(1_000), loud=True))
    assert recorded.given_up
    assert any("given up" in reason for reason in verdict.unknown)


def test_clients_that_never_meet_show_nothing(loaded):
    """Slices one after the other are no evidence: it could not be told whether all is right."""
    _, verdict = loaded(Workers(places=1))
    assert not verdict.breaks
    assert verdict.beside == 0
    assert any("100 are needed" in reason for reason in verdict.unknown)


@pytest.mark.parametrize("mix", ["mixed", "hot"])
@pytest.mark.parametrize(
    ("store", "text"),
    [("Refusing", "Refused: the disk is full"), ("Failing", "RuntimeError: the disk is gone")],
)
def test_a_store_that_takes_nothing_shows_nothing(store, text, mix, loaded):
    """However much is read, nothing was acknowledged that could have been lost."""
    _, verdict = loaded(Workers(), store=f"loaded_stores:{store}", mix=mix)
    assert not verdict.breaks
    assert verdict.failures.most_common(1) == [(text, verdict.appends.total())]
    assert any("appends were acknowledged" in reason for reason in verdict.unknown)


def test_answers_that_the_contract_does_not_know_are_a_break(loaded):
    """They are told first, with what was answered."""
    _, verdict = loaded(Workers(), store="loaded_stores:Odd")
    assert anomalies(verdict) == {Anomaly.MALFORMED}
    assert verdict.malformed == verdict.appends.total() > 100
    assert "append answered a str" in verdict.breaks[0].sentence


def test_clocks_that_differ_would_be_a_false_alarm(loaded):
    """Times of two clocks taken for one make a right store look wrong: the next test can fail."""
    _, verdict = loaded(Workers(skews_ns=(0, AHEAD), bounds=(None, None)))
    assert Anomaly.FUTURE_READ in anomalies(verdict) or Anomaly.STALE_READ in anomalies(verdict)


@pytest.mark.parametrize(
    "error_ns",
    [MS // 10, *(pytest.param(one, marks=pytest.mark.night) for one in (5 * MS, 1_000 * MS))],
)
@pytest.mark.parametrize("skew_ns", [-AHEAD, AHEAD])
def test_clocks_that_differ_are_no_break(skew_ns, error_ns, loaded):
    """Within the error of their offset, the times of another machine contradict nothing."""
    looked = (within(0, error_ns), within(skew_ns, error_ns))
    recorded, verdict = loaded(Workers(skews_ns=(0, skew_ns), bounds=looked))
    assert recorded.made < verdict.judged.examined["operations"] < 2 * recorded.made
    assert not verdict.breaks, verdict.breaks[0].sentence
    assert not [one for one in verdict.unknown if "beside" not in one]
    assert [path.name for path in verdict.histories] == ["clock-1", "clock-2"]


def test_a_break_longer_than_the_error_is_found_across_clocks(loaded):
    """A read that is staler than clocks can be wrong is found, though another machine wrote."""
    looked = (within(0, MS // 2), within(AHEAD, MS // 2))
    assert shown_stale(loaded, skews_ns=(0, AHEAD), bounds=looked)


def test_a_break_shorter_than_the_error_is_not_made_up(loaded):
    """What clocks cannot tell is not told: neither machine saw its own writes missing."""
    hour = 3_600_000 * MS
    looked = (within(0, hour), within(AHEAD, hour))
    workers = Workers(skews_ns=(0, AHEAD), bounds=looked)
    _, verdict = loaded(workers, store="loaded_stores:Stale")
    assert Anomaly.STALE_READ not in anomalies(verdict)


def test_the_clients_of_one_clock_are_exact_beside_others(loaded):
    """However unsure other clocks are, two clients of one machine are judged by its clock."""
    looked = (within(AHEAD, 1_000 * MS),)
    assert shown_stale(loaded, skews_ns=(AHEAD,), bounds=looked)


def test_a_weaker_claim_allows_what_it_allows(loaded):
    """Stale reads of others are no break of a store that claims sessions of single clients."""
    for seed in range(1, 21):  # on a busy machine no read may be stale in one of them
        _, verdict = loaded(
            Workers(), store="loaded_stores:Stale", consistency="session", seed=seed
        )
        assert Anomaly.STALE_READ not in anomalies(verdict)
        if verdict.others:
            break
    assert verdict.others


def test_a_history_can_be_judged_again(loaded):
    """What was judged lies in the folder, with the names of its sessions."""
    recorded, verdict = loaded(Workers())
    history = files.read(verdict.histories[0])
    assert len(history) == verdict.judged.examined["operations"]
    assert history.sessions[0].startswith("w0-")
    assert recorded.names == list(history.sessions)


PLOT = Plot(
    seed=1,
    mix="batches",
    clients=2,
    claims=Right.claims,
    capabilities=frozenset(),
    beside=1,
)
WAVE = Wave(0, 1, 0)


def read_of(tmp_path, *ids):
    """A load whose slice 1 came back as attempt 9, and a read that answered these ids."""
    rows = np.zeros(1, ROW)
    rows["id"], rows["f"], rows["type"], rows["length"] = 256, F.READ, Type.OK, len(ids)
    lists = Lists(np.array([0]), np.array([0, len(ids)]), np.array(ids, np.uint64))
    files.save(History(rows, lists), tmp_path / "part.npz")
    recorded = Recorded(clients=5)
    recorded.slices = {1: Submitted(WAVE, 0, 77, attempt=9), 2: Submitted(None, 0, 78, attempt=9)}
    origins = origins_of(lists.ids)
    recorded.parts = [Part(tmp_path / "part.npz", "wave", here().boot, within(0, 0), origins)]
    return recorded


def test_an_id_tells_what_nobody_recorded(tmp_path):
    """An append of another attempt has its session and batch from the program."""
    program = drawn(PLOT, 0, 1).programs[0]
    place = next(at for at, call in enumerate(program) if call.f is F.APPEND and call.n > 1)
    first = number_of(1, 4, place) << 8
    found = unrecorded(read_of(tmp_path, first + 1, first), PLOT)
    (row,) = found.rows
    assert (row["id"], row["n"], row["session"]) == (
        first,
        program[place].n,
        program[place].session,
    )
    assert (row["inv"], row["type"], row["client"]) == (77, Type.INFO, 5)


def test_an_id_that_no_slice_can_have_written_stays_a_phantom(tmp_path):
    """Neither a read, nor a message beyond a batch, nor a slice that was never submitted writes."""
    program = drawn(PLOT, 0, 1).programs[0]
    read = next(at for at, call in enumerate(program) if call.f is F.READ)
    append = next(at for at, call in enumerate(program) if call.f is F.APPEND)
    ids = (
        number_of(1, 4, read) << 8,
        (number_of(1, 4, append) << 8) + program[append].n,
        number_of(1, 4, len(program)) << 8,
        number_of(1, 9, append) << 8,  # the recorded attempt would have recorded it
        number_of(2, 4, 0) << 8,  # it only reads
        number_of(3, 4, append) << 8,
        0,
    )
    assert not len(unrecorded(read_of(tmp_path, *ids), PLOT))


def test_a_load_is_told_and_written(tmp_path, loaded):
    """The summary ends with the verdict, and the file says the same."""
    recorded, verdict = loaded(Workers(lost=(0,), loud=True))
    run = Run(
        store="Right",
        version=None,
        executor="processes",
        mix="hot",
        clients=2,
        sessions=1,
        seed=3,
        claims=Right.claims,
        declared=True,
        recorded=recorded,
        judged_s=0.1,
    )
    told = dict(summary(run, verdict))
    assert "unrecorded" in told
    assert "lost" in told
    written = json.loads(write_load(run, verdict, tmp_path / "load.json").read_text("utf-8"))
    assert written["exit_code"] == exit_code(run, verdict)
    assert written["verdict"] == told["verdict"]
    assert written["operations"] == recorded.made
    recorded.interrupted = True
    assert exit_code(run, verdict) == 130
    recorded.interrupted, recorded.stopped = False, "hang: no answer"
    assert exit_code(run, verdict) == 1
