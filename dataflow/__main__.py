"""The command line: the only reader of arguments, environment and signals."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from connectors.stopping import Stop
from dataflow.arguments import topic
from dataflow.commands import contract as contract_command
from dataflow.commands import operators
from dataflow.contract import Contract, ContractError, load
from dataflow.settings import ClientJudge, Settings, SettingsError, Sources, read
from dataflow.settings_help import settings_help
from dataflow.settings_table import ACL_SETTINGS, ALL_GROUPS, GRANT_SETTINGS, KAFKA_ONLY, WAREHOUSE_ONLY

if TYPE_CHECKING:
    from dataflow.protobuf.schema import ProtobufSchema

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
  contract-dataflow grants --user pipeline     what the warehouse must permit; acls: what Kafka must
  contract-dataflow run                        the pipeline, until SIGTERM
  contract-dataflow validate messages.jsonl    would these messages become rows? needs no settings
  contract-dataflow detect < texts.jsonl       contacts in {"id", "text", "region"?} lines; needs no settings
  contract-dataflow detect --explain "snap: x" which rule found a contact in a text, or which veto spoke
  contract-dataflow contract diff OLD NEW      what changed in the contract, and for whom it breaks something
  contract-dataflow verify                     is the contract kept? freshness, table, source against table
  contract-dataflow dead-letters stats         what breaks the contract; `replay` produces it again

exit codes:
  0  done, and all is right        1  something is wrong; the output says what
  2  the command line, a setting, the contract or an input file is not fit to work with
  10 and above: `run` ended because of a broken promise; the log says which, the README lists them

`python -m dataflow` is the same program. Settings come from the environment and from a file .env in the
working directory; the environment wins. `contract-dataflow run --help` lists them.
"""


def command_line() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=form
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, text: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=text, epilog=epilog, formatter_class=form)

    add(
        "run",
        "run the pipeline until SIGTERM",
        "Runs the pipeline. SIGTERM or SIGINT drains it: what was read is committed, the exit code is 0.\n"
        "Serves /metrics, /livez and /readyz. Logs one JSON line an event to stderr.",
        settings_help(),
    )
    add(
        "check",
        "say, line by line, what is right and what is not",
        "Connects to Kafka and Redshift and compares them with the contract: brokers, topics, partitions,\n"
        "permissions, table, keys, ledger, and where each partition would start. Changes nothing.\n"
        "Exit code 0 when nothing is wrong, else 1.",
        settings_help(),
    )
    ddl = add(
        "ddl",
        "print the warehouse's DDL, or bring the warehouse to it",
        "Prints schema, tables, ledger and view as the contract states them. With --apply, creates what is\n"
        "missing, adds nullable columns and widens varchars; anything else is refused with the steps that a\n"
        "person takes, and nothing is changed then. --dry-run connects and shows what --apply would do.",
    )
    ddl.add_argument(
        "--apply", action="store_true", help="connect, create what is missing, alter what is safe"
    )
    ddl.add_argument("--dry-run", action="store_true", help="connect, and only show what --apply would do")
    ddl.add_argument(
        "--to-type-2",
        action="store_true",
        help="instead: make a table of type 1 one of type 2 (scd: 2); without --apply, show how",
    )
    grants = add(
        "grants",
        "print what the pipeline must be granted in the warehouse, or grant it",
        "Prints the GRANT statements for all that `run` and `check` need, or with --for operators for all\n"
        "that `verify`, `ledger` and `rerun` need, with --for verify for what it needs alone: reading; and\n"
        "nothing more. With --apply, grants it, as the owner of the tables that the settings log in as.",
        settings_help(GRANT_SETTINGS),
    )
    grantee = grants.add_mutually_exclusive_group(required=True)
    for kind in ("user", "role", "group"):
        grantee.add_argument(f"--{kind}", metavar="NAME", help=f"the {kind} that logs in")
    grants.add_argument("--apply", action="store_true", help="connect, and grant it")
    acls = add(
        "acls",
        "print the ACLs that the pipeline needs in Kafka, or create them",
        "Prints a kafka-acls.sh command for each permission that `run` and `check` need, or with --for\n"
        "operators that `verify`, `ledger`, `tail`, `dead-letters` and `rerun` need, with --for verify that\n"
        "it needs alone, and nothing more. With --apply, creates them, as the administrator that the\n"
        "settings log in as.",
        settings_help(ACL_SETTINGS),
    )
    acls.add_argument(
        "--principal", required=True, metavar="User:NAME", help="whom the brokers take the login for"
    )
    acls.add_argument("--apply", action="store_true", help="connect, and create them")
    acls.add_argument(
        "--to",
        type=operators.read_by(topic),
        metavar="TOPIC",
        help="where operators replay dead letters to (default: the source)",
    )
    for command in (grants, acls):
        command.add_argument(
            "--for",
            dest="party",
            choices=("pipeline", "operators", "verify"),
            default="pipeline",
            help="whose login it is (default pipeline)",
        )
    validate = add(
        "validate",
        "judge messages against the contract",
        "JSON Lines of messages in, or with --format protobuf a line of base64 for each; a JSON line out:\n"
        '  {"line": 1, "verdict": "row" | "dead_letter", "violations": [{"field", "code", "message"}],\n'
        '   "warnings": [...], "row": {...}}\n'
        "Exit code 1 when any is a dead letter: for a producer's own CI. An empty line is no message in\n"
        "JSON, and the message of 0 bytes in Protobuf.",
    )
    validate.add_argument(
        "--format",
        choices=("json", "protobuf"),
        default="json",
        help="protobuf: each line is the base64 of a message, with Confluent's frame or without",
    )
    detect = add(
        "detect",
        "find contacts in texts",
        'JSON Lines in: {"id", "text", "region"?}. For each a JSON line out:\n'
        '  {"id", "detections": [{"type": "phone" | "handle", "platform", "value", "start", "end",\n'
        '   "rule"}]}\n'
        "value: E.164, or the handle in lower case without @; a number that lacks its area code stays as\n"
        "it is. Offsets in code points.\n\n"
        "With --explain FILE may be a text itself, and the answer is for people: the normalised form,\n"
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
        settings_help(),
    )
    contract_command.add_arguments(
        add(
            "contract",
            "judge a contract, compare two, or print what is generated from one",
            "Whether a contract file is good, what changed between two versions, and what is generated from\n"
            "one. Needs no settings and no servers. `contract diff --help` and so on tell more.",
        )
    )
    operators.add_commands(add)
    return parser


