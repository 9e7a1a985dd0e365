"""What `verify` hands to a Pushgateway, asked of a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.items import Verdict
from connectors.verify_metrics import Figure, PushFailed, push, verify_registry
from tests.standins.prometheus import PrometheusPrograms, Pushgateway

UNIQUE = Figure("unique", Verdict.RIGHT, 0)
KEY = "metrics/job/dataflow-verify/namespace"


def test_figures_take_the_place_of_the_last_ones_of_their_namespace_and_pipeline(
    prometheus_tools: PrometheusPrograms, tmp_path: Path
) -> None:
    with Pushgateway(prometheus_tools, tmp_path) as gateway:
        for namespace, seconds in (("dev", 1.0), ("prod", 2.0), ("prod", 3.0)):
            figures = verify_registry([UNIQUE], {}, ok=True, seconds=seconds, at=0)
            push(figures, f"{gateway.address}/{KEY}/{namespace}", "messages")
        push(verify_registry([UNIQUE], {}, ok=True, seconds=4.0, at=0), gateway.address, "messages")
        told = {
            series: value
            for series, value in gateway.samples().items()
            if "verify_duration_seconds" in series
        }
    whose = 'instance="",job="dataflow-verify"{},pipeline="messages"'
    assert told == {
        f"dataflow_verify_duration_seconds{{{whose.format(namespace)}}}": seconds
        for namespace, seconds in ((',namespace="dev"', 1.0), (',namespace="prod"', 3.0), ("", 4.0))
    }


def test_an_address_whose_labels_lack_a_value_is_refused_before_anything_is_sent() -> None:
    figures = verify_registry([UNIQUE], {}, ok=True, seconds=1.0, at=0)
    with pytest.raises(PushFailed, match="in pairs"):
        push(figures, f"http://127.0.0.1:9/{KEY}", "messages")
