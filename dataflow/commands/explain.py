"""`detect --explain`: how texts are read, for people."""

from __future__ import annotations

from typing import BinaryIO, TextIO

from dataflow.commands.detect import Unfit, request
from dataflow.commands.lines import chunks
from dataflow.detect import Detector, Explanation


def explain(text: str, region: str, out: TextIO) -> int:
    """Tell on `out` how one text is read; the answer is 0. Raises ValueError for an unknown `region`."""
    _tell(Detector(region).explain(text), text, out)
    return 0


def explain_lines(lines: BinaryIO, region: str, out: TextIO, err: TextIO) -> int:
    """The same for each `{"id", "text", "region"?}` line; 1 when one is not fit, told on `err`, else 0."""
    detector = Detector(region)
    unfit = 0
    for chunk in chunks(lines):
        for line in chunk:
            try:
                asked = request(line, detector)
            except Unfit as reason:
                unfit += 1
                print(f"line {line[0]}: {reason}", file=err)
                continue
            print(f"{asked.name}", file=out)
            _tell(detector.explain(asked.text, asked.region), asked.text, out)
    return int(unfit > 0)


def _tell(read: Explanation, text: str, out: TextIO) -> None:
    rows = [("text", repr(text)), ("normalised", repr(read.normalised))]
    if read.respelt != read.normalised:
        rows.append(("respelt", repr(read.respelt)))
    if read.read < len(text):
        rows.append(("read", f"the first {read.read} of {len(text)} characters, which give enough away"))
    rows.append(("prefilter", "lets it through" if read.suspected else "rules it out"))
    for contact in read.contacts:
        what = f"{contact.kind} {contact.platform or '(no platform)'} {contact.value}"
        rows.append(("contact", f"{what}  by {contact.rule}  at {contact.start}-{contact.end}"))
    for reason, start, end in read.vetoes:
        rows.append(("veto", f"{text[start:end]!r}  {reason}  at {start}-{end}"))
    if not read.contacts:
        rows.append(("contact", "none"))
    for name, value in rows:
        print(f"  {name:<11}{value}", file=out)
