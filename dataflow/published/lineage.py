"""Where the rows come from, as a picture: inline SVG, in the page's own colours."""

from __future__ import annotations

from html import escape

from dataflow.contract import Contract

_WIDE, _HIGH = 250, 56
_TIP = 8


def lineage(contract: Contract) -> str:
    """The picture, with the same said in words for who doesn't see it."""
    out = [
        (contract.table.qualified, "a row per message, hourly commits"),
        (contract.dead_letters_topic, "what breaks the contract"),
    ]
    if contract.contacts_topic:
        out.insert(1, (contract.contacts_topic, "contacts given away"))
    if contract.contacts is not None:
        out.insert(1, (contract.contacts.qualified, "a row per contact, in the same commits"))
    height = len(out) * 84 + 4
    middle = height / 2
    words = (
        f"Messages come from the topic {contract.topic} and are checked against the contract. "
        f"They become {'; '.join(f'{name}: {told}' for name, told in out)}."
    )
    shapes = [
        _box(2, middle, contract.topic, f"topic, {contract.partitions} partitions"),
        _box(320, middle, "decode, validate, enrich", f"against contract {contract.version}"),
        _way(2 + _WIDE, middle, 320, middle),
    ]
    for number, (name, told) in enumerate(out):
        at = number * 84 + 44
        shapes += [_way(320 + _WIDE, middle, 648, at), _box(648, at, name, told)]
    return (
        f'<svg viewBox="0 0 900 {height}" role="img" aria-labelledby="lineage-words">'
        f'<title id="lineage-words">{escape(words)}</title>{"".join(shapes)}</svg><p>{escape(words)}</p>'
    )


def _box(left: int, middle: float, name: str, told: str) -> str:
    top = middle - _HIGH / 2
    # A long name is drawn narrower, so that it stays within its box.
    fit = f' textLength="{_WIDE - 24}" lengthAdjust="spacingAndGlyphs"' if len(name) > 32 else ""
    return (
        f'<rect x="{left}" y="{top:g}" width="{_WIDE}" height="{_HIGH}" rx="6"/>'
        f'<text x="{left + 12}" y="{top + 24:g}"{fit}>{escape(name)}</text>'
        f'<text class="soft" x="{left + 12}" y="{top + 43:g}">{escape(told)}</text>'
    )


def _way(left: int, start: float, right: int, end: float) -> str:
    half, tip = (left + right) / 2, right - _TIP
    return (
        f'<path class="way" d="M{left} {start:g}C{half:g} {start:g} {half:g} {end:g} {tip} {end:g}"/>'
        f'<path class="tip" d="M{right} {end:g}l-{_TIP} -4v8z"/>'
    )
