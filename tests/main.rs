//! The one test binary.

mod repo;
