"""The command line: the only reader of arguments, environment and signals."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import FrameType
from typing import BinaryIO

from dotenv import dotenv_values

from dataflow.contract import Contract, ContractError, load
from dataflow.settings import ClientJudge, Settings, SettingsError, Sources, read
from dataflow.settings_table import SETTINGS

PROGRAM = "contract-dataflow"
USAGE_ERROR = 2

DESCRIPTION = """\
Keeps a data contract between a Kafka topic and a Redshift table: reads the topic, checks every message
against the contract, sends contacts found in texts and what breaks the contract to topics of their own, and
commits the rows window by window. Nothing is lost and nothing is counted twice, whatever dies.
"""
EXAMPLES = """\
examples:
  contract-dataflow check                      is everything as the contract says? changes nothing
  contract-dataflow ddl --dry-run              what would --apply create and alter in the warehouse?
  contract-dataflow ddl --apply                create what is missing, alter what is safe
  contract-dataflow run                        the pipeline, until SIGTERM
  contract-dataflow validate messages.jsonl    would these messages become rows? needs no settings
  contract-dataflow detect < texts.jsonl       contacts in {"id", "text", "region"?} lines; needs no settings
  contract-dataflow detect --explain "snap: x" which rule found a contact in a text, or which veto spoke

exit codes:
  0  done, and all is right        1  something is wrong; the output says what
  2  the command line, a setting, the contract or an input file is not fit to work with
  10 and above: `run` ended because of a broken promise; the log says which, the README lists them

