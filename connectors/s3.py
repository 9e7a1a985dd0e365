"""The door to S3: a bucket, its objects, and its errors made typed.

The client is boto3's; credentials are found as it always does (a pod's role, for one).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as NotConnected

from connectors.redshift_access import Reason, WarehouseRefused, WarehouseTrouble, WarehouseUnavailable
from connectors.redshift_copy_sql import TemporaryCredentials

SYSTEM = "s3"
CONNECT_TIMEOUT = 5
ANSWER_TIMEOUT = 30
"""Seconds for one request, whose body is a part at most."""
ATTEMPTS = 2
"""How often the client itself makes a request: who calls has patience of its own."""
PART = 8 << 20
"""Bytes from which on an object is uploaded in parts, and of each part."""
_PAGE = 1 << 20

T = TypeVar("T")


class S3Unavailable(WarehouseUnavailable):
    """S3 does not answer, or not now: it passes by itself."""

    system = SYSTEM


class S3Refused(WarehouseRefused):
    """S3 refuses until a person acts: credentials, permission, a bucket that is not there."""

    system = SYSTEM


class ObjectGone(Exception):
    """There is no object of this key, or it is another than was put there. Nothing else is wrong."""


@dataclass(frozen=True, slots=True)
class S3Access:
    """Which bucket, and how to reach it."""

    bucket: str
    region: str | None = None
    """None: as the AWS SDK finds it."""
    endpoint: str | None = None
    """None: Amazon's own."""


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 says of an object without its bytes."""

    size: int
    metadata: Mapping[str, str]


_REFUSED: Mapping[str, tuple[Reason, str]] = {
    "AccessDenied": (Reason.PERMISSION, "permit it on the prefix: docs/s3-staging.md has the policy"),
    "AllAccessDisabled": (Reason.PERMISSION, "permit it on the prefix: docs/s3-staging.md has the policy"),
    "403": (Reason.PERMISSION, "permit it on the prefix: docs/s3-staging.md has the policy"),
    "NoSuchBucket": (Reason.MISSING, "create the bucket, or mend STAGING"),
    "InvalidAccessKeyId": (Reason.LOGIN, "give the pod's role, or credentials that are valid"),
    "SignatureDoesNotMatch": (Reason.LOGIN, "give the pod's role, or credentials that are valid"),
    "ExpiredToken": (Reason.LOGIN, "give the pod's role, or credentials that are valid"),
    "InvalidToken": (Reason.LOGIN, "give the pod's role, or credentials that are valid"),
    "PermanentRedirect": (Reason.OTHER, "set S3_REGION to the bucket's region"),
    "AuthorizationHeaderMalformed": (Reason.OTHER, "set S3_REGION to the bucket's region"),
    "301": (Reason.OTHER, "set S3_REGION to the bucket's region"),
    "400": (Reason.OTHER, "set S3_REGION to the bucket's region"),
}
_GONE = ("NoSuchKey", "404", "NotFound")
_NO_CREDENTIALS = (
    "give the process a role (IRSA, an instance's profile) or credentials as the AWS SDK reads them"
)


def trouble_of(fault: Exception, doing: str) -> WarehouseTrouble:
    """The typed error for what the SDK raised. Its text names the request and S3's code, never a secret."""
    if isinstance(fault, NoCredentialsError | PartialCredentialsError):
        return S3Refused(Reason.LOGIN, f"{doing}: the AWS SDK finds no credentials", _NO_CREDENTIALS)
    if isinstance(fault, ClientError):
        code = str(fault.response.get("Error", {}).get("Code", ""))
        known = _REFUSED.get(code)
        if known is not None:
            return S3Refused(known[0], f"{doing}: {code}", known[1])
        answer = int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _GONE or (400 <= answer < 500 and answer not in (408, 409, 429)):
            return S3Refused(Reason.MISSING if code in _GONE else Reason.OTHER, f"{doing}: {code}")
        throttled = code in ("SlowDown", "RequestLimitExceeded", "Throttling") or answer in (429, 503)
        return S3Unavailable(Reason.RESOURCES if throttled else Reason.CONNECTION, f"{doing}: {code}")
    if isinstance(fault, ConnectTimeoutError | ReadTimeoutError):
        return S3Unavailable(Reason.TIMEOUT, f"{doing}: no answer in time")
    if isinstance(fault, NotConnected | OSError):
        return S3Unavailable(Reason.CONNECTION, f"{doing}: {type(fault).__name__}")
    # boto3 wraps what an upload met in a text of its own, with the code in it.
    wrapped = fault.__cause__ or fault.__context__
    if isinstance(fault, Boto3Error) and isinstance(wrapped, BotoCoreError | ClientError | OSError):
        return trouble_of(wrapped, doing)
    return S3Unavailable(Reason.CONNECTION, f"{doing}: {type(fault).__name__}")


