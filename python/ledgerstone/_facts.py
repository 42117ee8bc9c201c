"""What the ledger answers, where the answer is facts and nothing else.

Named tuples in Python, because they compare, unpack, pickle and show themselves without a line of native code. Where a field is
called `index` or `count` it hides the method of that name that tuples have, which nobody misses here; mypy is told so.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from .exceptions import VerificationError

_Fact = TypeVar("_Fact", bound=type[NamedTuple])


def _shown(fact: _Fact) -> _Fact:
    """Gives a named tuple its table in a notebook, under its name in words, where it has none of its own."""
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in fact.__name__).strip()
    if "_repr_html_" not in vars(fact):
        fact._repr_html_ = lambda self: _table(words, self._asdict())  # type: ignore[attr-defined]
    return fact


@_shown
class RowId(NamedTuple):
    """The place of a record: its transaction, and its position in it.

    >>> index, position = RowId(7, 0)
    >>> RowId(7, 0) == (7, 0)
    True
    """

    index: int  # type: ignore[assignment]
    """Index of the transaction in the log."""
    position: int
    """Position among the records of the transaction."""


@_shown
class ErrorCode(NamedTuple):
    """One entry of the catalogue of errors.

    >>> ErrorCode("ledger.disk_full", "StoreError", "the disk is full", "make space").error
    'StoreError'
    """

    code: str
    """Its stable name, the ``code`` of the exception."""
    error: str
    """Name of the exception that carries it."""
    summary: str
    """What it means."""
    remedy: str
    """What to do."""


@_shown
class Backup(NamedTuple):
    """What a backup holds.

    >>> Backup(size=7, bytes=196608, checkpoint="acme.example/books ...").size
    7
    """

    size: int
    """Number of transactions."""
    bytes: int
    """Length of the file."""
    checkpoint: str
    """Its newest checkpoint, a signed note."""


@_shown
class Outcome(NamedTuple):
    """What became of a record, and why.

    >>> Outcome("held", "orders.large", "a manager looks at it").code
    'orders.large'
    """

    name: str
    """``accepted``; ``flagged``: its effects apply, and somebody should look at it; ``held``: it has none before its release."""
    code: str | None = None
    """Stable name of the reason of another outcome than accepted."""
    message: str | None = None
    """The reason in words."""


@_shown
class Appended(NamedTuple):
    """A transaction that stands in the log, durably.

    >>> appended = Appended(7, 2, True, {1: Outcome("held", "orders.large")})
    >>> appended.row(1), appended.outcome, appended.outcomes[1].name
    (RowId(index=7, position=1), 'accepted', 'held')
    """

    index: int  # type: ignore[assignment]
    """Index of the transaction in the log."""
    count: int  # type: ignore[assignment]
    """Number of its records."""
    is_new: bool
    """Whether this call appended it; otherwise an earlier call with the same id did."""
    exceptions: dict[int, Outcome] = {}  # noqa: RUF012
    """Its records that were held or flagged, by position."""

    def __repr__(self) -> str:
        facts = f"index={self.index}, count={self.count}, is_new={self.is_new}"
        return f"Appended({facts}, exceptions={self.exceptions})" if self.exceptions else f"Appended({facts})"

    @property
    def outcome(self) -> str:
        """What became of its first record: ``accepted``, ``flagged`` or ``held``."""
        return self.exceptions.get(0, _ACCEPTED).name

    @property
    def code(self) -> str | None:
        """The reason of that, where it is another than accepted."""
        return self.exceptions.get(0, _ACCEPTED).code

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of each of its records."""
        return [self.exceptions.get(position, _ACCEPTED) for position in range(self.count)]

    def row(self, position: int = 0) -> RowId:
        """The place of its n-th record."""
        if not 0 <= position < self.count:
            raise IndexError(f"the transaction has {self.count} record(s)")
        return RowId(self.index, position)


_ACCEPTED = Outcome("accepted")


