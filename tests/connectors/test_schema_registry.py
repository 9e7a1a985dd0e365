from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from queue import Queue
from threading import Event
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from connectors import schema_registry
from connectors.backoff import Backoff
from connectors.framing import SchemaReference
from connectors.items import StoredRecord, Verdict, WriterSchema
from connectors.registry_access import RegistryAccess
from connectors.registry_check import survey
from connectors.schema_gate import SchemaGate
from connectors.schema_registry import UNKNOWN_FOR, RegistryTrouble, SchemaRegistry, ask, connect
from dataflow.contracts.messages_pb2 import Message
from tests.pipeline import eventually
from tests.standins.certificates import Authority
from tests.standins.registry import Registered, Registry, protobuf_schema

GUID = UUID("89791762-2336-4186-9674-299b90a802e2")
JSON = Registered("JSON", '{"type": "object"}')
SOON = Backoff(0.001, 0.002)
WITHIN = 10.0


def serialized(message: type[Message]) -> str:
    return base64.b64encode(message.DESCRIPTOR.file.serialized_pb).decode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry(
        {7: protobuf_schema(Message), 8: JSON, 9: Registered("AVRO", '"string"'), GUID: JSON}
    ) as stand_in:
        yield stand_in


def client_of(registry: Registry, user_info: str | None = None) -> SchemaRegistryClient:
    return connect(RegistryAccess(registry.url, user_info, timeout=2.0))


def test_a_schema_is_told_by_id_and_by_guid(registry: Registry) -> None:
    client = client_of(registry)
    assert ask(client, 7) == WriterSchema("PROTOBUF", serialized(Message))
    assert ask(client, 8) == WriterSchema("JSON", JSON.text)
    assert ask(client, 9) == WriterSchema("AVRO", '"string"')
    assert ask(client, GUID.bytes) == WriterSchema("JSON", JSON.text)


def test_only_the_registrys_own_404_says_that_there_is_no_schema(registry: Registry) -> None:
    client = client_of(registry)
    assert ask(client, 99) is None
    assert ask(client, bytes(16)) is None
    registry.status, registry.body = 404, b"<html>another server</html>"
    with pytest.raises(RegistryTrouble, match="http_404"):
        ask(client, 99)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", "http_500"),
        (503, b'{"error_code": 50301, "message": "x"}', "http_503"),
        (429, b"", "http_429"),
        (401, b"", "http_401"),
        (200, b"<html>a proxy</html>", "no_registry"),
        (200, b"[1]", "no_registry"),
    ],
)
def test_any_other_answer_is_a_trouble_that_may_pass(
    registry: Registry, status: int, body: bytes, reason: str
) -> None:
    registry.status, registry.body = status, body
    with pytest.raises(RegistryTrouble, match=reason):
        ask(client_of(registry), 8)


def test_a_registry_that_is_not_there_is_a_trouble_that_may_pass() -> None:
    with Registry({}) as gone:
        pass
    with pytest.raises(RegistryTrouble, match="unreachable"):
        ask(client_of(gone), 8)


def test_user_and_password_are_sent(registry: Registry) -> None:
    registry.user_info = "reader:secret"
    assert ask(client_of(registry, "reader:secret"), 8) is not None
    with pytest.raises(RegistryTrouble, match="http_401"):
        ask(client_of(registry), 8)
    assert "secret" not in repr(RegistryAccess(registry.url, "reader:secret"))


def test_a_certificate_authority_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        connect(RegistryAccess("https://localhost", ca=str(tmp_path / "none.pem")))


def test_a_registry_over_tls_is_believed_by_its_authority_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    another = Authority(tmp_path / "another")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.issue("registry", ["127.0.0.1"]).both)
    with Registry({8: JSON}, tls=tls) as secured:

        def access(ca: Path | None) -> RegistryAccess:
            return RegistryAccess(secured.url, ca=None if ca is None else str(ca), timeout=5.0)

        assert ask(connect(access(authority.certificate)), 8) == WriterSchema("JSON", JSON.text)
        for stranger in (another.certificate, None):
            with pytest.raises(RegistryTrouble, match="unreachable"):
                ask(connect(access(stranger)), 8)
        assert survey(access(authority.certificate)).verdict is Verdict.RIGHT
        assert "SCHEMA_REGISTRY_CA" in survey(access(another.certificate)).detail


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"", "answers at http"),
        (404, b'{"error_code": 40403, "message": "x"}', "answers at http"),
        (404, b"<html>another server</html>", "SCHEMA_REGISTRY_URL"),
        (401, b"", "SCHEMA_REGISTRY_USER_INFO"),
        (503, b"", "http_503: it answers with an error"),
    ],
)
def test_a_check_asks_the_registry_once(registry: Registry, status: int, body: bytes, told: str) -> None:
    registry.status, registry.body = status, body
    finding = survey(RegistryAccess(registry.url))
    assert told in finding.detail
    assert finding.verdict is (Verdict.RIGHT if "answers at" in told else Verdict.WRONG)
    assert len(registry.asked) == 1


