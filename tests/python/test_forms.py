"""Values of every form against a naive model: what a field takes, what it refuses and with which code, and what comes back.

Modules are made up; rows go in as dicts (the quick way and the general one) and as Arrow tables of every type that carries the same
values, by way of every library.
"""

import base64
import collections
import datetime as dt
import math
import re
import string
import tempfile
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import ledgerstone as ls
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UTC = dt.UTC
SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


class Field(NamedTuple):
    """A field of a made-up type."""

    name: str
    kind: str
    required: bool
    bounds: dict[str, Any]

    def toml(self) -> str:
        if self.kind == "document":
            return f'{{ type = "document", required = {str(self.required).lower()} }}'
        bounds = "".join(f", {key} = {shown(value)}" for key, value in self.bounds.items())
        kind = "text" if self.kind == "format" else self.kind
        return f'{{ type = "{kind}", required = {str(self.required).lower()}{bounds} }}'


def shown(value: Any) -> str:
    if isinstance(value, Field):
        return value.toml()
    if isinstance(value, tuple):
        return "{ " + ", ".join(f"{field.name} = {field.toml()}" for field in value) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


class Refused(Exception):  # noqa: N818
    """What the model says of a value that no field takes: the path and the code."""


def refuse(path: str, code: str) -> Refused:
    return Refused(path, f"ledger.{code}")


def judge(field: Field, value: Any, path: str) -> Any:
    """What a field makes of a value: what comes back, or Refused."""
    if value is None:
        if field.required:
            raise refuse(path, "missing_field")
        return None
    return JUDGES[field.kind](field.bounds, value, path)


