"""Tokens for SASL OAUTHBEARER, from a function that the operator names.

librdkafka's own methods need none of this: `sasl.oauthbearer.method=oidc` asks a token endpoint by itself.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

log = logging.getLogger(__name__)

TokenProvider = Callable[[], tuple[str, float]]
"""Answers a token and the Unix time at which it expires; asked again when four fifths of that are over."""


class NoProvider(Exception):
    """There is no such function; the text says what is missing."""


def load_provider(name: str) -> TokenProvider:
    """The function that `module:function` names. Raises NoProvider."""
    path, _, function = name.partition(":")
    try:
        module = importlib.import_module(path)
    except ImportError as missing:
        raise NoProvider(
            f"module {missing.name or path} can't be imported; is its package installed?"
        ) from None
    provider = getattr(module, function, None)
    if not callable(provider):
        raise NoProvider(f"module {path} has no function {function}")
    found: TokenProvider = provider
    return found


def callback(provider: TokenProvider) -> Callable[[str], tuple[str, float]]:
    """What librdkafka calls for a token. What the provider raises is told by its type alone: nobody knows
    what its text quotes."""

    def oauth_cb(_config: str) -> tuple[str, float]:
        try:
            return provider()
        except Exception as fault:  # noqa: BLE001  # it ends here only to lose its text
            log.warning("no_token", extra={"kind": type(fault).__qualname__})
            raise KafkaException(KafkaError(KafkaError._AUTHENTICATION, type(fault).__qualname__)) from None

    return oauth_cb
