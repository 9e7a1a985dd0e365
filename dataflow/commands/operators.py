"""The operators' commands: their arguments, and from these to what each does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from connectors.stopping import Stop
from dataflow import arguments
from dataflow.commands.show import Form
from dataflow.contract import Contract
from dataflow.settings import Settings
from dataflow.settings_table import ALL_GROUPS, KAFKA_ONLY, WAREHOUSE_ONLY, ContactsTable

NAMES = frozenset({"dead-letters", "rerun", "verify", "ledger", "tail"})
UNSURE = 1


def stops_by_itself(options: argparse.Namespace) -> bool:
    """Whether a command looks at `stop`, and so ends in order when a signal comes."""
    return options.command == "tail" or getattr(options, "action", None) == "replay"


def groups_of(options: argparse.Namespace) -> frozenset[str]:
    """The groups of settings that a command uses."""
    if options.command in ("dead-letters", "tail"):
        return KAFKA_ONLY
    repeats = options.command == "rerun" and options.events
    return ALL_GROUPS if repeats else KAFKA_ONLY | WAREHOUSE_ONLY


def makes_contacts(options: argparse.Namespace, settings: Settings) -> bool:
    """Whether a command makes contacts of what it reads again, and so needs the key of their hashes."""
    return options.command == "rerun" and (options.events or settings.contacts_table is ContactsTable.ON)


class Adds(Protocol):
    """How `__main__` adds a command."""

    def __call__(
        self, name: str, summary: str, text: str, epilog: str | None = None
    ) -> argparse.ArgumentParser:
        """A command's own parser."""
        ...


