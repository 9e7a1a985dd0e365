"""`k8s/METRICS.md`, made from the metrics as they are declared."""

from __future__ import annotations

from itertools import groupby

from prometheus_client import CollectorRegistry

from connectors import verify_metrics
from connectors.items import Verdict
from connectors.metrics import LABELS, Described, Metrics
from connectors.verify_metrics import Figure, verify_registry
from tests.pipeline import ROOT

PAGE = ROOT / "k8s" / "METRICS.md"
_HEAD = """\
# Metrics

<!-- Made by `make monitoring` from connectors/metrics.py and connectors/verify_metrics.py; a test fails when
it is not as they say. -->

Served at `/metrics` on `METRICS_PORT`; what `verify` finds is handed to a Pushgateway, or to a file. Base
units; counters end in `_total`. A partition's gauges are told by the process that holds it and by no other.
Counts of what was *read* include what a restart or a rewind reads again; counts of what was *committed* do
not. Times of arrival are the messages' timestamps: the broker's clock when the topic has
`message.timestamp.type=LogAppendTime`, else the producer's.

The scrape adds the labels `namespace`, `pipeline` and `pod`; rules and dashboard group by them. Alerts are in
[prometheus-rule.yaml](monitoring/prometheus-rule.yaml), what to do about them in [RUNBOOK.md](../RUNBOOK.md).
"""


BOUNDS = {**LABELS, **verify_metrics.LABELS}
"""What each label may hold."""


def described() -> list[Described]:
    """Every metric that a process exports, then every one that `verify` hands over."""
    return [*Metrics(CollectorRegistry(), version="", contract_version="").described, *_verified()]


def _verified() -> list[Described]:
    run = verify_registry([Figure("", Verdict.RIGHT, 0)], {"": 0}, ok=True, seconds=0, at=0)
    return [
        Described("verify", each.name, each.type, each.documentation, tuple(each.samples[0].labels))
        for each in run.collect()
    ]


def metrics_page() -> str:
    """The page's text."""
    parts = [_HEAD]
    for section, metrics in groupby(described(), lambda metric: metric.section):
        parts.append(
            f"\n## {section[0].upper()}{section[1:]}\n\n| metric | type | labels | |\n|---|---|---|---|\n"
        )
        for metric in metrics:
            labels = " ".join(f"`{label}`" for label in metric.labels)
            parts.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |\n")
    parts.append("\n## Labels\n\n| label | holds |\n|---|---|\n")
    parts += [f"| `{label}` | {bound} |\n" for label, bound in BOUNDS.items()]
    return "".join(parts)
