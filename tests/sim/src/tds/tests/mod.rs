//! The protocol against clients that others wrote, with an instance that answers a handful of texts.

mod driver;
mod fake;
mod raw;
mod tls;
