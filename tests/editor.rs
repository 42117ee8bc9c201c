//! The JSON Schema of schema files says of their shape what the parser says.

use std::collections::BTreeSet;

use ledgerstone::schema::{parse, parse_builtin};
use ledgerstone_schemas::{LEDGER, MODULE_SCHEMA, SHIPPED};
use serde_json::{Value as Json, json};

fn schema() -> Json {
    serde_json::from_str(MODULE_SCHEMA).unwrap()
}

/// A TOML file as the JSON that an editor checks.
fn as_json(source: &str) -> Json {
    fn json_of(value: toml::Value) -> Json {
        match value {
            toml::Value::String(text) => Json::String(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(flag) => json!(flag),
            toml::Value::Datetime(date) => Json::String(date.to_string()),
            toml::Value::Array(items) => Json::Array(items.into_iter().map(json_of).collect()),
            toml::Value::Table(members) => {
                Json::Object(members.into_iter().map(|(name, value)| (name, json_of(value))).collect())
            }
        }
    }
    json_of(toml::Value::Table(source.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}: {source}"))))
}

const TYPE: &str = "[module]\nname = \"m\"\nversion = 1\n[roles.r]\n[types.t]\nauthorise = [\"r\"]\n[types.t.fields]\nid = { type = \"text\", required = true }\nn = { type = \"int\", required = true }\nl = { type = \"list\", item = { type = \"int\", required = true } }\n[types.t.cells.b]\nkind = \"balance\"\nparts = [\"p\"]\nscale = 0\n[types.t.cells.c]\nkind = \"count\"\n[types.t.cells.s]\nkind = \"lifecycle\"\nstates = [\"on\", \"off\"]\n[types.t.cells.h]\nkind = \"holder\"\n[types.t.cells.q]\nkind = \"sequence\"\norder = \"strict\"\n[[types.t.rules]]\nunique = [\"id\"]\n";

/// The keys that the parser knows where an unknown one stands: it lists them.
fn known_to_the_parser(source: &str) -> BTreeSet<String> {
    let errors = parse(source, "f").map(|_| ()).unwrap_err();
    let error = errors.0.iter().find(|error| error.message.contains("unknown key \"zzzzzzzz\""));
    let error = error.unwrap_or_else(|| panic!("{source}: {errors}"));
    error.expected.trim_start_matches("one of ").split(", ").map(str::to_owned).collect()
}

/// The keys of an object schema and of the branch that fits.
fn keys(object: &Json, branch: Option<&Json>) -> BTreeSet<String> {
    let names = |object: &Json| -> Vec<String> {
        object["properties"].as_object().map_or_else(Vec::new, |properties| properties.keys().cloned().collect())
    };
    names(object).into_iter().chain(branch.map_or_else(Vec::new, names)).collect()
}

/// The branch in which a property is this constant, or one of these.
fn branch<'s>(object: &'s Json, property: &str, value: &str) -> &'s Json {
    let fits = |branch: &&Json| {
        let declared = &branch["properties"][property];
        declared["const"] == value
            || declared["enum"].as_array().is_some_and(|words| words.iter().any(|word| word == value))
    };
    object["oneOf"].as_array().unwrap().iter().find(fits).unwrap_or_else(|| panic!("no branch for {property} {value}"))
}

