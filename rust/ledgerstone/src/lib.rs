//! The ledgerstone engine.
