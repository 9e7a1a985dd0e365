"""Pieces of the page."""

from __future__ import annotations

from html import escape


def code(text: str) -> str:
    """A block of text as it is."""
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def wide_table(caption: str, headings: tuple[str, ...], rows: list[str]) -> str:
    """A table that scrolls by itself where it is too wide; `rows` are markup."""
    heads = "".join(f'<th scope="col">{each}</th>' for each in headings)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
