//! Whether the client of a request is still there.
//!
//! Whoever sends messages may close its side at once and never read an answer; its messages are taken all the same. Work that is
//! done for the answer alone ends when nobody is left to take it. Nobody reads from the socket while a request is answered, so
//! the end is learned from what the system tells of the socket itself, beneath TLS and before what was sent ahead is read.
//!
//! And from where it came, to count by. An address is never kept, logged or shown.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Weak,
    time::Duration,
};

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{io::Interest, net::tcp::OwnedWriteHalf, time::sleep};

/// Between two looks at the socket of a client that has sent more than the request being answered.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// What an answer is counted as that nobody was left to take. No client ever sees it.
const LEFT: u16 = 499;

/// The client of a connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) socket: Weak<OwnedWriteHalf>,
    pub(super) address: IpAddr,
}

impl Client {
    /// Ends when the client sends nothing more, which is how one that goes away is noticed.
    async fn left(&self) {
        while let Some(socket) = self.socket.upgrade() {
            match socket.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => sleep(LOOK_PAUSE).await,
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Where a request came from, as far as it can be told apart: the address of the other end, or, where that is a proxy on this
/// machine or in a private network, the one that the proxy says it had it from. Of IPv6 it is the network, which is what one
/// subscriber has.
pub(crate) fn origin(extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let client = extensions.get::<Client>();
    let address = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.address);
    network(if is_near(address) { forwarded(headers).unwrap_or(address) } else { address })
}

/// The last address in the list is the one that the nearest proxy wrote; the others are anybody's word.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    Some(last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()?.to_canonical())
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Answers a request for as long as its client is there.
pub(crate) async fn while_there(request: Request, next: Next) -> Response {
    let Some(client) = request.extensions().get::<Client>().cloned() else { return next.run(request).await };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = client.left() => StatusCode::from_u16(LEFT).unwrap_or(StatusCode::REQUEST_TIMEOUT).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_a_proxy_nearby_says_where_a_request_came_from() {
        let check = |address: &str, forwarded: &[&str], expected: &str| {
            let mut request = Request::new(Body::empty());
            let client = Client { socket: Weak::new(), address: address.parse().unwrap() };
            request.extensions_mut().insert(client);
            for value in forwarded {
                request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(
                origin(request.extensions(), request.headers()),
                expected.parse::<IpAddr>().unwrap(),
                "{address} {forwarded:?}"
            );
        };
        check("203.0.113.7", &[], "203.0.113.7");
        check("203.0.113.7", &["198.51.100.1"], "203.0.113.7");
        check("127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.2", &["198.51.100.9, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.2", &["198.51.100.1", "198.51.100.2"], "198.51.100.2");
        check("127.0.0.1", &["nobody"], "127.0.0.1");
        check("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::");
    }
}
