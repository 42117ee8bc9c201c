//! The rules of a record type.

use super::links::Loaded;
use super::lookups::LookupDraft;
use super::names::TypeScope;
use super::table::{Table, Text};
use super::{Reader, Shape};
use crate::limits;
use crate::schema::error::suggestion;
use crate::schema::expr::{Expr, ExprError, Names};
use crate::schema::module::{Field, FieldKind, Primitive, Reason, Rule, Severity, Versioned};
use crate::schema::scalar::ScalarKind;

/// Keys that every rule may have.
pub(super) const COMMON: [&str; 5] = ["each", "when", "code", "message", "severity"];
/// (primitive, its own keys, its default code), in the order messages list them.
pub(super) const PRIMITIVES: [(&str, &[&str], &str); 16] = [
    ("require", &[], "requirement"),
    ("unique", &["versioned", "version"], "duplicate"),
    ("ref", &["at", "external"], "unknown_reference"),
    ("match", &["at", "equal", "negated", "missing"], "mismatch"),
    ("window", &["within", "not_before", "not_after"], "outside_window"),
    ("conserve", &["by", "low", "high", "over", "group"], "unbalanced"),
    ("open", &["at", "by", "set"], "already_open"),
    ("balance", &["at", "by", "add", "subtract", "set", "at_end", "approval"], "amount_out_of_range"),
    ("close", &["at", "by", "zero"], "not_empty"),
    ("count", &["at", "by", "step"], "count_out_of_range"),
    ("lifecycle", &["at", "from", "to", "roles", "forbidden"], "wrong_state"),
    ("holder", &["at", "by", "from", "any", "to", "release", "roles", "forbidden"], "not_holder"),
    ("sequence", &["at", "by", "value", "from", "to", "reset"], "out_of_sequence"),
    ("acyclic", &["at", "to", "depth"], "cycle"),
    ("emit", &["set"], "not_made"),
    ("tally", &["group", "choice", "weight", "method", "counts", "winner"], "tally_mismatch"),
];

/// Primitives without effects: a failure may hold or flag the record instead.
const WITHOUT_EFFECTS: [&str; 5] = ["require", "window", "conserve", "match", "ref"];

/// One rule being read.
#[derive(Clone, Copy)]
pub(super) struct Draft<'r, 't> {
    pub(super) reader: &'r Reader<'t>,
    pub(super) table: Table<'t>,
    pub(super) shape: &'r Shape<'t>,
    pub(super) shapes: &'r [Shape<'t>],
    pub(super) loaded: Loaded<'r>,
    pub(super) each: Option<usize>,
    pub(super) lookups: &'r [LookupDraft],
}

