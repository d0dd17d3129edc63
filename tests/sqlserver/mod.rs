//! The shop on two simulated SQL Servers (tests/sim), each a process of its own, and the real binary over TDS.

mod bad_days;
mod conformance;
mod connect;
mod crash;
mod day;
mod power;
mod preflight;
mod random;
