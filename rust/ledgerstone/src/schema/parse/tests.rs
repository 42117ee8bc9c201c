//! The shipped modules, and a table of malformed files with the exact words and places of their faults.

mod language;

use super::*;
use crate::schema::module::{CellKind, FieldKind, Primitive};

fn finance() -> Module {
    parse(ledgerstone_schemas::FINANCE, "finance.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn finance_parses() {
    let finance = finance();
    let names: Vec<&str> = finance.types.iter().map(|declared| declared.name.as_str()).collect();
    assert_eq!(names[..4], ["finance.commodity", "finance.account", "finance.account_close", "finance.account_limit"]);
    assert_eq!((finance.version, finance.types.len(), finance.roles.len()), (1, 25, 3));
    let account = finance.record_type("finance.account").unwrap();
    let fields: Vec<&str> = account.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        fields,
        ["id", "name", "kind", "owner", "currency", "exponent", "floor", "ceiling", "approval", "units"]
    );
    let CellKind::Balance(balance) = &account.cells[0].kind else { panic!() };
    assert_eq!(balance.bounds[0].terms, [(0, 1), (2, -1), (3, -1)]);
    assert_eq!(balance.bounds[1].terms, [(0, -1), (1, -1), (4, 1)]);
    assert_eq!((balance.digits, balance.scale), (Some(5), 12));
    assert_eq!(balance.missing.code, "finance.account_not_open");
    assert_eq!(account.rules[0].reason.code, "finance.account_exists");
    assert_eq!(account.rules[0].reason.message, "there is a finance.account with the same id already");
    assert_eq!(account.rules[3].each, Some(9));
    assert!(!account.is_local());
    let transfer = finance.record_type("finance.transfer").unwrap();
    assert!(transfer.is_local());
    assert_eq!(transfer.authorise, ["finance.bookkeeper", "finance.controller"]);
    assert_eq!(transfer.key().unwrap()[0].source(), "id");
    assert_eq!(transfer.rules.len(), 8);
    let FieldKind::Decimal { precision: 28, scale: 12 } = transfer.field("amount").unwrap().kind else { panic!() };
}

#[test]
fn balance_rules_know_what_is_subtracted() {
    let finance = finance();
    let rule = &finance.record_type("finance.hold_post").unwrap().rules[5];
    let Primitive::Balance { add, at_end: false, .. } = &rule.primitive else { panic!("{rule:?}") };
    let parts: Vec<(usize, bool)> = add.iter().map(|(part, _, negated)| (*part, *negated)).collect();
    assert_eq!(parts, [(0, false), (1, true)]);
    let reversal = &finance.record_type("finance.reversal").unwrap().rules[2];
    let Primitive::Match { pairs, missing, .. } = &reversal.primitive else { panic!() };
    assert_eq!(pairs.iter().map(|pair| (pair.theirs.as_str(), pair.negated)).next_back(), Some(("legs.amount", true)));
    assert_eq!(missing.code, "finance.unknown_entry");
}

#[test]
fn the_built_in_module_parses_only_as_such() {
    let ledger = parse_builtin(ledgerstone_schemas::LEDGER).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((ledger.name.as_str(), ledger.version, ledger.types.len()), ("ledger", 0, 11));
    assert_eq!(ledger.record_type("ledger.member").unwrap().authorise, ["ledger.admin"]);
    let Primitive::Lifecycle { from, to, .. } = &ledger.record_type("ledger.key").unwrap().rules[0].primitive else {
        panic!()
    };
    assert_eq!((*from, *to), (0, Some(0)));
    let errors = parse(ledgerstone_schemas::LEDGER, "l.toml").unwrap_err();
    let shown: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "l.toml:5:8: the module name \"ledger\" is reserved (found \"ledger\", expected another name)",
            "l.toml:6:11: \"version\" is out of range (found 0, expected 1 to 9007199254740991)",
        ]
    );
}

/// A file of one type `t` with these fields and these lines after them.
fn file(fields: &str, rest: &str) -> String {
    format!(
        "[module]\nname = \"m\"\nversion = 1\n[roles.r]\n[types.t]\nauthorise = [\"r\"]\n[types.t.fields]\n{fields}\n{rest}"
    )
}

