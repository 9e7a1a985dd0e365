"""Rows of the dashboard for those whom the pipeline serves: readers of rows, of contacts, the backend."""

from __future__ import annotations

from tests.monitoring import panels

VERIFY_DUE, VERIFY_STALE = 2 * 3600, 3 * 3600
"""Seconds after which a run of `verify` was missed, and after which an alert says so."""

CONTRACT = panels.Row(
    "Contract: what the readers of the table were promised",
    (
        panels.stat(
            "Oldest row not in the table",
            "Age of the oldest row that was read and is not in the table. Grows to a window's length "
            "as a matter of course; yellow beyond the contract's freshness, red when it is late.",
            "s",
            "max(pipeline:dataflow_waiting_age_seconds:max) or vector(0)",
            ((None, panels.GREEN), (panels.FRESHNESS, panels.YELLOW), (panels.LATE_AFTER, panels.RED)),
        ),
        panels.stat(
            "Last commit",
            "Time since the warehouse last confirmed a commit. At night, without messages, there is "
            "none to make.",
            "s",
            "time() - max(dataflow_last_commit_timestamp_seconds > 0)",
        ),
        panels.stat(
            "Rows on time, 24 h",
            "Share of rows that reached the table within the contract's freshness and the allowance.",
            "percentunit",
            "1 - sum(increase(dataflow_rows_late_total[1d])) "
            "/ sum(increase(dataflow_row_delay_seconds_count[1d]))",
            ((None, panels.RED), (0.99, panels.YELLOW), (0.999, panels.GREEN)),
        ),
        panels.stat(
            "Messages, 24 h",
            f"Messages that reached the topic. The contract expects {panels.DAILY:,} a day; red below half "
            "and above twice that. Needs a day of history.",
            "short",
            "sum(pipeline:dataflow_arrived_messages:increase1d)",
            ((None, panels.RED), (panels.DAILY / 2, panels.GREEN), (panels.DAILY * 2, panels.RED)),
        ),
        panels.stat(
            "Rejected, 1 h",
            "Share of messages that broke the contract.",
            "percentunit",
            "max(pipeline:dataflow_rejected_messages:ratio_rate1h)",
            ((None, panels.GREEN), (0.03, panels.YELLOW), (0.05, panels.RED)),
        ),
        panels.stat(
            "Alerts firing",
            "Alerts of this pipeline that fire now. RUNBOOK.md has a heading for each.",
            "none",
            'count(ALERTS{alertname=~"Dataflow.+",alertstate="firing"}) or vector(0)',
            ((None, panels.GREEN), (1, panels.RED)),
        ),
        panels.series(
            "Freshness against the contract",
            "The saw-tooth of hourly commits. Above the contract's line the SLA is at risk, above the "
            "upper one it is broken.",
            "s",
            ("max(pipeline:dataflow_waiting_age_seconds:max) or vector(0)", "oldest row waiting"),
            ("max(dataflow_contract_freshness_seconds)", "contract"),
            ("max(dataflow_rows_late_after_seconds)", "late"),
            width=12,
        ),
        panels.series(
            "From topic to table",
            "How long rows took, over the last hour's commits.",
            "s",
            *panels.quantiles("dataflow_row_delay_seconds", of=(0.5, 0.99)),
            width=12,
        ),
    ),
)

VERIFY = panels.Row(
    "Verify: for who relies on the table",
    (
        panels.stat(
            "Last verify",
            "Time since table, ledger and topic were last compared with the contract. Hourly; red after 3 h.",
            "s",
            "time() - max(dataflow_verify_last_run_timestamp_seconds)",
            ((None, panels.GREEN), (VERIFY_DUE, panels.YELLOW), (VERIFY_STALE, panels.RED)),
        ),
        panels.stat(
            "Wrong checks",
            "Checks that failed in the last run.",
            "none",
            "count(dataflow_verify_check_ok == 0) or vector(0)",
            ((None, panels.GREEN), (1, panels.RED)),
        ),
        panels.series(
            "What became of the messages",
            "Of the day that was last reconciled: every offset in the topic is a row, a version that a later "
            "one superseded, or a dead letter. What is unaccounted for is lost or repeated.",
            "short",
            ("sum by (fate) (dataflow_verify_window_messages)", "{{fate}}"),
        ),
        panels.Panel(
            "Checks",
            "Of the last run: green right, red wrong. docs/operating.md says what each measures.",
            panels.Kind.STATES,
            "none",
            (panels.Query("min by (check) (dataflow_verify_check_ok)", "{{check}}"),),
            thresholds=((None, panels.RED), (1, panels.GREEN)),
        ),
    ),
)

