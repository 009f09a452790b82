"""Plans: which lines are suspect, when cost follows rows, and what index is missing."""

import pytest

from sessionproof.checks.plans import (
    ITS_OWN,
    OTHERS,
    Cost,
    Growth,
    Line,
    Suspect,
    first_word,
    for_each_row,
    growing,
    machine_suspects,
    missing_index,
    normalised,
    number_of,
    reads_or_writes,
    suspects,
    table_of,
)

SCAN = Suspect("scan", "messages", "SCAN messages")
SORT = Suspect("sort", "", "USE TEMP B-TREE FOR ORDER BY")
COUNT = Suspect("count", "messages", "SCAN messages, all rows counted")
SELECT = "SELECT body FROM messages WHERE session = ?"


def lines(*texts, parent=0):
    """Lines of a plan that belong to one query."""
    return [Line(number, parent, text) for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT a FROM t WHERE b = 'it''s' AND c=-1.5e3", "SELECT a FROM t WHERE b = ? AND c=?"),
        ("INSERT INTO t1 VALUES (1, x'00', NULL),(2, 'b', 3)", "INSERT INTO t1 VALUES (?)"),
        ("SELECT  a\n FROM t -- why\n WHERE b IN (1,2, 3)", "SELECT a FROM t WHERE b IN (?)"),
        ("SELECT a FROM t WHERE b IS NOT NULL", "SELECT a FROM t WHERE b IS NOT NULL"),
        ("UPDATE t SET a = NULL /* gone */ WHERE b IS NULL", "UPDATE t SET a = ? WHERE b IS NULL"),
        ("INSERT INTO t VALUES ('so -- it''s /* said', 1)", "INSERT INTO t VALUES (?)"),
        ("SELECT \"a--1\" /* it's */ FROM t -- isn't it", 'SELECT "a--1" FROM t'),
    ],
)
def test_values_and_comments_are_taken_out(text, wanted):
    """Statements that differ in their values alone are one."""
    assert normalised(text) == wanted


def test_statements_are_told_by_their_first_word():
    """Transactions and settings do no work, and a comment alone is nothing."""
    assert first_word("  /* here */ select 1") == "SELECT"
    assert first_word("-- SELECT of a full-text index") == ""
    assert [reads_or_writes(one) for one in ("WITH a AS (SELECT 1) SELECT 1", "BEGIN ")] == [
        True,
        False,
    ]
    ran = ["BEGIN IMMEDIATE", "PRAGMA x", "SELECT 1", "-- SELECT 2", "CREATE TABLE t (a)", "COMMIT"]
    assert number_of(ran) == 2


@pytest.mark.parametrize(
    ("plan", "kinds"),
    [
        (lines("SCAN messages"), ["scan"]),
        (lines("SCAN m USING COVERING INDEX by_time"), ["scan"]),
        (lines("SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"), ["scan"]),
        (lines("SEARCH m USING AUTOMATIC COVERING INDEX (session=?)"), ["scan"]),
        (lines("SEARCH messages"), ["scan"]),
        (lines("SEARCH m USING INDEX i (session=? AND seq>?)"), []),
        (lines("SEARCH m USING INDEX i (session=?)", SORT.line), ["sort"]),
        (lines("SEARCH m USING INDEX i (session=?)", "USE TEMP B-TREE FOR GROUP BY"), []),
        (
            lines(
                "SEARCH m USING INDEX i (session=?)", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"
            ),
            [],
        ),
        (lines("SCAN CONSTANT ROW"), []),
        (lines("SCAN 3 CONSTANT ROWS"), []),
        (lines("SCAN TABLE messages AS m"), ["scan"]),
        (lines("SCAN (subquery-1)", SORT.line), []),
        (lines("SCAN json_each VIRTUAL TABLE INDEX 1:"), []),
        (lines("MATERIALIZE newest", "SCAN newest"), []),
    ],
)
def test_lines_of_a_plan_are_suspect_by_their_words(plan, kinds):
    """Walks through tables and sorts of their rows, and nothing else."""
    assert [one.kind for one in suspects(plan)] == kinds


