"""`/metrics`, `/livez` and `/readyz`, served by a thread of our own.

Liveness is the loop's heartbeat alone, never the state of Kafka or Redshift: an outage must not restart
pods. Readiness says what the process waits for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Event, Lock, Thread

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from connectors.http_door import Door, ReadOnlyHandler
from connectors.stopping import Stop

STALL = 60.0
"""Seconds without a heartbeat after which the loop counts as dead: several times the longest broker call."""

LINGER_STEP = 0.1
"""Seconds after which a lingering server looks whether it should stop."""


class Health:
    """The loop's heartbeat, and what each outside system's last answer was."""

    def __init__(self, clock: Callable[[], float], systems: tuple[str, ...]) -> None:
        """`clock` is monotonic seconds; every system starts as `connecting`."""
        self._clock = clock
        self._lock = Lock()
        self._beat_at = clock()
        self._states: dict[str, str] = dict.fromkeys(systems, "connecting")
        self._facts: Mapping[str, object] = {}

    def beat(self) -> None:
        """The loop has turned."""
        self._beat_at = self._clock()

    def report(self, system: str, state: str) -> None:
        """The state of a system: `ok`, or a word for what is wrong."""
        with self._lock:
            self._states[system] = state

    def tell(self, **facts: object) -> None:
        """What `/readyz` shows besides the states. Nothing personal."""
        self._facts = facts

    def alive(self) -> bool:
        """True while the loop turns."""
        return self._clock() - self._beat_at < STALL

    def states(self) -> Mapping[str, str]:
        """The state of every system."""
        with self._lock:
            return dict(self._states)

    def facts(self) -> Mapping[str, object]:
        """What was told last."""
        return self._facts


class HealthServer:
    """The HTTP server. Raises OSError when the port is taken."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        """Binds; port 0 takes a free one."""

        lingering, scraped = self._lingering, self._scraped = Event(), Event()

        class Handler(ReadOnlyHandler):
            def respond(self) -> None:
                match self.path.split("?", 1)[0]:
                    case "/metrics":
                        # An answer that was begun before may lack what the last reader waits for.
                        last = lingering.is_set() and self.command == "GET"
                        self.answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                        if last:
                            scraped.set()
                    case "/livez":
                        alive = health.alive()
                        self.answer(200 if alive else 503, "text/plain", b"ok\n" if alive else b"stalled\n")
                    case "/readyz":
                        states = health.states()
                        ready = all(state == "ok" for state in states.values())
                        body = json.dumps({"ready": ready, **states, **health.facts()}).encode() + b"\n"
                        self.answer(200 if ready else 503, "application/json", body)
                    case _:
                        self.answer(404, "text/plain", b"/metrics /livez /readyz\n")

        self._server = Door((host, port), Handler)
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port bound."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread.start()

    def linger(self, seconds: float, stop: Stop) -> None:
        """Go on serving until the metrics as they are now were read, `seconds` passed, or `stop` is set."""
        self._lingering.set()
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            if self._scraped.wait(LINGER_STEP):
                return

    def stop(self) -> None:
        """Close the socket and end the thread."""
        self._server.shutdown()
        self._server.server_close()
