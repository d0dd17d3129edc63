//! A stateful simulator of a SQL Server instance: real sockets, real files, real transactions. It accepts the statements that
//! Microsoft documents for the work of relevo and answers everything else with an error, so that it is stricter than the real one.
//!
//! `tds` speaks the protocol, `sql` reads T-SQL, `engine` is the instance. Written from Microsoft's documentation, apart from the
//! driver in relevo: the two check each other.
//!
//! [`run`] is a whole instance on a port. In one process with a test, [`engine::Server::open`] and [`engine::Server::exec`] do without
//! the protocol, and `tds::serve_with` takes what `open` gives.

pub mod engine;
pub mod sql;
pub mod tds;
pub mod wire;

use std::{io, net::TcpListener, sync::atomic::AtomicBool};

pub use engine::Options;

/// Opens or makes the instance of a directory and serves it on 127.0.0.1 until `stop`. The port is in the file `port` of the directory
/// as soon as it answers there. A process that is killed instead loses nothing that was committed.
pub fn run(options: &Options, stop: &AtomicBool) -> io::Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let port_file = options.dir.join("port");
    let _ = std::fs::remove_file(&port_file);
    let server = engine::Server::open(&options.dir, options)?;
    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    let port = listener.local_addr()?.port();
    // Whoever waits for the file reads it whole or not at all.
    let new = options.dir.join("port-new");
    std::fs::write(&new, port.to_string())?;
    #[allow(clippy::disallowed_methods)] // Nobody reads it yet.
    std::fs::rename(&new, &port_file)?;
    let settings = tds::Settings { name: server.identity.server_name(), ..tds::Settings::default() };
    let served = tds::serve_with(listener, server.clone(), stop, &settings);
    server.shutdown();
    let _ = std::fs::remove_file(&port_file);
    served
}
