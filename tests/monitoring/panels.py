"""What the dashboard shows: rows by audience, each panel with its question to Prometheus.

Expressions are plain PromQL: the dashboard's variables are set into every selector when the JSON is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.metrics import COMMIT_ALLOWANCE
from dataflow.contract import load

_CONTRACT = load()
FRESHNESS = _CONTRACT.freshness.total_seconds()
LATE_AFTER = FRESHNESS + COMMIT_ALLOWANCE
DAILY = _CONTRACT.daily_volume
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


class Kind(Enum):
    """Grafana's panel types that are used."""

    STAT = "stat"
    SERIES = "timeseries"
    BARS = "bargauge"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and how its series are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `width` in the grid's 24 columns."""

    title: str
    description: str
    kind: Kind
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    thresholds: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    """(from this value on, colour); None is the lowest."""
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels for one audience."""

    title: str
    panels: tuple[Panel, ...]


def stat(
    title: str,
    description: str,
    unit: str,
    expression: str,
    thresholds: Sequence[tuple[float | None, str]] = ((None, BLUE),),
) -> Panel:
    """One figure."""
    return Panel(title, description, Kind.STAT, unit, (Query(expression),), 4, tuple(thresholds))


def series(title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Lines over time, each query an (expression, legend)."""
    return Panel(title, description, Kind.SERIES, unit, tuple(Query(*each) for each in queries), width)