#[test]
fn every_key_of_the_parser_is_in_the_schema_and_no_other() {
    let schema = schema();
    let defs = &schema["$defs"];
    let with = |rest: &str| known_to_the_parser(&format!("{TYPE}{rest}"));
    assert_eq!(known_to_the_parser(&format!("zzzzzzzz = 1\n{TYPE}")), keys(&schema, None));
    assert_eq!(
        known_to_the_parser(&TYPE.replace("version = 1", "version = 1\nzzzzzzzz = 1")),
        keys(&schema["properties"]["module"], None)
    );
    assert_eq!(known_to_the_parser(&TYPE.replace("[types.t]", "[types.t]\nzzzzzzzz = 1")), keys(&defs["type"], None));
    assert_eq!(with("[roles.q]\nzzzzzzzz = 1"), keys(&schema["properties"]["roles"]["additionalProperties"], None));
    assert_eq!(with("[constants]\na = { zzzzzzzz = 1 }"), keys(&defs["constant"]["anyOf"][1], None));
    let field = &defs["field"];
    for kind in field["properties"]["type"]["enum"].as_array().unwrap() {
        let kind = kind.as_str().unwrap();
        let found = known_to_the_parser(
            &TYPE.replace("id = {", &format!("f = {{ type = \"{kind}\", zzzzzzzz = 1 }}\nid = {{")),
        );
        assert_eq!(found, keys(field, Some(branch(field, "type", kind))), "{kind}");
    }
    let cell = &defs["cell"];
    for kind in cell["properties"]["kind"]["enum"].as_array().unwrap() {
        let kind = kind.as_str().unwrap();
        let found = with(&format!("[types.t.cells.x]\nkind = \"{kind}\"\nzzzzzzzz = 1"));
        assert_eq!(found, keys(cell, Some(branch(cell, "kind", kind))), "{kind}");
    }
    let bound = &branch(cell, "kind", "balance")["properties"]["bounds"]["items"];
    assert_eq!(
        with("[types.t.cells.x]\nkind = \"balance\"\nparts = [\"p\"]\nscale = 0\nbounds = [{ zzzzzzzz = 1 }]"),
        keys(bound, None)
    );
    assert_eq!(with("[types.t.cells.x]\nkind = \"holder\"\nmissing = { zzzzzzzz = 1 }"), keys(&defs["reason"], None));
    let lookup = "[types.t.lookups.x]\nrecord = \"t\"\nat = [\"id\"]\n";
    assert_eq!(with(&format!("{lookup}zzzzzzzz = 1")), keys(&defs["lookup"], None));
    assert_eq!(
        with(&format!("{lookup}or = [{{ zzzzzzzz = 1 }}]")),
        keys(&defs["lookup"]["properties"]["or"]["items"], None)
    );
    let approval =
        "[[types.t.rules]]\nbalance = \"t.b\"\nat = [\"id\"]\nadd = { p = \"n\" }\napproval = { zzzzzzzz = 1 }";
    let balance = rule_branch(&schema, "balance");
    assert_eq!(with(approval), keys(&balance["properties"]["approval"], None));
}

fn rule_branch<'s>(schema: &'s Json, primitive: &str) -> &'s Json {
    let is_of = |branch: &&Json| branch["required"][0] == primitive;
    schema["$defs"]["rule"]["oneOf"].as_array().unwrap().iter().find(is_of).unwrap_or_else(|| panic!("{primitive}"))
}

#[test]
fn every_primitive_has_its_keys() {
    let schema = schema();
    let errors = parse(&format!("{TYPE}[[types.t.rules]]\nwhen = \"true\""), "f").map(|_| ()).unwrap_err();
    let primitives: Vec<&str> = errors.0[0].expected.trim_start_matches("one of ").split(", ").collect();
    assert_eq!(primitives.len(), schema["$defs"]["rule"]["oneOf"].as_array().unwrap().len());
    for primitive in primitives {
        let found = known_to_the_parser(&format!("{TYPE}[[types.t.rules]]\n{primitive} = \"t\"\nzzzzzzzz = 1"));
        assert_eq!(found, keys(&schema["$defs"]["rule"], Some(rule_branch(&schema, primitive))), "{primitive}");
    }
}

#[test]
fn shipped_modules_have_the_shape() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (name, source) in SHIPPED {
        let errors: Vec<String> = validator.iter_errors(&as_json(source)).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
    // The module that is part of the engine has the version of the semantics, which is 0 so far.
    assert!(parse_builtin(LEDGER).is_ok());
    let errors: Vec<String> =
        validator.iter_errors(&as_json(LEDGER)).map(|error| error.instance_path().to_string()).collect();
    assert_eq!(errors, ["/module/version"]);
}

