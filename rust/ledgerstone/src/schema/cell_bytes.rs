//! Names and values of cells as bytes (FORMAT.md section 4).

use ledgerstone_verify::canon::{Json, write_string};

use super::module::{BalanceType, CellKind, CellType};
use super::scalar::Scalar;
use crate::model::{CellValue, Decimal, Parts};

impl CellType {
    /// Appends the cell name `["<type>","<cell>",[at…],[by…]]`.
    pub fn write_name<'a>(
        &self,
        at: impl Iterator<Item = Scalar<'a>>,
        by: impl Iterator<Item = Scalar<'a>>,
        out: &mut Vec<u8>,
    ) {
        out.push(b'[');
        write_string(out, &self.owner);
        out.push(b',');
        write_string(out, &self.name);
        out.extend_from_slice(b",[");
        write_values(at, out);
        out.extend_from_slice(b"],[");
        write_values(by, out);
        out.extend_from_slice(b"]]");
    }

    /// The JCS bytes of a value of this cell.
    pub fn value_bytes(&self, value: &CellValue) -> Vec<u8> {
        let members = match (&self.kind, value) {
            (CellKind::Balance(balance), CellValue::Parts(parts)) => balance
                .parts
                .iter()
                .enumerate()
                .filter_map(|(index, name)| {
                    let amount = Decimal::new(parts.part(index)?, balance.scale);
                    Some((name.clone(), Json::Text(amount.to_string())))
                })
                .collect(),
            (CellKind::Lifecycle(lifecycle), CellValue::State(state)) => {
                vec![("state".to_owned(), Json::Text(lifecycle.states[usize::from(*state)].clone()))]
            }
            _ => unreachable!("a cell type only makes values of its own kind"),
        };
        Json::Object(members).canonical()
    }

    /// Reads the bytes of a value; `None` where they are not one of this cell.
    pub fn parse_value(&self, bytes: &[u8]) -> Option<CellValue> {
        let Ok(Json::Object(members)) = Json::parse(bytes) else { return None };
        match &self.kind {
            CellKind::Balance(balance) => parse_parts(balance, &members).map(CellValue::Parts),
            CellKind::Lifecycle(lifecycle) => match members.as_slice() {
                [(name, Json::Text(state))] if name == "state" => {
                    let place = lifecycle.states.iter().position(|known| known == state)?;
                    Some(CellValue::State(u8::try_from(place).ok()?))
                }
                _ => None,
            },
            CellKind::Count(_) | CellKind::Holder(_) | CellKind::Sequence(_) => None,
        }
    }
}

fn parse_parts(balance: &BalanceType, members: &[(String, Json)]) -> Option<Parts> {
    let mut parts = Parts::EMPTY;
    for (name, value) in members {
        let part = balance.parts.iter().position(|known| known == name)?;
        let amount = Decimal::parse(value.as_text()?)?;
        parts.set(part, amount.rescaled(balance.scale)?);
    }
    Some(parts)
}

fn write_values<'a>(values: impl Iterator<Item = Scalar<'a>>, out: &mut Vec<u8>) {
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        value.write_json(out);
    }
}
