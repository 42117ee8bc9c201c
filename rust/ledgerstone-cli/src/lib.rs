//! The command `ledgerstone`, as a library.
