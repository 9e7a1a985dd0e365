"""The token provider for Amazon MSK: what it gives is a request that AWS itself would call rightly signed.

Nothing here talks to AWS: the signature is made again from the credentials, as the service does.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from connectors import msk_iam
from tests.cli.test_settings import faults, settings

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
"""The pair that AWS's documentation uses as its example."""
REGION = "eu-central-1"
OAUTH = {
    "KAFKA_CONFIG_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_CONFIG_SASL_MECHANISM": "OAUTHBEARER",
}


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)


def signature_of(url: str) -> str:
    """AWS Signature Version 4 of a presigned GET, made from its parts."""
    parts = urlsplit(url)
    told = dict(parse_qsl(parts.query))
    signed = {name: value for name, value in told.items() if name not in ("X-Amz-Signature", "User-Agent")}
    query = "&".join(f"{quote(name, safe='')}={quote(signed[name], safe='')}" for name in sorted(signed))
    request = f"GET\n/\n{query}\nhost:{parts.netloc}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    scope = told["X-Amz-Credential"].partition("/")[2]
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{told['X-Amz-Date']}\n{scope}\n{hashed}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@pytest.mark.usefixtures("identity")
def test_a_token_is_a_signed_request_to_connect_in_the_region() -> None:
    token, expires = msk_iam.token()
    url = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    told = dict(parse_qsl(urlsplit(url).query))
    assert urlsplit(url).netloc == f"kafka.{REGION}.amazonaws.com"
    assert told["Action"] == "kafka-cluster:Connect"
    assert told["X-Amz-Credential"].startswith(f"{KEY_ID}/")
    assert told["X-Amz-Signature"] == signature_of(url)
    assert 0 < expires - time.time() <= 900
    assert SECRET not in url


@pytest.mark.usefixtures("identity")
def test_without_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(msk_iam.NoRegion):
        msk_iam.token()


def test_it_is_named_by_a_setting() -> None:
    found = settings({**OAUTH, "KAFKA_TOKEN_PROVIDER": "connectors.msk_iam:token"})
    assert found.token_provider == "connectors.msk_iam:token"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (OAUTH, "KAFKA_TOKEN_PROVIDER: is missing; OAUTHBEARER needs it"),
        ({"KAFKA_TOKEN_PROVIDER": "connectors.msk_iam:token"}, "needs KAFKA_CONFIG_SASL_MECHANISM"),
        ({**OAUTH, "KAFKA_TOKEN_PROVIDER": "connectors.msk_iam"}, "must be module:function"),
        (
            {**OAUTH, "KAFKA_TOKEN_PROVIDER": "no_such_module:token"},
            "module no_such_module can't be imported",
        ),
        ({**OAUTH, "KAFKA_TOKEN_PROVIDER": "connectors.msk_iam:nothing"}, "has no function nothing"),
    ],
)
def test_a_token_provider_that_cannot_be_is_a_fault_of_the_settings(
    environment: dict[str, str], told: str
) -> None:
    assert any(told in fault for fault in faults(environment))


def test_no_fault_quotes_a_value_that_may_be_a_secret() -> None:
    told = faults(
        {
            "KAFKA_CONFIG_SECURITY_PROTOCOL": "sasl_ssl",
            "KAFKA_CONFIG_SASL_MECHANISM": "a password, pasted in the wrong place",
        }
    )
    assert told
    assert not any("password" in fault for fault in told)