class Bucket:
    """A bucket. Safe to share between threads. Methods raise S3Unavailable and S3Refused."""

    def __init__(self, access: S3Access) -> None:
        """Connects nothing yet."""
        self.name = access.bucket
        self._session = boto3.session.Session(region_name=access.region)
        self._client: Any = None
        self._access = access

    def _call(self, doing: str, request: Callable[[Any], T]) -> T:
        try:
            if self._client is None:
                self._client = self._session.client(
                    "s3",
                    endpoint_url=self._access.endpoint,
                    config=Config(
                        connect_timeout=CONNECT_TIMEOUT,
                        read_timeout=ANSWER_TIMEOUT,
                        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    ),
                )
            return request(self._client)
        except (BotoCoreError, ClientError, Boto3Error, OSError) as fault:
            raise trouble_of(fault, doing) from None

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Put an object there whole, in parts when it is large."""
        # In threads of its own, an upload that hangs would hold up the end of the process.
        transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
        self._call(
            "PutObject",
            lambda client: client.upload_fileobj(
                io.BytesIO(body),
                self.name,
                key,
                ExtraArgs={"Metadata": dict(metadata or {})},
                Config=transfer,
            ),
        )

    def head(self, key: str) -> Head:
        """Raises ObjectGone besides."""
        found = self._gone_or("HeadObject", lambda client: client.head_object(Bucket=self.name, Key=key))
        return Head(int(found["ContentLength"]), {**found.get("Metadata", {})})

    def get(self, key: str) -> bytes:
        """An object's bytes. Raises ObjectGone besides."""

        def read(client: Any) -> bytes:
            return bytes(client.get_object(Bucket=self.name, Key=key)["Body"].read())

        return self._gone_or("GetObject", read)

    def _gone_or(self, doing: str, request: Callable[[Any], T]) -> T:
        def asked(client: Any) -> T:
            try:
                return request(client)
            except ClientError as fault:
                if str(fault.response.get("Error", {}).get("Code", "")) in _GONE:
                    raise ObjectGone from None
                raise

        return self._call(doing, asked)

    def keys(self, folder: str) -> Iterator[str]:
        """The keys that begin with `folder`, in their order."""
        token: dict[str, str] = {}
        while True:
            page = self._call(
                "ListObjectsV2",
                lambda client, token=token: client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self.name, Prefix=folder, **token
                ),
            )
            yield from (str(item["Key"]) for item in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": str(page["NextContinuationToken"])}

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no trouble."""
        self._call("DeleteObject", lambda client: client.delete_object(Bucket=self.name, Key=key))

    def answers(self, folder: str) -> None:
        """Ask something small: whether the bucket is there and we may look into the folder."""
        self._call(
            "ListObjectsV2",
            lambda client: client.list_objects_v2(Bucket=self.name, Prefix=folder, MaxKeys=1),
        )

    def region(self) -> str | None:
        """The region that the bucket says it is in; None when it does not."""
        found = self._call("HeadBucket", lambda client: client.head_bucket(Bucket=self.name))
        told = found.get("BucketRegion")
        return None if told is None else str(told)

    def credentials(self) -> TemporaryCredentials:
        """The credentials that the process itself has now, for a COPY that uses them. Raises S3Refused."""
        try:
            found = self._session.get_credentials()
            frozen = None if found is None else found.get_frozen_credentials()
        except (BotoCoreError, ClientError, OSError) as fault:
            raise trouble_of(fault, "credentials") from None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise S3Refused(Reason.LOGIN, "credentials: the AWS SDK finds none", _NO_CREDENTIALS)
        return TemporaryCredentials(frozen.access_key, frozen.secret_key, frozen.token or None)