/// Lines after the type above that are fine.
const FINE: &[&str] = &[
    "",
    "[[types.t.endorse]]\nroles = [\"r\"]\ncount = 2\nwhen = \"n > 1\"",
    "[constants]\na = 1\nb = true\nc = \"x\"\nd = 2026-01-01\ne = { decimal = \"1.5\" }\nf = { timestamp = \"2026-01-01T00:00:00Z\" }",
    "[[types.t.rules]]\nrequire = \"n > 0\"\nseverity = \"hold\"\ncode = \"x\"\nmessage = \"y\"",
    "[[types.t.rules]]\neach = \"l\"\nrequire = \"item > 0\"\nwhen = \"n > 1\"",
    "[[types.t.rules]]\nref = \"t\"\nat = [\"id\"]\nexternal = true",
    "[[types.t.rules]]\nref = [\"t\"]\nat = [\"id\"]\nseverity = \"flag\"",
    "[[types.t.rules]]\nmatch = \"t\"\nat = [\"id\"]\nequal = { n = \"n\" }\nmissing = { code = \"x\" }",
    "[[types.t.rules]]\nconserve = \"n\"\nover = \"transaction\"\ngroup = \"g\"\nlow = \"-1\"\nhigh = \"1\"",
    "[[types.t.rules]]\neach = \"l\"\nconserve = \"item\"",
    "[[types.t.rules]]\nopen = \"t.b\"\nat = [\"id\"]\nset = { p = \"0\" }",
    "[[types.t.rules]]\nbalance = \"t.b\"\nat = [\"id\"]\nadd = { p = \"n\" }\nat_end = true\napproval = { above = \"p\", roles = [\"r\"], count = 2 }",
    "[[types.t.rules]]\nclose = \"t.b\"\nat = [\"id\"]\nzero = [\"p\"]",
    "[[types.t.rules]]\ncount = \"t.c\"\nat = [\"id\"]\nstep = -1",
    "[[types.t.rules]]\ncount = \"t.c\"\nat = [\"id\"]\nstep = \"n\"",
    "[[types.t.rules]]\nlifecycle = \"t.s\"\nat = [\"id\"]\nfrom = []\nto = \"on\"\nroles = [\"r\"]\nforbidden = { code = \"x\" }",
    "[[types.t.rules]]\nholder = \"t.h\"\nat = [\"id\"]\nany = true\nto = \"id\"",
    "[[types.t.rules]]\nsequence = \"t.q\"\nat = [\"id\"]\nvalue = \"n\"",
    "[[types.t.rules]]\nsequence = \"t.q\"\nat = [\"id\"]\nfrom = \"n\"\nto = \"n + 1\"",
    "[[types.t.rules]]\nacyclic = \"t.h\"\nat = [\"id\"]\nto = \"id\"\ndepth = 3",
    "[types.t.lookups.x]\ncell = \"t.b\"\nat = [\"id\"]\nor = [{ at = [\"'none'\"] }]",
    "[types.u]\nauthorise = [\"r\"]\nread = []\nrelease = [\"r\"]\naccepts = [\"o.p\"]\n[types.u.fields]\na = { type = \"document\" }\nb = { type = \"fraction\", index = true }\nc = { type = \"struct\", fields = { d = { type = \"bool\" } } }\nwho = { type = \"text\", required = true }\ne = { type = \"text\", private = \"who\", pattern = \"[0-9]+\" }",
    "[types.t.cells.x]\nkind = \"balance\"\nparts = [\"p\"]\nscale = 2\nopening = { p = \"1.5\" }\nbounds = [{ require = \"p >= 0\", code = \"low\" }]\nmissing = { code = \"x\", message = \"y\" }",
];