def test_a_sort_of_what_a_subquery_made_is_none_of_a_table():
    """The newest messages, turned around, are as many as were asked for."""
    plan = [
        Line(2, 0, "CO-ROUTINE (subquery-1)"),
        Line(6, 2, "SEARCH messages USING INDEX i (session=?)"),
        Line(18, 0, "SCAN (subquery-1)"),
        Line(29, 0, SORT.line),
    ]
    assert suspects(plan) == []
    assert [one.kind for one in suspects([*plan, Line(30, 2, SORT.line)])] == ["sort"]


def test_triggers_and_counts_are_seen_in_the_machine():
    """A walk inside a trigger names it; a count of a whole table is seen anywhere."""
    tables = {3: "messages", 4: "sessions"}
    machine = [
        ("Init", 0, 9, ""),
        ("OpenRead", 1, 3, ""),
        ("String8", 0, 1, "-- TRIGGER is a text"),
        ("Rewind", 1, 5, ""),  # the plan has this one
        ("Count", 1, 2, ""),
        ("OpenRead", 2, 9, ""),  # of no table
        ("Count", 2, 3, ""),
        ("Init", 0, 1, "-- TRIGGER adding"),
        ("Rewind", 1, 5, ""),  # of a cursor that this program did not open
        ("Trace", 0, 1, "-- UPDATE sessions SET n = 1"),
        ("OpenWrite", 0, 4, ""),
        ("Rewind", 0, 7, ""),
    ]
    counted, walked = machine_suspects(machine, tables)
    assert (counted.kind, counted.name) == ("count", "messages")
    assert walked.name == "sessions"
    assert walked.line == "SCAN sessions in the trigger adding: UPDATE sessions SET n = 1"


@pytest.mark.parametrize("walk", ["Rewind", "Last"])
def test_an_action_of_a_foreign_key_is_a_trigger_without_a_name(walk):
    """Nor has it a text; a cursor is that which was opened last."""
    opened = [("OpenRead", 0, 3, ""), ("ReopenIdx", 0, 4, "")]
    action = [("Init", 0, 1, "-- TRIGGER "), *opened, (walk, 0, 7, "")]
    (walked,) = machine_suspects(action, {3: "messages", 4: "sessions"})
    assert walked.line == "SCAN sessions in a foreign key's action"


def growth(elsewhere, inside, *, first=100, rows=100, more=800, table="messages"):
    """Steps at first, with ``more`` rows of others, and with 400 more of its own."""
    return Growth(
        Cost(first, {table: rows}),
        Cost(elsewhere, {table: rows + more}),
        Cost(inside, {table: rows + more + 400}),
    )


@pytest.mark.parametrize(
    ("call", "suspect", "grown", "wanted"),
    [
        ("append", SCAN, growth(1_000, 1_400), OTHERS),
        ("read", SCAN, growth(1_000, 1_400), OTHERS),
        ("read", SCAN, growth(100, 900), None),
        ("count", SCAN, growth(100, 900), None),
        ("page", SCAN, growth(100, 900), ITS_OWN),
        ("get", SCAN, growth(100, 900), None),
        ("append", SCAN, growth(199, 199), None),  # a step for each eighth row is the least
        ("append", SCAN, growth(200, 200), OTHERS),
        ("append", SCAN, growth(101, 101, more=1), OTHERS),
        ("append", SCAN, growth(9_000, 9_000, more=0), None),
        ("append", SCAN, growth(9_000, 9_000, table="other"), OTHERS),
        ("read_last", SORT, growth(100, 900), ITS_OWN),
        ("read", SORT, growth(100, 900), None),
        ("get", SORT, growth(100, 900), ITS_OWN),
        ("page", SORT, growth(1_000, 1_000), None),
        ("append", COUNT, growth(100, 100, more=1), OTHERS),
        ("count", COUNT, growth(100, 100, more=0), None),
        ("append", COUNT, growth(100, 100, more=0), ITS_OWN),
    ],
)
def test_cost_is_a_break_where_it_follows_rows(call, suspect, grown, wanted):
    """A scan alone is none: its steps must follow the rows that the call has no business with."""
    assert growing(call, suspect, SELECT, grown) == wanted


def test_a_small_table_that_does_not_grow_is_never_one():
    """Steps that grow for another reason do not make the scan of a small table dear."""
    rows = {"messages": 100, "kinds": 3}
    later = {"messages": 900, "kinds": 3}
    grown = Growth(Cost(9, rows), Cost(9_000, later), Cost(9_000, later))
    assert growing("append", Suspect("scan", "kinds", ""), "SELECT 1 FROM kinds", grown) is None
    walked = Suspect("scan", "k", "")
    assert growing("append", walked, "SELECT 1 FROM kinds AS k", grown) is None