class _Refused(Exception):
    """The command cannot begin; the text says why."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    options = command_line().parse_args(arguments)
    try:
        return _dispatch(options)
    except SettingsError as wrong:
        lines = "\n".join(f"  {fault}" for fault in wrong.faults)
        print(f"{PROGRAM}: {len(wrong.faults)} fault(s) in the settings:\n{lines}", file=sys.stderr)
    except (ContractError, _Refused, operators.WrongTogether) as wrong:
        print(f"{PROGRAM}: {wrong}", file=sys.stderr)
    return USAGE_ERROR


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "validate":
            from dataflow.commands.validate import validate

            contract = _contract(options.contract)
            protobuf = _protobuf(contract, options.contract) if options.format == "protobuf" else None
            with _input(options.file) as lines:
                return validate(lines, contract, datetime.now(UTC), sys.stdout.buffer, protobuf)
        case "detect":
            from dataflow.commands.detect import detect
            from dataflow.detect import Detector

            region = options.region.upper()
            if not Detector.knows(region):
                raise _Refused(f"--region {options.region}: must be an ISO 3166 code, such as US")
            if options.explain:
                from dataflow.commands.explain import explain, explain_lines

                if options.file != "-" and not _is_file(options.file):
                    print("(no file of this name: it is read as a text)", file=sys.stderr)
                    return explain(options.file, region, sys.stdout)
                with _input(options.file) as lines:
                    return explain_lines(lines, region, sys.stdout, sys.stderr)
            with _input(options.file) as lines:
                return detect(lines, region, sys.stdout.buffer, sys.stderr)
        case "ddl":
            from dataflow.commands import ddl, to_type_2

            if not (options.apply or options.dry_run or options.to_type_2):
                return ddl.print_ddl(_contract(options.contract), sys.stdout)
            settings = _settings(WAREHOUSE_ONLY)
            apply, preview = ddl.apply, ddl.preview
            if options.to_type_2:
                apply, preview = to_type_2.apply, to_type_2.preview
            deed = apply if options.apply and not options.dry_run else preview
            return deed(settings, _contract(options.contract or settings.contract), sys.stdout, sys.stderr)
        case "contract":
            return contract_command.dispatch(options, _contract, _contract_path, sys.stdout)
        case "grants":
            from connectors.redshift_grants import Grantee, GranteeKind
            from dataflow.commands import grants
            from dataflow.commands.access import Party

            settings = _settings(WAREHOUSE_ONLY)
            kind = next(kind for kind in GranteeKind if getattr(options, kind.value) is not None)
            grantee = Grantee(kind, getattr(options, kind.value))
            contract = _contract(settings.contract)
            party = Party(options.party)
            if options.apply:
                return grants.apply(settings, contract, party, grantee, sys.stdout, sys.stderr)
            return grants.print_grants(settings, contract, party, grantee, sys.stdout)
        case "acls":
            from dataflow.commands import acls
            from dataflow.commands.access import Party

            party = Party(options.party)
            if options.to is not None and party is not Party.OPERATORS:
                raise _Refused("acls: --to is where operators replay to: give --for operators with it")
            settings = _settings(KAFKA_ONLY)
            contract = _contract(settings.contract)
            order = acls.AclOrder(party, options.principal, options.to)
            if options.apply:
                return acls.apply(settings, contract, order, sys.stdout, sys.stderr)
            return acls.print_acls(settings, contract, order, sys.stdout)
        case "check":
            from dataflow.commands.check import check

            settings, contract = _judged()
            return check(settings, contract, sys.stdout)
        case "config":
            from dataflow.commands.config import show

            return show(*_judged(), sys.stdout)
        case name if name in operators.NAMES:
            stop = _stop_on_signals() if operators.stops_by_itself(options) else Stop()
            settings, contract = _judged(operators.groups_of(options))
            if operators.makes_contacts(options, settings):
                settings, contract = _judged()
            return operators.dispatch(options, settings, contract, stop)
        case _:
            return _run()


def _stop_on_signals() -> Stop:
    stop = Stop()

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        if stop.is_set() and signum == signal.SIGINT:
            signal.default_int_handler(signum, frame)
        stop.set()

    # First of all: a signal that comes while the clients are being imported must not end in exit code 143.
    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    return stop


def _run() -> int:
    stop = _stop_on_signals()
    from connectors.logs import configure
    from dataflow.commands.run import run

    settings, contract = _judged()
    configure(sys.stderr, settings.log_level.value, settings.log_form.value)
    return run(settings, contract, stop)


def _judged(groups: frozenset[str] = ALL_GROUPS) -> tuple[Settings, Contract]:
    from dataflow.commands.access import judge

    settings = _settings(groups)
    contract = _contract(settings.contract)
    judge(settings, contract)
    return settings, contract


def _settings(groups: frozenset[str] = ALL_GROUPS) -> Settings:
    from connectors import kafka_access

    judge: ClientJudge = kafka_access.ClientJudge()
    settings = read(_sources(), judge, groups)
    if settings.redshift_ca_file is not None:
        from connectors import redshift_access

        if (fault := redshift_access.certificates_in(settings.redshift_ca_file)) is not None:
            raise SettingsError((f"REDSHIFT_CA_FILE: {fault}",))
        redshift_access.trust(settings.redshift_ca_file)
    return settings


def _sources() -> Sources:
    """The environment, and `.env` where there is one. Raises SettingsError for lines that cannot be read."""
    path = Path(".env")
    lines = list(parse_stream(StringIO(path.read_text()))) if path.is_file() else []
    if wrong := [line.original.line for line in lines if line.error]:
        raise SettingsError(tuple(f".env line {line}: must be NAME=value" for line in wrong))
    dotenv = {name: value for name, value in dotenv_values(path).items() if value is not None}
    return Sources(os.environ, dotenv, lambda path: path.read_text())


def _contract_path(path: Path | None) -> Path | None:
    if path is None and (named := _sources().find("CONTRACT")):
        return Path(named[0])
    return path


def _contract(path: Path | None) -> Contract:
    path = _contract_path(path)
    try:
        return load(path)
    except OSError as trouble:
        raise _Refused(f"contract {path}: {trouble.strerror}") from trouble


def _protobuf(contract: Contract, path: Path | None) -> ProtobufSchema:
    from dataflow.protobuf.schema import load as load_schema

    path = _contract_path(path)
    schema = load_schema(contract, path)
    if schema is None:
        raise _Refused(f"contract {path}: no Protobuf schema lies beside it; `contract proto` writes one")
    return schema


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:
        # Longer than a name may be, for one: then it is a text.
        return False


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
    except OSError as trouble:
        print(f"{PROGRAM}: the output cannot be written: {trouble.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = USAGE_ERROR
    sys.exit(code)


if __name__ == "__main__":
    console()
