"""An OAuth authorization server for tests: client credentials in, signed tokens out."""

from __future__ import annotations

import json
import ssl
import time
from base64 import b64decode, urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.standins.certificates import Certificate

AUDIENCE = "kafka"
_KEY_ID = "1"


class TokenKey:
    """A key that signs tokens, and what a broker needs to check them."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    def write_key_set(self, path: Path) -> None:
        """Write the public half, as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": _KEY_ID,
            "n": _encoded(numbers.n.to_bytes(256)),
            "e": _encoded(numbers.e.to_bytes(3)),
        }
        path.write_text(json.dumps({"keys": [key]}), encoding="ascii")

    def token(self, subject: str, seconds: float) -> tuple[str, float]:
        """A token for `subject`, and the Unix time at which it expires, in `seconds`."""
        now = int(time.time())
        expires = int(now + seconds)
        claims = {"sub": subject, "aud": AUDIENCE, "iss": "tests", "iat": now, "exp": expires}
        head = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        told = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = self._key.sign(told.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{told}.{_encoded(signature)}", float(expires)


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenIssuer:
    """Serves tokens over HTTPS to the one client it knows, while it is entered."""

    def __init__(
        self, key: TokenKey, certificate: Certificate, client_id: str, client_secret: str, seconds: float
    ) -> None:
        self.served = 0
        """How many tokens were given out."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                scheme, _, given = self.headers.get("Authorization", "").partition(" ")
                known = scheme == "Basic" and b64decode(given).decode() == f"{client_id}:{client_secret}"
                if not known or form.get("grant_type") != ["client_credentials"]:
                    self._answer(401, {"error": "invalid_client"})
                    return
                token, _ = key.token(client_id, seconds)
                issuer.served += 1
                self._answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})

            def _answer(self, status: int, body: dict[str, object]) -> None:
                encoded = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.both)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where tokens are to be had."""
        return f"https://127.0.0.1:{self._server.server_address[1]}/token"

    def __enter__(self) -> TokenIssuer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