def test_a_check_names_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    finding = survey(RegistryAccess("https://localhost", ca=str(tmp_path / "none.pem")))
    assert finding.verdict is Verdict.WRONG
    assert "SCHEMA_REGISTRY_CA" in finding.detail


def test_the_clients_own_mock_is_understood_too() -> None:
    client = SchemaRegistryClient.new_client({"url": "mock://"})
    number = client.register_schema("messages-value", Schema(serialized(Message), "PROTOBUF"))
    assert ask(client, number) == WriterSchema("PROTOBUF", serialized(Message))
    assert ask(client, number + 1) is None


class Asked:
    """What the registry's thread is told, question by question."""

    def __init__(self, answers: Sequence[WriterSchema | RegistryTrouble | None]) -> None:
        self.questions: list[SchemaReference] = []
        self.reasons: Queue[str] = Queue()
        self.answered = Event()
        self.now = 0.0
        self._answers = iter(answers)
        self.registry = SchemaRegistry(
            self.answer,
            clock=lambda: self.now,
            on_retry=self.reasons.put,
            on_answer=self.answered.set,
            backoff=SOON,
        )
        self.registry.start()

    def answer(self, reference: SchemaReference) -> WriterSchema | None:
        self.questions.append(reference)
        given = next(self._answers)
        if isinstance(given, RegistryTrouble):
            raise given
        return given

    def found(self, reference: SchemaReference) -> WriterSchema | None:
        answer = eventually(lambda: self.registry.find([reference]) or None, WITHIN, "the registry's answer")
        return answer[reference]


KNOWN = WriterSchema("JSON", "{}")


def test_an_answer_is_kept_and_asked_for_once() -> None:
    asked = Asked([KNOWN])
    assert asked.registry.find([1]) == {}
    assert asked.found(1) == KNOWN
    asked.now = 1e9
    assert asked.registry.find([1]) == {1: KNOWN}
    assert asked.questions == [1]
    asked.registry.close()


def test_an_outage_is_waited_for_and_told_and_then_the_schema_is_known() -> None:
    asked = Asked([RegistryTrouble("unreachable"), RegistryTrouble("http_503"), KNOWN])
    assert asked.found(1) == KNOWN
    assert [asked.reasons.get(timeout=WITHIN) for _ in range(2)] == ["unreachable", "http_503"]
    assert asked.reasons.empty()
    asked.registry.close()


def test_that_there_is_no_such_schema_is_believed_for_a_minute() -> None:
    asked = Asked([None, KNOWN])
    assert asked.found(1) is None
    asked.now = UNKNOWN_FOR - 1
    assert asked.registry.find([1]) == {1: None}
    asked.now = UNKNOWN_FOR + 1
    assert asked.registry.find([1]) == {}
    assert asked.found(1) == KNOWN
    asked.registry.close()


def test_answers_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "MAX_KNOWN", 3)
    asked = Asked([KNOWN] * 6)
    for number in range(5):
        assert asked.found(number) == KNOWN
    assert asked.registry.find([0]) == {}
    assert asked.registry.find([2, 3, 4]) == dict.fromkeys((2, 3, 4), KNOWN)
    asked.registry.close()


def test_a_defect_in_the_thread_is_raised_to_the_loop(recwarn: pytest.WarningsRecorder) -> None:
    asked = Asked([])

    def raised() -> bool:
        try:
            asked.registry.find([1])
        except StopIteration:
            return True
        return False

    assert eventually(raised, WITHIN, "the failure")
    recwarn.clear()


class Told:
    """Schemas that are known at once, and those that are asked for."""

    def __init__(self, known: dict[SchemaReference, WriterSchema | None]) -> None:
        self.known = known
        self.wanted: set[SchemaReference] = set()

    def find(self, references: set[SchemaReference]) -> dict[SchemaReference, WriterSchema | None]:
        self.wanted |= references - self.known.keys()
        return {each: self.known[each] for each in references & self.known.keys()}


def test_records_go_on_up_to_the_first_whose_schema_is_not_known() -> None:
    offsets = count()
    values = (b"{}", b"\0\0\0\0\x01x", b"\x01" + GUID.bytes, None, b"\0\0\0\0\x02x", b"{}", b"\0\0\0\0\x03")
    records = [StoredRecord(next(offsets), value) for value in values]
    records.append(StoredRecord(7, b"x", None, (("__value_schema_id", b"\0\0\0\0\x04"),)))
    told = Told({1: KNOWN, GUID.bytes: None})
    admitted = SchemaGate(told).admit(records)  # type: ignore[arg-type]  # a set is an Iterable
    assert admitted.records == 4
    assert admitted.schemas == {1: KNOWN, GUID.bytes: None}
    assert told.wanted == {2, 3, 4}
    told.known |= {2: KNOWN, 3: KNOWN, 4: KNOWN}
    assert SchemaGate(told).admit(records).records == 8  # type: ignore[arg-type]  # as above
