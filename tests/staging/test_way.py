"""Which way rows take, by the settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.redshift_copy_sql import Role, TemporaryCredentials
from connectors.s3 import Bucket, S3Access
from connectors.s3_staging import S3Staging
from connectors.spool import SEGMENT_BYTES
from connectors.staging import InsertStaging
from dataflow.commands.access import topics_of
from dataflow.commands.staging import authorization_of, fingerprint, way_of
from dataflow.contract import load
from dataflow.settings_values import FixedRole, NamedRole
from tests.cli.test_settings import settings
from tests.staging.heard import Heard

CONTRACT = load()
BY_S3 = settings({"STAGING": "s3://bucket/prefix", "STAGING_SEGMENT": "8MiB"})


def test_by_default_rows_go_by_insert_and_nothing_hears_of_segments() -> None:
    plain = settings()
    way = way_of(plain, CONTRACT, topics_of(plain, CONTRACT), Heard())
    assert isinstance(way.staging, InsertStaging)
    assert (way.full, way.on_full) == (SEGMENT_BYTES, None)


def test_with_a_bucket_segments_are_as_large_as_they_are_set_to_be() -> None:
    way = way_of(BY_S3, CONTRACT, topics_of(BY_S3, CONTRACT), Heard())
    assert isinstance(way.staging, S3Staging)
    assert way.full == 8 << 20
    assert way.on_full is not None


def test_the_warehouse_reads_in_the_name_that_is_set(s3_access: S3Access) -> None:
    bucket = Bucket(s3_access)
    named = replace(BY_S3, staging_role=NamedRole("arn"))
    assert authorization_of(named, bucket)() == Role("arn")
    assert authorization_of(BY_S3, bucket)() == Role(None)
    own = authorization_of(replace(BY_S3, staging_role=FixedRole.OWN), bucket)()
    assert isinstance(own, TemporaryCredentials)


@pytest.mark.parametrize(
    "other",
    [
        {"CONTACT_HMAC_KEY_ID": "2"},
        {"CONTACT_VALUES": "omitted"},
        {"CONTACTS_TABLE": "on"},
        {"DEFAULT_REGION": "DE"},
        {"SPLIT_CONTACTS": "on"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_rows_made_under_other_settings_are_made_by_something_else(other: dict[str, str]) -> None:
    assert fingerprint(settings(other), CONTRACT) != fingerprint(settings(), CONTRACT)


def test_rows_made_under_another_contract_are_made_by_something_else() -> None:
    assert fingerprint(settings(), replace(CONTRACT, version="9.9.9")) != fingerprint(settings(), CONTRACT)
    assert fingerprint(settings({"WINDOW": "5s"}), CONTRACT) == fingerprint(settings(), CONTRACT)
