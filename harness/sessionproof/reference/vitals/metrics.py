"""A report as Prometheus reads it: each severity, and each number."""

from __future__ import annotations

from sessionproof.contract.errors import Refused
from sessionproof.contract.health import SEVERITIES
from sessionproof.reference.vitals.report import Report

_PREFIX = "sessionproof"


def exposition(report: Report) -> str:
    """The text of the metrics. Raises ``Refused`` where prometheus-client is not installed.

    ``sessionproof_health{check,severity}`` is 1 for the severity that a check has, and 0 for the
    others.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ImportError:
        raise Refused(
            "metrics need prometheus-client: pip install 'sessionproof[metrics]'"
        ) from None
    registry = CollectorRegistry()
    health = Gauge(
        f"{_PREFIX}_health", "1 for the severity of a check.", ("check", "severity"),
        registry=registry,
    )  # fmt: skip
    gauges: dict[str, Gauge] = {}
    for one in report.vitals:
        for severity in SEVERITIES:
            health.labels(one.name, severity).set(one.severity == severity)
        for number in one.numbers:
            names = tuple(name for name, _ in number.labels)
            if number.name not in gauges:
                words = f"{number.name.replace('_', ' ')}, as {one.name} has it."
                gauges[number.name] = Gauge(
                    f"{_PREFIX}_{number.name}", words, names, registry=registry
                )
            gauge = gauges[number.name]
            labelled = gauge.labels(*(value for _, value in number.labels)) if names else gauge
            labelled.set(number.value)
    text: str = generate_latest(registry).decode()
    return text
