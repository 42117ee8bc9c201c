//! Every cell, primitive and key of the language: what is read, and what is refused where.

use super::*;
use crate::schema::module::{HolderFrom, HolderTo, LookupSource, SequenceOrder, SequenceStep, Severity, TallyMethod};
use crate::schema::scalar::{OwnedScalar, ScalarKind};

/// A module that uses everything once.
const WHOLE: &str = r#"
[module]
name = "m"
version = 1
title = "Everything once"
[constants]
four_eyes = { decimal = "10000" }
most = 7
on = true
unit = "EUR"
from = 2026-01-01
until = { timestamp = "2027-01-01T00:00:00Z" }
half = { fraction = "1/2" }
[roles.clerk]
[roles.chief]
[types.parcel]
authorise = ["clerk"]
read = ["clerk", "chief"]
release = ["chief"]
accepts = ["other.delivery"]
[types.parcel.fields]
id = { type = "text", required = true }
version = { type = "int", required = true, min = 0 }
parent = { type = "text" }
at = { type = "timestamp" }
share = { type = "fraction" }
scan = { type = "document" }
person = { type = "text", required = true }
diagnosis = { type = "text", private = "person" }
amount = { type = "decimal", precision = 28, scale = 2 }
lines = { type = "list", max = 8, item = { type = "struct", required = true, fields = { lot = { type = "text", required = true }, q = { type = "int", required = true } } } }
[types.parcel.cells.room]
kind = "balance"
parts = ["free", "limit"]
scale = 2
opening = { free = "10", limit = "1.5" }
[types.parcel.cells.seen]
kind = "count"
low = 0
high = 9
reason = { code = "too_often" }
[types.parcel.cells.state]
kind = "lifecycle"
states = ["new", "sent"]
initial = "new"
[types.parcel.cells.owner]
kind = "holder"
[types.parcel.cells.tree]
kind = "holder"
missing = { code = "no_parent" }
[types.parcel.cells.number]
kind = "sequence"
order = "gapless"
start = 0
[types.parcel.cells.clock]
kind = "sequence"
order = "rising"
of = "timestamp"
[types.parcel.lookups.before]
record = "parcel"
at = ["parent"]
or = [{ at = ["'none'"] }]
[types.parcel.lookups.stock]
cell = "parcel.room"
at = ["item.lot"]
each = "lines"
[types.parcel.lookups.holder]
cell = "parcel.owner"
at = ["id"]
[[types.parcel.rules]]
unique = ["id"]
versioned = "append"
version = "version"
[[types.parcel.rules]]
require = "amount < const.four_eyes || endorsed_by('chief') > 0"
severity = "hold"
[[types.parcel.rules]]
require = "before.version < const.most"
severity = "flag"
[[types.parcel.rules]]
window = "at"
not_after = "ledger_time"
[[types.parcel.rules]]
ref = ["parcel", "pallet"]
at = ["parent"]
[[types.parcel.rules]]
ref = "pallet"
at = ["parent"]
external = true
[[types.parcel.rules]]
conserve = "share"
over = "transaction"
group = "shares"
by = ["parent"]
low = "1"
high = "1"
[[types.parcel.rules]]
each = "lines"
balance = "parcel.room"
at = ["item.lot"]
set = { limit = "stock.free" }
subtract = { free = "item.q" }
approval = { above = "limit", roles = ["chief"], count = 2, code = "two_chiefs" }
[[types.parcel.rules]]
count = "parcel.seen"
at = ["id"]
step = -1
[[types.parcel.rules]]
lifecycle = "parcel.state"
at = ["id"]
from = ["new"]
to = "sent"
roles = ["chief", "other.boss"]
forbidden = { code = "chiefs_only" }
[[types.parcel.rules]]
holder = "parcel.owner"
at = ["id"]
from = "holder.holder"
to = "person"
[[types.parcel.rules]]
holder = "parcel.owner"
at = ["id"]
any = true
release = true
[[types.parcel.rules]]
holder = "parcel.tree"
at = ["id"]
to = "parent"
[[types.parcel.rules]]
sequence = "parcel.number"
at = ["person"]
value = "version"
[[types.parcel.rules]]
sequence = "parcel.clock"
at = ["person"]
from = "at"
to = "plus_days(at, 1)"
[[types.parcel.rules]]
sequence = "parcel.clock"
at = ["person"]
value = "at"
reset = true
[[types.parcel.rules]]
acyclic = "parcel.tree"
at = ["id"]
to = "parent"
depth = 5
[[types.parcel.rules]]
when = "has(parent)"
emit = "pallet"
set = { id = ["'p-'", "id"], "place.gln" = "parent" }
[types.pallet]
authorise = ["clerk"]
[types.pallet.fields]
id = { type = "text", required = true }
place = { type = "struct", required = true, fields = { gln = { type = "text", required = true }, note = { type = "text" } } }
[[types.pallet.rules]]
unique = ["id"]
[types.vote]
authorise = ["clerk"]
[types.vote.fields]
topic = { type = "text", required = true, index = true }
voter = { type = "text", required = true }
choice = { type = "text" }
[[types.vote.rules]]
unique = ["topic", "voter"]
[types.result]
authorise = ["clerk"]
[types.result.fields]
topic = { type = "text" }
winner = { type = "text" }
counts = { type = "list", item = { type = "struct", required = true, fields = { choice = { type = "text" }, votes = { type = "int" } } } }
[[types.result.rules]]
tally = "vote"
group = { topic = "topic" }
choice = "choice"
method = "plurality"
counts = "counts"
winner = "winner"
"#;

