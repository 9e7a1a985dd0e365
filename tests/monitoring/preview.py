"""`docs/dashboard.svg`: the dashboard's panels, drawn from what Prometheus answered about a test run."""

from __future__ import annotations

import math
import re
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fixtures_kafka import create_topics
from tests.integration.wiring import PARTITIONS, Wiring
from tests.monitoring import drawing
from tests.monitoring.dashboard import COLUMNS, dashboard
from tests.monitoring.drawing import COLOURS, Box, Line
from tests.monitoring.expressions import filled_in
from tests.monitoring.scenario import Acts, Observed, observed
from tests.pipeline import ROOT
from tests.standins.kafka_real import RealKafka
from tests.standins.prometheus import prometheus_programs
from tests.standins.redshift_process import RedshiftProcess

PICTURE = ROOT / "docs" / "dashboard.svg"
WIDTH, UNIT, GAP, HEAD = 1320.0, 29.0, 8.0, 46.0
ACTS = Acts(calm=50, outage=25, after=35, window="5s")
ROWS = 4
"""The dashboard's first rows, as many as a page holds."""


def make_preview() -> str:
    """Run the pipeline under a real Prometheus and draw; says what the scrapes cost."""
    with tempfile.TemporaryDirectory(prefix="preview-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        topics = ("interactions.messages", "contacts", "dead-letters")
        with RealKafka(directory / "kafka") as kafka, RedshiftProcess(directory / "redshift") as redshift:
            create_topics(kafka.bootstrap, dict.fromkeys(topics, PARTITIONS))
            wiring = Wiring(kafka.bootstrap, *topics, "messages", redshift.server)
            with observed(prometheus_programs(), wiring, redshift, directory, ACTS) as run:
                PICTURE.parent.mkdir(exist_ok=True)
                PICTURE.write_text(picture(run), encoding="utf-8")
                return cost_of_scraping(run)


def cost_of_scraping(run: Observed) -> str:
    """Size and duration of a scrape, as Prometheus measured them."""
    (pipeline,) = run.pipelines
    told = [f"scrape: {len(pipeline.get('/metrics')[1].encode())} bytes at the end"]
    for name, unit in (("scrape_samples_scraped", "series"), ("scrape_duration_seconds", "s")):
        answer = run.prometheus.query_range(
            name + ' * on (pod) (up{pod="messages-0"} == 1)', run.began, run.ended, 1
        )
        values = sorted(float(value) for each in answer for _, value in each["values"])
        told.append(
            f"{name}: n {len(values)}, median {statistics.median(values):.4g} {unit}, "
            f"from {values[0]:.4g} to {values[-1]:.4g}"
        )
    return "\n".join(told)


def picture(run: Observed) -> str:
    """The dashboard's first rows."""
    panels = [panel for panel in dashboard()["panels"] if panel["gridPos"]["y"] < _end_of_rows()]
    height = HEAD + max(_box(panel).y + _box(panel).height for panel in panels) + GAP
    drawn = "".join(part for panel in panels for part in _panel(run, panel))
    title = "Contract dataflow"
    note = "preview drawn from a two-minute test run (windows of 5 s): the warehouse away, then a crash"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        'font-family="Inter, Helvetica, Arial, sans-serif">'
        + drawing.rectangle(Box(0, 0, WIDTH, height), drawing.BACKGROUND)
        + drawing.words(14, 30, title, size=20, colour=drawing.TEXT)
        + drawing.words(WIDTH - 14, 29, note, size=13, anchor="end")
        + f'<g transform="translate(0 {HEAD:.0f})">{drawn}</g></svg>\n'
    )


def _end_of_rows() -> float:
    tops = [panel["gridPos"]["y"] for panel in dashboard()["panels"] if panel["type"] == "row"]
    return float(tops[ROWS]) if len(tops) > ROWS else math.inf


def _box(panel: dict[str, Any]) -> Box:
    place, column = panel["gridPos"], (WIDTH - GAP) / COLUMNS
    return Box(
        GAP + place["x"] * column,
        place["y"] * UNIT,
        place["w"] * column - GAP,
        place["h"] * UNIT - GAP,
    )


def _panel(run: Observed, panel: dict[str, Any]) -> Iterator[str]:
    box = _box(panel)
    if panel["type"] == "row":
        yield drawing.words(box.x + 4, box.y + 19, panel["title"], size=15, colour=drawing.TEXT)
        return
    yield drawing.frame(box, panel["title"])
    unit = panel["fieldConfig"]["defaults"]["unit"]
    stacked = panel["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode") == "normal"
    match panel["type"]:
        case "stat":
            values = _now(run, panel)
            text = drawing.shown(values[0][1], unit) if values else "no data"
            yield drawing.figure(box, text, _colour(panel, values[0][1]) if values else drawing.FAINT)
        case "bargauge":
            yield drawing.bars(box, _now(run, panel), unit, COLOURS["blue"])
        case "state-timeline":
            yield drawing.states(box, _over_time(run, panel), run.seconds)
        case _:
            yield drawing.graph(box, _over_time(run, panel), unit, run.seconds, stacked=stacked)


def _colour(panel: dict[str, Any], value: float) -> str:
    reached = [
        step["color"]
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if step["value"] is None or value >= step["value"]
    ]
    return COLOURS[reached[-1]]


def _now(run: Observed, panel: dict[str, Any]) -> list[tuple[str, float]]:
    return [
        (_name(target, each["metric"]), float(each["value"][1]))
        for target in panel["targets"]
        for each in run.prometheus.query(filled_in(target["expr"], run.seconds), run.ended)
    ]


def _over_time(run: Observed, panel: dict[str, Any]) -> list[Line]:
    found: list[Line] = []
    for target in panel["targets"]:
        expression = filled_in(target["expr"], run.seconds)
        for each in run.prometheus.query_range(expression, run.began, run.ended, 1):
            points = tuple((float(at) - run.began, float(value)) for at, value in each["values"])
            found.append(Line(_name(target, each["metric"]), points))
    return sorted(found, key=lambda line: line.name) if len(panel["targets"]) == 1 else found


def _name(target: dict[str, Any], labels: dict[str, str]) -> str:
    legend = target["legendFormat"]
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), legend).strip()
