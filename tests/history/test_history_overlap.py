"""Which operations ran at the same time as one of another client."""

import numpy as np
import numpy.typing as npt
import pytest

from sessionproof.contract.seed import generator
from sessionproof.history.columns import NEVER, ROW, History, Phase
from sessionproof.history.overlap import in_seats, overlapping


def _history(*rows: tuple[int, int, int, int]) -> History:
    """Rows of session, client, inv and ret."""
    made = np.zeros(len(rows), ROW)
    for at, (session, client, inv, ret) in enumerate(rows):
        made["session"][at], made["client"][at] = session, client
        made["inv"][at], made["ret"][at] = inv, ret
    return History(made)


def _by_definition(rows: npt.NDArray[np.void]) -> list[bool]:
    return [
        any(
            one["session"] == other["session"]
            and one["client"] != other["client"]
            and one["inv"] <= other["ret"]
            and other["inv"] <= one["ret"]
            for other in rows
        )
        for one in rows
    ]


def test_rows_of_two_clients_that_meet_overlap() -> None:
    """Two rows of one session overlap when neither ended before the other began."""
    assert overlapping(_history((0, 0, 1, 5), (0, 1, 4, 9))).tolist() == [True, True]


@pytest.mark.parametrize(
    "other",
    [(0, 1, 6, 9), (1, 1, 1, 5), (0, 0, 1, 5)],
    ids=["afterwards", "another session", "the same client"],
)
def test_others_do_not(other: tuple[int, int, int, int]) -> None:
    """Rows one after the other, of other sessions or of the same client do not overlap."""
    assert not overlapping(_history((0, 0, 1, 5), other)).any()


def test_what_never_ended_overlaps_with_all_that_began_later() -> None:
    """An operation without an answer runs until the end."""
    assert overlapping(_history((0, 0, 1, NEVER), (0, 1, 7, 9))).tolist() == [True, True]


def test_nothing_overlaps_in_an_empty_history() -> None:
    """A history without rows has no overlapping ones."""
    assert len(overlapping(_history())) == 0


def test_a_client_is_no_company_for_itself() -> None:
    """Who goes on under a new number after an unknown outcome is still the same client."""
    history = _history((0, 0, 1, NEVER), (0, 3, 7, 9))
    assert overlapping(history).all()
    assert not overlapping(in_seats(history, 3)).any()


def test_what_its_client_left_behind_meets_nobody_later() -> None:
    """An unknown outcome is beside what ran until its client went on, or until all was quiet."""
    history = _history(
        (0, 0, 1, NEVER), (0, 1, 2, 4), (0, 3, 5, NEVER), (0, 1, 6, 8), (0, 2, 9, 10)
    )
    history.rows["phase"][-1] = Phase.FINAL
    assert overlapping(in_seats(history, 3)).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_the_definition(seed: int) -> None:
    """Histories by chance, with ties and unknown outcomes: the same as by comparing all pairs."""
    random = generator(seed, "overlap")
    rows = []
    for _ in range(random.randrange(60)):
        inv = random.randrange(80)
        ret = NEVER if random.random() < 0.1 else inv + random.randrange(12)
        rows.append((random.randrange(3), random.randrange(4), inv, ret))
    history = _history(*rows)
    assert overlapping(history).tolist() == _by_definition(history.rows)
