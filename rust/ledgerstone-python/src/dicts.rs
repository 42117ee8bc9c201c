//! Rows given as dicts: the way in that costs the interpreter least. What is plain (a dict with names of fields, its values text,
//! integers, bools, None) is copied as it stands; everything else takes the general way of [`values`], and so do all errors.

use std::sync::Arc;

use ledgerstone::Result;
use ledgerstone::limits::CHUNK_ROWS;
use ledgerstone::model::FlatRows;
use ledgerstone::schema::RecordType;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyIterator, PyString};

use crate::door::Watch;
use crate::{errors, values};

/// Dicts that are taken from an iterable at a time: what the engine screens at a time, and soon enough to let the interpreter go.
const PIECE_ROWS: usize = CHUNK_ROWS;

/// An iterable of dicts that is being read.
pub(crate) struct Dicts {
    rows: Py<PyIterator>,
    fields: Arc<[String]>,
    /// The same, as keys whose hash is known.
    keys: Vec<Py<PyString>>,
    taken: u64,
}

impl Dicts {
    /// Dicts that shall be records of a type.
    pub(crate) fn new(record_type: &RecordType, rows: Py<PyIterator>) -> Self {
        let fields = record_type.fields.iter().map(|field| field.name.clone()).collect();
        Dicts { rows, fields, keys: Vec::new(), taken: 0 }
    }

    /// The next rows; `None` at the end.
    pub(crate) fn piece(&mut self, watch: &Watch) -> Result<Option<FlatRows>> {
        watch.look()?;
        watch.call(|py| {
            if self.keys.is_empty() {
                self.keys = self.fields.iter().map(|name| PyString::intern(py, name).unbind()).collect();
            }
            let mut piece = FlatRows::new(Arc::clone(&self.fields));
            for row in self.rows.bind(py).clone().take(PIECE_ROWS) {
                let added = add(&self.keys, &row?, &mut piece);
                added.map_err(|error| errors::noted(py, error, format!("in row {}", self.taken)))?;
                self.taken += 1;
            }
            Ok((!piece.is_empty()).then_some(piece))
        })
    }
}

fn add(keys: &[Py<PyString>], row: &Bound<'_, PyAny>, piece: &mut FlatRows) -> PyResult<()> {
    if let Ok(dict) = row.cast_exact::<PyDict>() {
        match add_plain(keys, dict, piece) {
            Ok(true) => {
                piece.end_row();
                return Ok(());
            }
            Ok(false) => {}
            // Told by the general way, in its order; what is no error (Ctrl-C in a conversion) is not tried again.
            Err(error) if error.is_instance_of::<PyException>(row.py()) => {}
            Err(error) => return Err(error),
        }
    }
    piece.end_row_as(values::to_record(row)?);
    Ok(())
}

/// Whether the dict holds fields and nothing else.
fn add_plain(keys: &[Py<PyString>], dict: &Bound<'_, PyDict>, piece: &mut FlatRows) -> PyResult<bool> {
    let py = dict.py();
    let mut found = 0;
    for key in keys {
        let Some(value) = dict.get_item(key.bind(py))? else {
            piece.push_null();
            continue;
        };
        found += 1;
        if let Ok(text) = value.cast_exact::<PyString>() {
            piece.push_text(text.to_str()?);
        } else if value.is_none() {
            piece.push_null();
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            piece.push_bool(flag.is_true());
        } else if let Ok(int) = value.cast_exact::<PyInt>()
            && let Ok(int) = int.extract::<i64>()
        {
            piece.push_int(int);
        } else {
            piece.push_value(values::within_record(&value)?);
        }
    }
    Ok(found == dict.len())
}