def read_by(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of `dataflow.arguments` as argparse wants one: the error names argument, problem and fix."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except arguments.WrongArgument as wrong:
            raise argparse.ArgumentTypeError(f"{text!r} {wrong}") from None

    return read


def _instant(text: str) -> datetime:
    return arguments.instant(text, datetime.now(UTC))


WINDOWS = "times: 2026-01-31T08:00:00Z, 2026-01-31 (midnight, UTC), or ago: 90m, 6h, 2d"


def add_commands(add: Adds) -> None:
    """The five commands."""
    _add_dead_letters(add)
    rerun = add(
        "rerun",
        "read committed offsets again and put their rows in the place of the old ones",
        "After a bug: reads a commit's offsets again (a row's process id names its commit), takes\n"
        "its rows back and merges what the messages say now, in one transaction under a new process id,\n"
        "which the ledger records. Whole commits only: --offsets takes every commit that covers any of\n"
        "them. Rows whose latest version came from another commit stay. Safe while the pipeline runs.\n\n"
        "Refused, with exit code 1: when the topic no longer holds the offsets; and when a row would be\n"
        "left without a version or get an older one, unless that is accepted. Contacts and dead letters\n"
        "are not produced again unless asked for.",
        "examples:\n"
        "  rerun --process-id 0f3c9a7e5b1d4f6a8c2e0b9d7a5f3c1e --dry-run\n"
        "  rerun --offsets interactions.messages:2:120000-121000",
    )
    wanted = rerun.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--process-id", type=read_by(arguments.commit_id), metavar="ID", help="a commit's id")
    wanted.add_argument(
        "--offsets",
        type=read_by(arguments.span),
        metavar="TOPIC:PARTITION:FIRST-NEXT",
        help="offsets, NEXT not included",
    )
    rerun.add_argument("--dry-run", action="store_true", help="do everything, tell, and roll back")
    rerun.add_argument(
        "--accept-removal", action="store_true", help="write even if rows are taken away or made older"
    )
    rerun.add_argument(
        "--events",
        action="store_true",
        help="also produce the contacts of these offsets once more, under the ids that they had, and dead "
        "letters of messages that have none",
    )
    verify = add(
        "verify",
        "is the contract kept? exit code 0 or 1",
        "Freshness against the SLA, commits on time, volume; of the whole table: uniqueness, nulls,\n"
        "lengths, enumerations, ranges, rows by process id against the ledger; gaps in the ledger; and of a\n"
        "window, by default the last day's commits: every offset in Kafka against rows, superseded versions\n"
        "and dead letters. Reads only. Exit code 1 when anything is wrong.",
        f"{WINDOWS}\n\nexamples:\n  verify --json\n  verify --from 2h --push-gateway http://pushgateway:9091",
    )
    window = verify.add_argument_group("the window that is reconciled with the source")
    window.add_argument(
        "--from",
        dest="since",
        type=read_by(_instant),
        metavar="TIME",
        help="commits from then on (default: 1d)",
    )
    window.add_argument(
        "--to", dest="until", type=read_by(_instant), metavar="TIME", help="commits before (default: now)"
    )
    window.add_argument(
        "--offsets",
        type=read_by(arguments.span),
        metavar="TOPIC:PARTITION:FIRST-NEXT",
        help="instead: the commits that cover these, NEXT not included",
    )
    verify.add_argument(
        "--push-gateway",
        type=read_by(arguments.address),
        metavar="URL",
        help="hand the figures to this Pushgateway",
    )
    verify.add_argument(
        "--textfile", type=Path, metavar="FILE", help="write the figures as Prometheus metrics"
    )
    ledger = add(
        "ledger",
        "how far each partition is, what was committed, gaps",
        "Both progresses of each partition with their lag, the newest commits with their offsets, and\n"
        "whether the commits follow one another without a gap. Exit code 1 when they don't.",
    )
    ledger.add_argument(
        "--commits",
        type=read_by(arguments.count),
        default=20,
        metavar="N",
        help="newest commits (default 20)",
    )
    tail = add(
        "tail",
        "rows, events and dead letters as they pass",
        "What passes from now on, until Ctrl-C: messages with the verdict that they get, contact events\n"
        "with the contact masked, dead letters with their reasons. Fields that the contract classes as\n"
        "personal are told by their length only.",
    )
    tail.add_argument(
        "--only",
        choices=("rows", "events", "dead-letters"),
        action="append",
        help="one of the three; may repeat",
    )
    tail.add_argument(
        "--last", type=read_by(arguments.count), default=0, metavar="N", help="begin N back in each partition"
    )
    tail.add_argument("--count", type=read_by(arguments.count), metavar="N", help="end after N")
    for command in (rerun, verify, ledger, tail):
        _add_form(command)


def _add_form(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="JSON instead of text for people")


def _add_dead_letters(add: Adds) -> None:
    parser = add(
        "dead-letters",
        "look at what broke the contract, and replay it",
        "Looks at dead letters, and produces their records again once the cause is mended.",
        "`dead-letters ls --help` and so on tell more.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    form = argparse.RawDescriptionHelpFormatter
    ls = actions.add_parser("ls", help="list them", formatter_class=form, epilog=WINDOWS)
    ls.add_argument(
        "--limit", type=read_by(arguments.count), default=50, metavar="N", help="the newest N (default 50)"
    )
    show = actions.add_parser(
        "show",
        help="all about one, but its bytes",
        formatter_class=form,
        description="All about one dead letter, but its bytes: they are what a person wrote, and personal\n"
        "data. --value-to hands them out, by intent; no other of these commands does.",
    )
    show.add_argument(
        "place", type=read_by(arguments.place), metavar="PARTITION:OFFSET", help="as `ls` shows it"
    )
    show.add_argument(
        "--value-to", type=Path, metavar="FILE", help="write its value, byte for byte, to a new file (0600)"
    )
    stats = actions.add_parser("stats", help="count them", formatter_class=form, epilog=WINDOWS)
    replay = actions.add_parser(
        "replay",
        help="produce their records again, each once",
        formatter_class=form,
        description="Produces the records of the selected dead letters again: key, value and own headers\n"
        "byte for byte, to the partition that they came from. Each is replayed to a destination once,\n"
        "however often the command is run, killed or overlaps with another selection: the topic\n"
        "DEAD-LETTERS.replayed remembers it, in the same Kafka transaction. One that comes back too often\n"
        "is held back, and told.",
        epilog=f"{WINDOWS}\n\nexamples:\n"
        "  dead-letters replay --code not_in_enumeration --since 6h --dry-run\n"
        "  dead-letters replay --code not_in_enumeration --since 6h --rate 200",
    )
    replay.add_argument("--dry-run", action="store_true", help="say what would be done")
    replay.add_argument(
        "--rate",
        type=read_by(arguments.count),
        default=1000,
        metavar="N",
        help="messages a second (default 1000)",
    )
    replay.add_argument(
        "--max-attempts",
        type=read_by(arguments.count),
        default=3,
        metavar="N",
        help="hold back what became a dead letter N times (default 3)",
    )
    replay.add_argument(
        "--to", type=read_by(arguments.topic), metavar="TOPIC", help="another topic than the source"
    )
    for action in (ls, stats, replay):
        chosen = action.add_argument_group("which (all that are given must hold)")
        chosen.add_argument(
            "--code", type=read_by(arguments.codes), metavar="CODE[,CODE]", help="having any of these reasons"
        )
        chosen.add_argument("--since", type=read_by(_instant), metavar="TIME", help="dead letters since then")
        chosen.add_argument("--until", type=read_by(_instant), metavar="TIME", help="and before")
        chosen.add_argument(
            "--partition",
            type=read_by(arguments.partitions),
            metavar="N[,N]",
            help="partitions of the source topic",
        )
    for action in (ls, stats, replay):
        _add_form(action)


class WrongTogether(Exception):
    """Arguments that do not go together, or name what is not there; the text says what would do."""


def dispatch(options: argparse.Namespace, settings: Settings, contract: Contract, stop: Stop) -> int:
    """Run one of the commands; its exit code. What it could not do is told on stderr.

    Raises WrongTogether.
    """
    from connectors.kafka_trouble import KafkaTrouble
    from connectors.progress import BrokenPromise
    from connectors.redshift_access import WarehouseTrouble
    from connectors.registry_access import RegistryAway
    from connectors.verify_metrics import PushFailed
    from dataflow.commands.access import contacts_table, redshift_access
    from dataflow.commands.rerun import Refused
    from dataflow.commands.told import told_of
    from dataflow.selection import NotKnown

    try:
        return _run(options, settings, contract, stop)
    except BrokenPipeError:
        raise
    except NotKnown as wrong:
        raise WrongTogether(f"{options.command}: {wrong}") from None
    except KeyboardInterrupt:
        told = "interrupted; `ledger` tells what was committed"
    except WarehouseTrouble as trouble:
        kept = contacts_table(settings, contract)
        told = told_of(trouble, redshift_access(settings), contract.table, kept, options.command)
    except OSError as trouble:
        told = f"{trouble.filename}: {trouble.strerror}"
    except (KafkaTrouble, RegistryAway, BrokenPromise, PushFailed, Refused) as trouble:
        told = str(trouble)
    print(f"{options.command}: {told}", file=sys.stderr)
    return UNSURE


def _run(options: argparse.Namespace, settings: Settings, contract: Contract, stop: Stop) -> int:
    form = Form.JSON if getattr(options, "json", False) else Form.TABLE
    now = datetime.now(UTC)
    match options.command:
        case "dead-letters":
            return _dead_letters(options, settings, contract, stop, form)
        case "rerun":
            from connectors.redshift_rerun import Consent, Purpose
            from dataflow.commands.access import topics_of
            from dataflow.commands.rerun import Events, RerunOrder, rerun
            from dataflow.commands.run import judging_steps, steps_of

            order = RerunOrder(
                options.process_id or options.offsets,
                Purpose.PREVIEW if options.dry_run else Purpose.WRITE,
                Consent.ACCEPT if options.accept_removal else Consent.REFUSE,
                Events.REPEATED if options.events else Events.LEFT,
            )
            steps_made = steps_of if makes_contacts(options, settings) else judging_steps
            steps = steps_made(settings, contract, topics_of(settings, contract))
            return rerun(settings, contract, steps, order, form, sys.stdout)
        case "verify":
            from dataflow.commands.access import topics_of
            from dataflow.commands.run import judging_steps
            from dataflow.commands.verify import VerifyOrder, verify

            if options.offsets and (options.since or options.until):
                raise WrongTogether("verify: give --offsets, or --from and --to, not both")
            if options.since and options.since >= (options.until or now):
                raise WrongTogether("verify: --from lies after --to: the window is empty; swap them")
            topics = topics_of(settings, contract)
            if options.offsets and options.offsets.topic != topics.source:
                raise WrongTogether(
                    f"verify: --offsets {options.offsets.topic}: is not the topic of this pipeline, "
                    f"which reads {topics.source}"
                )
            window = VerifyOrder(
                options.since, options.until, options.offsets, options.push_gateway, options.textfile
            )
            steps = judging_steps(settings, contract, topics)
            return verify(settings, contract, steps, window, now, form, sys.stdout)
        case "ledger":
            from dataflow.commands.ledger import ledger

            return ledger(settings, contract, options.commits, form, sys.stdout)
        case _:
            from dataflow.commands.tail import Stream, TailOrder, tail

            streams = frozenset(Stream(name) for name in options.only or [each.value for each in Stream])
            watched = TailOrder(streams, options.last, options.count)
            return tail(settings, contract, watched, stop.is_set, form, sys.stdout)


def _dead_letters(
    options: argparse.Namespace, settings: Settings, contract: Contract, stop: Stop, form: Form
) -> int:
    from dataflow.commands import dead_letters
    from dataflow.commands.access import topics_of
    from dataflow.dead_letters import Selection
    from dataflow.selection import check_codes

    if options.action == "show":
        return dead_letters.show(settings, contract, options.place, options.value_to, sys.stdout, sys.stderr)
    if options.since and options.until and options.since >= options.until:
        raise WrongTogether("dead-letters: --since lies after --until: nothing is selected; swap them")
    check_codes(options.code or ())
    selection = Selection(
        options.code or frozenset(), options.since, options.until, options.partition or frozenset()
    )
    match options.action:
        case "ls":
            return dead_letters.ls(settings, contract, selection, options.limit, form, sys.stdout)
        case "stats":
            return dead_letters.stats(settings, contract, selection, form, sys.stdout)
        case _:
            topics = topics_of(settings, contract)
            if options.to in (topics.dead_letters, topics.contacts, topics.replayed):
                raise WrongTogether(
                    f"dead-letters: --to {options.to}: is a topic that the pipeline writes; leave --to out "
                    f"for {topics.source}, or name another"
                )
            order = dead_letters.ReplayOrder(
                selection, options.to, options.max_attempts, options.rate, options.dry_run
            )
            return dead_letters.replay(settings, contract, order, stop, form, sys.stdout)