fn whole() -> Module {
    parse(WHOLE, "f").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn everything_is_read() {
    let module = whole();
    assert_eq!(module.constants.len(), 7);
    assert_eq!(module.constants[4], ("from".to_owned(), OwnedScalar::Date(20_454)));
    let parcel = module.record_type("m.parcel").unwrap();
    assert_eq!(
        (parcel.read.len(), &parcel.release[..], &parcel.accepts[..]),
        (2, &["m.chief".to_owned()][..], &["other.delivery".to_owned()][..])
    );
    assert_eq!(module.record_type("m.vote").unwrap().release, ["m.clerk"]);
    assert_eq!(parcel.field("diagnosis").unwrap().private.as_deref(), Some("person"));
    let FieldKind::Struct(document) = &parcel.field("scan").unwrap().kind else { panic!() };
    assert_eq!(
        document.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
        ["digest", "size", "media_type", "name"]
    );
    let kinds: Vec<&str> = parcel.cells.iter().map(|cell| cell.kind.name()).collect();
    assert_eq!(kinds, ["balance", "count", "lifecycle", "holder", "holder", "sequence", "sequence"]);
    let CellKind::Balance(room) = &parcel.cells[0].kind else { panic!() };
    assert_eq!(room.opening.as_deref(), Some(&[(0, 1000), (1, 150)][..]));
    let CellKind::Sequence(clock) = &parcel.cells[6].kind else { panic!() };
    assert_eq!((clock.order, clock.kind), (SequenceOrder::Rising, ScalarKind::Timestamp));
    assert_eq!(parcel.cells[3].key().unwrap().at, [ScalarKind::Text]);
    assert_eq!(parcel.versioned().map(|versioned| (versioned.replace, versioned.version)), Some((false, 1)));
}

#[test]
fn lookups_know_what_is_read_of_them() {
    let module = whole();
    let parcel = module.record_type("m.parcel").unwrap();
    let [before, stock, holder] = parcel.lookups.as_slice() else { panic!() };
    assert!(matches!(&before.source, LookupSource::Record(name) if name == "m.parcel"));
    assert_eq!(
        (before.candidates.len(), before.fields[0].name.as_str(), before.fields[0].kind),
        (2, "version", ScalarKind::Int)
    );
    assert_eq!(
        (stock.each, stock.fields[0].name.as_str(), stock.fields[0].kind),
        (Some(9), "free", ScalarKind::Decimal)
    );
    assert!(matches!(&holder.source, LookupSource::Cell(cell) if cell.name == "owner"));
}

#[test]
fn rules_know_what_they_are() {
    let module = whole();
    let rules = &module.record_type("m.parcel").unwrap().rules;
    assert_eq!(
        (rules[0].reason.code.as_str(), rules[1].severity, rules[2].severity),
        ("m.stale_version", Severity::Hold, Severity::Flag)
    );
    let flags: Vec<(bool, bool)> = rules.iter().map(|rule| (rule.is_local(), rule.is_dynamic())).collect();
    assert_eq!(
        flags[..8],
        [
            (false, false),
            (true, true),
            (false, true),
            (true, true),
            (true, false),
            (true, false),
            (true, false),
            (false, true)
        ]
    );
    assert!(rules.iter().all(|rule| !rule.is_stateless()));
    let Primitive::Ref { targets, external: false, .. } = &rules[4].primitive else { panic!() };
    assert_eq!(targets, &["m.parcel", "m.pallet"]);
    let Primitive::Conserve { group: Some(group), .. } = &rules[6].primitive else { panic!() };
    assert_eq!(group, "shares");
    let Primitive::Balance { add, set, approval: Some(approval), .. } = &rules[7].primitive else { panic!() };
    assert_eq!((add.len(), set.len(), approval.above, approval.count), (1, 1, 1, 2));
    assert_eq!((approval.roles[0].as_str(), approval.reason.code.as_str()), ("m.chief", "m.two_chiefs"));
    let Primitive::Count { step, .. } = &rules[8].primitive else { panic!() };
    assert_eq!(step.source(), "-1");
    let Primitive::Lifecycle { allowed: Some(allowed), .. } = &rules[9].primitive else { panic!() };
    assert_eq!((allowed.roles[1].as_str(), allowed.reason.code.as_str()), ("other.boss", "m.chiefs_only"));
    assert!(matches!(
        &rules[10].primitive,
        Primitive::Holder { from: HolderFrom::Value(_), to: HolderTo::Value(_), .. }
    ));
    assert!(matches!(
        &rules[11].primitive,
        Primitive::Holder { from: HolderFrom::Anybody, to: HolderTo::Released, .. }
    ));
    assert!(matches!(&rules[12].primitive, Primitive::Holder { from: HolderFrom::Nobody, to: HolderTo::Value(_), .. }));
    assert!(matches!(&rules[13].primitive, Primitive::Sequence { step: SequenceStep::Value(_), .. }));
    assert!(matches!(&rules[14].primitive, Primitive::Sequence { step: SequenceStep::Range { .. }, .. }));
    assert!(matches!(&rules[15].primitive, Primitive::Sequence { step: SequenceStep::Reset(_), .. }));
    assert!(matches!(&rules[16].primitive, Primitive::Acyclic { depth: 5, .. }));
    let Primitive::Emit { target, set } = &rules[17].primitive else { panic!() };
    assert_eq!((target.as_str(), set[0].value.len(), set[1].field.as_str()), ("m.pallet", 2, "place.gln"));
    let Primitive::Tally(tally) = &module.record_type("m.result").unwrap().rules[0].primitive else { panic!() };
    assert_eq!((tally.method, tally.counts, tally.winner, tally.group.len()), (TallyMethod::Plurality, 2, Some(1), 1));
}

/// A replacement in the module above, and the one fault that is told, without its place.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "most = 7",
        "most = 1.5",
        "not a constant (found float, expected an integer, true or false, \"text\", a date, { decimal = \"1.5\" }, { fraction = \"1/3\" } or { timestamp = \"…Z\" })",
    ),
    (
        "most = 7",
        "most = { int = 7 }",
        "unknown key \"int\" in a constant (integers, texts, true, false and dates stand without braces) (found \"int\", expected one of decimal, fraction, timestamp)",
    ),
    (
        "{ decimal = \"10000\" }",
        "{ decimal = \"1e4\" }",
        "not a decimal (found \"1e4\", expected an integer, true or false, \"text\", a date, { decimal = \"1.5\" }, { fraction = \"1/3\" } or { timestamp = \"…Z\" })",
    ),
    (
        "const.four_eyes",
        "const.for_eyes",
        "unknown constant `for_eyes`, did you mean \"four_eyes\"? (found `for_eyes`, expected one of [constants])",
    ),
    (
        "endorsed_by('chief')",
        "endorsed_by('chif')",
        "unknown role 'chif', did you mean \"chief\"? (found 'chif', expected a role)",
    ),
    (
        "read = [\"clerk\", \"chief\"]",
        "read = [\"clark\"]",
        "unknown role \"clark\", did you mean \"clerk\"? (found \"clark\", expected a role declared in this file as [roles.<name>])",
    ),
    (
        "accepts = [\"other.delivery\"]",
        "accepts = [\"delivery\"]",
        "a type of another module is named in full (found \"delivery\", expected <module>.<type>)",
    ),
    (
        "private = \"person\"",
        "private = \"parent\"",
        "\"private\" names the field that says whose data it is (found \"parent\", expected a required text field that is not private)",
    ),
    (
        "before.version < const.most",
        "diagnosis == 'x'",
        "`diagnosis` is private to `person`: no rule sees it (found `diagnosis`, expected a field that is not private)",
    ),
    (
        "before.version",
        "before.verson",
        "m.parcel has no scalar field `verson`, did you mean \"version\"? (found before.verson, expected a field of it)",
    ),
    ("before.version", "befor.version", "unknown lookup `befor`, did you mean \"before\"? (found `befor.version`)"),
    (
        "limit = \"stock.free\"",
        "limit = \"stock.fre\"",
        "m.parcel.room has no `fre`, did you mean \"free\"?; it has free, limit (found stock.fre, expected a field of it)",
    ),
    (
        "before.version <",
        "stock.free <",
        "`stock` is looked up for each of `lines`: only a rule over it sees that (found stock.free, expected each = \"lines\")",
    ),
    (
        "record = \"parcel\"\nat",
        "record = \"parcel\"\ncell = \"parcel.room\"\nat",
        "a lookup reads one thing: \"record\" or \"cell\"",
    ),
    ("at = [\"parent\"]\nor", "at = [\"holder.holder\"]\nor", "unknown field `holder.holder` (found `holder.holder`)"),
    (
        "lookups.before]",
        "lookups.amount]",
        "\"amount\" already means something else in expressions of this type (expected another name)",
    ),
    (
        "unique = [\"id\"]\nversioned",
        "unique = [\"author\"]\nversioned",
        "a key is made of the record alone: neither inputs nor lookups",
    ),
    (
        "version = \"version\"",
        "version = \"parent\"",
        "\"version\" names a required int field (found \"parent\", expected a required int field of this record)",
    ),
    (
        "step = -1",
        "step = -1\nseverity = \"flag\"",
        "a `count` rule has effects: its failure rejects the record (found \"flag\", expected \"reject\")",
    ),
    ("over = \"transaction\"\n", "", "`conserve` sums over a list: it needs \"each\", or over = \"transaction\""),
    ("high = 9", "high = -1", "the highest value is below the lowest, 0"),
    ("low = 0", "low = 1", "a count starts at 0, which is outside these bounds"),
    (
        "free = \"10\"",
        "free = \"10.001\"",
        "not an amount of this balance (found \"10.001\", expected a decimal of at most 2 digits behind the point)",
    ),
    (
        "order = \"gapless\"",
        "order = \"gaples\"",
        "unknown order \"gaples\", did you mean \"gapless\"? (found \"gaples\", expected one of strict, gapless, rising)",
    ),
    (
        "of = \"timestamp\"",
        "of = \"text\"",
        "unknown kind \"text\" (found \"text\", expected one of int, decimal, date, timestamp)",
    ),
    ("order = \"rising\"", "order = \"gapless\"", "a gapless sequence counts in ints"),
    (
        "kind = \"count\"",
        "kind = \"counter\"",
        "unknown kind of cell \"counter\", did you mean \"count\"? (found \"counter\", expected one of balance, count, lifecycle, holder, sequence)",
    ),
    (
        "above = \"limit\"",
        "above = \"limits\"",
        "unknown part \"limits\", did you mean \"limit\"? (found \"limits\", expected one of free, limit)",
    ),
    ("any = true\nrelease", "release", "what nobody holds is not released: give \"from\" or \"any\""),
    ("any = true\n", "any = true\nfrom = \"id\"\n", "\"any\" and \"from\" exclude each other"),
    (
        "value = \"at\"\nreset",
        "reset",
        "`sequence` needs \"value\" (with \"reset\" or without), or \"from\" and \"to\"",
    ),
    ("depth = 5", "depth = 65", "\"depth\" is out of range (found 65, expected 1 to 64)"),
    ("\"place.gln\"", "\"place.gnl\"", "the required field `place.gln` is not set"),
    (", \"place.gln\" = \"parent\"", "", "the required field `place.gln` is not set"),
    (
        "method = \"plurality\"",
        "method = \"pluralty\"",
        "unknown method \"pluralty\", did you mean \"plurality\"? (found \"pluralty\", expected one of plurality, approval, weighted, quadratic, ranked, copeland)",
    ),
    ("method = \"plurality\"", "method = \"weighted\"", "the method weighted needs \"weight\""),
    (
        "topic = { type = \"text\", required = true, index = true }",
        "topic = { type = \"text\", required = true }",
        "m.vote has no field `topic` that is an indexed field (found \"topic\", expected an indexed field)",
    ),
    (
        "unique = [\"topic\", \"voter\"]",
        "unique = [\"topic\", \"choice\"]",
        "m.vote is counted by its key, and not every record of it has one (found \"vote\", expected a type whose first `unique` names required fields, without `when`)",
    ),
    (
        "counts = \"counts\"",
        "counts = \"winner\"",
        "`winner` is no field that is a list of struct { choice: text, votes: int or decimal } (found \"winner\", expected a list of struct { choice: text, votes: int or decimal })",
    ),
];

