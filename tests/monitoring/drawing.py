"""Panels as SVG, in the manner of the dashboard: enough of a picture to see what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

BACKGROUND, SURFACE, BORDER = "#111217", "#181b1f", "#2a2d34"
GRID, FAINT, TEXT = "#26292f", "#9ea2aa", "#dfe1e5"
COLOURS = {"green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c", "blue": "#8ab8ff"}
PALETTE = ("#73bf69", "#fade2a", "#8ab8ff", "#ff9830", "#f2495c", "#b877d9", "#5794f2", "#ca95e5", "#96d98d")
_FAR = 5.0
"""A level line this many times above everything else is named, not drawn: the axis is for what moves."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series: its name and (seconds since the beginning, value), in order; NaN where there is none."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def finite(self) -> list[float]:
        """The values that are numbers."""
        return [value for _, value in self.points if math.isfinite(value)]


@dataclass(frozen=True, slots=True)
class Box:
    """A place in the picture, in pixels."""

    x: float
    y: float
    width: float
    height: float


def shown(value: float, unit: str) -> str:
    """A value with its unit, short."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g}%"
        case "bytes":
            for name, size in (("MiB", 2**20), ("KiB", 2**10)):
                if value >= size:
                    return f"{value / size:.3g} {name}"
            return f"{value:.0f} B"
        case "s":
            return _duration(value)
        case "cps":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


def _duration(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def words(
    x: float, y: float, text: str, *, size: int = 12, colour: str = FAINT, anchor: str = "start"
) -> str:
    """A line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def rectangle(box: Box, colour: str, more: str = "") -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{max(0.0, box.width):.1f}" '
        f'height="{box.height:.1f}" fill="{colour}" {more}/>'
    )


def frame(box: Box, title: str) -> str:
    """A panel's surface and title."""
    surface = rectangle(box, SURFACE, f'stroke="{BORDER}" rx="3"')
    return surface + words(box.x + 10, box.y + 20, title, size=13, colour=TEXT)


def figure(box: Box, text: str, colour: str) -> str:
    """One figure in the middle of a panel."""
    middle = (box.x + box.width / 2, box.y + box.height / 2 + 22)
    size = 30 if len(text) < 9 else 18
    return words(*middle, text, size=size, colour=colour, anchor="middle")


def bars(box: Box, values: Sequence[tuple[str, float]], unit: str, colour: str) -> str:
    """A bar for each (name, value)."""
    place = Box(box.x + 12, box.y + 34, box.width - 24, box.height - 46)
    chosen = values[:9]
    if not chosen:
        return ""
    step = min(28.0, place.height / len(chosen))
    longest = max(value for _, value in chosen) or 1.0
    parts: list[str] = []
    for number, (name, value) in enumerate(chosen):
        y = place.y + number * step
        length = place.width * 0.42 * value / longest
        start = place.x + place.width * 0.42
        parts.append(words(start - 8, y + step / 2 + 4, name, anchor="end", colour=TEXT))
        parts.append(rectangle(Box(start, y + 3, length, step - 6), colour, 'rx="2" opacity="0.85"'))
        parts.append(words(start + length + 6, y + step / 2 + 4, shown(value, unit), colour=colour))
    return "".join(parts)


def states(box: Box, lines: Sequence[Line], seconds: float) -> str:
    """A row for each series, filled while it has a value."""
    place = Box(box.x + 150, box.y + 34, box.width - 164, box.height - 62)
    step = place.height / max(1, len(lines))
    parts = [_seconds_below(place, seconds)]
    for number, line in enumerate(lines):
        y = place.y + number * step
        colour = PALETTE[number % len(PALETTE)]
        parts.append(words(place.x - 8, y + step / 2 + 4, line.name, anchor="end", colour=TEXT, size=11))
        for since, until in _stretches(line):
            left = place.x + place.width * since / seconds
            length = place.width * (until - since) / seconds
            parts.append(rectangle(Box(left, y + 2, length, step - 4), colour, 'opacity="0.75" rx="2"'))
    return "".join(parts)


