"""`contract`: what changed between two versions, and what is generated from one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TextIO

from dataflow.changes.compare import compare
from dataflow.changes.values import Change, Comparison, Impact, Outcome
from dataflow.commands.show import Form, json_line, table
from dataflow.contract import Contract

Load = Callable[[Path | None], Contract]
"""From a path to a contract; None: the one in force."""
Locate = Callable[[Path | None], Path | None]
"""From a path to that of the contract's file, which None is too when the packaged one is in force."""
DIFF_EPILOG = """\
exit codes:
  0  nothing breaks, or the version's first number was raised for it
  1  something breaks and the version does not say so, or the version falls
  2  a file is no contract

examples:
  contract diff main.odcs.yaml messages.odcs.yaml
  contract diff --json main.odcs.yaml messages.odcs.yaml | jq '.changes[] | select(.consumers == "breaking")'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    form = argparse.RawDescriptionHelpFormatter
    diff = actions.add_parser(
        "diff",
        help="what changed between two versions, and for whom that breaks something",
        description="Every change from OLD to NEW: whether it breaks something for those who produce\n"
        "messages or for those who read the table and the contact events, and why. Words for people\n"
        "change nothing for either. A breaking change raises the first number of the contract's version.",
        epilog=DIFF_EPILOG,
        formatter_class=form,
    )
    diff.add_argument("old", type=Path, metavar="OLD", help="the contract file in force")
    diff.add_argument("new", type=Path, metavar="NEW", help="the one that shall be")
    diff.add_argument("--json", action="store_true", help="JSON instead of text for people")
    checked = actions.add_parser(
        "check",
        help="whether a contract file is good",
        description="Says in one line what a contract file states: name, version, fields, table, Protobuf\n"
        "form. A file that is no contract, or whose Protobuf form is not its own, ends with exit code 2 and\n"
        "every fault.",
        formatter_class=form,
    )
    checked.add_argument("file", type=Path, metavar="FILE", help="the contract file")
    for name, summary, text in (
        ("json-schema", "the message as JSON Schema", "Prints the JSON Schema of a message, draft 7."),
        ("asyncapi", "the topics as an AsyncAPI document", "Prints the AsyncAPI 3 document of all topics."),
        (
            "thresholds",
            "what alerts compare with",
            "Prints the contract's figures as recording rules of Prometheus, a PrometheusRule for\n"
            "k8s/monitoring/thresholds.yaml: the alerts there compare with them.",
        ),
        (
            "docs",
            "a page for people",
            "Prints an HTML page about the contract for those who read the data: one file, nothing loaded\n"
            "from elsewhere. With --directory, writes all that is generated: page, JSON Schema, AsyncAPI,\n"
            "DDL and the table of fields.",
        ),
    ):
        action = actions.add_parser(name, help=summary, description=text, formatter_class=form)
        action.add_argument(
            "--contract", type=Path, help="contract file (default: CONTRACT, else the packaged one)"
        )
        if name == "docs":
            action.add_argument("--directory", type=Path, metavar="DIR", help="write every document there")
    proto = actions.add_parser(
        "proto",
        help="the Protobuf form of a contract of your own",
        description="Writes beside FILE, X.odcs.yaml, what its messages in Protobuf need: X.proto for\n"
        "producers, X.tags.toml, the record of tags, and X.binpb, which the program reads. No compiler\n"
        "is needed.\n"
        "Tags of the record that is there are kept; what would take one back is refused (exit code 2).",
        formatter_class=form,
    )
    proto.add_argument("file", type=Path, metavar="FILE", help="the contract file, X.odcs.yaml")


def dispatch(options: argparse.Namespace, load: Load, locate: Locate, out: TextIO) -> int:
    """Run one of the actions; its exit code. Raises ContractError, and what `load` raises."""
    if options.action == "diff":
        form = Form.JSON if options.json else Form.TABLE
        return diff(compare(load(options.old), load(options.new)), form, out)
    if options.action == "check":
        return check(load(options.file), options.file, out)
    if options.action == "proto":
        return _write_protobuf(load(options.file), options.file, out)
    from dataflow.protobuf.form import source
    from dataflow.published import documents

    contract = load(options.contract)
    proto = source(contract, locate(options.contract))
    match options.action:
        case "json-schema":
            out.write(documents.json_schema(contract))
        case "asyncapi":
            out.write(documents.asyncapi_document(contract, proto))
        case "thresholds":
            out.write(documents.threshold_rules(contract))
        case _ if options.directory is None:
            out.write(documents.page(contract, proto))
        case _:
            _write(contract, proto, options.directory, out)
    return 0


def check(contract: Contract, path: Path, out: TextIO) -> int:
    """One line about a contract that was loaded from `path`. Raises ProtobufMismatch.

    Raises it too for a contract that agrees on Protobuf and has no form in it: it could not be run.
    """
    from dataflow.protobuf import schema

    form = schema.load(contract, path)
    if form is None and contract.terms.kafka.format == "protobuf":
        raise schema.ProtobufMismatch(
            str(path),
            ["its Kafka server says format: protobuf, and beside the file lies no X.tags.toml with X.binpb"],
        )
    told = "no Protobuf form: messages are JSON" if form is None else f"Protobuf {form.descriptor.full_name}"
    versions = ", every version" if contract.table.keeps_history else ""
    print(
        f"{contract.name} {contract.version}: {len(contract.fields)} fields, "
        f"table {contract.table.qualified}{versions}, {told}",
        file=out,
    )
    return 0


def _write(contract: Contract, proto: str | None, directory: Path, out: TextIO) -> None:
    from dataflow.commands.ddl import print_ddl
    from dataflow.published import documents

    ddl = StringIO()
    print_ddl(contract, ddl)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in {
        **documents.documents(contract, proto),
        f"{contract.name}.sql": ddl.getvalue(),
    }.items():
        (directory / name).write_text(text, encoding="utf-8")
        print(directory / name, file=out)


def _write_protobuf(contract: Contract, path: Path, out: TextIO) -> int:
    from dataflow.protobuf.form import write
    from dataflow.protobuf.schema import beside

    files = beside(path)
    record = files.record.read_text(encoding="utf-8") if files.record.exists() else None
    form = write(contract, files.proto.name, record)
    files.proto.write_text(form.proto, encoding="utf-8")
    files.record.write_text(form.record, encoding="utf-8")
    files.descriptors.write_bytes(form.descriptors)
    for written in (files.proto, files.record, files.descriptors):
        print(written, file=out)
    return 0


def diff(compared: Comparison, form: Form, out: TextIO) -> int:
    """Show every change. 1 when something breaks without a major step of the version, or that falls."""
    if form is Form.JSON:
        json_line(_plain(compared), out)
    else:
        _show(compared, out)
    return 1 if compared.outcome in (Outcome.UNANNOUNCED, Outcome.BACKWARDS) else 0


def _plain(compared: Comparison) -> dict[str, object]:
    return {
        "old": compared.old_version,
        "new": compared.new_version,
        "outcome": compared.outcome.name.lower(),
        "least_version": compared.least_version,
        "changes": [
            {
                "aspect": change.aspect,
                "subject": change.subject,
                "old": change.old or None,
                "new": change.new or None,
                "producers": change.producers,
                "consumers": change.consumers,
                "reason": change.reason,
            }
            for change in compared.changes
        ],
    }


def _show(compared: Comparison, out: TextIO) -> None:
    changes = sorted(compared.changes, key=lambda change: not change.breaking)
    if changes:
        headings = ("producers", "consumers", "what", "of", "from", "to")
        table(headings, [_row(change) for change in changes], out)
        print(file=out)
        for change in changes:
            print(f"{change.subject}, {change.aspect.value}: {change.reason}", file=out)
        print(file=out)
    print(f"{compared.old_version} to {compared.new_version}: {_verdict(compared)}", file=out)


def _row(change: Change) -> tuple[str, ...]:
    producers, consumers = ("BREAKING" if side is Impact.BREAKING else "ok" for side in _sides(change))
    return (
        *(producers, consumers, change.aspect.value, change.subject),
        *(_short(change.old), _short(change.new)),
    )


def _sides(change: Change) -> tuple[Impact, Impact]:
    return change.producers, change.consumers


_WIDEST = 32


def _short(text: str) -> str:
    return "-" if not text else text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _verdict(compared: Comparison) -> str:
    least = compared.least_version
    match compared.outcome:
        case Outcome.SAME:
            return "nothing changed"
        case Outcome.BACKWARDS:
            return (
                f"the version FALLS: who has the old one takes the new one for older; {least} would be right"
            )
        case Outcome.ANNOUNCED:
            return "breaking, and the version says so"
        case Outcome.UNANNOUNCED:
            return f"BREAKING, and the version does not say so; version {least} would"
        case Outcome.COMPATIBLE:
            if compared.version_suffices:
                return "compatible"
            return f"compatible; version {least} would tell readers that something changed"
