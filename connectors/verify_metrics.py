"""The figures of `verify` as metrics: their names, in one place, and the ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from connectors.items import Verdict
from connectors.metrics import PREFIX

JOB = "dataflow-verify"
"""The Pushgateway's job, unless the address names one; the grouping key names the pipeline too."""
PUSH_TIMEOUT = 10.0

LABELS: Mapping[str, str] = {
    "check": "the checks of `verify`, as docs/operating.md lists them",
    "fate": "`row`, `superseded`, `dead_letter` or `unaccounted`",
}
"""What each label may hold: how many series there can be."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One check's result. `value` None: it could not be measured."""

    check: str
    verdict: Verdict
    value: float | None


class PushFailed(Exception):
    """The figures could not be handed over."""


def verify_registry(
    figures: Sequence[Figure], messages: Mapping[str, int], ok: bool, seconds: float, at: float
) -> CollectorRegistry:
    """The metrics of one run that took `seconds` and ended at Unix time `at`.

    `messages` is the reconciliation: what became of the window's messages, by fate.
    """
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_verify_{name}", text, labels, registry=registry)

    gauge("last_run_timestamp_seconds", "When `verify` last ran to its end, Unix time.").set(at)
    gauge("duration_seconds", "How long the last run took.").set(seconds)
    gauge("ok", "1 when the last run found nothing wrong.").set(int(ok))
    passed = gauge("check_ok", "1 right, 0 wrong; absent when it could not be looked at.", "check")
    value = gauge("check_value", "What a check measured; its unit is told in docs/operating.md.", "check")
    for figure in figures:
        if figure.verdict is not Verdict.UNKNOWN:
            passed.labels(figure.check).set(int(figure.verdict is Verdict.RIGHT))
        if figure.value is not None:
            value.labels(figure.check).set(figure.value)
    fates = gauge("window_messages", "What became of the messages of the window last reconciled.", "fate")
    for fate, count in messages.items():
        fates.labels(fate).set(count)
    return registry


def push(registry: CollectorRegistry, address: str, pipeline: str) -> None:
    """Hand the metrics to a Pushgateway, in the place of the pipeline's last ones. Raises PushFailed.

    `address` may go on as a Pushgateway's own do, with more of the key under which it keeps them:
    `http://pushgateway:9091/metrics/job/dataflow-verify/namespace/prod`.
    """
    server, _, path = address.partition("/metrics/job/")
    job, *pairs = path.split("/") if path else [JOB]
    if len(pairs) % 2:
        raise PushFailed(f"{address}: after the job come labels and values, in pairs")
    key = {**dict(zip(pairs[::2], pairs[1::2], strict=True)), "pipeline": pipeline}
    try:
        push_to_gateway(server, job, registry, key, PUSH_TIMEOUT)
    except OSError as fault:
        raise PushFailed(f"{address}: {fault}") from None


def write(registry: CollectorRegistry, file: Path) -> None:
    """Write the metrics to a file for the node exporter, whole or not at all. Raises PushFailed."""
    try:
        write_to_textfile(str(file), registry)
    except OSError as fault:
        raise PushFailed(f"{file}: {fault.strerror}") from None
