"""librdkafka's mock cluster: Kafka brokers on loopback in this process, up in milliseconds, from the wheel.

Other processes can connect. It has no admin API, creates topics that are asked for (4 partitions), and keeps
5 MiB of compressed batches per partition; older ones vanish. Its transactions are only played: offsets sent
to one are dropped, readers of committed messages see aborted ones, and nobody is ever fenced. Classic groups
stall when a second member joins; `group.protocol=consumer` works. An empty fetch is parked for the whole of
`fetch.wait.max.ms`: set 10.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_char_p, c_int, c_int16, c_int32, c_size_t, c_void_p
from enum import IntEnum
from functools import cache
from types import TracebackType
from typing import Any, Final, TypeAlias

from confluent_kafka import cimpl

_PRODUCER: Final = 0
"""`RD_KAFKA_PRODUCER`: the kind of client that owns the cluster's threads."""

_Type: TypeAlias = "type[ctypes._SimpleCData[Any]] | type[ctypes._Pointer[c_int]]"

_SIGNATURES: Final[Mapping[str, tuple[_Type | None, Sequence[_Type]]]] = {
    "rd_kafka_conf_new": (c_void_p, []),
    "rd_kafka_conf_set": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
    "rd_kafka_new": (c_void_p, [c_int, c_void_p, c_char_p, c_size_t]),
    "rd_kafka_destroy": (None, [c_void_p]),
    "rd_kafka_err2str": (c_char_p, [c_int]),
    "rd_kafka_mock_cluster_new": (c_void_p, [c_void_p, c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [c_void_p]),
    "rd_kafka_mock_cluster_bootstraps": (c_char_p, [c_void_p]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [c_void_p, c_int32]),
    "rd_kafka_mock_topic_create": (c_int, [c_void_p, c_char_p, c_int, c_int]),
    "rd_kafka_mock_partition_set_leader": (c_int, [c_void_p, c_char_p, c_int32, c_int32]),
    "rd_kafka_mock_broker_set_down": (c_int, [c_void_p, c_int32]),
    "rd_kafka_mock_broker_set_up": (c_int, [c_void_p, c_int32]),
    "rd_kafka_mock_broker_set_rtt": (c_int, [c_void_p, c_int32, c_int]),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [c_void_p, c_int16, c_size_t, ctypes.POINTER(c_int)],
    ),
    "rd_kafka_mock_clear_request_errors": (None, [c_void_p, c_int16]),
}


class Request(IntEnum):
    """Requests of the Kafka protocol, by their numbers there."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    CONSUMER_GROUP_HEARTBEAT = 68


class MockRefused(Exception):
    """The mock cluster refused what it was told; the text is librdkafka's."""


class MockCluster:
    """A cluster of `brokers` brokers, numbered from 1, until `close`."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        said = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        # Its notices tell of the connections that tests cut on purpose.
        if self._library.rd_kafka_conf_set(settings, b"log_level", b"2", said, len(said)):
            raise MockRefused(said.value.decode())
        self._client: int | None = self._library.rd_kafka_new(_PRODUCER, settings, said, len(said))
        if self._client is None:
            raise MockRefused(said.value.decode())
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            raise MockRefused(f"no cluster of {brokers} brokers could be made")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 10)
        self.brokers = brokers
        bootstrap: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.bootstrap = bootstrap.decode()
        """`host:port,…`, for `bootstrap.servers`."""

    def __enter__(self) -> MockCluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic, with a copy on every broker. Raises `MockRefused` when it exists."""
        self._tell("rd_kafka_mock_topic_create", name.encode(), partitions, self.brokers)

    def move_leader(self, topic: str, partition: int, broker: int) -> None:
        """Make `broker` the leader of a partition."""
        self._tell("rd_kafka_mock_partition_set_leader", topic.encode(), partition, broker)

    def broker_down(self, broker: int = 1) -> None:
        """Cut all connections to a broker and refuse new ones. It keeps its data."""
        self._tell("rd_kafka_mock_broker_set_down", broker)

    def broker_up(self, broker: int = 1) -> None:
        """Let a broker accept connections again."""
        self._tell("rd_kafka_mock_broker_set_up", broker)

    def rtt(self, milliseconds: int, broker: int = 1) -> None:
        """Delay every answer of a broker by this much."""
        self._tell("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def request_errors(self, request: Request, *errors: int) -> None:
        """Answer the next requests of this kind with these errors (codes of `KafkaError`, 0: none)."""
        self._open()
        codes = (c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def clear_request_errors(self, request: Request) -> None:
        """Forget the errors that are still to come for this kind of request."""
        self._open()
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, request)

    def close(self) -> None:
        """End the brokers and all they held. Harmless when closed."""
        client, self._client = self._client, None
        if client is not None:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(client)

    def _open(self) -> None:
        if self._client is None:
            raise MockRefused("the cluster is closed")

    def _tell(self, function: str, *arguments: int | bytes) -> None:
        self._open()
        code = getattr(self._library, function)(self._cluster, *arguments)
        if code:
            said: bytes = self._library.rd_kafka_err2str(code)
            raise MockRefused(said.decode())


@cache
def _library() -> ctypes.CDLL:
    """The librdkafka that confluent_kafka has loaded.

    It is reached through the extension module that links to it: where the wheel hides the library itself,
    and under which name, differs between Linux and macOS.
    """
    library = ctypes.CDLL(cimpl.__file__)
    for name, (answer, arguments) in _SIGNATURES.items():
        function = library[name]
        function.restype = answer
        function.argtypes = arguments
        # Item access makes a new, untyped object each time: keep this one as the attribute.
        setattr(library, name, function)
    return library
