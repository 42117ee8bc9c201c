"""What can go wrong: one tree, whose branches are what a caller tells apart.

    LedgerError
        RejectedError       a record was refused by a rule: an expected outcome
            ForbiddenError  its author may not do this
        SchemaError         a schema file, a table that does not fit its type, a value that no field takes
        VerificationError   evidence or stored bytes do not verify
        StoreError          the file or the storage failed
        LimitError          a value over a bound
        FaultError          what must not happen; nothing was logged

Every error can be pickled. ``str(error)`` is for people and may change; the fields are for programs, and ``code`` is stable:
`ledgerstone.errors` lists every one with its meaning and remedy.
An error that ends a load carries a note (``error.__notes__``) of what had been committed before.

>>> error = RejectedError("no", "finance.insufficient_funds", "the balance would fall below the floor", row=7)
>>> error.code, error.row, isinstance(error, LedgerError)
('finance.insufficient_funds', 7, True)
"""

__all__ = [
    "FaultError",
    "ForbiddenError",
    "LedgerError",
    "LimitError",
    "PlainPrivateWarning",
    "RejectedError",
    "SchemaError",
    "StoreError",
    "VerificationError",
]


class LedgerError(Exception):
    """Anything that ledgerstone raises on its own account; arguments of a wrong Python type are a ``TypeError``.

    >>> try:
    ...     getfixture("books").append("finance.transfer", {"id": "t1"})
    ... except LedgerError as error:
    ...     print(error.code)
    ledger.missing_field
    """

    code: str | None = None
    """Stable name of what happened; `ledgerstone.errors` lists them. None only where the error was made by hand without one."""

    @property
    def remedy(self) -> str | None:
        """What to do about it, as `ledgerstone.errors` says; None for a module's own code, whose message says so itself.

        >>> LimitError("the id has 70 bytes", "ID_BYTES", 70, 64, "ledger.id_bytes").remedy
        'use a shorter id, or its hash'
        """
        from . import errors  # The native module takes the classes from here.

        return next((entry.remedy for entry in errors() if entry.code == self.code), None)

    def __str__(self) -> str:
        # Further arguments are the fields, kept in `args` so that the error can be pickled.
        return str(self.args[0]) if self.args else ""


class RejectedError(LedgerError):
    """A record or transaction was refused by a rule. Nothing of it is in the ledger.

    >>> try:
    ...     raise RejectedError("refused", "finance.duplicate", "a transfer with this id exists", "finance.transfer")
    ... except RejectedError as error:
    ...     print(error.code, error.type)
    finance.duplicate finance.transfer
    """

    def __init__(
        self,
        text: str,
        code: str,
        message: str,
        type: str = "",
        row: int = 0,
        field: str | None = None,
        cell: str | None = None,
    ) -> None:
        super().__init__(text, code, message, type, row, field, cell)
        self.code = code
        """Stable name of the reason."""
        self.message = message
        """The reason in words."""
        self.type = type
        """The record type; empty where the call as a whole is refused, whatever its records."""
        self.row = row
        """Which of the records handed over, from 0."""
        self.field = field
        """Dotted path of the field, where one field is the reason."""
        self.cell = cell
        """Name of the cell, where the state of the ledger is the reason."""


class ForbiddenError(RejectedError):
    """The author may not do this; the message names the role that would allow it, or the argument that is missing."""


class SchemaError(LedgerError):
    """A schema file is wrong (every fault is listed, with its place), or data does not have the shape of its type.

    >>> error = SchemaError('column "amount" is Float64', "ledger.wrong_column_type", field="amount")
    >>> error.code, error.field
    ('ledger.wrong_column_type', 'amount')
    """

    def __init__(
        self,
        text: str,
        code: str | None = None,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(text, code, file, line, field)
        self.code = code
        """Stable name of the reason."""
        self.file = file
        """The file, where one is the reason."""
        self.line = line
        """Line of the file, from 1."""
        self.field = field
        """Dotted path of the field or column, where one is the reason."""


class VerificationError(LedgerError):
    """Evidence or stored bytes do not verify.

    >>> VerificationError("the signature does not hold", "link_broken").code
    'link_broken'
    """

    def __init__(self, text: str, code: str | None = None, file: str | None = None) -> None:
        super().__init__(text, code, file)
        self.code = code
        """What the failure means, where it is known: ``content_changed``, ``link_broken``, ``not_trusted``,
        ``unverifiable_version`` (not an alarm), ``incomplete`` or ``malformed``."""
        self.file = file
        """The file of evidence, where one was read."""


class StoreError(LedgerError):
    """The file or the storage failed, or is not what the call needs.

    >>> StoreError("books.ledger: no such ledger", "books.ledger").path
    'books.ledger'
    """

    def __init__(self, text: str, path: str | None = None, code: str | None = None) -> None:
        super().__init__(text, path, code)
        self.path = path
        """The file, where there is one."""
        self.code = code
        """Stable name of the reason."""


class LimitError(LedgerError):
    """A value is over a bound.

    >>> error = LimitError("the id has 70 bytes; the limit ID_BYTES is 64", "ID_BYTES", 70, 64)
    >>> error.limit, error.value, error.bound
    ('ID_BYTES', 70, 64)
    """

    def __init__(self, text: str, limit: str, value: int, bound: int, code: str | None = None) -> None:
        super().__init__(text, limit, value, bound, code)
        self.code = code
        """Stable name of the reason: that of the bound, in lower case behind ``ledger.``."""
        self.limit = limit
        """Name of the bound."""
        self.value = value
        """What was handed over."""
        self.bound = bound
        """The bound."""


class FaultError(LedgerError):
    """Something that must not happen. Nothing was logged; open the ledger again, and report it."""

    def __init__(self, text: str, code: str | None = None, module: str | None = None) -> None:
        super().__init__(text, code, module)
        self.code = code
        """Stable name of the reason."""
        self.module = module
        """The module whose rules faulted, where one did: it takes no records here until the ledger is opened again."""


class PlainPrivateWarning(UserWarning):
    """Private fields were stored in the clear, because the caller said ``plain=True``.

    The records are flagged ``ledger.plain_private``.
    """
