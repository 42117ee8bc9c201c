"""The native half of ledgerstone. Import from ``ledgerstone``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, final

from typing_extensions import disjoint_base

from ._facts import (
    Appended,
    AuditReport,
    Backup,
    Checkpoint,
    Endorsement,
    ErrorCode,
    LogKey,
    Member,
    Record,
    RowId,
    Verified,
)
from ._modules import (
    CheckedModule,
    Module,
    ModuleLoaded,
    Trial,
)

__all__ = [
    "History",
    "Key",
    "Ledger",
    "LoadResult",
    "Proposal",
    "Query",
    "Reading",
    "Receipt",
    "Rejections",
    "Schema",
    "Statement",
    "Transaction",
    "__version__",
    "check_module",
    "cli_main",
    "create",
    "errors",
    "open",
    "try_module",
    "verify",
    "verify_checkpoint",
]

_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[dict[str, int]], object] | bool | None
_Trust: TypeAlias = str | Sequence[str]
_Day: TypeAlias = str | date
_Moment: TypeAlias = int | str | datetime | date

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

__version__: str
"""The version of the package."""

@final
class Key:
    """A member's Ed25519 key: signs what the member appends. Its private half never becomes a Python object."""

    @staticmethod
    def generate(label: str) -> Key:
        """A new key. The label is for people; it is kept in the key file and goes nowhere else."""
    @staticmethod
    def load(path: _Path, *, passphrase: str | None = None) -> Key:
        """Reads a key file: PKCS#8 PEM, as OpenSSL writes it too. `passphrase` opens a protected one."""
    def save(self, path: _Path, *, passphrase: str | None = None) -> None:
        """Writes a new key file, PKCS#8 PEM, mode 0600, encrypted under the passphrase if one is given.

        An existing file is never overwritten.
        """
    @staticmethod
    def change_passphrase(path: _Path, *, old: str | None = None, new: str | None = None) -> None:
        """Writes a key file anew under another passphrase, or none: a member's, or that of a log key.

        The old file stays until the new one is whole.
        """
    @property
    def label(self) -> str:
        """The label."""
    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
    def _repr_html_(self) -> str: ...

def create(
    path: _Path,
    *,
    origin: str,
    key: Key,
    modules: Sequence[_Path] = (),
    log_key: _Path | None = None,
    log_passphrase: str | None = None,
    record_rejections: bool = False,
    threads: int | None = None,
) -> Ledger:
    """Makes a ledger at a path where nothing is yet.

    `key` is that of its first member. The log key goes to ``<path>.logkey.pem`` unless `log_key` names another place; its
    file is encrypted under `log_passphrase` if one is given. `modules` are names of shipped modules ("finance"), or paths of schema
    files. With `record_rejections` the bytes of records that loads
    reject are kept, for ever: audits decide them again, and they have receipts.
    """

def open(
    path: _Path,
    *,
    key: Key | None = None,
    log_key: _Path | None = None,
    log_passphrase: str | None = None,
    readonly: bool = False,
    accept_clock_step: bool = False,
    threads: int | None = None,
) -> Ledger:
    """Opens the ledger at a path, which must exist.

    `key` is the member's that will append. Without its log key (``<path>.logkey.pem`` unless `log_key` names another place) a
    ledger is opened for reading only; `log_passphrase` opens its file where it is protected. Any number of processes read while one
    writes.

    A transaction more than 366 days after the last one is refused (``ledger.max_clock_step``): one wrong clock would bind all later
    ones. With `accept_clock_step` the first transaction is taken however late it is, for a ledger that rested; look at the clock first.
    """

