//! Helpers of the tests that stand across the crates.