def judge_record(fields: tuple[Field, ...], record: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The same for named values; a name that is none comes first, then the fields as declared."""
    at = f"{path}." if path else ""
    for name in record:
        if name not in {field.name for field in fields}:
            raise refuse(f"{at}{name}", "unknown_field")
    return {field.name: judge(field, record.get(field.name), f"{at}{field.name}") for field in fields}


def as_text(value: Any) -> Any:
    """UUIDs and fractions go in as their text, whatever the field."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value) if isinstance(value, uuid.UUID) else value


def judge_text(bounds: dict[str, Any], value: Any, path: str) -> str:
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    if len(value.encode()) > bounds["max"]:
        raise refuse(path, "too_long")
    if "\0" in value:
        raise refuse(path, "bad_text")
    return value


def judge_enum(bounds: dict[str, Any], value: Any, path: str) -> str:
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    if value not in bounds["values"]:
        raise refuse(path, "bad_format")
    return value


def judge_bool(bounds: dict[str, Any], value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(path, "wrong_type")
    return value


def judge_int(bounds: dict[str, Any], value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(path, "wrong_type")
    if not bounds["min"] <= value <= bounds["max"]:
        raise refuse(path, "out_of_range")
    return value


def judge_decimal(bounds: dict[str, Any], value: Any, path: str) -> Decimal:
    value = as_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, uuid.UUID)):
        raise refuse(path, "wrong_type")
    if isinstance(value, (str, uuid.UUID)):
        whole, point, fraction = str(value).removeprefix("-").partition(".")
        plain = all(part and set(part) <= set(string.digits) for part in ([whole, fraction] if point else [whole]))
        if not plain or len(whole + fraction) > 38:
            raise refuse(path, "bad_format")
        value = Decimal(value)
    number = Decimal(value)
    _sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    kept = "".join(map(str, digits)).rstrip("0")
    behind = max(0, len(kept) - len(digits) - exponent) if kept else 0
    if behind > bounds["scale"]:
        raise refuse(path, "too_many_digits")
    if abs(number) >= Decimal(10) ** (bounds["precision"] - bounds["scale"]):
        raise refuse(path, "out_of_range")
    return number


def judge_date(bounds: dict[str, Any], value: Any, path: str) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise refuse(path, "bad_format") from None


def judge_timestamp(bounds: dict[str, Any], value: Any, path: str) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value.astimezone(UTC)
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    try:
        instant = dt.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise refuse(path, "bad_format") from None
    return instant.astimezone(UTC)


def judge_bytes(bounds: dict[str, Any], value: Any, path: str) -> bytes:
    value = as_text(value)
    if isinstance(value, str):
        try:
            decoded = base64.b64decode(value, validate=True)
        except ValueError:
            raise refuse(path, "bad_format") from None
        if base64.b64encode(decoded).decode() != value:
            raise refuse(path, "bad_format")
        value = decoded
    if not isinstance(value, bytes):
        raise refuse(path, "wrong_type")
    if len(value) > bounds["max"]:
        raise refuse(path, "too_long")
    return value


def judge_uuid(bounds: dict[str, Any], value: Any, path: str) -> str:
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    try:
        same = str(uuid.UUID(value)) == value
    except ValueError:
        same = False
    if not same:
        raise refuse(path, "bad_format")
    return value


def judge_list(bounds: dict[str, Any], value: Any, path: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise refuse(path, "wrong_type")
    if len(value) > bounds["max"]:
        raise refuse(path, "too_long")
    return [judge(bounds["item"], item, f"{path}[{place}]") for place, item in enumerate(value)]


def judge_struct(bounds: dict[str, Any], value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refuse(path, "wrong_type")
    return judge_record(bounds["fields"], value, path)


# What each format lets pass, told in Python on its own.
def is_period(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) is not None and text[:4] != "0000"


def is_lei(text: str) -> bool:
    """ISO 17442: 18 letters and digits, and two digits that make the whole 1 modulo 97 (ISO 7064)."""
    if re.fullmatch(r"[0-9A-Z]{18}[0-9]{2}", text) is None:
        return False
    return int("".join(str(int(char, 36)) for char in text)) % 97 == 1


def is_currency(text: str) -> bool:
    return text in {"EUR", "USD", "JPY", "CHF"}


FORMATS = {"period": is_period, "lei": is_lei, "iso4217": is_currency}


def judge_format(bounds: dict[str, Any], value: Any, path: str) -> str:
    value = judge_text({"max": 2**16}, value, path)
    if not FORMATS[bounds["format"]](value):
        raise refuse(path, "bad_format")
    return value


def judge_fraction(bounds: dict[str, Any], value: Any, path: str) -> str:
    value = as_text(value)
    if not isinstance(value, str):
        raise refuse(path, "wrong_type")
    if re.fullmatch(r"(0|-?[1-9][0-9]*)/[1-9][0-9]*", value) is None:
        raise refuse(path, "bad_format")
    numerator, denominator = map(int, value.split("/"))
    is_lowest = math.gcd(numerator, denominator) == 1
    if not is_lowest or abs(numerator) >= 2**53 or denominator >= 2**53:
        raise refuse(path, "bad_format")
    return value


def judge_digest(bounds: dict[str, Any], value: Any, path: str) -> bytes:
    value = judge_bytes({"max": 32}, value, path)
    if len(value) < 32:
        raise refuse(path, "out_of_range")
    return value


JUDGES: dict[str, Callable[[dict[str, Any], Any, str], Any]] = {
    "text": judge_text,
    "enum": judge_enum,
    "bool": judge_bool,
    "int": judge_int,
    "decimal": judge_decimal,
    "date": judge_date,
    "timestamp": judge_timestamp,
    "bytes": judge_bytes,
    "uuid": judge_uuid,
    "list": judge_list,
    "struct": judge_struct,
    "document": judge_struct,
    "format": judge_format,
    "fraction": judge_fraction,
    "digest": judge_digest,
}
# A digest is a field of a document alone.
KINDS = sorted(set(JUDGES) - {"digest"})
NESTED = {"list", "struct", "document"}
SCALARS = sorted(set(KINDS) - NESTED)
# What every document has.
DOCUMENT = (
    ("digest", "digest", True, {}),
    ("size", "int", True, {"min": 0, "max": 2**53 - 1}),
    ("media_type", "text", False, {"max": 255}),
    ("name", "text", False, {"max": 255}),
)


@st.composite
def a_field(draw: st.DrawFn, name: str, kinds: list[str], must: bool | None = None) -> Field:
    kind = draw(st.sampled_from(kinds))
    bounds: dict[str, Any] = {}
    match kind:
        case "text" | "bytes":
            bounds = {"max": draw(st.integers(1, 12))}
        case "enum":
            bounds = {"values": ["red", "green"]}
        case "int":
            low = draw(st.integers(-100, 0))
            bounds = {"min": low, "max": draw(st.sampled_from([10, 1_000, 2**53 - 1]))}
        case "decimal":
            scale = draw(st.integers(0, 6))
            bounds = {"precision": scale + draw(st.integers(1, 8)), "scale": scale}
        case "list":
            bounds = {"max": draw(st.integers(1, 3)), "item": draw(a_field("item", [*SCALARS, "struct"], must=True))}
        case "document":
            bounds = {"fields": tuple(Field(*field) for field in DOCUMENT)}
        case "format":
            bounds = {"format": draw(st.sampled_from(sorted(FORMATS)))}
        case "struct":
            bounds = {"fields": tuple(draw(a_field(f"s{place}", SCALARS)) for place in range(2))}
    required = draw(st.booleans()) if must is None else must
    return Field(name, kind, required, bounds)


def types(kinds: list[str]) -> st.SearchStrategy[tuple[Field, ...]]:
    count = st.integers(1, 5)
    return count.flatmap(lambda count: st.tuples(*(a_field(f"f{place}", kinds) for place in range(count))))


NUMBERS = st.one_of(
    st.integers(-200, 2_000),
    st.integers(-(2**70), 2**70),
    st.decimals(-1_000, 1_000, places=4),
    st.sampled_from([Decimal("1E+3"), Decimal("0E-9"), Decimal("-0.00"), Decimal("1.10"), Decimal("1E-30")]),
)
TEXTS = st.one_of(
    st.text(max_size=14),
    st.sampled_from(
        ["red", "-12.50", "007", "1e3", "1.", "2026-02-28", "2026-02-30", "2026-03-01T10:00:00+02:00", "AP8="]
    ),
    st.uuids().map(str),
    st.uuids().map(lambda one: str(one).upper()),
)
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), dt.timezone(dt.timedelta(hours=-5))])
TIMES = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=ZONES, allow_imaginary=False)
FRACTIONS = st.one_of(
    st.fractions(-5, 5, max_denominator=40), st.just(Fraction(1, 2**53)), st.just(Fraction(2**53 - 1))
)
WORDS = ["2026-03", "2026-13", "0000-01", "529900T8BM49AURSDO55", "529900T8BM49AURSDO56", "EUR", "JPY", "eur", ""]
PLAIN = st.one_of(
    FRACTIONS,
    st.sampled_from([*WORDS, "1/3", "2/6", "0/1", "-0/1", "1/-3", "3"]),
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    TIMES,
    st.dates(),
    st.binary(max_size=14),
    st.uuids(),
    st.just(1.5),
)


