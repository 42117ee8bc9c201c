//! Every kind of change, the ones that fit and the ones that do not.

use super::*;
use crate::schema::parse;

const OLD: &str = r#"
[module]
name = "m"
version = 1
[roles.r]
[roles.q]
[types.t]
authorise = ["r"]
[types.t.fields]
id = { type = "text", max = 8, required = true }
other = { type = "text" }
word = { type = "enum", values = ["a", "b"] }
n = { type = "int", min = 0, max = 9 }
x = { type = "decimal", precision = 6, scale = 2 }
raw = { type = "bytes", max = 4 }
bic = { type = "text", format = "bic" }
l = { type = "list", max = 4, item = { type = "struct", required = true, fields = { a = { type = "int" } } } }
[types.t.cells.c]
kind = "balance"
parts = ["p", "q"]
scale = 2
bounds = [{ require = "p >= 0", code = "low" }]
[types.t.cells.s]
kind = "lifecycle"
states = ["on", "off"]
initial = "on"
[types.t.cells.k]
kind = "count"
high = 5
[types.t.cells.v]
kind = "sequence"
order = "strict"
[[types.t.rules]]
unique = ["id"]
[[types.t.rules]]
unique = ["other"]
when = "n > 0"
[[types.t.rules]]
count = "t.k"
at = ["id"]
step = 1
"#;

