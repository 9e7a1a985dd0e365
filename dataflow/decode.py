"""Bytes to objects: the first step, and the one that meets whatever a producer may send.

Nothing here raises. Every record becomes a `Document` or a `DeadLetter` whose one violation, on the message
as a whole, has one of these codes:

=================== ====================================================================================
`tombstone`         the value is null: the contract has no deletions
`empty_value`       the value holds nothing but white space
`too_large`         the value has more than `MAX_VALUE_BYTES` bytes; it is not parsed
`bad_utf8`          the value is not UTF-8
`truncated_json`    the value ends in the middle of a JSON value
`malformed_json`    the value is no JSON for another reason
`nan_or_infinity`   JSON has no such numbers
`number_too_large`  a number that no 64-bit float can hold
`too_deep`          arrays and objects are nested deeper than the parser goes (about a thousand levels)
`not_an_object`     the value is JSON, but an array, a string, a number, a boolean or null
`duplicate_key`     the object has a name twice: readers differ in which value they take, so none is taken
=================== ====================================================================================

A lone surrogate (an escape such as `\\ud800` without its partner) is JSON, though no text: the document is
kept and the validator names the field. Integers beyond 64 bits arrive as floats, which the validator refuses.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

from connectors.items import Batch
from dataflow.model import DeadLetter, Decoded, Document, Violation

MAX_VALUE_BYTES = 1_048_576
"""Longest value that is parsed: 1 MiB, a Kafka broker's default limit for a message."""

CODES = frozenset(
    {
        *("tombstone", "empty_value", "too_large", "bad_utf8", "truncated_json", "malformed_json"),
        *("nan_or_infinity", "number_too_large", "too_deep", "not_an_object", "duplicate_key"),
    }
)
"""Every code that this step gives."""

_SPACED_COLON = re.compile(rb'"[ \t\n\r]+:')
_KIND = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean"}


def decode(batch: Batch) -> Decoded:
    """Every record of the batch as a document or a dead letter, each in offset order. Never raises."""
    documents: list[Document] = []
    dead_letters: list[DeadLetter] = []
    for record in batch.records:
        fields = decode_value(record.value())
        if isinstance(fields, Violation):
            dead_letters.append(DeadLetter(record, (fields,)))
        else:
            documents.append((record, fields))
    return Decoded(batch, documents=tuple(documents), dead_letters=tuple(dead_letters))


def decode_value(value: bytes | None) -> dict[str, Any] | Violation:
    """The object that a message's value holds, or why there is none. Never raises."""
    if value is None:
        return _wrong("tombstone", "the value is null; the contract has no deletions, send the whole message")
    if len(value) > MAX_VALUE_BYTES:
        return _wrong(
            "too_large", f"the value has {len(value)} bytes; at most {MAX_VALUE_BYTES} are accepted"
        )
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as fault:
        return _not_json(value, fault)
    if type(fields) is not dict:
        return _not_an_object(fields)
    return fields if surely_once(value, len(fields)) else _unless_duplicate(value, fields)


def surely_once(value: bytes, names: int) -> bool:
    """Whether an object of so many distinct names surely gives each of them once. `value` must be JSON."""
    # A quote and a colon end every name and, unescaped, nothing else, but for white space between them. Only
    # when their count differs from the number of names (nested objects, quoted text with a colon, a repeated
    # name), or there is such space, is the slow look needed.
    return value.count(b'":') == names and not _SPACED_COLON.search(value)


def _wrong(code: str, message: str) -> Violation:
    return Violation("", code, message)


def _not_an_object(parsed: object) -> Violation:
    kind = _KIND.get(type(parsed), "null")
    return _wrong("not_an_object", f"the value is {kind}; send one JSON object a message")


def _unless_duplicate(value: bytes, fields: dict[str, Any]) -> dict[str, Any] | Violation:
    try:
        # The hook gets the pairs of every object, innermost first: what it returns last is the outer one's.
        pairs = json.loads(value, object_pairs_hook=list)
    except RecursionError:
        return _too_deep()
    if len(pairs) != len(fields):
        return _duplicate_key()
    return fields


def _not_json(value: bytes, fault: orjson.JSONDecodeError) -> dict[str, Any] | Violation:
    """Why the parser refused, or the object after all when only lone surrogates were in its way."""
    if not value.strip():
        return _wrong("empty_value", "the value is empty; send one JSON object a message")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return _wrong(
            "bad_utf8", f"byte {wrong.start} of the value is not UTF-8; encode the message as UTF-8"
        )
    reason = fault.msg.partition(": line ")[0]
    if "surrogate" in reason:
        return _with_surrogates(text)
    rest = text[fault.pos : fault.pos + 8]
    if rest.startswith(("NaN", "Infinity")):
        return _nan_or_infinity()
    if "infinity" in reason:
        return _number_too_large()
    if "depth" in reason or "ecursion" in reason:
        return _too_deep()
    if "end of data" in reason:
        return _wrong(
            "truncated_json", f"the value ends inside a JSON value, after {len(value)} bytes; send it whole"
        )
    return _wrong("malformed_json", f"no JSON at character {fault.pos}: {reason}")


def _too_deep() -> Violation:
    return _wrong("too_deep", "arrays and objects are nested too deep; the contract is a flat object")


def _nan_or_infinity() -> Violation:
    return _wrong("nan_or_infinity", "NaN and Infinity are no JSON numbers; send null or leave the field out")


def _duplicate_key() -> Violation:
    return _wrong("duplicate_key", "the object has a name twice; send each name once")


def _number_too_large() -> Violation:
    return _wrong("number_too_large", "a number is too large for 64 bits; send long identifiers as strings")


class _NotANumber(ValueError):
    """NaN or Infinity was met."""


def _refuse_constant(_: str) -> NoReturn:
    raise _NotANumber


def _as_orjson_reads(digits: str) -> int | float:
    """An integer of at most 64 bits, else a float: what a number becomes must not depend on the parser."""
    if len(digits) < 21 and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return float(digits)


def _with_surrogates(text: str) -> dict[str, Any] | Violation:
    """The standard library's parser takes lone surrogates. Its other liberties are taken back."""
    try:
        pairs = json.loads(
            text, object_pairs_hook=_Pairs, parse_constant=_refuse_constant, parse_int=_as_orjson_reads
        )
    except _NotANumber:
        return _nan_or_infinity()
    except RecursionError:
        return _too_deep()
    except ValueError:
        return _wrong("malformed_json", "the value is no JSON, and it holds lone surrogates")
    if not isinstance(pairs, _Pairs):
        return _not_an_object(pairs)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        return _duplicate_key()
    return fields


class _Pairs(list[tuple[str, Any]]):
    """The names and values of one object, in order, repeated names included."""