impl<'t> Reader<'t> {
    pub(super) fn rules(
        &self,
        shape: &Shape<'t>,
        shapes: &[Shape<'t>],
        loaded: Loaded<'_>,
        lookups: &[LookupDraft],
    ) -> Vec<Rule> {
        let tables = shape.table.tables("rules");
        if tables.len() > limits::RULES {
            self.source.fault(
                shape.table.at,
                "the record type has too many rules",
                tables.len().to_string(),
                format!("at most {}", limits::RULES),
            );
        }
        let replaced = tables.iter().any(|table| table.texts_quietly("versioned") == ["replace"]);
        let mut keyed = false;
        let mut rules = Vec::new();
        for table in tables {
            if table.has("unique") && !keyed {
                keyed = true;
                if table.has("each") {
                    table.fault_at("each", "the first `unique` is the key of the record: it does not run over a list");
                }
            } else if table.has("versioned") {
                table.fault_at("versioned", "only the first `unique`, the key of the record, is versioned");
            }
            if let Some(rule) = self.rule(table, shape, shapes, loaded, lookups) {
                self.check_rule(&table, &rule, replaced);
                rules.push(rule);
            }
        }
        rules
    }

    fn rule(
        &self,
        table: Table<'t>,
        shape: &Shape<'t>,
        shapes: &[Shape<'t>],
        loaded: Loaded<'_>,
        lookups: &[LookupDraft],
    ) -> Option<Rule> {
        let (name, keys, code) = self.named_primitive(&table)?;
        let known: Vec<&str> = std::iter::once(name).chain(keys.iter().copied()).chain(COMMON).collect();
        table.known(&format!("a `{name}` rule"), &known);
        let severity = self.severity(&table, name);
        let each = match table.text("each") {
            None => None,
            Some(list) => Some(self.list(&list, shape)?),
        };
        let draft = Draft { reader: self, table, shape, shapes, loaded, each, lookups };
        let when = table.text("when").and_then(|text| draft.expr(&text, &[ScalarKind::Bool]));
        let primitive = draft.primitive(name);
        let code = if table.has("versioned") { "stale_version" } else { code };
        let reason = self.reason(&table, code, || draft.default_message(name));
        Some(Rule::new(primitive?, each, when, reason, severity))
    }

    fn severity(&self, table: &Table<'t>, primitive: &str) -> Severity {
        let Some(text) = table.text("severity") else { return Severity::Reject };
        let severity = match text.value.as_str() {
            "reject" => Severity::Reject,
            "hold" => Severity::Hold,
            "flag" => Severity::Flag,
            other => {
                let names = ["reject", "hold", "flag"];
                let message = format!("unknown severity \"{other}\"{}", suggestion(other, names));
                self.source.fault(text.span.start, message, format!("\"{other}\""), "one of reject, hold, flag");
                Severity::Reject
            }
        };
        if severity != Severity::Reject && !WITHOUT_EFFECTS.contains(&primitive) {
            let message = format!("a `{primitive}` rule has effects: its failure rejects the record");
            self.source.fault(text.span.start, message, format!("\"{}\"", text.value), "\"reject\"");
        }
        severity
    }

    /// Notes what the parts of a rule do not allow together.
    fn check_rule(&self, table: &Table<'t>, rule: &Rule, replaced: bool) {
        if matches!(rule.primitive, Primitive::Unique { .. }) && rule.is_dynamic() {
            table.fault("a key is made of the record alone: neither inputs nor lookups");
        }
        if !replaced {
            return;
        }
        let fits = match &rule.primitive {
            Primitive::Require(_)
            | Primitive::Window { .. }
            | Primitive::Conserve { .. }
            | Primitive::Match { .. }
            | Primitive::Ref { .. }
            | Primitive::Unique { .. } => true,
            Primitive::Balance { set, .. } => set.is_empty() && !rule.is_dynamic(),
            Primitive::Count { .. } => !rule.is_dynamic(),
            _ => false,
        };
        if !fits {
            table.fault(
                "the type is versioned = \"replace\": its effects must be reversible, which are `balance` with \"add\" and \
                 \"subtract\" and `count`, by the record alone",
            );
        }
    }

    /// The one primitive of a rule: its name, keys and default code.
    fn named_primitive(&self, table: &Table<'t>) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        let named: Vec<_> = PRIMITIVES.iter().filter(|(name, ..)| table.has(name)).collect();
        let names = PRIMITIVES.map(|(name, ..)| name).join(", ");
        match named.as_slice() {
            [only] => Some(**only),
            [] => {
                let slip = table.entries().into_iter().find_map(|entry| {
                    let near = suggestion(entry.name, PRIMITIVES.iter().map(|(name, ..)| *name));
                    (!COMMON.contains(&entry.name) && !near.is_empty()).then_some((entry, near))
                });
                match slip {
                    Some((entry, near)) => {
                        let message = format!("unknown key \"{}\" in a rule{near}", entry.name);
                        self.source.fault(entry.at, message, format!("\"{}\"", entry.name), format!("one of {names}"));
                    }
                    None => self.source.fault(table.at, "a rule needs a primitive", "", format!("one of {names}")),
                }
                None
            }
            [_, second, ..] => {
                table.fault_at(
                    second.0,
                    format!(
                        "a rule has one primitive; this one has {}",
                        named.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(" and ")
                    ),
                );
                None
            }
        }
    }

    /// The position of a list field of the record.
    pub(super) fn list(&self, name: &Text, shape: &Shape<'t>) -> Option<usize> {
        let is_list = |kind: &FieldKind| matches!(kind, FieldKind::List { .. });
        let position = shape.fields.iter().position(|field| field.name == name.value && is_list(&field.kind));
        if position.is_none() {
            let lists: Vec<&str> =
                shape.fields.iter().filter(|field| is_list(&field.kind)).map(|field| field.name.as_str()).collect();
            let message =
                format!("`each` names a list field of the record{}", suggestion(&name.value, lists.iter().copied()));
            let expected = if lists.is_empty() {
                "a record with a list".to_owned()
            } else {
                format!("one of {}", lists.join(", "))
            };
            self.source.fault(name.span.start, message, format!("\"{}\"", name.value), expected);
        }
        position
    }
}

impl<'t> Draft<'_, 't> {
    fn primitive(&self, name: &str) -> Option<Primitive> {
        match name {
            "require" => self
                .table
                .text("require")
                .and_then(|text| self.expr(&text, &[ScalarKind::Bool]))
                .map(Primitive::Require),
            "unique" => self.unique(),
            "ref" => self.reference(),
            "match" => self.matching(),
            "window" => self.window(),
            "conserve" => self.conserve(),
            "open" => self.open(),
            "balance" => self.balance(),
            "close" => self.close(),
            "count" => self.count(),
            "lifecycle" => self.lifecycle(),
            "holder" => self.holder(),
            "sequence" => self.sequence(),
            "acyclic" => self.acyclic(),
            "emit" => self.emit(),
            _ => self.tally(),
        }
    }

    fn unique(&self) -> Option<Primitive> {
        let values = self.exprs("unique")?;
        let versioned = match self.table.text("versioned") {
            None => {
                if self.table.has("version") {
                    self.table.fault_at("version", "\"version\" numbers the versions of a key that is \"versioned\"");
                }
                None
            }
            Some(text) => {
                if !["append", "replace"].contains(&text.value.as_str()) {
                    let found = format!("\"{}\"", text.value);
                    self.reader.source.fault(
                        text.span.start,
                        "\"versioned\" takes one word",
                        found,
                        "\"append\" or \"replace\"",
                    );
                }
                let name = self.table.required_text("a versioned key", "version")?;
                let is_version = |field: &Field| field.required && matches!(field.kind, FieldKind::Int { .. });
                let fields = &self.shape.fields;
                let version = fields.iter().position(|field| field.name == name.value && is_version(field));
                if version.is_none() {
                    let near = suggestion(&name.value, fields.iter().map(|field| field.name.as_str()));
                    let message = format!("\"version\" names a required int field{near}");
                    let found = format!("\"{}\"", name.value);
                    self.reader.source.fault(name.span.start, message, found, "a required int field of this record");
                }
                Some(Versioned { replace: text.value == "replace", version: version? })
            }
        };
        Some(Primitive::Unique { values, versioned })
    }

    /// An array of expressions, at least one; `None` where one is wrong.
    pub(super) fn exprs(&self, key: &str) -> Option<Vec<Expr>> {
        let Some(texts) = self.table.texts(key) else {
            self.table.fault(format!("the rule needs \"{key}\""));
            return None;
        };
        if texts.is_empty() {
            self.table.fault_at(key, format!("\"{key}\" is empty"));
        }
        // All are read before one that is wrong ends it, so that every fault is noted.
        let read: Vec<Option<Expr>> = texts.iter().map(|text| self.expr(text, &[])).collect();
        read.into_iter().collect()
    }

    /// An expression of one of these kinds; of any, where there are none.
    pub(super) fn expr(&self, text: &Text, kinds: &[ScalarKind]) -> Option<Expr> {
        let scope = self.scope();
        let parsed = Expr::parse(&text.value, self.names_in(&scope)).and_then(|expr| {
            let cost = expr.cost().saturating_mul(self.items());
            if cost > limits::EXPRESSION_COST {
                let message = format!("the expression may cost {cost} steps");
                let expected =
                    format!("at most {}: a smaller \"max\" of the lists it runs over", limits::EXPRESSION_COST);
                return Err(ExprError::new(0, message, cost.to_string(), expected));
            }
            if kinds.is_empty() || kinds.contains(&expr.kind()) {
                return Ok(expr);
            }
            let expected = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
            let article = kinds.first().map_or_else(String::new, |kind| kind.a_name());
            let rest = expected.strip_prefix(kinds.first().map_or("", |kind| kind.name())).unwrap_or_default();
            Err(ExprError::new(0, format!("{article}{rest} is needed here"), expr.kind().name(), expected))
        });
        parsed.map_err(|error| self.reader.source.expression_fault(&text.span, error)).ok()
    }

    /// How many items the rule runs over, at most.
    fn items(&self) -> u64 {
        match self.each.and_then(|list| self.shape.fields.get(list)).map(|field| &field.kind) {
            Some(FieldKind::List { max, .. }) => *max as u64,
            _ => 1,
        }
    }

    pub(super) fn scope(&self) -> TypeScope<'_> {
        TypeScope {
            module: &self.reader.module,
            constants: &self.reader.constants,
            roles: &self.reader.roles,
            lookups: self.lookups,
        }
    }

