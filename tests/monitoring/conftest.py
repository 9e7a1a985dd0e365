"""Prometheus for the tests of what it is given."""

from __future__ import annotations

import os

import pytest

from tests.standins.prometheus import PrometheusPrograms, PrometheusUnavailable, prometheus_programs


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusPrograms:
    """Prometheus and promtool. Skips where neither is to be had; with REQUIRE_PROMETHEUS=1 that fails."""
    try:
        return prometheus_programs()
    except PrometheusUnavailable as reason:
        if os.environ.get("REQUIRE_PROMETHEUS") == "1":
            pytest.fail(f"REQUIRE_PROMETHEUS=1, but: {reason}", pytrace=False)
        pytest.skip(f"no Prometheus: {reason}")
