//! Verification of ledgerstone evidence.
