"""How the Redshift stand-in reads S3 for a COPY: credentials, manifest, JSONPaths, objects. Blocking."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.standins.redshift_copy import Copy, Keys, Location, Role
from tests.standins.redshift_rows import BadPaths, BadValue, Places, parse_paths, rows_of
from tests.standins.s3 import ACCESS_KEY_ID, REGION, ROLE, SECRET_ACCESS_KEY

_ACCOUNT: Final = ROLE.split(":")[4]
_REQUEST: Final = "Rid 0000000000000000,ExtRid standin,CanRetry 1"


class CopyFailed(Exception):
    """A COPY ended before all of its rows were read. `context` is where, for the error's detail."""

    def __init__(self, message: str, context: str = "", code: int = 8001) -> None:
        super().__init__(message)
        self.message = message
        self.context = context
        self.code = code


class BadRow(CopyFailed):
    """A row that could not be read."""

    def __init__(self, file: str, value: BadValue) -> None:
        super().__init__(value.message, file, value.code)
        self.file = file
        self.line = value.line


@dataclass(frozen=True, slots=True)
class _Entry:
    location: Location
    mandatory: bool
    content_length: int | None


class S3Source:
    """The S3 that COPY reads."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._client: Any = None

    def rows(self, copy: Copy, places: Places) -> Iterator[bytes]:
        """The rows of a COPY, in chunks, for PostgreSQL. Raises `CopyFailed`."""
        _authenticate(copy.credentials)
        try:
            pick = parse_paths(self._whole(copy.paths, copy), len(copy.columns))
        except BadPaths as error:
            raise CopyFailed(str(error), str(copy.paths)) from error
        found = False
        for entry in self._entries(copy):
            opened = self._open(entry, copy)
            if opened is None:
                continue
            found = True
            file = str(entry.location)
            with closing(opened):
                try:
                    yield from rows_of(opened, file, pick, len(copy.columns), places)
                except BadValue as error:
                    raise BadRow(file, error) from error
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise CopyFailed(
                        "failed to inflate with gzip: invalid or incomplete deflate data.", file, 9004
                    ) from error
                except (BotoCoreError, OSError) as error:
                    raise CopyFailed("S3CurlException: transfer closed,CanRetry 1", file) from error
        if not found:
            raise CopyFailed("The specified S3 manifest names no file that exists", str(copy.manifest))

    def _entries(self, copy: Copy) -> list[_Entry]:
        try:
            text = self._whole(copy.manifest, copy)
        except CopyFailed as error:
            message = f"Problem reading manifest file - {error.message}"
            raise CopyFailed(message, error.context) from error
        try:
            return [_entry(told) for told in orjson.loads(text)["entries"]]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            message = "Manifest file is not in correct json format"
            raise CopyFailed(message, str(copy.manifest)) from error

    def _open(self, entry: _Entry, copy: Copy) -> BinaryIO | None:
        context = str(entry.location)
        try:
            answered = self._get(entry.location, copy)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise CopyFailed(_told(error), context) from error
            if not entry.mandatory:
                return None
            raise CopyFailed("Mandatory url is not present in manifest file", context) from error
        if entry.content_length not in (None, answered["ContentLength"]):
            answered["Body"].close()
            message = (
                f"The size of the file, {answered['ContentLength']}, is not the manifest's content_length, "
                f"{entry.content_length}"
            )
            raise CopyFailed(message, context)
        body = io.BufferedReader(answered["Body"], 1 << 16)
        return cast(BinaryIO, gzip.GzipFile(fileobj=body) if copy.gzip else body)

    def _whole(self, location: Location, copy: Copy) -> bytes:
        try:
            with closing(self._get(location, copy)["Body"]) as body:
                return cast(bytes, body.read())
        except ClientError as error:
            raise CopyFailed(_told(error), str(location)) from error

    def _get(self, location: Location, copy: Copy) -> dict[str, Any]:
        client = self._client = self._client or boto3.client(
            "s3",
            endpoint_url=self._endpoint,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            region_name=REGION,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 2},
                s3={"addressing_style": "path"},
            ),
        )
        try:
            where = client.get_bucket_location(Bucket=location.bucket)["LocationConstraint"] or "us-east-1"
            if where != (copy.region or REGION):
                raise CopyFailed(
                    "S3ServiceException:The bucket you are attempting to access must be addressed using the"
                    f" specified endpoint.,Status 301,Error PermanentRedirect,{_REQUEST}",
                    str(location),
                )
            return cast(dict[str, Any], client.get_object(Bucket=location.bucket, Key=location.key))
        except BotoCoreError as error:
            raise CopyFailed("S3CurlException: could not connect,CanRetry 1", str(location)) from error


def _entry(told: dict[str, Any]) -> _Entry:
    location = Location.of(told["url"])
    if location is None:
        raise ValueError("not a URL of S3")
    length = told.get("meta", {}).get("content_length")
    return _Entry(location, bool(told.get("mandatory", False)), None if length is None else int(length))


def _authenticate(credentials: Role | Keys) -> None:
    """What S3 and IAM would check and the stand-in of S3 doesn't. Raises `CopyFailed`."""
    match credentials:
        case Role(arn):
            if arn is not None and arn.split(":")[4] != _ACCOUNT:
                user = f"arn:aws:redshift:{REGION}:{_ACCOUNT}:dbuser:standin/awsuser"
                raise CopyFailed(f"User {user} is not authorized to assume IAM Role {arn}", f"IAM Role={arn}")
        case Keys(identifier, _, _) if identifier != ACCESS_KEY_ID:
            raise CopyFailed(
                "S3ServiceException:The AWS Access Key Id you provided does not exist in our records.,"
                f"Status 403,Error InvalidAccessKeyId,{_REQUEST}"
            )
        case Keys(_, secret, _) if secret != SECRET_ACCESS_KEY:
            raise CopyFailed(
                "S3ServiceException:The request signature we calculated does not match the signature you "
                "provided. Check your key and signing method.,Status 403,Error SignatureDoesNotMatch,"
                + _REQUEST
            )
        case _:
            pass


def _told(error: ClientError) -> str:
    told = error.response["Error"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return f"S3ServiceException:{told['Message']},Status {status},Error {told['Code']},{_REQUEST}"
