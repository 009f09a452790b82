"""What a store says without being asked."""

import logging
import warnings

from sessionproof.workload.heard import listening, news


def test_records_and_warnings_are_heard():
    """From WARNING on, with their arguments, also of a logger that hands nothing on."""
    alone = logging.getLogger("tests.alone")
    alone.propagate = False
    with listening() as heard:
        logging.getLogger("tests.chat").warning("row %d is damaged", 7)
        logging.getLogger("tests.chat").info("all is well")
        alone.error("alone")
        warnings.warn("a warning", UserWarning, stacklevel=1)
        warnings.warn("a warning", UserWarning, stacklevel=1)
    assert heard == ["row 7 is damaged", "alone", "a warning", "a warning"]
    alone.propagate = True


def test_a_record_that_cannot_be_made_a_text_is_heard():
    """Arguments that do not fit are no reason to hear nothing."""
    alone = logging.getLogger("tests.unfit")
    alone.propagate = False  # pytest's own handler would fail
    with listening() as heard:
        alone.warning("row %d is damaged", "seven")
    assert heard == ["row %d is damaged"]


def test_what_programmers_are_warned_of_is_not_heard():
    """A file that was not closed says nothing of damage."""
    with listening() as heard, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("unclosed file", ResourceWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert heard == []


def test_nobody_listens_afterwards():
    """Handlers and filters are as they were."""
    handlers, filters = [*logging.root.handlers], [*warnings.filters]
    with listening():
        pass
    assert logging.root.handlers == handlers
    assert warnings.filters == filters


def test_news_is_what_is_not_usual():
    """Numbers and paths do not make it news."""
    usual = ["opened /tmp/a1/chat.db in 3 ms", "experimental"]
    heard = ["opened /tmp/b7/chat.db in 12 ms", "row 9 is damaged", "experimental"]
    assert news(heard, usual) == ["row 9 is damaged"]
