//! Names and values of cells as bytes (FORMAT.md section 4).

use std::sync::Arc;

use ledgerstone_verify::canon::{Json, write_string};

use super::module::{BalanceType, CellKind, CellType};
use super::scalar::{OwnedScalar, Scalar};
use crate::model::{CellValue, Decimal, Ordinal, Parts};

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

    /// What a cell holds that nothing touched, where it is one of the balances that exist from the start.
    pub(crate) fn untouched(&self) -> Option<CellValue> {
        match &self.kind {
            CellKind::Balance(balance) => balance.opening().map(CellValue::Parts),
            _ => None,
        }
    }

    /// What the names of its cells, and no others, begin with.
    pub(crate) fn name_prefix(&self) -> Vec<u8> {
        let mut prefix = vec![b'['];
        write_string(&mut prefix, &self.owner);
        prefix.push(b',');
        write_string(&mut prefix, &self.name);
        prefix.push(b',');
        prefix
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
            (CellKind::Count(_), CellValue::Count(count)) => vec![("count".to_owned(), Json::Int(*count))],
            (CellKind::Holder(_), CellValue::Holder(holder)) => {
                vec![("holder".to_owned(), Json::Text(holder.to_string()))]
            }
            (CellKind::Sequence(_), CellValue::Last(last)) => {
                let mut bytes = b"{\"last\":".to_vec();
                last.scalar().write_json(&mut bytes);
                bytes.push(b'}');
                return bytes;
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
            CellKind::Count(_) => match members.as_slice() {
                [(name, Json::Int(count))] if name == "count" && *count != 0 => Some(CellValue::Count(*count)),
                _ => None,
            },
            CellKind::Holder(_) => match members.as_slice() {
                [(name, Json::Text(holder))] if name == "holder" => Some(CellValue::Holder(Arc::from(holder.as_str()))),
                _ => None,
            },
            CellKind::Sequence(sequence) => match members.as_slice() {
                [(name, last)] if name == "last" => {
                    let last = OwnedScalar::from_json(sequence.kind, Some(last));
                    Ordinal::of(last.as_scalar()).map(CellValue::Last)
                }
                _ => None,
            },
        }
    }
}

impl BalanceType {
    /// The parts of a cell that no record opened, where there is one from the start.
    pub(crate) fn opening(&self) -> Option<Parts> {
        let mut parts = Parts::EMPTY;
        self.opening.as_ref()?.iter().for_each(|(part, value)| parts.set(*part, *value));
        Some(parts)
    }

    /// The number that a part holds.
    pub(crate) fn decimal(&self, mantissa: i128) -> Decimal {
        Decimal::new(mantissa, self.scale).normalised()
    }
}

impl Ordinal {
    /// The value of a scalar that has an order; `None` where it is absent or of another kind.
    pub(crate) fn of(scalar: Scalar<'_>) -> Option<Self> {
        Some(match scalar {
            Scalar::Int(value) => Ordinal::Int(value),
            Scalar::Decimal(mantissa, scale) => Ordinal::Decimal(Decimal::new(mantissa, scale).normalised()),
            Scalar::Date(days) => Ordinal::Date(days),
            Scalar::Timestamp(micros) => Ordinal::Timestamp(micros),
            _ => return None,
        })
    }

    /// As a scalar.
    pub(crate) fn scalar(self) -> Scalar<'static> {
        match self {
            Ordinal::Int(value) => Scalar::Int(value),
            Ordinal::Decimal(value) => Scalar::Decimal(value.mantissa, value.scale),
            Ordinal::Date(days) => Scalar::Date(days),
            Ordinal::Timestamp(micros) => Scalar::Timestamp(micros),
        }
    }
}

/// A part without a value has that of the opening, if the cell has one: so has a part that a later version of the module declares.
fn parse_parts(balance: &BalanceType, members: &[(String, Json)]) -> Option<Parts> {
    let mut parts = balance.opening().unwrap_or(Parts::EMPTY);
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