SIDE_TOPIC = panels.Row(
    "Side topic: for the Bad Actor service",
    (
        panels.stack(
            "Contacts committed",
            "Events that became visible to readers of committed messages.",
            "cps",
            (
                'sum(rate(dataflow_events_committed_total{stream="contacts"}[$__rate_interval]))',
                "contacts",
            ),
        ),
        panels.series(
            "From message to contact",
            "From a message's arrival to the commit of its contacts, over the last hour.",
            "s",
            *panels.quantiles("dataflow_event_delay_seconds", '{stream="contacts"}', of=(0.5, 0.95, 0.99)),
        ),
        panels.series(
            "Slower than 10 s",
            "Share of contacts beyond the objective. It allows for 1%; 14.4% in an hour wakes someone.",
            "percentunit",
            ("max(pipeline:dataflow_slow_contacts:ratio_rate5m)", "5 min"),
            ("max(pipeline:dataflow_slow_contacts:ratio_rate1h)", "1 h"),
            ("max(pipeline:dataflow_slow_contacts:ratio_rate6h)", "6 h"),
        ),
        panels.bars(
            "Contacts found",
            "By kind and platform, over the time shown.",
            "short",
            "sort_desc(sum by (kind, platform) (increase(dataflow_contacts_total[$__range])))",
            "{{kind}} {{platform}}",
        ),
        panels.series(
            "Kafka transactions",
            "How long their commit takes.",
            "s",
            *panels.quantiles("dataflow_event_commit_seconds", of=(0.5, 0.99)),
        ),
        panels.series(
            "Refused by the broker",
            "Transactions and deliveries. A few are part of a rebalance, and nothing is lost.",
            "short",
            (
                "sum by (code) (increase(dataflow_event_aborts_total[$__rate_interval])) or vector(0)",
                "transaction {{code}}",
            ),
            (
                "sum by (code) (increase(dataflow_delivery_failures_total[$__rate_interval])) or vector(0)",
                "delivery {{code}}",
            ),
        ),
    ),
)

DEAD_LETTERS = panels.Row(
    "Dead letters: for the backend that produces the messages",
    (
        panels.series(
            "Dead letters",
            "Committed to their topic.",
            "cps",
            (
                'sum(rate(dataflow_events_committed_total{stream="dead_letters"}[$__rate_interval]))',
                "dead letters",
            ),
        ),
        panels.stack(
            "Reasons",
            "Violations by code; a message may have several.",
            "cps",
            ("sum by (code) (rate(dataflow_rejects_total[$__rate_interval]))", "{{code}}"),
        ),
        panels.bars(
            "Signs of drift",
            "Fields that the contract does not know, over the time shown: the first sign that it drifts.",
            "short",
            "sort_desc(sum by (field) (increase(dataflow_unknown_fields_total[$__range])))",
            "{{field}}",
        ),
        panels.bars(
            "Reasons, in total",
            "Violations by code, over the time shown.",
            "short",
            "sort_desc(sum by (code) (increase(dataflow_rejects_total[$__range])))",
            "{{code}}",
        ),
        panels.bars(
            "Tolerated oddities",
            "Warnings by code, over the time shown; the rows are kept.",
            "short",
            "sort_desc(sum by (code) (increase(dataflow_warnings_total[$__range])))",
            "{{code}}",
        ),
        panels.series(
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
)
