"""`python -m tests.faults`: run the real program through random faults and count what was lost or doubled."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.faults.campaign import Report, run
from tests.faults.troubles import Fault
from tests.standins.kafka_real import KafkaUnavailable
from tests.standins.s3 import Bucket, S3Process


def main() -> int:
    """0: every promise held. 1: one did not. 2: no broker can be run here."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="faults to inject (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="decides faults and traffic (default 1)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep servers' data and logs here")
    parser.add_argument(
        "--staging", choices=("insert", "s3"), default="insert", help="how rows reach the warehouse"
    )
    options = parser.parse_args()
    if options.logs and options.logs.exists() and any(options.logs.iterdir()):
        parser.error(f"{options.logs} is not empty: servers would find another run's data")
    with ExitStack() as ends:
        temporary = ends.enter_context(
            tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)
        )
        bucket = None
        if options.staging == "s3":
            server = ends.enter_context(S3Process()).server
            bucket = Bucket(server, server.create_bucket())
        directory = options.logs or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            report = run(options.seed, options.rounds, directory, _tell, bucket)
        except KafkaUnavailable as reason:
            print(f"no broker can be run here: {reason}", file=sys.stderr)
            return 2
    if options.report:
        options.report.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    _show(report)
    return 0 if report.kept else 1


def _tell(number: int, fault: Fault) -> None:
    print(f"{number:4}  {fault.kind}  {fault.seconds:.1f} s", flush=True)


def _show(report: Report) -> None:
    print(f"\nseed {report.seed}: {report.rounds} rounds, {report.messages} messages, faults by kind:")
    for kind, count in sorted(report.faults.items()):
        print(f"  {count:4}  {kind}")
    print(f"processes ended by exit code (negative: signal): {dict(report.exit_codes)}")
    print(f"  of them explained by no fault: {dict(report.unexplained_exits) or 'none'}")
    print(
        f"caught up {report.catch_up_seconds} s after the last fault; drained with {report.drain_exit_codes}"
    )
    for kind, seconds in sorted(report.recovery_seconds.items()):
        print(f"every partition read again {seconds} s after {kind}, at most")
    for name, count in asdict(report.verdict).items():
        print(f"  {count:6}  {name.replace('_', ' ')}")
    print("every promise held" if report.kept else "A PROMISE DID NOT HOLD")


if __name__ == "__main__":
    sys.exit(main())