fn faults(source: &str) -> Vec<String> {
    match parse(source, "f") {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

const ID: &str = "id = { type = \"text\", required = true }";

#[test]
fn faults_of_fields() {
    for (fields, expected) in [
        (
            "a = { type = \"txt\" }",
            "f:8:14: unknown type \"txt\", did you mean \"text\"? (found \"txt\", expected one of text, enum, bool, int, decimal, fraction, date, timestamp, bytes, uuid, list, struct, document)",
        ),
        (
            "a = { type = \"text\", requird = true }",
            "f:8:22: unknown key \"requird\" in a field of type text, did you mean \"required\"? (found \"requird\", expected one of type, required, index, doc, private, max, format, pattern)",
        ),
        ("a = { required = true }", "f:8:1: a field needs \"type\""),
        (
            "A = { type = \"text\" }",
            "f:8:1: not a name for a field (found \"A\", expected [a-z][a-z0-9_]*, at most 63 bytes)",
        ),
        ("item = { type = \"text\" }", "f:8:1: \"item\" is a word of the expression language (expected another name)"),
        ("a = \"text\"", "f:8:5: \"a\" takes a table (found string, expected a table)"),
        ("a = { type = 5 }", "f:8:14: \"type\" takes a string (found integer, expected a string)"),
        ("a = { type = \"text\", max = 0 }", "f:8:28: \"max\" is out of range (found 0, expected 1 to 1048576)"),
        (
            "a = { type = \"text\", required = \"yes\" }",
            "f:8:33: \"required\" takes true or false (found string, expected true or false)",
        ),
        (
            "a = { type = \"text\", format = \"ibn\" }",
            "f:8:31: unknown format \"ibn\", did you mean \"iban\"? (found \"ibn\", expected one of iban, bic, lei, isin, cusip, iso4217, iso3166, gtin, gln, sscc, digital-link, npi, dea, period, member)",
        ),
        (
            "a = { type = \"text\", format = \"lei\", pattern = \"x\" }",
            "f:8:48: a text has a format or a pattern, not both",
        ),
        ("a = { type = \"text\", pattern = \"(\" }", "f:8:32: not a pattern: error: unclosed group"),
        ("a = { type = \"enum\" }", "f:8:1: an enum needs \"values\""),
        ("a = { type = \"enum\", values = [\"x\", \"x\"] }", "f:8:37: the value \"x\" stands here twice"),
        ("a = { type = \"int\", min = 3, max = 2 }", "f:8:36: max 2 is below min 3"),
        (
            "a = { type = \"decimal\", precision = 29, scale = 2 }",
            "f:8:37: \"precision\" is out of range (found 29, expected 1 to 28)",
        ),
        ("a = { type = \"decimal\", precision = 2 }", "f:8:1: a decimal needs \"scale\""),
        ("a = { type = \"decimal\", precision = 2, scale = 3 }", "f:8:48: scale 3 is above precision 2"),
        (
            "a = { type = \"list\", item = { type = \"text\" } }",
            "f:8:29: the items of a list are always present: write required = true",
        ),
        ("a = { type = \"list\" }", "f:8:1: a list needs \"item\": the type of its items"),
        ("a = { type = \"struct\", fields = {} }", "f:8:24: there are no fields"),
        (
            "a = { type = \"struct\", index = true, fields = { b = { type = \"bool\" } } }",
            "f:8:32: only a scalar field of the record itself is indexed",
        ),
    ] {
        assert_eq!(faults(&file(fields, "")), [expected], "{fields}");
    }
}

/// Rules that are wrong, and the one fault that is told.
const RULE_FAULTS: &[(&str, &str)] = &[
    (
        "requir = \"n > 0\"",
        "f:20:1: unknown key \"requir\" in a rule, did you mean \"require\"? (found \"requir\", expected one of require, unique, ref, match, window, conserve, open, balance, close, count, lifecycle, holder, sequence, acyclic, emit, tally)",
    ),
    (
        "code = \"x\"",
        "f:19:1: a rule needs a primitive (expected one of require, unique, ref, match, window, conserve, open, balance, close, count, lifecycle, holder, sequence, acyclic, emit, tally)",
    ),
    ("require = \"n > 0\"\nunique = [\"id\"]", "f:21:10: a rule has one primitive; this one has require and unique"),
    ("require = \"n\"", "f:20:12: a bool is needed here (found int, expected bool)"),
    ("require = \"nn > 0\"", "f:20:12: unknown field `nn`, did you mean \"n\"? (found `nn`)"),
    ("require = \"n > 'x'\"", "f:20:16: an int is never compared with a text (found text, expected int)"),
    ("require = 'n > 0 &&'", "f:20:20: the expression ends too early (found the end, expected a value)"),
    ("require = \"n = 0\"", "f:20:14: equality is written `==` (found `=`, expected `==`)"),
    (
        "require = \"n > 0.5\"",
        "f:20:16: expressions have whole numbers only, in decimal digits (found 0.5, expected an integer, or decimal('1.5'))",
    ),
    (
        "require = \"item > 0\"",
        "f:20:12: `item` is known only in a rule with `each`, and in an aggregate (found `item`, expected a field of the record)",
    ),
    ("require = \"l > 0\"", "f:20:12: `l` is a list, not one value (found list, expected a scalar field)"),
    (
        "require = \"n > 0\"\neach = \"n\"",
        "f:21:8: `each` names a list field of the record (found \"n\", expected one of l)",
    ),
    (
        "require = \"n > 0\"\nseverity = \"holdd\"",
        "f:21:12: unknown severity \"holdd\", did you mean \"hold\"? (found \"holdd\", expected one of reject, hold, flag)",
    ),
    (
        "require = \"n > 0\"\nat = [\"id\"]",
        "f:21:1: unknown key \"at\" in a `require` rule (found \"at\", expected one of require, each, when, code, message, severity)",
    ),
    (
        "require = \"n > 0\"\ncode = \"Bad\"",
        "f:21:8: not a name for a code (found \"Bad\", expected [a-z][a-z0-9_]*, at most 63 bytes)",
    ),
    (
        "unique = [\"id\"]\neach = \"l\"",
        "f:21:8: the first `unique` is the key of the record: it does not run over a list",
    ),
    ("ref = \"t\"\nat = [\"id\"]", "f:21:6: m.t has no key: no rule with `unique`"),
    (
        "ref = \"other.x\"\nat = [\"id\"]",
        "f:20:7: unknown record type \"other.x\" (found \"other.x\", expected a type of this module, or <module>.<type> of a loaded one)",
    ),
    ("window = \"d\"", "f:20:10: a window needs \"within\", \"not_before\" or \"not_after\""),
    ("window = \"d\"\nwithin = \"id\"", "f:21:10: a window is within a field of format period (found \"id\")"),
    ("conserve = \"n\"", "f:20:12: `conserve` sums over a list: it needs \"each\", or over = \"transaction\""),
    (
        "balance = \"t.s\"\nat = [\"id\"]\nadd = { p = \"n\" }",
        "f:20:11: \"t.s\" is no balance cell (found lifecycle, expected balance)",
    ),
    (
        "balance = \"t.d\"\nat = [\"id\"]\nadd = { p = \"n\" }",
        "f:20:11: unknown cell \"t.d\", did you mean \"t.c\"? (found \"t.d\", expected <type>.<cell> of this module)",
    ),
    (
        "balance = \"t.c\"\nat = [\"id\"]\nadd = { q = \"n\" }",
        "f:22:9: unknown part \"q\" (found \"q\", expected one of p)",
    ),
    (
        "balance = \"t.c\"\nat = [\"id\"]\nadd = { p = \"id\" }",
        "f:22:14: an int or decimal is needed here (found text, expected int or decimal)",
    ),
    ("balance = \"t.c\"\nat = [\"id\"]", "f:19:1: `balance` needs \"add\", \"subtract\" or \"set\""),
    (
        "lifecycle = \"t.s\"\nat = [\"id\"]\nfrom = [\"z\"]",
        "f:22:9: unknown state \"z\" (found \"z\", expected one of x, y)",
    ),
    ("lifecycle = \"t.s\"\nat = [\"id\"]\nfrom = []", "f:22:8: a cell that must not exist is made by \"to\""),
    (
        "lifecycle = \"t.s\"\nat = [\"id\"]\nfrom = [\"x\"]\n[[types.t.rules]]\nlifecycle = \"t.s\"\nat = [\"n\"]\nfrom = [\"x\"]",
        "f:25:6: m.t.s is named by other values in an earlier rule (found int, expected text)",
    ),
];

#[test]
fn faults_of_rules() {
    let fields = "id = { type = \"text\", required = true }\nn = { type = \"int\" }\nd = { type = \"date\" }\nl = { type = \"list\", item = { type = \"int\", required = true } }";
    let cells = "[types.t.cells.c]\nkind = \"balance\"\nparts = [\"p\"]\nscale = 2\n[types.t.cells.s]\nkind = \"lifecycle\"\nstates = [\"x\", \"y\"]\n[[types.t.rules]]\n";
    for (rule, expected) in RULE_FAULTS {
        assert_eq!(faults(&file(fields, &format!("{cells}{rule}"))), [*expected], "{rule}");
    }
}

#[test]
fn faults_of_the_file() {
    for (source, expected) in [
        (String::new(), "f:1:1: the file needs a table [module]".to_owned()),
        (file(ID, "[modul]"), "f:9:2: unknown key \"modul\" in the file, did you mean \"module\"? (found \"modul\", expected one of module, constants, roles, types)".to_owned()),
        (file(ID, "").replace("[\"r\"]", "[\"rr\"]"), "f:6:14: unknown role \"rr\", did you mean \"r\"? (found \"rr\", expected a role declared in this file as [roles.<name>])".to_owned()),
        (file(ID, "").replace("version = 1", "version = 0"), "f:3:11: \"version\" is out of range (found 0, expected 1 to 9007199254740991)".to_owned()),
        (file(ID, "").replace("authorise = [\"r\"]", ""), "f:5:8: a record type needs \"authorise\": the roles that may append it".to_owned()),
        (file("ä = 1", ""), "f:8:1: not TOML: ".to_owned()),
        (format!("{}#", " ".repeat(limits::SCHEMA_BYTES)), "f:1:1: the file is too large (found 262145 bytes, expected at most 262144)".to_owned()),
    ] {
        let found = faults(&source);
        assert!(found.first().is_some_and(|first| first.starts_with(&expected)), "{found:?} is not {expected}");
    }
    assert_eq!(faults(&file(ID, "").replace("[\"r\"]", "[\"other.r\", \"r\"]")), Vec::<String>::new());
}

#[test]
fn limits_of_a_record_type() {
    let many: String = (0..257).map(|index| format!("f{index} = {{ type = \"bool\" }}\n")).collect();
    assert_eq!(
        faults(&file(&many, "")),
        ["f:7:10: the record type has too many fields (found 257, expected at most 256)"]
    );
    let rules = "[[types.t.rules]]\nrequire = \"true\"\n".repeat(65);
    assert_eq!(
        faults(&file(ID, &rules)),
        ["f:5:8: the record type has too many rules (found 65, expected at most 64)"]
    );
    let long = vec!["true"; 129].join(" && ");
    assert_eq!(
        faults(&file(ID, &format!("[[types.t.rules]]\nrequire = \"{long}\""))),
        ["f:10:12: the expression has more than 256 nodes"]
    );
    let deep = format!("{}true{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(
        faults(&file(ID, &format!("[[types.t.rules]]\nrequire = \"{deep}\""))),
        ["f:10:76: the expression is nested deeper than 64"]
    );
    let nested = |depth: usize| {
        format!(
            "a = {}{{ type = \"bool\", required = true }}{}",
            "{ type = \"list\", required = true, item = ".repeat(depth),
            " }".repeat(depth)
        )
    };
    assert_eq!(faults(&file(&nested(4), "")), Vec::<String>::new());
    assert_eq!(faults(&file(&nested(5), "")).len(), 1);
}

#[test]
fn all_faults_of_a_file_are_told_in_the_order_of_the_file() {
    let source = file(
        "a = { type = \"txt\" }\nä_b = { type = \"text\" }".replace("ä_b", "\"ä\"").as_str(),
        "[[types.t.rules]]\nrequire = \"b > 0\"\nwhn = \"true\"\n[types.u]\n",
    );
    let places: Vec<String> = faults(&source).iter().map(|fault| fault.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["f:8:14:", "f:9:1:", "f:11:12:", "f:12:1:", "f:13:8:", "f:13:8:"]);
}

#[test]
fn other_modules_are_referred_to_by_full_name() {
    let finance = finance();
    let account = Arc::clone(finance.record_type("finance.account").unwrap());
    let source = file(ID, "[[types.t.rules]]\nref = \"finance.account\"\nat = [\"id\"]");
    let found = parse_with(&source, "f", &|name| (name == "finance.account").then(|| Arc::clone(&account))).unwrap();
    assert!(
        matches!(&found.types[0].rules[0].primitive, Primitive::Ref { targets, .. } if targets == &["finance.account"])
    );
}
