"""`k8s/monitoring/dashboard.json`, made from `tests.monitoring.rows`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.monitoring.panels import Kind, Panel
from tests.monitoring.rows import ROWS
from tests.pipeline import ROOT

FILE = ROOT / "k8s" / "monitoring" / "dashboard.json"
COLUMNS = 24
SELECTED = 'namespace=~"$namespace",pipeline=~"$pipeline"'
_SERIES = re.compile(r"((?:[a-z]\w*:)?\bdataflow_\w+(?::\w+)?|\bALERTS\b)(\{[^}]*\})?")
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def selected(expression: str) -> str:
    """The expression with the dashboard's variables in every selector."""

    def within(found: re.Match[str]) -> str:
        own = (found[2] or "{}")[1:-1]
        return f"{found[1]}{{{', '.join(filter(None, (own, SELECTED)))}}}"

    return _SERIES.sub(within, expression)


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    return {
        "uid": "contract-dataflow",
        "title": "Contract dataflow",
        "description": "Messages from Kafka to Redshift, contacts and dead letters: is the contract kept?",
        "tags": ["contract-dataflow"],
        "timezone": "utc",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_DATASOURCE, _variable("namespace"), _variable("pipeline")]},
        "annotations": {"list": [_RESTARTS]},
        "panels": list(_placed()),
    }


def dashboard_text() -> str:
    """The file's text."""
    return json.dumps(dashboard(), indent=1) + "\n"


_DATASOURCE = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "current": {},
}

_RESTARTS = {
    "name": "Restarts",
    "datasource": _SOURCE,
    "enable": True,
    "iconColor": "orange",
    "expr": selected("changes(dataflow_process_start_time_seconds[1m]) > 0"),
    "titleFormat": "restart of {{pod}}",
}


def _variable(name: str) -> dict[str, Any]:
    narrowed = "" if name == "namespace" else '{namespace=~"$namespace"}'
    query = f"label_values(dataflow_build_info{narrowed}, {name})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for row in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            height = 4 if panel.kind is Kind.STAT else 8
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            left, tallest = left + panel.width, max(tallest, height)
        top += tallest


def _panel(panel: Panel) -> dict[str, Any]:
    steps = [{"value": value, "color": colour} for value, colour in panel.thresholds]
    instant = panel.kind in (Kind.STAT, Kind.BARS)
    return {
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": selected(query.expression),
                "legendFormat": query.legend or "__auto",
                "instant": instant,
                "range": not instant,
            }
            for at, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "color": {"mode": "palette-classic" if panel.kind is Kind.SERIES else "thresholds"},
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": _drawn(panel),
            },
            "overrides": [],
        },
        "options": _OPTIONS[panel.kind],
    }


def _drawn(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case Kind.SERIES:
            return {
                "fillOpacity": 25 if panel.stacked else 8,
                "lineWidth": 1,
                "showPoints": "never",
                "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            }
        case Kind.STATES:
            return {"fillOpacity": 70, "lineWidth": 0}
        case _:
            return {}


_ONE = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[Kind, dict[str, Any]] = {
    Kind.STAT: {"reduceOptions": _ONE, "colorMode": "value", "graphMode": "none", "textMode": "value"},
    Kind.SERIES: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Kind.BARS: {"reduceOptions": _ONE, "orientation": "horizontal", "displayMode": "basic"},
    Kind.STATES: {"mergeValues": True, "showValue": "never", "rowHeight": 0.8},
}
