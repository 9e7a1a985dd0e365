"""What the pipeline, and whoever operates it, must be permitted in Redshift, and nothing more.

Pure: nothing is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.items import ContactsTable, Table
from connectors.redshift_contacts_sql import CONTACTS_PRIVILEGES
from connectors.redshift_sql import (
    LEDGER_PRIVILEGES,
    OPERATORS_TABLE_PRIVILEGES,
    TABLE_PRIVILEGES,
    ledger_name,
)


class GranteeKind(Enum):
    """Whom a privilege is granted to."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Permitted:
    """What may be done with the table, with its ledger, and with its contacts' table."""

    table: tuple[str, ...]
    ledger: tuple[str, ...]
    contacts: tuple[str, ...]


class Privileges(Enum):
    """What each party may do."""

    PIPELINE = Permitted(TABLE_PRIVILEGES, LEDGER_PRIVILEGES, CONTACTS_PRIVILEGES)
    OPERATORS = Permitted(OPERATORS_TABLE_PRIVILEGES, LEDGER_PRIVILEGES, CONTACTS_PRIVILEGES)
    VERIFY = Permitted(*[("select",)] * 3)


@dataclass(frozen=True, slots=True)
class Grantee:
    """A user, a role or a group of the database. The name may hold anything: it is quoted."""

    kind: GranteeKind
    name: str

    @property
    def sql(self) -> str:
        """As GRANT names it."""
        word = "" if self.kind is GranteeKind.USER else f"{self.kind.value.upper()} "
        return word + quoted(self.name)


def quoted(name: str) -> str:
    """A name as a delimited identifier, whatever it holds. Raises ValueError for one with a NUL character."""
    if "\0" in name:
        raise ValueError("a name can't hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def grants(
    table: Table,
    database: str,
    grantee: Grantee,
    privileges: Privileges = Privileges.PIPELINE,
    contacts: ContactsTable | None = None,
) -> tuple[str, ...]:
    """One statement each, with these `privileges`: by default all that `run` and `check` need.

    Creating the tables is not among it.
    """
    to, allowed = grantee.sql, privileges.value
    kept: tuple[str, ...] = ()
    if contacts is not None:
        kept = (f"GRANT {_listed(allowed.contacts)} ON {contacts.qualified} TO {to}",)
    return (
        f"GRANT TEMP ON DATABASE {quoted(database)} TO {to}",
        f"GRANT USAGE ON SCHEMA {table.schema} TO {to}",
        f"GRANT {_listed(allowed.table)} ON {table.qualified} TO {to}",
        f"GRANT {_listed(allowed.ledger)} ON {ledger_name(table)} TO {to}",
        *kept,
    )


def _listed(privileges: Sequence[str]) -> str:
    return ", ".join(privilege.upper() for privilege in privileges)
