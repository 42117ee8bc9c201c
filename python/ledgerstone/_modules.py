"""What is known of modules and of records tried on them: named tuples, as in `_facts.py`."""

from typing import TYPE_CHECKING, Any, NamedTuple

from ._facts import RowId, _shown

if TYPE_CHECKING:
    from ._core import Schema


@_shown
class Module(NamedTuple):
    """A module in force.

    >>> module = getfixture("books").modules()[0]
    >>> module.name, module.state, "finance.transfer" in module.types
    ('finance', 'active', True)
    """

    name: str
    """Name."""
    version: int
    """Version."""
    title: str
    """One line for people."""
    types: list[str]
    """Full names of its record types."""
    roles: dict[str, str]
    """Full names of its roles, and what each is for."""
    state: str = "active"
    """``active``; ``suspended`` by a record; ``faulted``: its rules failed since the ledger was opened, and it takes no records here."""


@_shown
class ModuleLoaded(NamedTuple):
    """A version of a module that was loaded.

    >>> [loaded] = getfixture("books").module_history()
    >>> loaded.name, loaded.row, "[types.transfer]" in loaded.source
    ('finance', RowId(index=1, position=0), True)
    """

    name: str
    """Name."""
    version: int
    """Version."""
    row: RowId
    """Where the record that loaded it stands."""
    author: str
    """Id of the member who loaded it."""
    source: str
    """The text of the schema file."""


@_shown
class CheckedModule(NamedTuple):
    """What a schema file declares that no ledger has loaded: see `check_module`.

    >>> from ledgerstone import check_module
    >>> checked = check_module("finance")
    >>> checked.version, [schema.type for schema in checked.schemas][:2]
    (1, ['finance.commodity', 'finance.account'])
    """

    name: str
    """Name."""
    version: int
    """Version."""
    title: str
    """One line for people."""
    schemas: "list[Schema]"
    """Its record types, in the order of the file."""
    roles: dict[str, str]
    """Full names of its roles, and what each is for."""
    demands: list[str]
    """What a ledger is asked before it may follow the version named by ``follows``."""
    source: str
    """The text of the schema file."""

    def _repr_html_(self) -> str:
        from . import _show

        types = [{"type": schema.type, "rules": len(schema.rules), "meaning": schema.doc} for schema in self.schemas]
        return _show.table(f"{self.name}, version {self.version}: {self.title}", types)


@_shown
class Tried(NamedTuple):
    """What became of one record of a trial.

    >>> Tried("finance.transfer", "rejected", "finance.duplicate", "a transfer with this id exists", None, None).code
    'finance.duplicate'
    """

    type: str
    """Full name of the record type."""
    outcome: str
    """``accepted``, ``flagged``, ``held`` or ``rejected``."""
    code: str | None
    """The reason of another outcome than accepted."""
    message: str | None
    """The reason in words."""
    field: str | None
    """Dotted path of the field, where one field is the reason."""
    cell: str | None
    """Name of the cell, where the state is the reason."""


@_shown
class Cell(NamedTuple):
    """A cell of the state that a trial left.

    >>> Cell("finance.account", "balance", ("cash",), ("EUR",), {"posted": 12}).key
    ('cash',)
    """

    type: str
    """Full name of the type that owns it."""
    name: str
    """Its name within the type."""
    key: tuple[Any, ...]
    """Whose it is: the key of the owning record."""
    by: tuple[Any, ...]
    """What tells the cells of one owner apart, as a currency does."""
    value: dict[str, Any]
    """What it holds: the parts of a balance as Decimal."""


@_shown
class Trial(NamedTuple):
    """What a module makes of records: see `try_module`.

    >>> tried = Tried("finance.transfer", "rejected", "finance.duplicate", "a transfer with this id exists", None, None)
    >>> [one.code for one in Trial([tried], []).refused]
    ['finance.duplicate']
    """

    records: list[Tried]
    """For each record handed over, in order."""
    cells: list[Cell]
    """The state afterwards, by cell name."""

    @property
    def refused(self) -> list[Tried]:
        """The records that were not plainly accepted."""
        return [tried for tried in self.records if tried.outcome != "accepted"]

    def _repr_html_(self) -> str:
        from . import _show

        records = _show.table("records", [tried._asdict() for tried in self.records])
        return records + _show.table("cells", [cell._asdict() for cell in self.cells])
