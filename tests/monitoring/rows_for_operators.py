"""Rows of the dashboard for those who run the pipeline."""

from __future__ import annotations

from tests.monitoring import panels

FLOW = panels.Row(
    "Flow: for who runs the pipeline",
    (
        panels.stack(
            "Messages read",
            "By partition; includes what a restart reads again. The line is the contract's average.",
            "cps",
            (
                "sum by (partition) (rate(dataflow_messages_total[$__rate_interval]))",
                "partition {{partition}}",
            ),
        ),
        panels.series(
            "Behind on the side topic (progress E)",
            "End of each partition less the group's committed offset. Seconds' worth is normal.",
            "short",
            (
                "max by (partition) (partition:dataflow_events_lag_messages:max)",
                "partition {{partition}}",
            ),
        ),
        panels.series(
            "Behind in the table (progress W)",
            "End of each partition less the ledger's position. Falls at each commit.",
            "short",
            ("max by (partition) (partition:dataflow_rows_lag_messages:max)", "partition {{partition}}"),
        ),
        panels.Panel(
            "Who reads what",
            "The process that holds each partition.",
            panels.Kind.STATES,
            "none",
            (
                panels.Query(
                    "max by (partition, pod) (dataflow_partition_held) == 1",
                    "partition {{partition}}: {{pod}}",
                ),
            ),
        ),
        panels.series(
            "Partitions read",
            "Against those of the contract. Below the line nobody reads one.",
            "none",
            ("sum(pipeline:dataflow_partitions_held:sum)", "read"),
            ("max(dataflow_contract_partitions)", "contract"),
        ),
        panels.series(
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
)

WAREHOUSE = panels.Row(
    "Warehouse: for data engineering",
    (
        panels.series(
            "Rows committed",
            "By the commits of each moment.",
            "short",
            ("sum(increase(dataflow_rows_committed_total[$__rate_interval]))", "rows"),
        ),
        panels.series(
            "Duration of a commit",
            "From connecting to the answer, over the last hour.",
            "s",
            *panels.quantiles("dataflow_commit_seconds", of=(0.5, 0.99)),
        ),
        panels.bars(
            "Where a commit's time goes",
            "Time in each step, over the time shown.",
            "s",
            "sort_desc(sum by (phase) (increase(dataflow_commit_phase_seconds_total[$__range])))",
            "{{phase}}",
        ),
        panels.series(
            "Spool",
            "Bytes that wait for the warehouse, and how many may.",
            "bytes",
            ("max by (pod) (dataflow_backlog_bytes)", "{{pod}}"),
            ("max(dataflow_backlog_limit_bytes)", "limit"),
        ),
        panels.series(
            "Waiting for a commit",
            "Age of the oldest window that has closed and is not committed. 0 while all is well.",
            "s",
            ("max by (pod) (dataflow_commit_waiting_seconds)", "{{pod}}"),
        ),
        panels.stack(
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
)

RUNTIME = panels.Row(
    "Runtime",
    (
        panels.stat("Processes", "That are scraped.", "none", "count(dataflow_build_info)"),
        panels.stat(
            "Restarts, 1 h",
            "Of processes that kept their address.",
            "none",
            "sum(changes(dataflow_process_start_time_seconds[1h]))",
            ((None, panels.GREEN), (1, panels.YELLOW), (4, panels.RED)),
        ),
        panels.stat(
            "Broken promises, 24 h",
            "Processes that ended rather than go on wrongly.",
            "none",
            "sum(increase(dataflow_broken_promises_total[1d]))",
            ((None, panels.GREEN), (1, panels.RED)),
        ),
        panels.stat(
            "Source paused, 1 h",
            "Time for which back-pressure paused reading.",
            "s",
            "sum(increase(dataflow_paused_seconds_total[1h]))",
            ((None, panels.GREEN), (60, panels.YELLOW), (600, panels.RED)),
        ),
        panels.Panel(
            "Versions",
            "Of the program and of the contract, by processes.",
            panels.Kind.BARS,
            "none",
            (
                panels.Query(
                    "count by (version, contract_version) (dataflow_build_info)",
                    "{{version}}, contract {{contract_version}}",
                ),
            ),
            thresholds=((None, panels.BLUE),),
        ),
        panels.series(
            "CPU",
            "Cores in use.",
            "none",
            ("sum by (pod) (rate(dataflow_process_cpu_seconds_total[$__rate_interval]))", "{{pod}}"),
        ),
        panels.series(
            "Memory",
            "Resident.",
            "bytes",
            ("max by (pod) (dataflow_process_resident_memory_bytes)", "{{pod}}"),
        ),
        panels.series(
            "Open files and sockets",
            "They do not grow with time.",
            "none",
            ("max by (pod) (dataflow_process_open_fds)", "{{pod}}"),
        ),
    ),
)
