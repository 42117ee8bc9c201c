//! The endorsement policies of a record type: `[[types.<type>.endorse]]`.

use super::links::Loaded;
use super::rules::Draft;
use super::table::Table;
use super::{Reader, Shape};
use crate::limits;
use crate::schema::expr::Needs;
use crate::schema::module::Endorse;
use crate::schema::scalar::ScalarKind;

/// The code of a policy that names none.
const CODE: &str = "needs_endorsement";

impl<'t> Reader<'t> {
    pub(super) fn endorse(&self, shape: &Shape<'t>, shapes: &[Shape<'t>], loaded: Loaded<'_>) -> Vec<Endorse> {
        let tables = shape.table.tables("endorse");
        if tables.len() > limits::ENDORSE_POLICIES {
            self.source.fault(
                shape.table.at,
                "the record type has too many endorsement policies",
                tables.len().to_string(),
                format!("at most {}", limits::ENDORSE_POLICIES),
            );
        }
        let policy = |table: Table<'t>| {
            table.known("an endorsement policy", &["when", "roles", "count", "code", "message"]);
            let draft = Draft { reader: self, table, shape, shapes, loaded, each: None, lookups: &[] };
            let when = table.text("when").and_then(|text| draft.expr(&text, &[ScalarKind::Bool]));
            if when.as_ref().is_some_and(|when| when.needs() != Needs::default()) {
                table.fault_at("when", "an endorsement policy looks at the record alone");
            }
            let roles = match self.role_names(&table, "roles") {
                Some(names) if !names.is_empty() => names,
                _ => {
                    table.fault("an endorsement policy needs \"roles\": who may endorse");
                    Vec::new()
                }
            };
            let count = table.int("count", 1, limits::ENDORSERS as i64).map_or(1, |(count, _)| count as usize);
            let message = || format!("a {} needs endorsement", shape.name);
            Endorse { when, roles, count, reason: self.reason(&table, CODE, message) }
        };
        tables.into_iter().map(policy).collect()
    }
}
