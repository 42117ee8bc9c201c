//! The extension module `ledgerstone._core`.
