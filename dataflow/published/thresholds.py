"""The contract's figures as Prometheus' recording rules, which alerts compare with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataflow.contract import Contract
from dataflow.verify import LEAST_SHARE, MOST_SHARE, sla

REJECTED_PERCENT = 5.0
"""Messages of an hour that may break the contract, where it promises no `errorRate`."""
LETTERS_SHARE = 0.01
"""Dead letters, as a share of the messages expected, that are too few to speak of."""
RETENTION_SHARE = 0.5
"""Of the time for which the topic holds a message, what a row may wait before someone is woken."""
NAMESPACE = "contract-dataflow"
"""As in k8s/base; k8s/monitoring/names writes an overlay's own over it, and its pipeline's name."""

_HEAD = """\
# The figures of contract {name} {version}, which alerts compare with. Made by `contract thresholds`; those of
# the packaged contract are written by `make monitoring`, and a test fails when they are not as it says.
# Namespace and pipeline are those of the overlay: k8s/monitoring/names fills them in.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: contract-dataflow-thresholds
spec:
  groups:
    - name: dataflow-thresholds
      rules:
"""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure that an alert compares with, and where in the contract it comes from."""

    record: str
    value: float
    because: str


def thresholds(contract: Contract) -> Iterator[Threshold]:
    """Each figure. One that the contract does not have is left out, and nothing is compared with it."""
    daily, hourly = contract.daily_volume, contract.daily_volume / 24
    latency = contract.freshness.total_seconds()
    late = sla(contract).total_seconds()
    yield Threshold("dataflow_freshness_seconds:agreed", latency, "latency")
    yield Threshold("dataflow_late_seconds:agreed", late, f"latency, and {late - latency:g} s for the commit")
    yield Threshold("dataflow_daily_messages:agreed", daily, "throughput")
    yield Threshold(
        "dataflow_daily_messages:least", LEAST_SHARE * daily, f"throughput, times {LEAST_SHARE:g}"
    )
    yield Threshold("dataflow_daily_messages:most", MOST_SHARE * daily, f"throughput, times {MOST_SHARE:g}")
    yield Threshold("dataflow_partitions:agreed", contract.partitions, "partitions of the Kafka server")
    yield Threshold(
        "dataflow_partition_hour_messages:agreed",
        hourly / contract.partitions,
        "throughput, by partition and hour",
    )
    yield Threshold(
        "dataflow_hour_dead_letters:least", LETTERS_SHARE * hourly, f"throughput, times {LETTERS_SHARE:g}"
    )
    promised = _error_rate(contract)
    yield Threshold(
        "dataflow_rejected_ratio:agreed",
        (REJECTED_PERCENT if promised is None else promised) / 100,
        "the contract promises no errorRate" if promised is None else "errorRate",
    )
    if contract.retention is not None:
        held = contract.retention.total_seconds()
        yield Threshold("dataflow_retention_seconds:agreed", held, "retention of the topic")
        yield Threshold(
            "dataflow_retention_seconds:near",
            RETENTION_SHARE * held,
            f"retention of the topic, times {RETENTION_SHARE:g}",
        )


def _error_rate(contract: Contract) -> float | None:
    for level in contract.terms.service_levels:
        if level.name == "errorRate" and isinstance(level.value, float):
            return level.value
    return None


def threshold_rules(contract: Contract) -> str:
    """The figures as a PrometheusRule, YAML."""
    text = _HEAD.format(name=contract.name, version=contract.version)
    for each in thresholds(contract):
        text += (
            f"        # {each.because}\n"
            f"        - record: pipeline:{each.record}\n"
            f"          expr: vector({each.value:.10g})\n"
            f"          labels: {{namespace: {NAMESPACE}, pipeline: {contract.name}}}\n"
        )
    return text
