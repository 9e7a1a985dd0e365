"""Tokens for the IAM access control of Amazon MSK: what a token provider looks like, and one to use.

    KAFKA_TOKEN_PROVIDER=connectors.msk_iam:token

Needs the extra `msk-iam`. The AWS SDK finds credentials (a pod's role, for one) and the region
(AWS_DEFAULT_REGION, or a profile's) as it always does.
"""

from __future__ import annotations

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.session import Session


class NoRegion(Exception):
    """The AWS SDK knows no region: set AWS_DEFAULT_REGION."""


def token() -> tuple[str, float]:
    """A signed request to connect, good for 15 minutes, as a token; and the Unix time at which it expires.

    Raises NoRegion, and what the SDK raises when there are no credentials.
    """
    region = Session().get_config_variable("region")
    if not region:
        raise NoRegion
    signed, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
    return signed, expires_ms / 1000