#[test]
fn every_fault_is_told_at_its_place() {
    let mut wrong = Vec::new();
    for (from, to, expected) in FAULTS {
        assert!(WHOLE.contains(from), "{from}");
        let found = faults(&WHOLE.replacen(from, to, 1));
        let told = found.first().and_then(|first| first.splitn(4, ':').nth(3)).unwrap_or_default();
        if told.trim_start() != *expected {
            wrong.push(format!("{to}: {found:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn names_of_private_fields_stay_out_of_matches() {
    let source = WHOLE.replace(
        "[[types.parcel.rules]]\nacyclic",
        "[[types.parcel.rules]]\nmatch = \"pallet\"\nat = [\"parent\"]\nequal = { id = \"diagnosis\" }\n[[types.parcel.rules]]\nacyclic",
    );
    assert!(faults(&source)[0].contains("`diagnosis` is private"), "{:?}", faults(&source));
}

#[test]
fn records_are_not_made_by_themselves() {
    let circle = format!(
        "{WHOLE}[[types.pallet.rules]]\nemit = \"parcel\"\nset = {{ id = \"id\", version = \"1\", person = \"id\" }}\n"
    );
    let found = faults(&circle);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("records of m.parcel would be made by themselves"), "{found:?}");
    let own = |name: &str| (name == "m.pallet").then(|| Arc::clone(whole().record_type("m.pallet").unwrap()));
    let emitter = file(ID, "[[types.t.rules]]\nemit = \"m.pallet\"\nset = { id = \"id\", \"place.gln\" = \"id\" }");
    let refused = parse_with(&emitter.replace("name = \"m\"", "name = \"n\""), "f", &own).unwrap_err().to_string();
    assert!(refused.contains("m.pallet takes no records made by n.t"), "{refused}");
}

#[test]
fn effects_of_a_replaced_version_can_be_taken_back() {
    let replaced = |rule: &str| {
        let fields = "id = { type = \"text\" }\nv = { type = \"int\", required = true }\nn = { type = \"int\" }";
        let cells = "[types.t.cells.b]\nkind = \"balance\"\nparts = [\"p\"]\nscale = 0\nopening = { p = \"0\" }\n[types.t.cells.c]\nkind = \"count\"\n";
        let key = "[[types.t.rules]]\nunique = [\"id\"]\nversioned = \"replace\"\nversion = \"v\"\n[[types.t.rules]]\n";
        faults(&file(fields, &format!("{cells}{key}{rule}")))
    };
    assert_eq!(replaced("balance = \"t.b\"\nat = [\"id\"]\nadd = { p = \"n\" }"), Vec::<String>::new());
    assert_eq!(replaced("count = \"t.c\"\nat = [\"id\"]\nstep = \"n\""), Vec::<String>::new());
    assert_eq!(replaced("require = \"n > 0\""), Vec::<String>::new());
    for rule in [
        "balance = \"t.b\"\nat = [\"id\"]\nset = { p = \"n\" }",
        "count = \"t.c\"\nat = [\"id\"]\nstep = \"endorsers\"",
        "emit = \"t\"\nset = { v = \"n\" }",
    ] {
        assert!(replaced(rule)[0].contains("its effects must be reversible"), "{rule}: {:?}", replaced(rule));
    }
}

#[test]
fn what_an_expression_may_cost_is_bounded() {
    let list = "l = { type = \"list\", max = 2048, item = { type = \"int\", required = true } }";
    let rule = |rule: &str| faults(&file(list, &format!("[[types.t.rules]]\n{rule}")));
    assert_eq!(rule("require = \"all(l, item > 0)\""), Vec::<String>::new());
    assert_eq!(
        rule("each = \"l\"\nrequire = \"sum(l, item) > item\""),
        [
            "f:11:12: the expression may cost 4200448 steps (found 4200448, expected at most 4194304: a smaller \"max\" of the lists it runs over)"
        ]
    );
}
