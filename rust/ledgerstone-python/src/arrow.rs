//! Arrow tables across the PyCapsule protocol, both ways, batch by batch: nothing is gathered that the other side does not ask for.
//! The only file of the crate with unsafe code: three pointers out of capsules, each under the name that says what it points to.
#![expect(unsafe_code, reason = "capsules hold C structures of the Arrow C data interface")]

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use ledgerstone::codes;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors;

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// A reader of the batches that an object offers, or `None` where it offers no Arrow data.
pub(crate) fn import(data: &Bound<'_, PyAny>) -> PyResult<Option<Box<dyn RecordBatchReader + Send>>> {
    if data.hasattr("__arrow_c_stream__")? {
        return Ok(Some(Box::new(import_stream(data)?)));
    }
    if data.hasattr("__arrow_c_array__")? {
        let batch = import_array(data)?;
        let schema = batch.schema();
        return Ok(Some(Box::new(RecordBatchIterator::new([Ok(batch)], schema))));
    }
    Ok(None)
}

fn import_stream(data: &Bound<'_, PyAny>) -> PyResult<RecordBatchStreamReader> {
    let capsule = data.call_method0("__arrow_c_stream__")?;
    let stream = pointer::<FFI_ArrowArrayStream>(&capsule, STREAM)?;
    // SAFETY: a capsule of this name holds a stream, which is moved out of it here: what stays behind is marked as released.
    let reader = unsafe { RecordBatchStreamReader::from_raw(stream.as_ptr()) };
    reader.map_err(|error| errors::schema(codes::NOT_A_TABLE, format!("the Arrow data is no table: {error}")))
}

/// The batch that one object is.
pub(crate) fn import_array(data: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let (schema, array) = data.call_method0("__arrow_c_array__")?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
    let schema = pointer::<FFI_ArrowSchema>(&schema, SCHEMA)?;
    let array = pointer::<FFI_ArrowArray>(&array, ARRAY)?;
    // SAFETY: capsules of these names hold an array and its schema. The array is moved out of its capsule, and what stays behind is
    // marked as released; the schema is only read, while its capsule is alive.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
    let data = data.map_err(|error| errors::schema(codes::NOT_A_TABLE, error.to_string()))?;
    match data.data_type() {
        DataType::Struct(_) if data.null_count() > 0 => {
            Err(errors::schema(codes::NOT_A_TABLE, "a row of the Arrow data is null as a whole, which no record is"))
        }
        DataType::Struct(_) => Ok(RecordBatch::from(StructArray::from(data))),
        other => Err(errors::schema(codes::NOT_A_TABLE, format!("the Arrow data is no table but an array of {other}"))),
    }
}

fn pointer<T>(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<NonNull<T>> {
    let capsule = capsule.cast::<PyCapsule>()?;
    Ok(capsule.pointer_checked(Some(name))?.cast())
}

/// Hands out batches as a stream. It is read from whichever thread the consumer chooses, with the interpreter or without.
pub(crate) fn export_stream<'py>(
    py: Python<'py>,
    schema: SchemaRef,
    batches: impl Iterator<Item = ledgerstone::Result<RecordBatch>> + Send + 'static,
) -> PyResult<Bound<'py, PyCapsule>> {
    let reader = Guarded { schema, batches: Some(batches) };
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

/// Hands out a schema.
pub(crate) fn export_schema<'py>(py: Python<'py>, schema: &SchemaRef) -> PyResult<Bound<'py, PyCapsule>> {
    let table = Field::new("", DataType::Struct(schema.fields().clone()), false);
    let schema = FFI_ArrowSchema::try_from(&table).map_err(|error| errors::fault(&error.to_string()))?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// Batches that end at the first error, and whose panics do not unwind into the consumer's C code.
struct Guarded<I> {
    schema: SchemaRef,
    batches: Option<I>,
}

impl<I: Iterator<Item = ledgerstone::Result<RecordBatch>>> Iterator for Guarded<I> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batches = self.batches.as_mut()?;
        let next = match catch_unwind(AssertUnwindSafe(|| batches.next())) {
            Ok(next) => next?.map_err(|error| ArrowError::ExternalError(Box::new(error))),
            Err(_) => Err(ArrowError::ComputeError("a fault of the ledger".to_owned())),
        };
        if next.is_err() {
            self.batches = None;
        }
        Some(next)
    }
}

impl<I: Iterator<Item = ledgerstone::Result<RecordBatch>>> RecordBatchReader for Guarded<I> {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}