def test_a_table_that_is_not_seen_is_the_one_that_fewest_came_to():
    """But some, if there is any; a sort may be of the one that most came to."""
    view, text = Suspect("scan", "v", "SCAN v"), "SELECT 1 FROM v"
    few, many = {"kinds": 3, "notes": 9, "messages": 100}, {"kinds": 3, "notes": 10}

    def grown(steps, later):
        return Growth(Cost(100, few), Cost(steps, later), Cost(steps, later))

    assert growing("append", view, text, grown(101, many | {"messages": 900})) == OTHERS
    assert growing("append", view, text, grown(199, many | {"notes": 9, "messages": 900})) is None
    sorted_later = Growth(Cost(1, few), Cost(100, few), Cost(120, many | {"messages": 500}))
    assert growing("page", SORT, "SELECT 1 FROM notes ORDER BY a", sorted_later) is None
    for suspect in (view, SORT):
        nothing = Growth(Cost(1, {}), Cost(1, {}), Cost(9, {}))
        assert growing("page", suspect, text, nothing) is None
    made_since = Growth(Cost(1, {}), Cost(9, {"messages": 1}), Cost(9, {"messages": 1}))
    assert growing("page", SCAN, SELECT, made_since) == OTHERS


@pytest.mark.parametrize("name", ["sqlite_schema", "SQLITE_MASTER", "sqlite_temp_master"])
def test_the_schema_does_not_grow_with_what_is_stored(name):
    """A look at the tables' own table costs nothing more; a view may hide what grows."""
    text = f"SELECT 1 FROM {name}"
    assert growing("append", Suspect("scan", name, ""), text, growth(9_000, 9_400)) is None
    assert growing("append", Suspect("scan", "v", ""), text, growth(9_000, 9_400)) == OTHERS


def test_names_of_plans_lead_to_tables():
    """By themselves, by an alias in the statement, or nowhere."""
    tables = {"messages": 1, "sessions": 1}
    assert table_of("Messages", "", tables) == "messages"
    assert table_of("main.Messages", "", tables) == "messages"
    assert table_of("m", "SELECT 1 FROM Messages AS M", tables) == "messages"
    assert table_of("m", 'SELECT 1 FROM "sessions" s JOIN messages AS m', tables) == "messages"
    assert table_of("s", 'SELECT 1 FROM "sessions" s JOIN messages AS m', tables) == "sessions"
    assert table_of("v", "SELECT 1 FROM view", tables) is None


@pytest.mark.parametrize(("few", "many", "rows", "wanted"), [
    (1, 1, 75, False), (5, 80, 75, True), (2, 6, 75, False), (6, 41, 35, True), (1, 2, 4, False),
    (1, 3, 8, True),
])  # fmt: skip
def test_statements_for_each_row_are_told_from_chunks(few, many, rows, wanted):
    """One for each fourth row is one for each; a few more are chunks."""
    assert for_each_row(few, many, rows) is wanted


def test_the_missing_index_is_named_where_the_statement_shows_it():
    """No index, one that is not used, an order that none gives, or nothing."""
    columns = {"messages": ["id", "session", "body"]}
    none, one = {"messages": []}, {"messages": ["session"]}
    assert missing_index(SCAN, SELECT, columns, none) == "no index on messages(session)"
    unused = missing_index(SCAN, SELECT, columns, one)
    assert unused == "the index on messages(session) is not used"
    assert missing_index(SCAN, "SELECT 1 FROM messages", columns, one) == ""
    hidden = Suspect("scan", "v", "SCAN v")
    assert missing_index(hidden, "SELECT body FROM v WHERE session = ?", columns, none) == ""
    small = "select body from messages where session is ? order by id"
    assert missing_index(SCAN, small, columns, none) == "no index on messages(session)"
    assert missing_index(SORT, small, columns, one) == "no index gives the order of id"
    assert missing_index(SORT, "SELECT 1 FROM v", columns, one) == ""
    order = "SELECT body FROM messages WHERE session = ? ORDER BY id DESC LIMIT ?"
    assert missing_index(SORT, order, columns, one) == "no index gives the order of id DESC"
