"""One target under Atheris, in a process of its own: its name, then options of libFuzzer.

Instruments the project's modules as they are imported, so nothing of it may be imported before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris  # type: ignore[import-untyped]  # fetched by `make fuzz`, without stubs


def _contract() -> Callable[[bytes], object]:
    from tests.contracts.test_loader_fuzz import told

    return lambda data: told(data.decode("utf-8", "replace"))


def _messages() -> Callable[[bytes], object]:
    from tests.protobuf.test_fuzz import DECODERS, SCHEMAS, judge
    from tests.protobuf.writing import batch_of, in_header

    def target(data: bytes) -> None:
        choice = data[0] if data else 0
        decoder = DECODERS[choice % len(DECODERS)]
        value, cut = data[1:], choice >> 4
        # A few of the bytes stand in the header that a frame may be in.
        headers = in_header(value[:cut]) if cut else ()
        judge(decoder, batch_of(value, headers=headers))
        judge(decoder, batch_of(value, headers=headers, schemas=_Whatever(SCHEMAS)))

    return target


class _Whatever(dict):  # type: ignore[type-arg]
    """A registry's answers: None for what it does not know."""

    def __missing__(self, key: object) -> None:
        """Nothing."""


def _texts() -> Callable[[bytes], object]:
    from dataflow.detect import Detector

    detector = Detector("US")

    def target(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        (contacts,) = detector.detect([text])
        for contact in contacts:
            assert 0 <= contact.start < contact.end <= len(text)

    return target


TARGETS = {"contract": _contract, "messages": _messages, "texts": _texts}


def main() -> None:
    """Never returns: libFuzzer ends the process, with another code than 0 when it has found something."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["dataflow", "connectors"]):
        target = TARGETS[name]()
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
