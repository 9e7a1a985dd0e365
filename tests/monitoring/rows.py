"""What the dashboard shows, from top to bottom."""

from __future__ import annotations

from tests.monitoring.panels import Row
from tests.monitoring.rows_for_operators import FLOW, RUNTIME, WAREHOUSE
from tests.monitoring.rows_for_readers import CONTRACT, DEAD_LETTERS, SIDE_TOPIC, VERIFY

ROWS: tuple[Row, ...] = (CONTRACT, FLOW, SIDE_TOPIC, DEAD_LETTERS, VERIFY, WAREHOUSE, RUNTIME)
"""The dashboard: contract first."""
