"""How `run` gets rows into the warehouse's staging table, by the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import orjson

from connectors.backoff import Backoff
from connectors.items import Segment
from connectors.redshift_access import connect
from connectors.redshift_copy_sql import Authorization, Role
from connectors.s3 import Bucket, S3Access
from connectors.s3_staging import S3Staging
from connectors.s3_uploads import StagingObserver, Uploads
from connectors.spool import SEGMENT_BYTES
from connectors.staged_objects import LAYOUT, Place
from connectors.staging import InsertStaging, Staging
from dataflow.commands.access import Topics, contacts_table, redshift_access
from dataflow.contract import Contract
from dataflow.settings import Settings
from dataflow.settings_values import ByInsert, ByS3, NamedRole
from dataflow.settings_values import FixedRole as Fixed


@dataclass(frozen=True, slots=True)
class Way:
    """A way of rows into the staging table, and what the windows have to know of it."""

    staging: Staging
    full: int
    """Bytes from which on a segment is continued by another."""
    on_full: Callable[[Segment], None] | None
    """Hears of a segment that is full, and returns at once."""
    start: Callable[[], None]


def _nothing() -> None:
    return None


def way_of(settings: Settings, contract: Contract, topics: Topics, observer: StagingObserver) -> Way:
    """The way that is set. Nothing connects before `start`."""
    if isinstance(settings.staging, ByInsert):
        return Way(InsertStaging(), SEGMENT_BYTES, None, _nothing)
    bucket = bucket_of(settings, settings.staging)
    place = place_of(settings, settings.staging, topics)
    uploads = Uploads(bucket, place, fingerprint(settings, contract), Backoff(0.2, 30.0), observer)
    warehouse = redshift_access(settings)
    staging = S3Staging(
        bucket,
        place,
        uploads,
        authorization=authorization_of(settings, bucket),
        region=settings.s3_region,
        session=lambda: connect(warehouse),
        observer=observer,
    )
    return Way(staging, settings.staging_segment, uploads.add, uploads.start)


def bucket_of(settings: Settings, staging: ByS3) -> Bucket:
    """The bucket that is set. Connects nothing yet."""
    return Bucket(S3Access(staging.bucket, settings.s3_region, settings.s3_endpoint))


def place_of(settings: Settings, staging: ByS3, topics: Topics) -> Place:
    """Where in it this pipeline's objects lie."""
    return Place(staging.bucket, staging.prefix, settings.pipeline, topics.source)


def authorization_of(settings: Settings, bucket: Bucket) -> Callable[[], Authorization]:
    """In whose name the warehouse reads the bucket. What is returned raises WarehouseTrouble."""
    match settings.staging_role:
        case NamedRole(arn):
            return lambda: Role(arn)
        case Fixed.DEFAULT:
            return lambda: Role(None)
        case Fixed.OWN:
            return bucket.credentials


def fingerprint(settings: Settings, contract: Contract) -> str:
    """What rows are made by: this version of the program, the contract, and the settings that rows show.

    Objects with another one are not taken up again: their offsets are read from Kafka as ever.
    """
    contacts = contacts_table(settings, contract)
    columns = [contract.table.message_columns, () if contacts is None else contacts.contact_columns]
    made_by = [
        LAYOUT,
        version("contract-dataflow"),
        contract.version,
        [[(column.name, column.sql_type) for column in each] for each in columns],
        settings.contact_values.value,
        settings.contact_key_id,
        settings.default_region,
        settings.split_contacts.value,
    ]
    return hashlib.sha256(orjson.dumps(made_by)).hexdigest()[:32]