`python -m dataflow` is the same program. Settings come from the environment and from a file .env in the
working directory; the environment wins. `contract-dataflow run --help` lists them.
"""


def _settings_help() -> str:
    lines = [
        "settings (environment, or .env in the working directory; the environment wins):",
    ]
    group = ""
    for setting in SETTINGS:
        if setting.group != group:
            group = setting.group
            lines += ["", f"  {group}"]
        notes = [f"Default: {setting.default}."] if setting.default is not None else []
        notes += ["Required."] if setting.required else []
        notes += [f"Secret: also as {setting.name}_FILE."] if setting.secret else []
        lines.append(f"    {setting.name:<28}{' '.join([setting.text, *notes])}")
    lines += [
        "",
        "  Any librdkafka property some.name as KAFKA_CONFIG_SOME_NAME, a secret one also from a file:",
        "    KAFKA_CONFIG_SECURITY_PROTOCOL=sasl_ssl      KAFKA_CONFIG_SASL_MECHANISM=SCRAM-SHA-512",
        "    KAFKA_CONFIG_SASL_USERNAME=pipeline          KAFKA_CONFIG_SASL_PASSWORD_FILE=/run/secrets/kafka",
        "    KAFKA_CONFIG_SSL_CA_LOCATION=/etc/ca.pem     KAFKA_CONFIG_SASL_OAUTHBEARER_METHOD=oidc",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=form
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, text: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=text, epilog=epilog, formatter_class=form)

    add(
        "run",
        "run the pipeline until SIGTERM",
        "Runs the pipeline. SIGTERM or SIGINT drains it: what was read is committed, the exit code is 0.\n"
        "Serves /metrics, /livez and /readyz. Logs one JSON line an event to stderr.",
        _settings_help(),
    )
    add(
        "check",
        "say, line by line, what is right and what is not",
        "Connects to Kafka and Redshift and compares them with the contract: brokers, topics, partitions,\n"
        "permissions, table, keys, ledger, and where each partition would start. Changes nothing.\n"
        "Exit code 0 when nothing is wrong, else 1.",
        _settings_help(),
    )
    ddl = add(
        "ddl",
        "print the warehouse's DDL, or bring the warehouse to it",
        "Prints schema, table and ledger as the contract states them. With --apply, creates what is\n"
        "missing, adds nullable columns and widens varchars; anything else is refused with the steps that a\n"
        "person takes, and nothing is changed then. --dry-run connects and shows what --apply would do.",
    )
    ddl.add_argument(
        "--apply", action="store_true", help="connect, create what is missing, alter what is safe"
    )
    ddl.add_argument("--dry-run", action="store_true", help="connect, and only show what --apply would do")
    validate = add(
        "validate",
        "judge messages against the contract",
        "JSON Lines of messages in; for each a JSON line out:\n"
        '  {"line": 1, "verdict": "row" | "dead_letter", "violations": [{"field", "code", "message"}],\n'
        '   "warnings": [...], "row": {...}}\n'
        "Exit code 1 when any is a dead letter: for a producer's own CI.",
    )
    detect = add(
        "detect",
        "find contacts in texts",
        'JSON Lines in: {"id", "text", "region"?}. For each a JSON line out:\n'
        '  {"id", "detections": [{"type": "phone" | "handle", "platform", "value", "start", "end",\n'
        '   "rule"}]}\n'
        "value: E.164, or the handle in lower case without @; a number that lacks its area code stays as\n"
        "it is. Offsets in code points.\n\n"
        "With --explain the input may be a text itself, and the answer is for people: the normalised form,\n"
        "which rule found a contact, and which veto spoke against what looked like one.",
    )
    detect.add_argument("--region", default="US", help="country for texts without a region (default US)")
    detect.add_argument(
        "--explain", action="store_true", help="tell how each text, or the text FILE, is read"
    )
    for command in (validate, detect):
        command.add_argument("file", nargs="?", default="-", metavar="FILE", help="input; - or none: stdin")
    for command in (ddl, validate):
        command.add_argument(
            "--contract", type=Path, help="contract file (default: CONTRACT, else the packaged one)"
        )
    add(
        "config",
        "show the settings in force, secrets hidden",
        "Shows every setting, its value and where it came from. Secrets are hidden.",
        _settings_help(),
    )
    return parser


class _Refused(Exception):
    """The command cannot begin; the text says why."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except SettingsError as wrong:
        lines = "\n".join(f"  {fault}" for fault in wrong.faults)
        print(f"{PROGRAM}: {len(wrong.faults)} fault(s) in the settings:\n{lines}", file=sys.stderr)
    except (ContractError, _Refused) as wrong:
        print(f"{PROGRAM}: {wrong}", file=sys.stderr)
    return USAGE_ERROR


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "validate":
            from dataflow.commands.validate import validate

            with _input(options.file) as lines:
                return validate(lines, _contract(options.contract), datetime.now(UTC), sys.stdout.buffer)
        case "detect":
            from dataflow.commands.detect import detect
            from dataflow.detect import Detector

            if not Detector.knows(options.region):
                raise _Refused(
                    f"--region {options.region}: must be an ISO 3166 code of two capital letters, such as US"
                )
            if options.explain:
                from dataflow.commands.explain import explain, explain_lines

                if options.file != "-" and not Path(options.file).is_file():
                    return explain(options.file, options.region, sys.stdout)
                with _input(options.file) as lines:
                    return explain_lines(lines, options.region, sys.stdout, sys.stderr)
            with _input(options.file) as lines:
                return detect(lines, options.region, sys.stdout.buffer, sys.stderr)
        case "ddl":
            from dataflow.commands.ddl import apply, preview, print_ddl

            if not options.apply and not options.dry_run:
                return print_ddl(_contract(options.contract), sys.stdout)
            settings = _settings()
            deed = preview if options.dry_run else apply
            return deed(settings, _contract(options.contract or settings.contract), sys.stdout, sys.stderr)
        case "check":
            from dataflow.commands.check import check

            settings = _settings()
            return check(settings, _contract(settings.contract), sys.stdout)
        case "config":
            from dataflow.commands.config import show

            return show(_settings(), sys.stdout)
        case _:
            return _run()


def _run() -> int:
    stop = Event()

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        if stop.is_set() and signum == signal.SIGINT:
            signal.default_int_handler(signum, frame)
        stop.set()

    # First of all: a signal that comes while the clients are being imported must not end in exit code 143.
    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    from connectors.logs import configure
    from dataflow.commands.run import run

    settings = _settings()
    contract = _contract(settings.contract)
    configure(sys.stderr, settings.log_level.value, settings.log_form.value)
    return run(settings, contract, stop)


def _settings() -> Settings:
    from connectors import kafka_access

    judge: ClientJudge = kafka_access.ClientJudge()
    dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return read(Sources(os.environ, dotenv, lambda path: path.read_text()), judge)


def _contract(path: Path | None) -> Contract:
    if path is None and (named := os.environ.get("CONTRACT")):
        path = Path(named)
    try:
        return load(path)
    except OSError as trouble:
        raise _Refused(f"contract {path}: {trouble.strerror}") from trouble


def _input(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as trouble:
        raise _Refused(f"{name}: {trouble.strerror}") from trouble


def console() -> None:
    """Entry point of the `contract-dataflow` script."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough; what is left in the buffer would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


if __name__ == "__main__":
    console()