def _stretches(line: Line) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for at, _ in line.points:
        if found and at - found[-1][1] <= 1.5:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def graph(box: Box, lines: Sequence[Line], unit: str, seconds: float, *, stacked: bool) -> str:
    """Lines over time, or areas on top of each other, with axes and legend."""
    place = Box(box.x + 66, box.y + 36, box.width - 80, box.height - 86)
    drawn = _on_top_of_each_other(lines) if stacked else list(lines)
    within = [line for line in drawn if not _is_far(line, drawn)]
    top = _round_up(max((value for line in within for value in line.finite), default=0.0) or 1.0)

    def at(seconds_in: float, value: float) -> tuple[float, float]:
        return (
            place.x + place.width * seconds_in / seconds,
            place.y + place.height * (1 - min(value, top * 1.04) / top),
        )

    parts = [_seconds_below(place, seconds)]
    for share in (0.0, 0.5, 1.0):
        y = place.y + place.height * (1 - share)
        parts.append(f'<path d="M{place.x:.1f} {y:.1f}h{place.width:.1f}" stroke="{GRID}"/>')
        parts.append(words(place.x - 8, y + 4, shown(top * share, unit), anchor="end", size=11))
    # The highest sum first: what lies below is drawn over it.
    order = reversed(list(enumerate(drawn))) if stacked else enumerate(drawn)
    for number, line in order:
        if line in within:
            parts.append(_path(line, at, place, PALETTE[number % len(PALETTE)], filled=stacked))
    legend = [
        (f"{line.name} (above, {shown(whole.finite[-1], unit)})" if line not in within else line.name)
        for line, whole in zip(drawn, lines, strict=True)
    ]
    return "".join(parts) + _legend(box, legend)


def _path(
    line: Line, at: Callable[[float, float], tuple[float, float]], place: Box, colour: str, *, filled: bool
) -> str:
    parts: list[str] = []
    stretch: list[tuple[float, float]] = []
    for moment, value in [*line.points, (0.0, math.nan)]:
        if math.isfinite(value):
            stretch.append(at(moment, value))
        elif stretch:
            steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in stretch)
            if filled:
                floor = place.y + place.height
                closed = f"M{stretch[0][0]:.1f} {floor:.1f}L{steps}L{stretch[-1][0]:.1f} {floor:.1f}Z"
                parts.append(f'<path d="{closed}" fill="{SURFACE}"/>')
                parts.append(f'<path d="{closed}" fill="{colour}" opacity="0.45"/>')
            parts.append(f'<path d="M{steps}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
            stretch = []
    return "".join(parts)


def _legend(box: Box, names: Sequence[str]) -> str:
    parts: list[str] = []
    x, y = box.x + 14.0, box.y + box.height - 12
    for number, name in enumerate(names):
        wide = 24 + 6.4 * len(name)
        if x + wide > box.x + box.width - 30 and number:
            parts.append(words(x, y, f"+{len(names) - number}"))
            break
        parts.append(rectangle(Box(x, y - 6, 12, 3), PALETTE[number % len(PALETTE)]))
        parts.append(words(x + 17, y, name, size=11))
        x += wide + 6
    return "".join(parts)


def _seconds_below(place: Box, seconds: float) -> str:
    step = 20 if seconds <= 130 else 60
    return "".join(
        words(
            place.x + place.width * at / seconds,
            place.y + place.height + 16,
            f"{at // 60}:{at % 60:02d}",
            size=11,
            anchor="middle",
        )
        for at in range(0, int(seconds) + 1, step)
    )


def _on_top_of_each_other(lines: Sequence[Line]) -> list[Line]:
    below: dict[float, float] = {}
    found: list[Line] = []
    for line in lines:
        points: list[tuple[float, float]] = []
        for moment, value in line.points:
            below[moment] = below.get(moment, 0.0) + (value if math.isfinite(value) else 0.0)
            points.append((moment, below[moment]))
        found.append(Line(line.name, tuple(points)))
    return found


def _is_far(line: Line, lines: Sequence[Line]) -> bool:
    if not line.finite or len(set(line.finite)) > 1:
        return False
    others = [value for other in lines if len(set(other.finite)) > 1 for value in other.finite]
    return bool(others) and line.finite[0] > _FAR * max(others)


def _round_up(value: float) -> float:
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size * step >= value * 0.999)