def values(field: Field) -> st.SearchStrategy[Any]:
    """Mostly values that fit, and others."""
    bounds = field.bounds
    match field.kind:
        case "text":
            own: st.SearchStrategy[Any] = st.text(max_size=bounds["max"])
        case "enum":
            own = st.sampled_from(bounds["values"])
        case "bool":
            own = st.booleans()
        case "int":
            own = st.integers(bounds["min"], bounds["max"])
        case "decimal":
            most = Decimal(10) ** (bounds["precision"] - bounds["scale"]) - 1
            amounts = st.decimals(-most, most, places=bounds["scale"])
            own = st.one_of(amounts, amounts.map(lambda amount: f"{amount:f}"))
        case "date":
            own = st.one_of(st.dates(), st.dates(dt.date(1000, 1, 1)).map(str))
        case "timestamp":
            own = TIMES
        case "bytes":
            own = st.binary(max_size=bounds["max"]).flatmap(
                lambda one: st.sampled_from([one, base64.b64encode(one).decode()])
            )
        case "uuid":
            own = st.one_of(st.uuids(), st.uuids().map(str))
        case "format":
            own = st.sampled_from(WORDS)
        case "fraction":
            own = st.one_of(FRACTIONS, FRACTIONS.map(lambda one: f"{one.numerator}/{one.denominator}"))
        case "digest":
            own = st.binary(min_size=32, max_size=32)
        case "list":
            own = st.lists(values(bounds["item"]), max_size=bounds["max"] + 1)
        case _:
            own = records(bounds["fields"])
    return st.one_of(own, own, own, st.none(), PLAIN)


