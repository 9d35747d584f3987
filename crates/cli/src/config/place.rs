//! Where the server listens and where its data lies.

use std::{net::SocketAddr, path::PathBuf};

use super::{origin::SettingsError, values::Values};

/// Address and directory.
#[derive(Clone, Debug)]
pub struct Place {
    /// Port 0 takes a free port.
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
}

impl Place {
    pub fn read(values: &Values) -> Result<Place, SettingsError> {
        let listen = values.text("listen");
        let listen = parse_listen(listen).ok_or_else(|| {
            values
                .refuse("listen", "must be an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080")
        })?;
        let data_dir = values.text("data_dir");
        if data_dir.is_empty() {
            return Err(values.refuse("data_dir", "must not be empty"));
        }
        Ok(Place { listen, data_dir: PathBuf::from(data_dir) })
    }
}

/// Names other than `localhost` are not looked up: what a server listens on should not depend on a name server.
fn parse_listen(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_listen;

    #[test]
    fn addresses_are_numbers() {
        for (text, expected) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            (" [::1]:0 ", Some("[::1]:0")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("8080", None),
            (":8080", None),
            ("example.com:80", None),
            ("127.0.0.1:65536", None),
        ] {
            assert_eq!(parse_listen(text).map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
    }
}