/// Lines after the type above whose shape is wrong.
const WRONG: &[&str] = &[
    "[[types.t.endorse]]\ncount = 2",
    "[constants]\na = 1.5",
    "[constants]\na = { decimal = 1 }",
    "[constants]\na = { decimal = \"1\", timestamp = \"x\" }",
    "[constants]\nA = 1",
    "[[types.t.rules]]\nwhen = \"true\"",
    "[[types.t.rules]]\nrequire = \"n > 0\"\nunique = [\"n\"]",
    "[[types.t.rules]]\nrequire = \"n > 0\"\nseverity = \"warn\"",
    "[[types.t.rules]]\nrequire = 5",
    "[[types.t.rules]]\nrequire = \"n > 0\"\nat = [\"id\"]",
    "[[types.t.rules]]\nrequire = \"n > 0\"\ncode = \"Bad\"",
    "[[types.t.rules]]\nref = \"t\"",
    "[[types.t.rules]]\nmatch = \"t\"\nat = [\"id\"]",
    "[[types.t.rules]]\nwindow = \"n\"",
    "[[types.t.rules]]\nconserve = \"n\"",
    "[[types.t.rules]]\nconserve = \"n\"\nover = \"ledger\"\ngroup = \"g\"",
    "[[types.t.rules]]\nopen = \"t.b\"\nat = [\"id\"]",
    "[[types.t.rules]]\nbalance = \"t.b\"\nat = [\"id\"]",
    "[[types.t.rules]]\nbalance = \"t.b\"\nat = [\"id\"]\nadd = { p = \"n\" }\nseverity = \"hold\"",
    "[[types.t.rules]]\nbalance = \"t.b\"\nat = [\"id\"]\nadd = { p = \"n\" }\napproval = { above = \"p\" }",
    "[[types.t.rules]]\nbalance = \"t.b\"\nadd = { p = \"n\" }",
    "[[types.t.rules]]\nclose = \"t.b\"\nat = [\"id\"]",
    "[[types.t.rules]]\ncount = \"t.c\"\nat = [\"id\"]",
    "[[types.t.rules]]\nlifecycle = \"t.s\"\nat = [\"id\"]",
    "[[types.t.rules]]\nlifecycle = \"t.s\"\nat = [\"id\"]\nfrom = [\"on\"]\nforbidden = { code = \"x\" }",
    "[[types.t.rules]]\nsequence = \"t.q\"\nat = [\"id\"]",
    "[[types.t.rules]]\nsequence = \"t.q\"\nat = [\"id\"]\nfrom = \"n\"",
    "[[types.t.rules]]\nacyclic = \"t.h\"\nat = [\"id\"]\nto = \"id\"",
    "[[types.t.rules]]\nacyclic = \"t.h\"\nat = [\"id\"]\nto = \"id\"\ndepth = 65",
    "[types.t.lookups.x]\nat = [\"id\"]",
    "[types.t.lookups.x]\nrecord = \"t\"\ncell = \"t.b\"\nat = [\"id\"]",
    "[types.t.lookups.x]\nrecord = \"t\"",
    "[types.u]\nauthorise = [\"r\"]",
    "[types.u]\n[types.u.fields]\na = { type = \"bool\" }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"number\" }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"int\", pattern = \"x\" }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"enum\" }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"decimal\", scale = 2 }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"list\" }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"list\", item = { type = \"int\" } }",
    "[types.u]\nauthorise = [\"r\"]\n[types.u.fields]\na = { type = \"text\", format = \"lei\", pattern = \"x\" }",
    "[types.u]\nauthorise = [\"r\"]\naccepts = [\"p\"]\n[types.u.fields]\na = { type = \"bool\" }",
    "[types.t.cells.x]\nkind = \"heap\"",
    "[types.t.cells.x]\nkind = \"balance\"\nparts = [\"p\"]",
    "[types.t.cells.x]\nkind = \"balance\"\nparts = []\nscale = 0",
    "[types.t.cells.x]\nkind = \"lifecycle\"",
    "[types.t.cells.x]\nkind = \"sequence\"\norder = \"random\"",
    "[types.t.cells.x]\nkind = \"count\"\nstates = [\"a\"]",
];

#[test]
fn the_schema_and_the_parser_agree_on_shapes() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let judged = |lines: &str| {
        let source = format!("{TYPE}{lines}\n");
        (parse(&source, "f").is_ok(), validator.is_valid(&as_json(&source)))
    };
    let mut odd: Vec<String> = Vec::new();
    for (expected, files) in [(true, FINE), (false, WRONG)] {
        odd.extend(
            files
                .iter()
                .filter(|lines| judged(lines) != (expected, expected))
                .map(|lines| format!("{lines}: (parser, schema) {:?}", judged(lines))),
        );
    }
    assert_eq!(odd, Vec::<String>::new());
}