class Record(Mapping[str, Any]):
    """A record as stored, a mapping of its fields: ``record["amount"]``, ``dict(record)``. An absent field is ``None``.

    >>> record = Record("finance.commodity", 1, RowId(7, 0), {"code": "AAPL", "exponent": 0, "name": None})
    >>> record["code"], record.row
    ('AAPL', RowId(index=7, position=0))
    """

    __slots__ = ("_data", "cause", "code", "outcome", "row", "type", "version")

    def __init__(
        self,
        type: str,
        version: int,
        row: RowId,
        data: dict[str, Any],
        outcome: str = "accepted",
        code: str | None = None,
        cause: int | None = None,
    ) -> None:
        self.type = type
        """Full name of the record type."""
        self.version = version
        """Version of the module that checked it."""
        self.row = row
        """Where it stands."""
        self.outcome = outcome
        """``accepted``, ``flagged``, ``held``, or ``released``: it was held."""
        self.code = code
        """The reason of another outcome than accepted."""
        self.cause = cause
        """Position of the signed record of its transaction that it follows; None where its author signed it himself."""
        self._data = data

    @property
    def data(self) -> dict[str, Any]:
        """The fields, as a dict of their own."""
        return dict(self._data)

    @property
    def index(self) -> int:
        """Index of its transaction."""
        return self.row.index

    @property
    def position(self) -> int:
        """Its position in the transaction."""
        return self.row.position

    def __getitem__(self, field: str) -> Any:
        return self._data[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"Record({self.type!r}, {tuple(self.row)}, {self._data!r})"

    def _repr_html_(self) -> str:
        return _table(f"{self.type}, transaction {self.index}, position {self.position}", self._data)


@_shown
class Checkpoint(NamedTuple):
    """The signed state of a log.

    >>> ledger = getfixture("books")
    >>> checkpoint = ledger.checkpoint()
    >>> checkpoint.size, len(checkpoint.root)
    (4, 32)
    """

    origin: str
    """Name of the log."""
    size: int
    """Number of transactions."""
    root: bytes
    """Root of the SHA-256 tree."""
    note: str
    """The signed note (C2SP tlog-checkpoint): publish it, or give it to an auditor."""
    note_sha3: str | None = None
    """The signed note of the SHA3-256 tree; None where only one note was verified."""


@_shown
class Verified(NamedTuple):
    """What a receipt proved. Look at the outcome: a record can be in the log as rejected.

    >>> ledger = getfixture("books")
    >>> verified = ledger.receipt((3, 0)).verify(ledger.verifier_keys)
    >>> verified.outcome, verified.data["id"], verified.checked_sha3
    ('accepted', 't1', True)
    """

    outcome: str
    """``accepted``, ``flagged``, ``held`` or ``rejected``."""
    code: str | None
    """The reason of another outcome than accepted."""
    record: str
    """The record, exactly as it was hashed."""
    data: dict[str, Any]
    """Its fields as JSON has them: decimals, dates and timestamps are strings."""
    origin: str
    """Name of the log."""
    size: int
    """Size of the log at the checkpoint."""
    root: bytes
    """Root of the log's SHA-256 tree at that size."""
    index: int  # type: ignore[assignment]
    """Index of the transaction."""
    position: int
    """Position of the record in the transaction."""
    time: datetime
    """Ledger time of the transaction."""
    author: str
    """The member who signed. That the key is this member's rests on the log."""
    key: bytes
    """The public key that signed."""
    checked_sha3: bool
    """Whether the SHA3-256 tree was checked as well."""
    cause: int | None = None
    """Position of the signed record that caused this one; None where its author signed it himself."""
    doubts: "list[Doubt] | None" = None
    """Signatures that are doubtful, as `Ledger.verify` knows them; None where the ledger was not asked."""


@_shown
class Doubt(NamedTuple):
    """A signature that holds, by a key that is under suspicion for the time in which it signed. Evidence, and no verdict.

    >>> ledger = getfixture("books")
    >>> ledger.verify(ledger.receipt((3, 0))).doubts
    []
    >>> Doubt("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d", bytes(32), datetime(2026, 3, 1), revoked=9).revoked
    9
    """

    member: str
    """The member whose key it is."""
    key: bytes
    """The public key."""
    suspected_since: datetime
    """Ledger time from which what the key signed is doubtful."""
    revoked: int
    """Index of the transaction that revoked it."""


@_shown
class MemberKey(NamedTuple):
    """A key of a member, and its history.

    >>> MemberKey(bytes(32), added=3).is_active
    True
    """

    public: bytes
    """The public key."""
    added: int
    """Index of the transaction that added it."""
    revoked: int | None = None
    """Index of the transaction that ended it; None while it is active."""
    reason: str | None = None
    """Why it was ended."""
    suspected_since: datetime | None = None
    """Ledger time from which what it signed is doubtful."""
    doubtful: int = 0
    """Number of transactions that it signed from then on."""

    @property
    def is_active(self) -> bool:
        """Whether it may sign."""
        return self.revoked is None


@_shown
class Grant(NamedTuple):
    """A role given to a member and not withdrawn.

    >>> Grant("finance.bookkeeper", index=7, since=None, until=datetime(2026, 12, 31)).until.year
    2026
    """

    role: str
    """Full name of the role."""
    index: int  # type: ignore[assignment]
    """Index of the transaction that gave it."""
    since: datetime | None
    """Ledger time from which it holds; None: from its transaction on."""
    until: datetime | None
    """Ledger time at which it ends; None: it does not."""


@_shown
class LogKey(NamedTuple):
    """A log key, and the part of the log that it signs for.

    >>> ledger = getfixture("books")
    >>> [now] = ledger.log_keys()
    >>> now == LogKey(ledger.verifier_keys, since=0, until=None)
    True
    """

    verifier_keys: list[str]
    """The keys by which its checkpoints are verified: the origin's, and that of its SHA3-256 tree."""
    since: int
    """Index of the transaction that put it in force."""
    until: int | None
    """Index of the transaction that put another in its place, whose checkpoint both signed; None: it is in force."""


@_shown
class Endorsement(NamedTuple):
    """A member's signature on a proposal.

    >>> Endorsement("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d", bytes(32), "approved", datetime(2026, 3, 1)).meaning
    'approved'
    """

    member: str
    """The member."""
    key: bytes
    """The public key."""
    meaning: str
    """What the member means by signing."""
    time: datetime
    """When, by the member's clock."""


@_shown
class Member(NamedTuple):
    """An admitted identity.

    >>> [member] = getfixture("books").members()
    >>> len(member.id), "ledger.admin" in member.roles
    (32, True)
    """

    id: str
    """32 hexadecimal digits."""
    keys: list[bytes]
    """Public keys that are active."""
    revoked: list[bytes]
    """Public keys that are not, any more."""
    roles: list[str]
    """Full names of the roles held at the ledger time of the newest transaction."""
    history: list[MemberKey]
    """All keys, in the order in which they were added."""
    grants: list[Grant]
    """All roles given and not withdrawn, with their limits in time."""


@_shown
class Finding(NamedTuple):
    """One thing that an audit found wrong, as precisely as it can be named.

    >>> Finding("content changed", "chunks", 3, (0, 0), "the bytes are not those that were hashed").table
    'chunks'
    """

    verdict: str
    """What it means."""
    table: str
    """Table of the file, if it is in one."""
    index: int | None  # type: ignore[assignment]
    """Index of the first bad transaction."""
    positions: tuple[int, int] | None
    """First and last position of the records among which the bad one is."""
    message: str
    """In words."""


@_shown
class AuditReport(NamedTuple):
    """What an audit found, and what it read. Look at `ok`, or let `check` raise.

    >>> ledger = getfixture("books")
    >>> report = ledger.audit(against=ledger.checkpoint())
    >>> report.ok, report.verdict, report.check() == report
    (True, 'ok', True)
    """

    origin: str
    """Name of the ledger."""
    size: int
    """Transactions in the file."""
    verdict: str
    """The worst of what was found; ``ok``, or ``ok up to size`` where no checkpoint from outside the file was given."""
    ok: bool
    """Whether nothing is wrong."""
    integrity: str
    """Whether what was read is what was written."""
    completeness: str
    """Whether everything was read."""
    transactions: int
    """Transactions read: envelopes parsed, hashed into both trees, signatures checked."""
    records: int
    """Records decoded, hashed and replayed."""
    claimed_rejections: int
    """Rejections that the log claims, and that cannot be replayed: the ledger does not keep the bytes of rejected records."""
    signatures: int
    """Signatures checked."""
    cells: int
    """Cells compared."""
    unique_keys: int
    """Unique keys compared."""
    postings: int
    """Postings compared."""
    nodes: int
    """Tree nodes compared."""
    bytes: int
    """Bytes of records and envelopes read."""
    doubtful_transactions: int
    """Transactions signed by a key in a time for which its revocation calls it suspect: evidence, and no verdict."""
    doubtful_records: int
    """Records that stand in them."""
    first_doubtful: int | None
    """Index of the first of them."""
    findings: list[Finding]
    """The first findings, in the order found."""
    findings_total: int
    """How many there were in all."""
    text: str
    """The report for people."""

    def check(self) -> "AuditReport":
        """This report, if nothing is wrong; otherwise raises VerificationError."""
        if not self.ok:
            raise VerificationError(self.text, self.verdict.replace(" ", "_"))
        return self

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from . import _show

        facts = {name: fact for name, fact in self._asdict().items() if name not in ("findings", "text")}
        findings = _show.table("findings", [finding._asdict() for finding in self.findings]) if self.findings else ""
        return _table(f"audit of {self.origin}", facts) + findings


def _table(caption: str, facts: Mapping[str, Any]) -> str:
    from . import _show

    return _show.table(caption, [facts])
