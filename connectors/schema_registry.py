"""Confluent's schema registry: what was a message written with?

Asked by a thread of its own, so that the loop that polls Kafka never waits for it. Whatever it answers is
kept; that it knows no such schema, for a minute. While it does not answer, the question is asked again with
growing waits, for as long as it takes: a record is never judged without its schema.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from threading import Condition, Event, Thread
from typing import Any
from uuid import UUID

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

from connectors.backoff import Backoff
from connectors.framing import SchemaReference
from connectors.items import WriterSchema
from connectors.registry_access import RegistryAccess

log = logging.getLogger(__name__)

BACKOFF = Backoff(0.2, 30.0)
UNKNOWN_FOR = 60.0
"""Seconds for which a schema that the registry does not know is not asked for again."""
MAX_KNOWN = 10_000
"""Answers that are kept; the oldest is forgotten first."""
SYSTEM = "registry"
"""Its name in metrics and in `/readyz`."""
_REFUSALS = (401, 403)


def connect(access: RegistryAccess) -> SchemaRegistryClient:
    """A client that asks once: the waits between tries are ours. Raises OSError when the CA can't be read."""
    optional = {"basic.auth.user.info": access.user_info, "ssl.ca.location": access.ca}
    return SchemaRegistryClient(
        {
            "url": access.url,
            "timeout": access.timeout,
            "max.retries": 0,
            **{name: value for name, value in optional.items() if value is not None},
        }
    )


class RegistryTrouble(Exception):
    """The registry has not answered the question; asked again, it may. `reason` is short and bounded."""

    def __init__(self, reason: str) -> None:
        """`reason` becomes a metric's label."""
        super().__init__(reason)
        self.reason = reason


def ask(client: SchemaRegistryClient, reference: SchemaReference) -> WriterSchema | None:
    """The schema with this id or GUID; None when there is none. Raises RegistryTrouble."""
    schema = _get(client, reference, None)
    if schema is None or schema.schema_type != "PROTOBUF":
        return None if schema is None else _written_with(schema)
    # Of a Protobuf schema its descriptor is wanted, not the text; for other kinds that form is an error.
    serialized = _get(client, reference, "serialized")
    return None if serialized is None else _written_with(serialized)


def _written_with(schema: Schema) -> WriterSchema:
    return WriterSchema(schema.schema_type or "AVRO", schema.schema_str or "")


def _get(client: SchemaRegistryClient, reference: SchemaReference, form: str | None) -> Schema | None:
    # The client's own cache takes two forms of a schema for one.
    client.clear_caches()  # type: ignore[no-untyped-call]  # has no annotations
    try:
        if isinstance(reference, int):
            return client.get_schema(reference, fmt=form)
        return client.get_schema_by_guid(str(UUID(bytes=reference)), fmt=form)
    except SchemaRegistryError as refusal:
        # Only the registry itself says 404xx; a 404 without it is another server, or another path.
        if refusal.http_status_code == 404 and 40400 <= (refusal.error_code or 0) < 40500:
            return None
        raise RegistryTrouble(f"http_{refusal.http_status_code}") from refusal
    except httpx2.TimeoutException as trouble:
        raise RegistryTrouble("timeout") from trouble
    except httpx2.HTTPError as trouble:
        raise RegistryTrouble("unreachable") from trouble
    except (ValueError, TypeError, KeyError, AttributeError) as nonsense:
        # An answer of 200 that is no registry's: the client takes it apart unchecked.
        raise RegistryTrouble("no_registry") from nonsense


class SchemaRegistry:
    """Schemas by id and GUID, as they become known. `find` and `close` are for the loop."""

    def __init__(
        self,
        question: Callable[[SchemaReference], WriterSchema | None],
        *,
        clock: Callable[[], float],
        on_retry: Callable[[str], None],
        on_answer: Callable[[], None],
        backoff: Backoff = BACKOFF,
    ) -> None:
        """`question` is `ask` with a client. `clock` is monotonic seconds. `on_retry` is told the reason."""
        self._question = question
        self._clock = clock
        self._on_retry = on_retry
        self._on_answer = on_answer
        self._backoff = backoff
        self._changed = Condition()
        self._wanted: dict[SchemaReference, None] = {}
        self._known: dict[SchemaReference, tuple[WriterSchema | None, float]] = {}
        self._closing = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="schema-registry", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more; returns at once."""
        self._closing.set()
        with self._changed:
            self._changed.notify()

    def find(self, references: Iterable[SchemaReference]) -> Mapping[SchemaReference, WriterSchema | None]:
        """What is known of these; the others are asked for. Never waits.

        Raises what ended the thread, if anything did.
        """
        if self._failure is not None:
            raise self._failure
        found: dict[SchemaReference, WriterSchema | None] = {}
        with self._changed:
            for reference in references:
                schema, until = self._known.get(reference, _NEVER_ASKED)
                if self._clock() < until:
                    found[reference] = schema
                elif reference not in self._wanted:
                    self._wanted[reference] = None
                    self._changed.notify()
        return found

    def _run(self) -> None:
        try:
            while (reference := self._next()) is not None:
                self._answer(reference)
        except BaseException as failure:
            # The loop raises it: a thread that died in silence would keep its records for ever.
            self._failure = failure
            raise

    def _next(self) -> SchemaReference | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closing.is_set())
            return None if self._closing.is_set() else next(iter(self._wanted))

    def _answer(self, reference: SchemaReference) -> None:
        """Ask until there is an answer, or no need for one."""
        attempt = 0
        while not self._closing.is_set():
            try:
                schema = self._question(reference)
            except RegistryTrouble as trouble:
                attempt += 1
                wait = self._backoff.wait(attempt)
                self._tell(trouble, wait)
                self._closing.wait(wait)
                continue
            self._on_answer()
            if schema is None:
                log.warning(
                    "schema_unknown", extra={"schema": _name(reference), "asked_again_after": UNKNOWN_FOR}
                )
            with self._changed:
                while len(self._known) >= MAX_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known.pop(reference, None)
                self._known[reference] = schema, self._clock() + (UNKNOWN_FOR if schema is None else math.inf)
                self._wanted.pop(reference, None)
            return

    def _tell(self, trouble: RegistryTrouble, wait: float) -> None:
        self._on_retry(trouble.reason)
        told: dict[str, Any] = {"code": trouble.reason, "next_try_seconds": round(wait, 2)}
        if trouble.reason in {f"http_{status}" for status in _REFUSALS}:
            log.error(
                "registry_refuses", extra={**told, "fix": "check SCHEMA_REGISTRY_USER_INFO and its rights"}
            )
        else:
            log.warning("registry_unreachable", extra=told)


_NEVER_ASKED: tuple[WriterSchema | None, float] = (None, -math.inf)


def _name(reference: SchemaReference) -> str:
    return str(reference) if isinstance(reference, int) else str(UUID(bytes=reference))