def records(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.fixed_dictionaries({}, optional={field.name: values(field) for field in fields})
    return st.one_of(named, named, named, named.map(lambda record: record | {"f": 1}))


@st.composite
def loads(draw: st.DrawFn) -> tuple[tuple[Field, ...], list[dict[str, Any]]]:
    fields = draw(types(KINDS))
    return fields, draw(st.lists(records(fields), min_size=1, max_size=8))


def ledger_of(fields: tuple[Field, ...], folder: Path) -> ls.Ledger:
    schema = folder / "made.toml"
    lines = ["[module]", 'name = "made"', "version = 1", 'title = "Made up"', "[roles.writer]", 'doc = "Writes"']
    lines += ["[types.row]", 'doc = "A row"', 'authorise = ["writer"]', "[types.row.fields]"]
    lines += [f"{field.name} = {field.toml()}" for field in fields]
    schema.write_text("\n".join(lines) + "\n")
    return ls.create(folder / "made.ledger", origin="made.example", key=ls.Key.generate("me"), modules=[schema])


def load(fields: tuple[Field, ...], data: Any) -> tuple[list[tuple[int, str, str]], list[dict[str, Any]]]:
    """Loads data into a new ledger: what was refused, and what comes back."""
    with tempfile.TemporaryDirectory() as folder, ledger_of(fields, Path(folder)) as ledger:
        result = ledger.append_many("made.row", data)
        refused = [(one["row"], one["field"], one["code"]) for one in result.rejections]
        assert result.accepted == result.rows - len(refused)
        return refused, ledger.query("made.row").to_dicts() if result.accepted else []


def expected(fields: tuple[Field, ...], rows: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    refused, kept = [], []
    for number, row in enumerate(rows):
        try:
            kept.append(judge_record(fields, row))
        except Refused as why:
            refused.append((number, *why.args))
    return refused, kept


@SETTINGS
@given(loads())
def test_dicts_are_judged_as_the_model_says(made: tuple[tuple[Field, ...], list[dict[str, Any]]]) -> None:
    fields, rows = made
    outcome = expected(fields, rows)
    assert load(fields, rows) == outcome
    # A mapping that is no plain dict takes the general way in.
    assert load(fields, [collections.OrderedDict(row) for row in rows]) == outcome


def arrow_types(field: Field) -> list[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """Arrow types that the field takes, and values that they carry: some of them out of its bounds."""
    texts = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    as_text: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = []
    match field.kind:
        case "text" | "enum" | "uuid" | "format" | "fraction":
            own = values(field).filter(lambda value: isinstance(value, str))
            return [(kind, st.one_of(own, TEXTS)) for kind in texts]
        case "bool":
            return [(pa.bool_(), st.booleans())]
        case "int":
            limits = {pa.int8(): 7, pa.int16(): 15, pa.int32(): 31, pa.int64(): 63}
            signed = [(kind, st.integers(-(2**bits), 2**bits - 1)) for kind, bits in limits.items()]
            return [*signed, (pa.uint16(), st.integers(0, 2**16 - 1)), (pa.uint64(), st.integers(0, 2**64 - 1))]
        case "decimal":
            as_text = [(kind, TEXTS) for kind in texts[:3]]
            wide = [(pa.decimal128(20, scale), st.decimals(-1_000, 1_000, places=scale)) for scale in (0, 2, 7)]
            return [
                *as_text,
                *wide,
                (pa.decimal256(50, 3), st.decimals(-1_000, 1_000, places=3)),
                (pa.int32(), st.integers(-999, 999)),
            ]
        case "date":
            return [(pa.date32(), st.dates()), (pa.date64(), st.dates()), (pa.string(), TEXTS)]
        case "timestamp":
            whole = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC))
            seconds = whole.map(lambda one: one.replace(microsecond=0))
            millis = whole.map(lambda one: one.replace(microsecond=one.microsecond // 1_000 * 1_000))
            units = {"s": seconds, "ms": millis, "us": whole, "ns": whole}
            zoned = [
                (pa.timestamp(unit, zone), own) for unit, own in units.items() for zone in ("UTC", "Europe/Berlin")
            ]
            return [*zoned, (pa.string(), TEXTS)]
        case "bytes" | "digest":
            own = st.one_of(st.binary(max_size=14), st.binary(min_size=31, max_size=33))
            return [(kind, own) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())]
        case "list":
            items = arrow_types(field.bounds["item"])
            most = field.bounds["max"] + 1
            return [
                (of(kind), st.lists(st.one_of(own, own, st.none()), max_size=most))
                for of in (pa.list_, pa.large_list)
                for kind, own in items
            ]
        case _:
            members = {inner.name: arrow_types(inner) for inner in field.bounds["fields"]}
            made = []
            for pick in range(3):
                picked = {name: forms[pick % len(forms)] for name, forms in members.items()}
                own = st.fixed_dictionaries({name: st.one_of(one, one, st.none()) for name, (_, one) in picked.items()})
                made.append((pa.struct([(name, kind) for name, (kind, _) in picked.items()]), own))
            return made


CARRIERS: dict[str, Callable[[pa.Table], Any]] = {
    "table": lambda table: table,
    "chunked": lambda table: pa.concat_tables([table.slice(0, len(table) // 2), table.slice(len(table) // 2)]),
    "sliced": lambda table: pa.concat_tables([table, table, table]).combine_chunks().slice(len(table), len(table)),
    "reader": lambda table: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2)),
    "polars": pl.from_arrow,
    "pandas": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "duckdb": duckdb.from_arrow,
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[Field, ...], pa.Table, str]:
    fields = draw(types(KINDS))
    rows = draw(st.integers(1, 6))
    columns = {}
    for field in fields:
        kind, own = draw(st.sampled_from(arrow_types(field)))
        column = draw(st.lists(st.one_of(own, own, own, st.none()), min_size=rows, max_size=rows))
        columns[field.name] = pa.array(column, type=kind)
    return fields, pa.table(columns), draw(st.sampled_from(sorted(CARRIERS)))


@SETTINGS
@given(tables())
def test_a_table_is_judged_as_its_rows_are(made: tuple[tuple[Field, ...], pa.Table, str]) -> None:
    fields, table, carrier = made
    rows = table.to_pylist()
    outcome = expected(fields, rows)
    assert load(fields, rows) == outcome
    # Libraries that have no date of milliseconds make instants of it, which no date is.
    is_told_apart = "date64" in str(table.schema) and carrier in {"polars", "pandas", "duckdb"}
    try:
        carried = table if is_told_apart else CARRIERS[carrier](table)
    except (
        pa.ArrowException,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        duckdb.Error,
        NotImplementedError,
    ):
        carried = table  # the library has no such type
    assert load(fields, carried) == outcome
