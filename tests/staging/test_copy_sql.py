"""COPY's text, and what its errors tell."""

from __future__ import annotations

import pytest

from connectors.redshift_access import LoadRefused, Reason, WarehouseRefused
from connectors.redshift_copy_sql import Role, TemporaryCredentials, copy_staged, load_error
from connectors.s3_staging import without_secrets
from tests.redshift.warehouse import TABLE

MANIFEST, PATHS = "s3://bucket/a.manifest", "s3://bucket/a.jsonpaths"
OWN = TemporaryCredentials("ASIAKEY", "secret/of+ours", "token==")
SILENT = ("TRUNCATECOLUMNS", "ACCEPTINVCHARS", "MAXERROR", "NULL AS", "BLANKSASNULL", "EMPTYASNULL", "ESCAPE")


def test_copy_reads_what_the_manifest_names_and_alters_nothing() -> None:
    text = copy_staged(TABLE, MANIFEST, PATHS, Role("arn:aws:iam::123456789012:role/loader"), "eu-west-1")
    assert text == (
        "COPY staged_rows (sender, body, weight, written, changed, kafka_partition, kafka_offset) "
        "FROM 's3://bucket/a.manifest' IAM_ROLE 'arn:aws:iam::123456789012:role/loader' REGION 'eu-west-1' "
        "MANIFEST FORMAT JSON 's3://bucket/a.jsonpaths' GZIP TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF"
    )
    assert not [option for option in SILENT if option in text]


def test_copy_in_the_warehouses_default_role_or_with_credentials_of_its_own() -> None:
    assert " IAM_ROLE default MANIFEST " in copy_staged(TABLE, MANIFEST, PATHS, Role(None), None)
    own = copy_staged(TABLE, MANIFEST, PATHS, OWN, None)
    assert " ACCESS_KEY_ID 'ASIAKEY' SECRET_ACCESS_KEY 'secret/of+ours' SESSION_TOKEN 'token==' " in own
    lasting = copy_staged(TABLE, MANIFEST, PATHS, TemporaryCredentials("AKIAKEY", "secret"), None)
    assert "SESSION_TOKEN" not in lasting


@pytest.mark.parametrize("odd", ["it's", "back\\slash", "line\nfeed", "ü"])
def test_what_no_literal_can_hold_is_refused_and_not_told(odd: str) -> None:
    with pytest.raises(ValueError, match="cannot be told") as told:
        copy_staged(TABLE, MANIFEST, PATHS, TemporaryCredentials("key", odd), None)
    assert odd not in str(told.value)


def test_credentials_show_nowhere() -> None:
    assert "secret" not in repr(OWN)
    assert "token" not in repr(OWN)
    quoting = WarehouseRefused(Reason.OTHER, "syntax error at or near secret/of+ours", "mend it")
    told = without_secrets(quoting, OWN)
    assert isinstance(told, WarehouseRefused)
    assert "secret/of" not in told.told
    assert told.fix == "mend it"
    plain = LoadRefused(Reason.DATA, "a row")
    assert without_secrets(plain, OWN) is plain


def test_a_load_error_does_not_tell_the_value() -> None:
    message = "Invalid digit, Value 'call me', Pos 0, Type: Integer"
    told = load_error("s3://b/k  ", 3, "weight ", 1207, message)
    assert (told.file, told.line, told.column, told.code) == ("s3://b/k", 3, "weight", 1207)
    assert told.message == "Invalid digit, Value …"
