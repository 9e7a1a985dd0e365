"""What librdkafka says of a connection, and the settings that are named for it."""

from __future__ import annotations

import logging

import pytest

from connectors.kafka_complaints import Complaints, fix_of, silent_logger

PLAIN: dict[str, str] = {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("b: Disconnected: SSL connection closed by peer (after 3ms in state UP)", "SECURITY_PROTOCOL"),
        ("b: Disconnected: connection closed by peer (after 86400000ms in state UP)", None),
        ("b: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)", None),
        ("b: Failed to resolve 'b:9092': Name or service not known", "KAFKA_BOOTSTRAP_SERVERS"),
        ("b: SASL authentication error: no (after 300ms in state AUTH_REQ)", "SASL_PASSWORD"),
    ],
)
def test_only_what_no_waiting_mends_has_a_fix(text: str, named: str | None) -> None:
    fix = fix_of(text, PLAIN)
    assert (fix is None) if named is None else (fix is not None and named in fix)


def test_the_last_reason_is_remembered_without_what_is_only_chatter() -> None:
    heard = Complaints(PLAIN)
    logger = silent_logger(heard)
    assert heard.last is None
    logger.error(
        "FAIL [rdkafka#producer-1] [thrd:b:1/bootstrap]: b:1/bootstrap: Refused (after 1ms in state UP)"
    )
    logger.log(
        logging.DEBUG,
        "BRKMAIN [rdkafka#producer-1] [thrd::0/internal]: :0/internal: Enter main broker thread",
    )
    assert heard.last is not None
    assert heard.last.text == "b:1/bootstrap: Refused"
