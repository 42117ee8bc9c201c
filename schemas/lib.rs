//! The modules that ship with ledgerstone: the text of their schema files, nothing else.

/// The built-in module `ledger`: members, keys, grants, modules. Part of the semantics, never loaded.
pub const LEDGER: &str = include_str!("ledger.toml");

/// Double-entry books: commodities, accounts, journal entries, transfers, holds, periods.
pub const FINANCE: &str = include_str!("finance.toml");

/// Every module that can be loaded by its bare name, as (name, source).
pub const SHIPPED: &[(&str, &str)] = &[("finance", FINANCE)];

/// The shape of a schema file, as JSON Schema (draft 2020-12): what editors complete and check.
pub const MODULE_SCHEMA: &str = include_str!("module.schema.json");
