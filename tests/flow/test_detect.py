"""The step that looks for contacts, on a batch as it comes from the topic."""

from __future__ import annotations

import json
from datetime import timedelta

from dataflow.contract import load
from dataflow.decoder import Decoder
from dataflow.detect import Detector
from dataflow.encode import ContactEncoder, DeadLetterEncoder, Omitted
from dataflow.enrich import Enricher
from dataflow.flow import Scan, Steps
from dataflow.validate import Validator
from tests.core.messages import EXAMPLE, batch_of


def steps() -> Steps:
    contract = load()
    return Steps(
        Decoder(contract),
        Validator(contract),
        Enricher(contract),
        Scan(
            Detector("US"),
            None,
            ContactEncoder(contract, "contacts", Omitted(), 1),
        ),
        DeadLetterEncoder("dead-letters", contract.version),
        timedelta(hours=1),
    )


def test_a_text_too_crowded_to_be_read_to_its_end_is_kept_and_counted_among_the_warnings() -> None:
    crowded, plain = "my snap is luna_moon42. " * 80, "my snap is luna_moon42"
    values = [json.dumps({**EXAMPLE, "message_text": text}).encode() for text in (crowded, plain)]
    s = steps()
    checked = s.detect(s.enrich.enrich(s.validate.validate(s.decode.decode(batch_of(values)))))
    assert len(checked.rows) == 2
    assert checked.warnings["text_read_in_part"] == 1
    assert len(checked.sightings) > 6
