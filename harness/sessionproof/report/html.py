"""The result as one self-contained page: no script, no network, nothing beside it needed."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import words
from sessionproof.report.plain import cut, short_program, shown
from sessionproof.report.result import RunResult, counts

# Limits that keep the page small however much a store says; result.json has it all.
FINDINGS_MAX = 5  # per guarantee, and at least one
FINDINGS_OF_PAGE = 60
PROGRAM_LINES_MAX = 40
LINE_CHARACTERS_MAX = 200
TEXT_CHARACTERS_MAX = 1_000
COMMAND_CHARACTERS_MAX = 20_000  # commands are there to be copied
EVIDENCE_CHARACTERS_MAX = 4_000
EVIDENCE_PARTS_MAX = 4


def render_html(result: RunResult) -> str:
    """The page of a concluded result; it can always be encoded as UTF-8."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            counts=counts(result),
            overall=words.overall(result),
            command=result.command,
            warnings=words.warnings(result),
            seen_broken=words.seen_broken(result),
            groups=words.grouped(result),
            claims=words.claim_rows(result.claims or {}),
            findings_max=_findings_max(counts(result)[Verdict.BROKEN]),
            evidence_max=EVIDENCE_PARTS_MAX,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sessionproof.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "Verdict": Verdict,
        "meaning": MEANINGS.__getitem__,
        "symbol": words.SYMBOLS.__getitem__,
        "unclaimed": words.unclaimed,
        "marks": words.marks,
        "reason": words.reason,
        "of": words.of,
        "amount": words.amount,
        "seconds": words.seconds,
        "program": _program,
    }
    environment.filters |= {
        "text": _text,
        "evidence": _evidence,
        "command": _command,
        "tone": _tone,
    }
    return environment


def _findings_max(broken: int) -> int:
    """How many findings a guarantee may show when so many are broken."""
    return max(1, min(FINDINGS_MAX, FINDINGS_OF_PAGE // max(broken, 1)))


def _finalize(value: object) -> str:
    """Every value that a template puts out passes here: no text can forget to be made safe."""
    return value if isinstance(value, Markup) else shown(cut(str(value), TEXT_CHARACTERS_MAX))


def _text(text: str, limit: int = TEXT_CHARACTERS_MAX) -> Markup:
    """A text of one or more lines, cut; its newlines stay."""
    return Markup.escape(shown(cut(text, limit), lines=True))


def _evidence(text: str) -> Markup:
    return _text(text, EVIDENCE_CHARACTERS_MAX)


def _command(text: str) -> Markup:
    return _text(text, COMMAND_CHARACTERS_MAX)


def _program(lines: tuple[str, ...]) -> list[str]:
    return [cut(line, LINE_CHARACTERS_MAX) for line in short_program(lines, PROGRAM_LINES_MAX)]


def _tone(verdict: Verdict) -> str:
    """The class that colours a verdict."""
    return verdict.shown.replace(" ", "-")
