"""What the operators' commands are tried on: topics, tables, processes, and a way to call a command."""

from __future__ import annotations

from tests.integration.conftest import pipelines, table

__all__ = ["pipelines", "table"]
