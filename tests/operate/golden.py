"""The example messages of `docs/contact-events`, through the program, as the events that the page shows.

    python -m tests.operate.golden > docs/contact-events/events.jsonl

writes them anew; a diff there is a change that subscribers see.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.items import Batch, StoredRecord
from dataflow.contract import load
from dataflow.decoder import Decoder
from dataflow.detect import DETECTOR_MAJOR_VERSION, Detector
from dataflow.encode import ContactEncoder, ContactValues, DeadLetterEncoder, Hashed
from dataflow.enrich import Enricher
from dataflow.flow import Scan, Steps
from dataflow.validate import Validator
from tests.pipeline import ROOT

EXAMPLES = ROOT / "docs" / "contact-events"
KEY = b"an example key, known to anybody"
KEY_ID = "example"
READ_AT = datetime(2026, 2, 1, tzinfo=UTC)


def events_of(values: ContactValues) -> Iterator[dict[str, Any]]:
    """Every event of the example messages: key, headers, value."""
    contract = load()
    steps = Steps(
        decode=Decoder(contract),
        validate=Validator(contract),
        enrich=Enricher(contract),
        scan=Scan(
            detector=Detector("US"),
            splits=None,
            contacts=ContactEncoder(contract, contract.contacts_topic, values, DETECTOR_MAJOR_VERSION),
        ),
        dead_letters=DeadLetterEncoder(contract.dead_letters_topic, contract.version),
        window=contract.freshness,
    )
    for line in (EXAMPLES / "messages.jsonl").read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        offset = told["offset"]
        record = StoredRecord(offset, orjson.dumps(told["message"]))
        batch = Batch(told["topic"], told["partition"], 1, offset, offset + 1, READ_AT, offset, (record,))
        checked = steps.detect(steps.enrich.enrich(steps.validate.validate(steps.decode.decode(batch))))
        for message in steps.events(checked).messages:
            yield {
                "key": (message.key or b"").decode(),
                "headers": {name: (value or b"").decode() for name, value in message.headers},
                "value": json.loads(message.value or b""),
            }


if __name__ == "__main__":
    for event in events_of(Hashed(KEY, KEY_ID)):
        sys.stdout.write(json.dumps(event) + "\n")
