//! Standard output, buffered; an error is an error and no panic.

use std::io::{self, BufWriter, Write};

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

    /// Hands on everything written.
    pub(crate) fn finish(&mut self) -> Result<(), crate::failure::Failure> {
        Ok(self.inner.flush()?)
    }
}
