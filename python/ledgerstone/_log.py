"""Notable events of the engine, as log records under the name ``ledgerstone``. Imported when the first one happens."""

import logging

_logger = logging.getLogger("ledgerstone")
# A library does not speak unless its user has said where to.
_logger.addHandler(logging.NullHandler())


def tell(ledger: str, event: str, is_warning: bool, text: str) -> None:
    """Logs an event: ``record.ledger`` is the origin, ``record.event`` a stable name."""
    level = logging.WARNING if is_warning else logging.INFO
    _logger.log(level, "%s: %s", ledger, text, extra={"ledger": ledger, "event": event})
