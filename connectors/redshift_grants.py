"""What the pipeline must be permitted in Redshift, and nothing more. Pure: nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from connectors.items import Table
from connectors.redshift_sql import LEDGER_PRIVILEGES, TABLE_PRIVILEGES, ledger_name


class GranteeKind(Enum):
    """Whom a privilege is granted to."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"


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


def grants(table: Table, database: str, grantee: Grantee) -> tuple[str, ...]:
    """All that `run` and `check` need, one statement each. Creating the tables is not among it."""
    to = grantee.sql
    return (
        f"GRANT TEMP ON DATABASE {quoted(database)} TO {to}",
        f"GRANT USAGE ON SCHEMA {table.schema} TO {to}",
        f"GRANT {_listed(TABLE_PRIVILEGES)} ON {table.qualified} TO {to}",
        f"GRANT {_listed(LEDGER_PRIVILEGES)} ON {ledger_name(table)} TO {to}",
    )


def _listed(privileges: tuple[str, ...]) -> str:
    return ", ".join(privilege.upper() for privilege in privileges)