@final
class Ledger:
    """An open ledger. Its methods may be called from any thread."""

    def append(
        self,
        type: str,
        record: Mapping[str, Any],
        *,
        id: str | None = None,
        plain: bool = False,
        endorsers: Sequence[Key] = (),
        meaning: str = "approved",
    ) -> Appended:
        """Appends one record, durably.

        With an `id` the call can be repeated: the same id and record give the same transaction. A record that is held or flagged is
        in the ledger: look at ``outcome``. With `plain`, private fields may hold values, which are stored in the clear; such records
        are flagged, and a PlainPrivateWarning says so. `endorsers` are keys of other members who sign it too, and `meaning` says what
        they mean by it. Raises RejectedError.
        """
    def transaction(
        self, *, id: str | None = None, plain: bool = False, endorsers: Sequence[Key] = (), meaning: str = "approved"
    ) -> Transaction:
        """A transaction: all its records or none, appended where the ``with`` block ends without an exception.

        `endorsers` are keys of other members who sign it too, and `meaning` says what they mean by it.
        """
    def held(self, type: str | None = None, *, limit: int = 1000) -> list[Record]:
        """Records that are held and wait for their release, of one type or of all."""
    def release(self, at: RowId | tuple[int, int] | Appended | Record, reason: str | None = None) -> Appended:
        """Releases a held record: its rules run again, those that hold excepted, and its effects happen now.

        Who may is said by its type (``release``). Raises RejectedError where a rule rejects the record by now.
        """
    def suspend(self, module: str, reason: str | None = None) -> Appended:
        """Suspends a module: its records are rejected until it is resumed."""
    def resume(self, module: str, reason: str | None = None) -> Appended:
        """Resumes a suspended module."""
    def propose(
        self,
        records: Sequence[tuple[str, Mapping[str, Any]]],
        path: _Path | None = None,
        *,
        id: str | None = None,
        lifetime: timedelta | None = None,
    ) -> Proposal:
        """Signs a transaction and appends nothing: others endorse the proposal elsewhere, and it is appended later.

        `records` are pairs of type and record; `path` is where the proposal is saved. It is good for 24 hours unless `lifetime` says
        otherwise. No log key is needed: a ledger that is open for reading only will do, if it was opened with a key.
        """
    def append_proposal(self, proposal: Proposal | _Path) -> Appended:
        """Appends a proposal, or the file that holds one, as its author and endorsers signed it.

        Doing so again gives the same transaction.
        """
    def verify(self, receipt: Receipt) -> Verified:
        """Verifies a receipt of this ledger under its own keys, and says which of the signatures are doubtful."""
    def append_many(
        self,
        type: str,
        data: _ArrowStream | _ArrowArray | Iterable[Mapping[str, Any]],
        *,
        id: str | None = None,
        mode: Literal["each", "atomic"] = "each",
        plain: bool = False,
        endorsers: Sequence[Key] = (),
        meaning: str = "approved",
        progress: _Progress = None,
    ) -> LoadResult:
        """Appends any number of records of one type.

        `data` is an Arrow table or stream of pyarrow, polars, pandas, duckdb and others, or an iterable of dicts; it is read as it
        is needed. In mode "each" every row stands or falls alone, in mode "atomic" all do together. With an `id` a load that was
        stopped goes on where it was when the call is repeated. `endorsers` are keys of other members, who endorse each of its
        transactions, `meaning` says what they mean by it. Progress is shown where somebody looks, or told to a callable.
        """
    def load_module(self, name_or_path: _Path, *, grant_roles: bool = True) -> Appended:
        """Loads a module: the name of a shipped one, or the path of a schema file. Its roles are granted to the caller."""
    def query(
        self,
        type: str,
        *,
        where: dict[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        join: dict[str, str] | None = None,
        order_by: str | Sequence[str] | None = None,
        after: RowId | tuple[int, int] | Record | None = None,
        offset: int = 0,
        limit: int | None = None,
        as_of: _Moment | None = None,
        held: bool = False,
    ) -> Query:
        """A query of the records of one type.

        `where` maps fields to a value, None (absent), a list (one of them), or operators: ``{"amount": {">=": 10, "<": 20}}``
        with ==, !=, <, <=, >, >=, in, between, starts-with. Columns are fields (``debit``), fields of structs (``options.limit``), fields of
        joined records (``debit.name`` with ``join={"debit": "finance.account"}``), and ``_index``, ``_position``, ``_time``, ``_author``
        and ``_version``, which say where a record stands, when and by whom it was appended, and which version of its module checked it,
        ``_outcome`` and ``_code``, what became of it and why, and ``_cause``, the position of the signed record that it follows. Records
        that are held and not released show where `held` is true.
        `where` and `order_by` may name every one of them; conditions on ``_index`` and ``_time`` narrow what is read.
        `order_by` names columns, with a ``-`` before from large to small; ties, and everything without it, come in the order of the
        ledger. An order that begins with ``-_index`` or ``-_time`` is read from the end: the latest ten records cost ten. `after` is the
        place of the last row of the page before. `as_of` is an index, a datetime, a date (its end, UTC), or a text
        of one of them: only records that were in the ledger then.
        """
    def get(self, type: str, *key: Any, as_of: _Moment | None = None) -> Record | None:
        """The newest record with this key (the values of the type's first unique rule); None where there is none.

        `as_of` is an index, a datetime, a date (its end, UTC), or a text of one of them: the newest at that moment.
        """
    def balance(
        self, type: str, *key: Any, by: _Trust | None = None, on: _Day | None = None, as_of: _Moment | None = None
    ) -> dict[Any, Any] | None:
        """The balances of the record with this key. An answer, not a proof.

        For each unit its parts, ``{"EUR": {"posted": Decimal("12.5"), …}}``; empty where there is none. With `by`, the parts of that
        unit, or None. With `as_of`, as the ledger had them at that moment. With `on`, by effective date: the opening, and every movement
        whose record counts on that day or before, whenever it was appended (up to `as_of`, if both are given); only the parts that
        no rule assigns and nothing but records of types with an effective date add to, by what they themselves say; SchemaError where
        there is none. A version that replaces another takes its movements back on that one's day.
        """
    def state(self, type: str, *key: Any, as_of: _Moment | None = None) -> dict[str, Any]:
        """The cells of the record with this key, by name: ``{"status": {"state": "pending"}}``.

        A cell that stands several times, like a balance in several currencies, is below its `by` values.
        """
    def history(self, type: str, *key: Any, as_of: _Moment | None = None) -> History:
        """The history of a key: every record that has it, and every record that moved its cells."""
    def statement(
        self,
        type: str,
        *key: Any,
        by: _Trust | None = None,
        start: _Moment | None = None,
        end: _Moment | None = None,
        columns: Sequence[str] | None = None,
    ) -> Statement:
        """The statement of a balance: every record that moved it, by how much, and the balance after it.

        `by` names the unit, where there are several. `start` and `end` belong to it: indexes, datetimes, or whole days in UTC. `columns`
        are fields of the records to show beside their movements, empty where a type has no such field.
        """
    def checkpoint(self) -> Checkpoint:
        """The newest durable checkpoint."""
    def receipt(self, at: RowId | tuple[int, int] | Appended | Record) -> Receipt:
        """The receipt of a record: of a RowId, of a Record, or of the first record of what `append` gave."""
    def audit(self, *, against: Checkpoint | str | None = None, progress: _Progress = None) -> AuditReport:
        """Re-reads every stored row, checks every signature and tree, replays every decision, and says what is wrong.

        `against` is a checkpoint that left the file, or its note: without one, truncation cannot be seen.
        """
    def backup(self, path: _Path, *, audit: bool = True, progress: _Progress = None) -> Backup:
        """Copies the ledger to a file that must not exist, while others read and append.

        The copy is of one moment, and has its name only when it is whole and, unless `audit` is false, audited. The log key is not
        copied: keep it apart, or nobody can append to a copy that has to take the ledger's place.
        """
    def stats(self) -> dict[str, Any]:
        """Numbers of the ledger; it reads the file once.

        ``transactions``, ``time`` of the newest, ``records`` by type, ``bytes`` by table, ``members``, ``modules`` with their versions,
        the ``semantics`` with its dated ``code_tables``, and the newest ``checkpoint``.
        """
    def export(
        self, path: _Path, *, type: str | None = None, overwrite: bool = False, progress: _Progress = None
    ) -> int:
        """Writes the audit trail to a ``.parquet`` or ``.arrow`` file; gives the number of rows.

        Of one type, its fields as columns; or of everything, its fields as one JSON text. Beside them: author, times, index, module
        version, leaf hash and outcome. A file that exists is refused, unless ``overwrite``.
        """
    def members(self) -> list[Member]:
        """The members, with the history of their keys and grants."""
    def modules(self) -> list[Module]:
        """The modules in force."""
    def module_history(self) -> list[ModuleLoaded]:
        """Every version of every module that was loaded, in the order of the ledger."""
    def types(self) -> list[str]:
        """Full names of the record types of the modules in force."""
    def schema(self, type: str) -> Schema:
        """What a record type declares, in the version in force: fields, cells, rules."""
    def admit(self, public_key: bytes) -> str:
        """Admits a member with its public key, 32 bytes; gives the member's id."""
    def add_key(self, public_key: bytes, *, member: str | None = None) -> Appended:
        """Adds a public key, 32 bytes, to a member, beside the others; to the caller's own, where no member is named."""
    def rotate_key(self, key: Key) -> Appended:
        """Puts a new key in the place of the one that the ledger was opened with, which signs for it.

        From then on this ledger signs with the new one; save it first.
        """
    def revoke(
        self, public_key: bytes, *, reason: str | None = None, suspected_since: datetime | None = None
    ) -> Appended:
        """Ends a key: no later transaction is signed with it.

        What it signed from `suspected_since` on, audits call doubtful from now on. The owner needs no role for it.
        """
    def rotate_log_key(self) -> Appended:
        """Puts a new log key in the place of the one in force, by a record that both sign.

        Its file takes the place of the old one, and is protected as that was. Where the passphrase was changed since the ledger was opened,
        open it again first.
        """
    def log_keys(self) -> list[LogKey]:
        """The log keys, the newest last: verifier keys, and the part of the log that each signs for."""
    def grant(
        self, member: str, role: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Appended:
        """Gives a role to a member, from one ledger time until another, where they are given.

        A grant with other limits is withdrawn first, in the same transaction.
        """
    def withdraw(self, member: str, role: str) -> Appended:
        """Withdraws a role from a member."""
    @property
    def verifier_keys(self) -> list[str]:
        """The keys by which its receipts and checkpoints are verified, the newest first.

        Hand them to whoever shall verify, by a way that is trusted. Behind those in force stand earlier log keys, so that old receipts
        stay verifiable: leave out one that may have leaked.
        """
    @property
    def origin(self) -> str:
        """The ledger's unique name."""
    @property
    def size(self) -> int:
        """Number of transactions."""
    @property
    def path(self) -> Path:
        """The file."""
    @property
    def readonly(self) -> bool:
        """Whether it can only be read."""
    def close(self) -> None:
        """Lets go of the file, as soon as calls and streams under way are done. Closing twice is no error."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...
    def _repr_html_(self) -> str: ...

@final
class Transaction:
    """Records that are appended together, all or none."""

    def append(self, type: str, record: Mapping[str, Any]) -> None:
        """Adds a record, within the ``with`` block. Nothing is checked against the ledger before the block ends."""
    @property
    def result(self) -> Appended | None:
        """What was appended; None while the block runs, where it raised, and where it was empty."""
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, *_rest: BaseException | TracebackType | None) -> None: ...
    def _repr_html_(self) -> str: ...

@final
class LoadResult:
    """What became of the rows of a load."""

    @property
    def rows(self) -> int:
        """Rows handed over."""
    @property
    def accepted(self) -> int:
        """Records plainly accepted."""
    @property
    def flagged(self) -> int:
        """Records accepted and flagged: their effects apply, and somebody should look at them."""
    @property
    def held(self) -> int:
        """Records that are held: in the ledger, without effects until they are released."""
    @property
    def rejected(self) -> int:
        """How many rows were refused."""
    @property
    def rejections(self) -> Rejections:
        """The rows that were refused, and why: the first 100,000 of them, so that no input fills the memory."""
    @property
    def exceptions(self) -> Rejections:
        """Every row that was not plainly accepted, and why: those that were flagged, held and refused."""
    @property
    def transactions(self) -> list[int]:
        """Indexes of the transactions that hold the rows, in order."""
    @property
    def first(self) -> RowId | None:
        """The place of the first accepted record; None where there is none."""
    def row(self, row: int) -> RowId | None:
        """The place of the record of a row handed over, counted from 0; None where the row was refused before it was signed."""
    def _repr_html_(self) -> str: ...

@final
class Rejections:
    """The rows of a load that were refused, or all that were not plainly accepted: a sequence of dicts, and an Arrow table.

    Its columns are ``row``, ``outcome``, ``code``, ``message``, ``field``, ``cell`` and ``type``.
    """

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> dict[str, Any]: ...
    def __iter__(self) -> Iterator[dict[str, Any]]: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule protocol: the rows as a table."""
    def __arrow_c_schema__(self) -> object:
        """The Arrow PyCapsule protocol: the schema alone."""
    def _repr_html_(self) -> str: ...

@final
class Proposal:
    """A transaction that its author has signed, on its way to be endorsed and appended.

    What can be read holds together: the records are those that were signed, and every signature in it holds.
    """

    def __new__(cls, text: str) -> Self:
        """Reads what `to_json` wrote."""
    @staticmethod
    def load(path: _Path) -> Proposal:
        """Reads a proposal file; raises VerificationError where it does not hold together."""
    def save(self, path: _Path) -> None:
        """Writes the proposal to a file, over what was there."""
    def to_json(self) -> str:
        """The proposal as JSON text."""
    def endorse(self, key: Key, *, member: str, meaning: str = "approved") -> Proposal:
        """The proposal, endorsed by a member: needs no ledger.

        The meaning, and the time of this machine's clock, are signed with it.
        """
    def merge(self, other: Proposal) -> Proposal:
        """This proposal with the endorsements of another copy of it."""
    @property
    def origin(self) -> str:
        """Name of the log that it is for."""
    @property
    def id(self) -> str:
        """The idempotency id."""
    @property
    def author(self) -> str:
        """The member who proposes."""
    @property
    def time(self) -> datetime:
        """When it was signed, by the author's clock."""
    @property
    def expires(self) -> datetime:
        """Ledger time at which it can be appended no more."""
    @property
    def records(self) -> list[dict[str, Any]]:
        """The records, as dicts with `type`, `version` and `data`: decimals, dates and timestamps are strings."""
    @property
    def endorsements(self) -> list[Endorsement]:
        """Who has endorsed it, with which key, what they mean by it, and when, by member."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __getnewargs__(self) -> tuple[str]: ...
    def _repr_html_(self) -> str: ...

@disjoint_base
class Reading:
    """Rows of a ledger. Reading them runs what was asked for.

    Read it as an Arrow stream (``polars.DataFrame(rows)``, ``pyarrow.table(rows)``) or as dicts. Each reading sees the ledger as it
    is at that moment, whole, whatever is appended meanwhile.
    """

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts: decimals as Decimal, timestamps as datetime in UTC."""
    def __iter__(self) -> Iterator[dict[str, Any]]: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule protocol: a stream of batches, read as the consumer asks for them."""
    def __arrow_c_schema__(self) -> object:
        """The Arrow PyCapsule protocol: the schema alone."""
    def _repr_html_(self) -> str: ...

@final
class Schema:
    """A record type in the version in force: fields, cells, rules.

    An Arrow schema where one is asked for: ``pyarrow.schema(schema)``.
    """

    @property
    def type(self) -> str:
        """Full name of the record type."""
    @property
    def version(self) -> int:
        """Version of its module."""
    @property
    def doc(self) -> str:
        """What a record of it means."""
    @property
    def fields(self) -> list[dict[str, Any]]:
        """The fields in declared order: dicts of ``name``, ``type``, ``required``, ``index`` and ``doc``."""
    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells that records of it own: dicts of ``name``, ``kind`` and ``parts``."""
    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules in declared order.

        Dicts of ``rule``, ``each``, ``when``, ``reach`` ("local" or "general"), ``severity``, ``code`` and ``message``.
        """
    def to_dict(self) -> dict[str, Any]:
        """All of it: ``type``, ``version``, ``doc``, ``authorise``, ``reach``, ``key``, ``fields``, ``cells``, ``rules``."""
    def __arrow_c_schema__(self) -> object:
        """The Arrow PyCapsule protocol: the columns of a table of such records."""
    def _repr_html_(self) -> str: ...

@final
class Query(Reading):
    """A query: records of one type."""

@final
class Statement(Reading):
    """The statement of a balance: every record that moved it, by how much, and the balance after it.

    Columns: ``_index``, ``_position``, ``_time``, ``_type``, ``_date`` (the effective date; the UTC day of the ledger time where the record
    has none), ``_held_at`` (where such records can be held: the place of one that was; its line stands at its release), for each part that
    records move ``<part>_change`` and ``<part>_balance``, and the fields asked for. Several records of one transaction that moved the
    balance by what they looked up cannot be told apart: their change and balance are None, and the last has the balance after them all.
    """

    @property
    def opening(self) -> dict[str, Any]:
        """The balance before the first line: the parts that records move; empty where there was none."""
    @property
    def closing(self) -> dict[str, Any]:
        """The balance after the last line."""

@final
class History(Reading):
    """The history of a key: every record that has it, and every record that moved its cells.

    Columns: ``_index``, ``_position``, ``_time``, ``_author``, ``_type``, ``_version``, ``_held_at`` (where such records can be held: the
    place of one that was; it is told at its release) and ``changes``: a list of ``field``, ``before`` and ``after``, all text. A cell goes
    by its name, its `by` values in brackets and what it holds: ``balance[EUR].posted``. Several records of one transaction that moved a
    cell by what they looked up cannot be told apart: the last tells what they did together.
    """

@final
class Receipt:
    """The proof of one record and of what became of it: verifies offline, alone."""

    def __new__(cls, text: str) -> Self:
        """Reads what `to_json` wrote."""
    @staticmethod
    def load(path: _Path) -> Receipt:
        """Reads a receipt file. Nothing is verified yet."""
    def save(self, path: _Path) -> None:
        """Writes the receipt to a file, over what was there."""
    def to_json(self) -> str:
        """The receipt as JSON text."""
    def verify(self, trust: _Trust) -> Verified:
        """Verifies it under the keys that the caller trusts; raises VerificationError."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __getnewargs__(self) -> tuple[str]: ...
    def _repr_html_(self) -> str: ...

def check_module(name_or_path: _Path, *, modules: Sequence[_Path] = (), follows: _Path | None = None) -> CheckedModule:
    """Reads a schema file that no ledger has loaded, and gives what it declares; raises SchemaError with every fault.

    `name_or_path` is the name of a shipped module or the path of a schema file, `modules` are others that it refers to, in any order;
    shipped ones are known. `follows` is the file of the version that it is to follow: where it may not, whatever is stored, a
    RejectedError says every reason; otherwise `demands` says what a ledger is asked.
    """

def try_module(
    name_or_path: _Path,
    records: Mapping[str, Iterable[Mapping[str, Any]]] | Iterable[tuple[str, Mapping[str, Any]]],
    *,
    modules: Sequence[_Path] = (),
) -> Trial:
    """Tries a module before any ledger takes it: what would become of records, and what state they would leave.

    Nothing is written. `name_or_path` is the name of a shipped module or the path of a schema file, `modules` are others that it
    needs. `records` are pairs of type and dict, or a dict from types to lists of dicts; each is a transaction of its own, by a member
    who holds every role.
    """

def verify(receipt: Receipt | _Path, *, trust: _Trust) -> Verified:
    """Verifies a receipt, or the file that holds one, offline. Raises VerificationError.

    `trust` is the log's verifier key, or several (`Ledger.verifier_keys`), which have to come by another way than the receipt.
    """

def verify_checkpoint(note: str, trust: _Trust) -> Checkpoint:
    """Verifies a signed checkpoint under the key that has its origin's name. Raises VerificationError."""

def errors() -> list[ErrorCode]:
    """The catalogue: every error code of the engine, with the exception that carries it, its meaning and its remedy."""

def cli_main(arguments: Sequence[str]) -> int:
    """Runs the command ``ledgerstone`` with these arguments, the program's name first; gives its exit code."""