    fn names_in<'n>(&'n self, scope: &'n TypeScope<'n>) -> Names<'n> {
        Names { fields: &self.shape.fields, each: self.each, scope }
    }

    fn default_message(&self, name: &str) -> String {
        let of = |key: &str| self.table.texts_quietly(key).join(", ");
        match name {
            "require" => format!("`{}` does not hold", of("require")),
            "unique" if self.table.has("versioned") => {
                format!("the version of this {} does not follow the newest", self.shape.name)
            }
            "unique" => format!("there is a {} with the same {} already", self.shape.name, of("unique")),
            "ref" => format!("no {} has this {}", of("ref"), of("at")),
            "match" => format!("the fields differ from those of the {} named by {}", of("match"), of("at")),
            "window" => format!("{} is outside its window", of("window")),
            "conserve" => format!("the sum of {} is not what it must be", of("conserve")),
            "open" => format!("{} is open already for this {}", of("open"), of("at")),
            "balance" => format!("{} cannot take this amount", of("balance")),
            "close" => format!("{} is not empty for this {}", of("close"), of("at")),
            "count" => format!("{} of this {} would be out of range", of("count"), of("at")),
            "holder" => format!("{} of this {} is held otherwise", of("holder"), of("at")),
            "sequence" => format!("{} does not follow the last one of {}", of("value"), of("sequence")),
            "acyclic" => format!("{} would be above itself", of("at")),
            "emit" => format!("no {} can be made", of("emit")),
            "tally" => format!("the counts are not those of the {} records", of("tally")),
            _ => format!(
                "{} of this {} is not {}",
                of("lifecycle"),
                of("at"),
                if of("from").is_empty() { "new".to_owned() } else { of("from") }
            ),
        }
    }

    /// The default reason of a match whose record does not exist.
    pub(super) fn missing(&self) -> Reason {
        let message = || {
            format!(
                "no {} has this {}",
                self.table.texts_quietly("match").join(", "),
                self.table.texts_quietly("at").join(", ")
            )
        };
        self.reader.reason_in(&self.table, "missing", "unknown_reference", message)
    }
}
