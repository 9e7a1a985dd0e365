"""How a trouble with the warehouse, or with the bucket before it, is told."""

from __future__ import annotations

import logging
from typing import Protocol

from connectors.redshift_access import Reason, WarehouseRefused, WarehouseTrouble

log = logging.getLogger(__name__)


class Retries(Protocol):
    """Who counts what is tried again."""

    def retried(self, system: str, reason: str) -> None:
        """A system did not do it; there will be another try."""
        ...


_FIXES = {
    Reason.LOGIN: "check the user and its password or role",
    Reason.PERMISSION: "grant what `check` names as missing",
    Reason.MISSING: "create what is missing with `ddl --apply`; `check` names it",
    Reason.DATA: "the table does not take what the contract allows: run `check`",
}


def tell(trouble: WarehouseTrouble, attempt: int, wait: float, to: Retries) -> None:
    """Count and log a trouble that is met with another try: an error when a person must act."""
    to.retried(trouble.system, trouble.reason.value)
    told = {
        "system": trouble.system,
        "reason": trouble.reason.value,
        "detail": str(trouble),
        "attempt": attempt,
        "next_try_seconds": round(wait, 2),
    }
    if isinstance(trouble, WarehouseRefused):
        fix = trouble.fix or _FIXES.get(trouble.reason, "the SQLSTATE says what the warehouse refused")
        log.error("warehouse_refused", extra={**told, "fix": fix})
    else:
        log.warning("warehouse_retry", extra=told)
