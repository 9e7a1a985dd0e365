"""How to reach a schema registry. Apart from its client, which takes half a second to import."""

from __future__ import annotations

from dataclasses import dataclass, field


class RegistryAway(Exception):
    """The registry did not answer a command: the text says where, why, and what to look at."""


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """Addresses with commas, and how to be let in. `user_info` is `user:password`; `timeout` in seconds."""

    url: str
    user_info: str | None = field(default=None, repr=False)
    ca: str | None = None
    timeout: float = 5.0
