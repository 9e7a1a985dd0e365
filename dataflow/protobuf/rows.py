"""Messages to rows without a stop: one function, written for the contract and then compiled.

It reads each field by its generated accessor and holds the field's guard in line. A message of which any
field is not surely right goes, by name, to the validator that JSON goes to, which alone decides: there is
one wording of every rule. For a required text and a required timestamp:

    v0 = m.user_id
    if not (v0.isascii() and 1 <= len(v0) <= 128 and NUL not in v0): return slowly(m, found)
    t = m.created_at; s = t.seconds; n = t.nanos
    if not (s or n or m.HasField('created_at')): return slowly(m, found)
    minute = known_minute(s // 60) or new_minute(s // 60)
    if not (minute and 0 <= n < 1000000000): return slowly(m, found)
    v6 = f'{minute}{second[s % 60]}.{n // 1000:06}' if n > 999 else minute + second[s % 60]

By way of names a message costs more than twice as much (tests/bench/RESULTS.md, formats), because each read
of a field is a call then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from keyword import iskeyword
from typing import Any

from dataflow.contract import Contract
from dataflow.fields import IntegerField, PresentUnless, TextField
from dataflow.model import Value, Violation
from dataflow.protobuf.schema import Form, ProtobufField, ProtobufSchema

MessageValues = Callable[[Any, list[Violation]], tuple[Value, ...]]
"""From a message to the row's values; violations are appended, and the values are then of no use."""

MAX_MINUTES = 4096
"""Minutes whose text is kept: messages come in the order of time, more or less."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 UTC without a zone, as the table keeps it


def compile_rows(contract: Contract, schema: ProtobufSchema, slowly: MessageValues) -> MessageValues:
    """The function. `slowly` does the same by way of the fields' names, and tells every violation."""
    if any(field.form is Form.PLAIN for field in schema.fields):
        return slowly
    minutes: dict[int, str] = {}
    scope: dict[str, Any] = {
        "slowly": slowly,
        "minutes": minutes,
        "known_minute": minutes.get,
        "new_minute": _minutes_into(minutes),
        "second": tuple(f"{second:02}" for second in range(60)),
        "NUL": "\x00",
    }
    body: list[str] = []
    before: str | None = None
    for at, field in enumerate(schema.fields):
        value = f"v{at}"
        if field.form is Form.INSTANT:
            body += _instant(value, before, field.field.name, field.field.required)
            # Only of a required one is it certain that it has been read.
            before = value if field.field.required else before
        else:
            body += _lines(value, field, scope)
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            body.append(f"if not v{contract.position(rule.field)}:")
            others = [f"v{contract.position(other)} in (None, '')" for other in rule.fields]
            body.append(f"    if {' and '.join(others)}: return slowly(m, found)")
    values = ", ".join(f"v{at}" for at in range(len(schema.fields)))
    source = "\n    ".join(["def message_values(m, found):", *body, f"return ({values},)"])
    exec(compile(source, f"<Protobuf of contract {contract.name}>", "exec"), scope)
    compiled: MessageValues = scope["message_values"]
    return compiled


_SLOWLY = "return slowly(m, found)"


def _lines(value: str, field: ProtobufField, scope: dict[str, Any]) -> list[str]:
    name = field.field.name
    if field.form is Form.WORD:
        scope[f"word_of_{value}"] = dict(field.words).get
        lines = [f"{value} = word_of_{value}({_accessor(name)})"]
        unsent = [] if field.field.required else [f"    if m.HasField({name!r}): {_SLOWLY}"]
        return [*lines, f"if {value} is None:", *(unsent or [f"    {_SLOWLY}"])]
    lines = [f"{value} = {_accessor(name)}"]
    if isinstance(field.field, IntegerField):
        right = f"{field.field.minimum} <= {value} <= {field.field.maximum}"
    else:
        right = _text_guard(value, field.field)
    # The accessor answers the type's zero for a field that was not sent, too.
    if field.field.required:
        sent = f"({value} or m.HasField({name!r}))"
        return [*lines, f"if not ({right} and {sent}): {_SLOWLY}"]
    return [
        *lines,
        f"if {value}:",
        f"    if not ({right}): {_SLOWLY}",
        f"elif not m.HasField({name!r}): {value} = None",
        f"elif not ({right}): {_SLOWLY}",
    ]


def _accessor(name: str) -> str:
    return f"getattr(m, {name!r})" if iskeyword(name) else f"m.{name}"


def _text_guard(value: str, field: Any) -> str:
    assert isinstance(field, TextField)
    least, most = field.min_bytes, field.max_bytes
    if field.values:
        return f"{value} in {frozenset(field.values)!r}"
    size = f"{least} <= len({value}) <= {most}"
    encoded = f"{least} <= len({value}.encode()) <= {most}"
    return f"({value}.isascii() and {size} or {encoded}) and NUL not in {value}"


def _instant(value: str, before: str | None, name: str, required: bool) -> list[str]:
    """`before` is the instant read last: one that is not updated yet was updated when it was created."""
    text = [
        "minute = known_minute(s // 60) or new_minute(s // 60)",
        f"if not (minute and 0 <= n < 1000000000): {_SLOWLY}",
        f"{value} = f'{{minute}}{{second[s % 60]}}.{{n // 1000:06}}' if n > 999 else minute + second[s % 60]",
    ]
    lines = [f"t = {_accessor(name)}", "s = t.seconds", "n = t.nanos"]
    if before is not None:
        text = [f"if s == s_before and n == n_before: {value} = {before}", "else:", *_indented(text)]
    if required:
        text += ["s_before = s", "n_before = n"]
        return [*lines, f"if not (s or n or m.HasField({name!r})): {_SLOWLY}", *text]
    return [*lines, f"if not (s or n or m.HasField({name!r})): {value} = None", "else:", *_indented(text)]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _minutes_into(minutes: dict[int, str]) -> Callable[[int], str | None]:
    def new_minute(number: int) -> str | None:
        """`YYYY-MM-DD HH:MM:` of a minute since the epoch; None outside the years 1 to 9999."""
        try:
            begins = _EPOCH + timedelta(minutes=number)
        except OverflowError:
            return None
        if len(minutes) >= MAX_MINUTES:
            minutes.clear()
        minutes[number] = text = f"{begins.isoformat(' ', 'minutes')}:"
        return text

    return new_minute
