//! Standard output, buffered; an error is an error and no panic.

use std::io::{self, BufWriter, Write};

use ledgerstone_verify::Json;

use crate::table::json_line;

/// Where results go.
pub(crate) struct Output {
    inner: BufWriter<io::Stdout>,
}

impl Output {
    pub(crate) fn standard() -> Self {
        Output { inner: BufWriter::new(io::stdout()) }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.inner, "{text}")
    }

    /// Writes text that ends its own lines.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.inner.write_all(text.as_bytes())
    }

    /// Writes one JSON object on a line: the result of a verb under `--json`.
    pub(crate) fn object<const N: usize>(&mut self, members: [(&str, Json); N]) -> io::Result<()> {
        let members = members.map(|(name, value)| (name.to_owned(), value));
        self.line(json_line(&Json::Object(members.to_vec())))
    }

    /// Hands on everything written.
    pub(crate) fn finish(&mut self) -> Result<(), crate::failure::Failure> {
        Ok(self.inner.flush()?)
    }
}
