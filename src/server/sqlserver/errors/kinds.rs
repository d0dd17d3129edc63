//! What the driver itself asks of a failure that it was given.

use super::{Answer, answer};
use crate::error::Failure;

/// The instance could not be connected to: it, its computer or the network is off.
pub fn is_unreachable(failure: &Failure) -> bool {
    ["sql_connection_refused", "sql_unreachable", "sql_connect_timeout", "sql_browser"].contains(&failure.kind.as_str())
}

/// The connection ended, for whatever reason; another one may work.
pub fn is_lost(failure: &Failure) -> bool {
    failure.kind == "sql_connection_lost" || said(failure, |number| number == 596)
}

/// The server did not say so: the client failed to ask it.
pub fn is_of_client(failure: &Failure) -> bool {
    is_unreachable(failure)
        || is_lost(failure)
        || ["sql_answer_timeout", "sql_tls", "sql_login_kind", "sql_protocol", "interrupted", "panicked"]
            .contains(&failure.kind.as_str())
}

/// Did the server say that the driver can do this about it?
pub fn asks_for(failure: &Failure, what: Answer) -> bool {
    said(failure, |number| answer(number) == Some(what))
}

/// Is one of the server's messages such a number? [`super::failure`] keeps them all, each after its number.
pub fn said(failure: &Failure, is: impl Fn(u32) -> bool) -> bool {
    failure.causes.iter().filter_map(|cause| cause.split_once(": ")?.0.parse().ok()).any(is)
}

#[cfg(test)]
mod tests {
    use super::super::{Client, Message, failure};
    use super::*;
    use crate::text;

    #[test]
    fn what_the_server_said_is_found_again() {
        let said = |number: u32| Message { number, severity: 16, state: 1, text: "restaurar: no".to_owned() };
        let interrupted = failure(&text!("restaurar", "restore"), &[said(4319), said(3013)]);
        assert!(asks_for(&interrupted, Answer::Restart) && !asks_for(&interrupted, Answer::Done));
        assert!(!is_of_client(&interrupted));
        for client in Client::ALL {
            let failure = client.failure("X", "why");
            assert!(is_of_client(&failure), "{client:?}");
            assert_eq!(
                is_unreachable(&failure),
                matches!(client, Client::Refused | Client::Unreachable | Client::ConnectTimeout | Client::Browser)
            );
        }
    }
}