/// What stands between two versions: reasons, and what is demanded of what is stored.
fn between(old: &str, new: &str) -> Vec<String> {
    let parsed = |source: &str| parse(source, "m.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let Compatibility { reasons, demands } = compat(&parsed(old), &parsed(new));
    reasons.iter().map(ToString::to_string).chain(demands.iter().map(|demand| format!("asks {demand}"))).collect()
}

/// What stands in between after one replacement, and with the next version's number.
fn after(from: &str, to: &str) -> Vec<String> {
    assert!(OLD.contains(from), "{from}");
    between(OLD, &OLD.replace("version = 1", "version = 2").replacen(from, to, 1))
}

#[test]
fn what_widens_fits() {
    for (from, to) in [
        ("max = 8", "max = 9"),
        ("[roles.q]", "[roles.q]\n[roles.z]"),
        ("[\"a\", \"b\"]", "[\"c\", \"b\", \"a\"]"),
        ("min = 0, max = 9", "min = -1, max = 10"),
        ("precision = 6, scale = 2", "precision = 8, scale = 4"),
        ("max = 4 }", "max = 5 }"),
        (", format = \"bic\"", ""),
        ("fields = { a = { type = \"int\" } }", "fields = { b = { type = \"text\" }, a = { type = \"int\" } }"),
        ("max = 4, item", "max = 5, item"),
        ("other = { type = \"text\" }", "other = { type = \"text\", index = true }\nmore = { type = \"date\" }"),
        ("required = true }\nother = { type = \"text\" }", "}\nother = { type = \"text\" }"),
        ("parts = [\"p\", \"q\"]", "parts = [\"p\", \"q\", \"a\"]"),
        ("{ require = \"p >= 0\", code = \"low\" }", ""),
        ("{ require = \"p >= 0\", code = \"low\" }", "{ require = \"p >= 0\", code = \"other\", message = \"x\" }"),
        ("states = [\"on\", \"off\"]", "states = [\"on\", \"off\", \"lost\"]"),
        ("high = 5", "low = -1\nhigh = 6"),
        ("high = 5", ""),
        ("authorise = [\"r\"]", "authorise = [\"q\"]"),
        ("[[types.t.rules]]\ncount", "[[types.t.rules]]\nrequire = \"n > 5\"\n[[types.t.rules]]\ncount"),
    ] {
        assert_eq!(after(from, to), Vec::<String>::new(), "{to}");
    }
    // A bound over a new part holds for every cell that is there.
    let with_part = "parts = [\"p\", \"q\", \"z\"]\nscale = 2\nbounds = [{ require = \"q >= z\" }, { require = \"p >= 0\", code = \"low\" }]";
    let from = "parts = [\"p\", \"q\"]\nscale = 2\nbounds = [{ require = \"p >= 0\", code = \"low\" }]";
    assert_eq!(after(from, with_part), Vec::<String>::new());
}

/// What is replaced, by what, and the one reason.
const NARROWED: &[(&str, &str, &str)] = &[
    ("version = 1", "version = 1", "m: version 1 is not above version 1"),
    ("[roles.q]", "", "m.q: the role is gone; members hold it"),
    ("max = 8", "max = 7", "m.t.id: max is narrowed from 8 to 7; older records may lie outside"),
    ("type = \"text\", max = 8", "type = \"uuid\"", "m.t.id: the type is another one"),
    ("\"a\", \"b\"", "\"b\"", "m.t.word: the value \"a\" is gone"),
    ("min = 0", "min = 1", "m.t.n: min is narrowed from 0 to 1; older records may lie outside"),
    ("max = 9", "max = 8", "m.t.n: max is narrowed from 9 to 8; older records may lie outside"),
    ("scale = 2 }", "scale = 1 }", "m.t.x: scale is narrowed from 2 to 1; older records may lie outside"),
    (
        "scale = 2 }",
        "scale = 3 }",
        "m.t.x: the number of digits before the point is narrowed from 4 to 3; older records may lie outside",
    ),
    ("max = 4 }", "max = 3 }", "m.t.raw: max is narrowed from 4 to 3; older records may lie outside"),
    ("format = \"bic\"", "format = \"lei\"", "m.t.bic: the format is added or changed; older records may not have it"),
    (
        "other = { type = \"text\" }",
        "other = { type = \"text\", pattern = \"x\" }",
        "m.t.other: the format is added or changed; older records may not have it",
    ),
    ("max = 4, item", "max = 3, item", "m.t.l: max is narrowed from 4 to 3; older records may lie outside"),
    ("a = { type = \"int\" }", "a = { type = \"text\" }", "m.t.l.item.a: the type is another one"),
    (
        "a = { type = \"int\" }",
        "b = { type = \"int\" }",
        "m.t.l.item.a: the field is gone; make it optional instead and leave it out",
    ),
    (
        "raw = { type = \"bytes\", max = 4 }",
        "",
        "m.t.raw: the field is gone; make it optional instead and leave it out",
    ),
    ("max = 4 }", "max = 4, required = true }", "m.t.raw: the field is required now; older records may lack it"),
    (
        "raw =",
        "new = { type = \"bool\", required = true }\nraw =",
        "m.t.new: a new field is optional: older records lack it",
    ),
    (
        "unique = [\"id\"]",
        "unique = [\"id\", \"n\"]",
        "m.t: the unique rule (id) is changed, moved or gone; keys are found by it",
    ),
    (
        "when = \"n > 0\"",
        "when = \"n > 1\"",
        "m.t: the unique rule (other) when n > 0 is changed, moved or gone; keys are found by it",
    ),
    (
        "[[types.t.rules]]\ncount",
        "[[types.t.rules]]\nunique = [\"n\"]\n[[types.t.rules]]\ncount",
        "asks m.t: the records that are stored keep the unique rule (n)",
    ),
    ("parts = [\"p\", \"q\"]", "parts = [\"p\"]", "m.t.c: the part \"q\" is gone"),
    (
        "parts = [\"p\", \"q\"]",
        "parts = [\"z\", \"p\", \"q\"]",
        "m.t.c: the part \"p\" has another place; the old parts stay in front, in their order, and new ones follow",
    ),
    (
        "parts = [\"p\", \"q\"]",
        "parts = [\"p\", \"z\", \"q\"]",
        "m.t.c: the part \"q\" has another place; the old parts stay in front, in their order, and new ones follow",
    ),
    ("scale = 2\nbounds", "scale = 3\nbounds", "m.t.c: the scale is 3 instead of 2"),
    (
        "scale = 2\nbounds",
        "scale = 2\nopening = { p = \"0\" }\nbounds",
        "asks m.t.c: no m.t is stored yet: the opening is another one; what no record touched has it",
    ),
    ("p >= 0", "p >= q", "asks m.t.c: what is stored keeps m.low"),
    (
        "{ require = \"p >= 0\", code = \"low\" }",
        "{ require = \"p >= 0\", code = \"low\" }, { require = \"p <= q\", code = \"high\" }, { require = \"q >= 0\", code = \"many\" }",
        "asks m.t.c: what is stored keeps m.high and m.many",
    ),
    ("states = [\"on\", \"off\"]", "states = [\"on\"]", "m.t.s: the state \"off\" is gone"),
    (
        "states = [\"on\", \"off\"]",
        "states = [\"draft\", \"on\", \"off\"]",
        "m.t.s: the state \"on\" has another place; the old states stay in front, in their order, and new ones follow",
    ),
    (
        "initial = \"on\"",
        "initial = \"off\"",
        "asks m.t.s: no m.t is stored yet: the initial state is another one; what no record touched is in it",
    ),
    ("high = 5", "high = 4", "asks m.t.k: what is stored keeps m.count_out_of_range"),
    ("order = \"strict\"", "order = \"rising\"", "m.t.v: the sequence has another order or other values"),
    ("kind = \"sequence\"\norder = \"strict\"", "kind = \"holder\"", "m.t.v: a sequence became a holder"),
    ("[types.t.cells.v]\nkind = \"sequence\"\norder = \"strict\"", "", "m.t.v: the cell is gone; its values stay"),
    ("at = [\"id\"]\nstep", "at = [\"n\"]\nstep", "m.t.k: the cell is named by values of other kinds"),
];

#[test]
fn what_narrows_is_told() {
    for (from, to, expected) in NARROWED {
        let found = if from == to { same() } else { after(from, to) };
        assert_eq!(found, [*expected], "{to}");
    }
}

/// What stands against loading the very same file.
fn same() -> Vec<String> {
    between(OLD, OLD)
}

#[test]
fn a_type_that_is_gone_and_another_module_are_told() {
    let two = format!("{}\n[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = {{ type = \"int\" }}\n", OLD);
    let newer = OLD.replace("version = 1", "version = 2");
    assert_eq!(between(&two, &newer), ["m.u: the type is gone; its records stay"]);
    assert_eq!(between(OLD, &two.replace("version = 1", "version = 2")), Vec::<String>::new());
    assert_eq!(
        between(OLD, &newer.replace("name = \"m\"", "name = \"n\"")),
        ["m: the new file declares another module, n"]
    );
}

#[test]
fn a_versioned_key_is_its_list_and_the_field_that_says_the_version() {
    let old = OLD.replace("unique = [\"id\"]", "unique = [\"id\"]\nversioned = \"replace\"\nversion = \"n\"");
    let old = old
        .replace("n = {", "n2 = { type = \"int\", required = true }\nn = {")
        .replace("max = 9 }", "max = 9, required = true }");
    let newer = old.replace("version = 1", "version = 2");
    assert_eq!(between(&old, &newer), Vec::<String>::new());
    assert_eq!(
        between(&old, &newer.replace("version = \"n\"", "version = \"n2\"")),
        ["m.t: the unique rule (id) versioned by n replacing is changed, moved or gone; keys are found by it"]
    );
    let old = OLD.replace("unique = [\"other\"]\nwhen = \"n > 0\"", "each = \"l\"\nunique = [\"item.a\"]");
    let old = old.replace("\nl = ", "\nl2 = { type = \"list\", max = 4, item = { type = \"struct\", required = true, fields = { a = { type = \"int\" } } } }\nl = ");
    let newer = old.replace("version = 1", "version = 2");
    assert_eq!(between(&old, &newer), Vec::<String>::new());
    assert_eq!(
        between(&old, &newer.replace("each = \"l\"", "each = \"l2\"")),
        ["m.t: the unique rule (item.a) each l is changed, moved or gone; keys are found by it"]
    );
}

/// A new part has its opening in every cell, so a bound over it is asked of what is stored, and of what nothing touched.
#[test]
fn a_new_part_with_an_opening_is_in_every_cell() {
    let old = OLD.replace("scale = 2\nbounds", "scale = 2\nopening = { p = \"0\", q = \"1\" }\nbounds");
    let newer = |opening: &str, bound: &str| {
        old.replace("version = 1", "version = 2")
            .replace("parts = [\"p\", \"q\"]", "parts = [\"p\", \"q\", \"z\"]")
            .replace("opening = { p = \"0\", q = \"1\" }", opening)
            .replace("code = \"low\" }", &format!("code = \"low\" }}, {{ require = \"{bound}\", code = \"z\" }}"))
    };
    let (with, without) = ("opening = { p = \"0\", q = \"1\", z = \"1\" }", "opening = { p = \"0\", q = \"1\" }");
    assert_eq!(between(&old, &newer(with, "z >= q")), ["asks m.t.c: what is stored keeps m.z"]);
    assert_eq!(between(&old, &newer(without, "z >= q")), Vec::<String>::new());
    assert_eq!(between(&old, &newer(with, "p >= z")), ["m.t.c: the opening breaks m.z; what no record touched has it"]);
}

#[test]
fn a_constant_is_part_of_the_key_that_it_stands_in() {
    let old =
        OLD.replace("[roles.r]", "[constants]\nleast = 0\nlea = 0\n[roles.r]").replace("n > 0", "n > const.least");
    let newer = |from: &str| old.replace("version = 1", "version = 2").replace(from, &from.replace('0', "1"));
    let reason =
        "m.t: const.least of the unique rule (other) when n > const.least is another one; keys are found by it";
    assert_eq!(between(&old, &newer("least = 0")), [reason]);
    assert_eq!(between(&old, &newer("lea = 0")), Vec::<String>::new());
}
