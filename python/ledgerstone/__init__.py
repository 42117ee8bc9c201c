"""A tamper-evident, permissioned, typed ledger that is a library.

>>> import ledgerstone as ls
>>> me = ls.Key.generate("controller")
>>> ledger = ls.create(getfixture("tmp_path") / "books.ledger", origin="acme.example/books", key=me, modules=["finance"])
>>> with ledger.transaction() as tx:
...     tx.append("finance.account", {"id": "cash", "currency": "EUR", "kind": "asset", "floor": "0"})
...     tx.append("finance.account", {"id": "sales", "currency": "EUR", "kind": "income"})
>>> sale = {"id": "t1", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "12.50"}
>>> receipt = ledger.receipt(ledger.append("finance.transfer", sale))
>>> ls.verify(receipt, trust=ledger.verifier_keys).data["amount"]
'12.5'
>>> ledger.balance("finance.account", "cash", by="EUR")["posted"]
Decimal('12.5')
"""

from ._core import (
    History,
    Key,
    Ledger,
    LoadResult,
    Proposal,
    Query,
    Reading,
    Receipt,
    Rejections,
    Schema,
    Statement,
    Transaction,
    __version__,
    check_module,
    create,
    errors,
    open,
    try_module,
    verify,
    verify_checkpoint,
)
from ._facts import (
    Appended,
    AuditReport,
    Backup,
    Checkpoint,
    Doubt,
    Endorsement,
    ErrorCode,
    Finding,
    Grant,
    LogKey,
    Member,
    MemberKey,
    Outcome,
    Record,
    RowId,
    Verified,
)
from ._modules import (
    Cell,
    CheckedModule,
    Module,
    ModuleLoaded,
    Trial,
    Tried,
)
from .exceptions import (
    FaultError,
    ForbiddenError,
    LedgerError,
    LimitError,
    PlainPrivateWarning,
    RejectedError,
    SchemaError,
    StoreError,
    VerificationError,
)

__all__ = [
    "Appended",
    "AuditReport",
    "Backup",
    "Cell",
    "CheckedModule",
    "Checkpoint",
    "Doubt",
    "Endorsement",
    "ErrorCode",
    "FaultError",
    "Finding",
    "ForbiddenError",
    "Grant",
    "History",
    "Key",
    "Ledger",
    "LedgerError",
    "LimitError",
    "LoadResult",
    "LogKey",
    "Member",
    "MemberKey",
    "Module",
    "ModuleLoaded",
    "Outcome",
    "PlainPrivateWarning",
    "Proposal",
    "Query",
    "Reading",
    "Receipt",
    "Record",
    "RejectedError",
    "Rejections",
    "RowId",
    "Schema",
    "SchemaError",
    "Statement",
    "StoreError",
    "Transaction",
    "Trial",
    "Tried",
    "VerificationError",
    "Verified",
    "__version__",
    "check_module",
    "create",
    "errors",
    "open",
    "try_module",
    "verify",
    "verify_checkpoint",
]