def stack(title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Areas over time, on top of each other."""
    asked = tuple(Query(*each) for each in queries)
    return Panel(title, description, Kind.SERIES, unit, asked, width, stacked=True)


def bars(title: str, description: str, unit: str, expression: str, legend: str) -> Panel:
    """A bar for each series."""
    return Panel(
        title, description, Kind.BARS, unit, (Query(expression, legend),), thresholds=((None, BLUE),)
    )


def quantiles(metric: str, selector: str = "", *, of: Sequence[float]) -> tuple[tuple[str, str], ...]:
    """A histogram's quantiles, over the last hour: commits are hourly, and contacts are rare."""
    return tuple(
        (f"histogram_quantile({each}, sum by (le) (rate({metric}_bucket{selector}[1h])))", f"p{each * 100:g}")
        for each in of
    )


ROWS = (
    Row(
        "Contract: what the readers of the table were promised",
        (
            stat(
                "Oldest row not in the table",
                "Age of the oldest row that was read and is not in the table. Grows to a window's length "
                "as a matter of course; yellow beyond the contract's freshness, red when it is late.",
                "s",
                "max(pipeline:dataflow_waiting_age_seconds:max) or vector(0)",
                ((None, GREEN), (FRESHNESS, YELLOW), (LATE_AFTER, RED)),
            ),
            stat(
                "Last commit",
                "Time since the warehouse last confirmed a commit. At night, without messages, there is "
                "none to make.",
                "s",
                "time() - max(dataflow_last_commit_timestamp_seconds > 0)",
            ),
            stat(
                "Rows on time, 24 h",
                "Share of rows that reached the table within the contract's freshness and the allowance.",
                "percentunit",
                "1 - sum(increase(dataflow_rows_late_total[1d])) "
                "/ sum(increase(dataflow_row_delay_seconds_count[1d]))",
                ((None, RED), (0.99, YELLOW), (0.999, GREEN)),
            ),
            stat(
                "Messages, 24 h",
                f"Messages that reached the topic. The contract expects {DAILY:,} a day; red below half and "
                "above twice that. Needs a day of history.",
                "short",
                "sum(pipeline:dataflow_arrived_messages:increase1d)",
                ((None, RED), (DAILY / 2, GREEN), (DAILY * 2, RED)),
            ),
            stat(
                "Rejected, 1 h",
                "Share of messages that broke the contract.",
                "percentunit",
                "max(pipeline:dataflow_rejected_messages:ratio_rate1h)",
                ((None, GREEN), (0.03, YELLOW), (0.05, RED)),
            ),
            stat(
                "Alerts firing",
                "Alerts of this pipeline that fire now. RUNBOOK.md has a heading for each.",
                "none",
                'count(ALERTS{alertname=~"Dataflow.+",alertstate="firing"}) or vector(0)',
                ((None, GREEN), (1, RED)),
            ),
            series(
                "Freshness against the contract",
                "The saw-tooth of hourly commits. Above the contract's line the SLA is at risk, above the "
                "upper one it is broken.",
                "s",
                ("max(pipeline:dataflow_waiting_age_seconds:max) or vector(0)", "oldest row waiting"),
                ("max(dataflow_contract_freshness_seconds)", "contract"),
                ("max(dataflow_rows_late_after_seconds)", "late"),
                width=12,
            ),
            series(
                "From topic to table",
                "How long rows took, over the last hour's commits.",
                "s",
                *quantiles("dataflow_row_delay_seconds", of=(0.5, 0.99)),
                width=12,
            ),
        ),
    ),
    Row(
        "Flow: for who runs the pipeline",
        (
            stack(
                "Messages read",
                "By partition; includes what a restart reads again. The line is the contract's average.",
                "cps",
                (
                    "sum by (partition) (rate(dataflow_messages_total[$__rate_interval]))",
                    "partition {{partition}}",
                ),
            ),
            series(
                "Behind on the side topic (progress E)",
                "End of each partition less the group's committed offset. Seconds' worth is normal.",
                "short",
                (
                    "max by (partition) (partition:dataflow_events_lag_messages:max)",
                    "partition {{partition}}",
                ),
            ),
            series(
                "Behind in the table (progress W)",
                "End of each partition less the ledger's position. Falls at each commit.",
                "short",
                ("max by (partition) (partition:dataflow_rows_lag_messages:max)", "partition {{partition}}"),
            ),
            Panel(
                "Who reads what",
                "The process that holds each partition.",
                Kind.STATES,
                "none",
                (
                    Query(
                        "max by (partition, pod) (dataflow_partition_held) == 1",
                        "partition {{partition}}: {{pod}}",
                    ),
                ),
            ),
            series(
                "Partitions read",
                "Against those of the contract. Below the line nobody reads one.",
                "none",
                ("sum(pipeline:dataflow_partitions_held:sum)", "read"),
                ("max(dataflow_contract_partitions)", "contract"),
            ),
            series(
                "Retention headroom",
                "Offsets between what retention removes next and what is not in the table yet. At 0 data is "
                "lost.",
                "short",
                (
                    "max by (partition) (partition:dataflow_end_offset:max "
                    "- partition:dataflow_rows_lag_messages:max) "
                    "- max by (partition) (dataflow_log_start_offset)",
                    "partition {{partition}}",
                ),
            ),
        ),
    ),
    Row(
        "Side topic: for the Bad Actor service",
        (
            stack(
                "Contacts committed",
                "Events that became visible to readers of committed messages.",
                "cps",
                (
                    'sum(rate(dataflow_events_committed_total{stream="contacts"}[$__rate_interval]))',
                    "contacts",
                ),
            ),
            series(
                "From message to contact",
                "From a message's arrival to the commit of its contacts, over the last hour.",
                "s",
                *quantiles("dataflow_event_delay_seconds", '{stream="contacts"}', of=(0.5, 0.95, 0.99)),
            ),
            series(
                "Slower than 10 s",
                "Share of contacts beyond the objective. It allows for 1%; 14.4% in an hour wakes someone.",
                "percentunit",
                ("max(pipeline:dataflow_slow_contacts:ratio_rate5m)", "5 min"),
                ("max(pipeline:dataflow_slow_contacts:ratio_rate1h)", "1 h"),
                ("max(pipeline:dataflow_slow_contacts:ratio_rate6h)", "6 h"),
            ),
            bars(
                "Contacts found",
                "By kind and platform, over the time shown.",
                "short",
                "sort_desc(sum by (kind, platform) (increase(dataflow_contacts_total[$__range])))",
                "{{kind}} {{platform}}",
            ),
            series(
                "Kafka transactions",
                "How long their commit takes.",
                "s",
                *quantiles("dataflow_event_commit_seconds", of=(0.5, 0.99)),
            ),
            series(
                "Refused by the broker",
                "Transactions and deliveries. A few are part of a rebalance, and nothing is lost.",
                "short",
                (
                    "sum by (code) (increase(dataflow_event_aborts_total[$__rate_interval])) or vector(0)",
                    "transaction {{code}}",
                ),
                (
                    "sum by (code) (increase(dataflow_delivery_failures_total[$__rate_interval])) "
                    "or vector(0)",
                    "delivery {{code}}",
                ),
            ),
        ),
    ),
    Row(
        "Dead letters: for the backend that produces the messages",
        (
            series(
                "Dead letters",
                "Committed to their topic.",
                "cps",
                (
                    'sum(rate(dataflow_events_committed_total{stream="dead_letters"}[$__rate_interval]))',
                    "dead letters",
                ),
            ),
            stack(
                "Reasons",
                "Violations by code; a message may have several.",
                "cps",
                ("sum by (code) (rate(dataflow_rejects_total[$__rate_interval]))", "{{code}}"),
            ),
            bars(
                "Signs of drift",
                "Fields that the contract does not know, over the time shown: the first sign that it drifts.",
                "short",
                "sort_desc(sum by (field) (increase(dataflow_unknown_fields_total[$__range])))",
                "{{field}}",
            ),
            bars(
                "Reasons, in total",
                "Violations by code, over the time shown.",
                "short",
                "sort_desc(sum by (code) (increase(dataflow_rejects_total[$__range])))",
                "{{code}}",
            ),
            bars(
                "Tolerated oddities",
                "Warnings by code, over the time shown; the rows are kept.",
                "short",
                "sort_desc(sum by (code) (increase(dataflow_warnings_total[$__range])))",
                "{{code}}",
            ),
            series(
                "Rejected",
                "Share of messages that broke the contract.",
                "percentunit",
                (
                    "sum(rate(dataflow_rejected_messages_total[$__rate_interval])) "
                    "/ sum(rate(dataflow_messages_total[$__rate_interval]))",
                    "share",
                ),
            ),
        ),
    ),
    Row(
        "Warehouse: for data engineering",
        (
            series(
                "Rows committed",
                "By the commits of each moment.",
                "short",
                ("sum(increase(dataflow_rows_committed_total[$__rate_interval]))", "rows"),
            ),
            series(
                "Duration of a commit",
                "From connecting to the answer, over the last hour.",
                "s",
                *quantiles("dataflow_commit_seconds", of=(0.5, 0.99)),
            ),
            bars(
                "Where a commit's time goes",
                "Time in each step, over the time shown.",
                "s",
                "sort_desc(sum by (phase) (increase(dataflow_commit_phase_seconds_total[$__range])))",
                "{{phase}}",
            ),
            series(
                "Spool",
                "Bytes that wait for the warehouse, and how many may.",
                "bytes",
                ("max by (pod) (dataflow_backlog_bytes)", "{{pod}}"),
                ("max(dataflow_backlog_limit_bytes)", "limit"),
            ),
            series(
                "Waiting for a commit",
                "Age of the oldest window that has closed and is not committed. 0 while all is well.",
                "s",
                ("max by (pod) (dataflow_commit_waiting_seconds)", "{{pod}}"),
            ),
            stack(
                "Tried again",
                "Passing troubles by system and reason.",
                "short",
                (
                    "sum by (system, reason) (increase(dataflow_retries_total[$__rate_interval])) > 0 "
                    "or vector(0)",
                    "{{system}} {{reason}}",
                ),
            ),
        ),
    ),
    Row(
        "Runtime",
        (
            stat("Processes", "That are scraped.", "none", "count(dataflow_build_info)"),
            stat(
                "Restarts, 1 h",
                "Of processes that kept their address.",
                "none",
                "sum(changes(dataflow_process_start_time_seconds[1h]))",
                ((None, GREEN), (1, YELLOW), (4, RED)),
            ),
            stat(
                "Broken promises, 24 h",
                "Processes that ended rather than go on wrongly.",
                "none",
                "sum(increase(dataflow_broken_promises_total[1d]))",
                ((None, GREEN), (1, RED)),
            ),
            stat(
                "Source paused, 1 h",
                "Time for which back-pressure paused reading.",
                "s",
                "sum(increase(dataflow_paused_seconds_total[1h]))",
                ((None, GREEN), (60, YELLOW), (600, RED)),
            ),
            Panel(
                "Versions",
                "Of the program and of the contract, by processes.",
                Kind.BARS,
                "none",
                (
                    Query(
                        "count by (version, contract_version) (dataflow_build_info)",
                        "{{version}}, contract {{contract_version}}",
                    ),
                ),
                thresholds=((None, BLUE),),
            ),
            series(
                "CPU",
                "Cores in use.",
                "none",
                ("sum by (pod) (rate(dataflow_process_cpu_seconds_total[$__rate_interval]))", "{{pod}}"),
            ),
            series(
                "Memory",
                "Resident.",
                "bytes",
                ("max by (pod) (dataflow_process_resident_memory_bytes)", "{{pod}}"),
            ),
            series(
                "Open files and sockets",
                "They do not grow with time.",
                "none",
                ("max by (pod) (dataflow_process_open_fds)", "{{pod}}"),
            ),
        ),
    ),
)
"""The dashboard."""
