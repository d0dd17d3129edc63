//! Decisions about copies and routes, from what was observed. Pure: no server, no clock.
