//! Where the stream is, and what it is called there.
//!
//! `nats://user:password@one:4222,two:4222,three:4222?stream=muster&replicas=3`: servers of one cluster, then what is asked of
//! the streams when they are made. Streams that there are keep what they were made with. With `tls://` nothing is said in the clear.

use std::path::PathBuf;

use crate::asked;

/// What a URL of the stream says.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub servers: Vec<async_nats::ServerAddr>,
    pub credentials: Option<(String, String)>,
    /// Nothing is said in the clear, and who may not prove itself is not spoken to.
    pub tls: bool,
    /// Files in PEM: authorities beside those of the system, and who this is.
    pub authorities: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// The name that streams and subjects begin with.
    pub stream: String,
    /// Copies of each message.
    pub replicas: usize,
    /// Lanes, when they are made for the first time.
    pub lanes: u32,
    /// Bytes that a lane's stream may hold.
    pub bytes_max: i64,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("stream", &self.stream)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

const SCHEME: &str = "nats://";
const SCHEME_TLS: &str = "tls://";
const LANES_DEFAULT: u32 = 4;
pub const LANES_MAX: u32 = 256;
const REPLICAS_DEFAULT_MAX: usize = 3;
/// NATS takes an odd number, and five at the most make sense.
const REPLICAS: [usize; 3] = [1, 3, 5];
const BYTES_DEFAULT: i64 = 1 << 30;
const NAME_BYTES_MAX: usize = 32;

impl Address {
    /// Reads a URL; what is wrong with it in a sentence that repeats no secret.
    pub fn parse(url: &str) -> Result<Address, String> {
        let (servers, query) = url.split_once('?').unwrap_or((url, ""));
        let tls = servers.starts_with(SCHEME_TLS);
        let scheme = if tls { SCHEME_TLS } else { SCHEME };
        let rest = servers.strip_prefix(scheme).ok_or("it begins with nats:// or tls://")?;
        let (credentials, hosts) = match rest.rsplit_once('@') {
            Some((credentials, hosts)) => {
                let (user, password) = credentials.split_once(':').ok_or("credentials are user:password")?;
                (Some((user.to_owned(), password.to_owned())), hosts)
            }
            None => (None, rest),
        };
        let server = |host: &str| {
            let host = host.strip_prefix(scheme).unwrap_or(host);
            format!("{scheme}{host}").parse().map_err(|_| format!("{host} is no server; give host:port"))
        };
        let servers: Vec<async_nats::ServerAddr> = hosts.split(',').map(server).collect::<Result<_, _>>()?;
        let replicas = if servers.len() >= REPLICAS_DEFAULT_MAX { REPLICAS_DEFAULT_MAX } else { 1 };
        let mut address = Address {
            servers,
            credentials,
            tls,
            authorities: None,
            certificate: None,
            key: None,
            stream: "muster".to_owned(),
            replicas,
            lanes: LANES_DEFAULT,
            bytes_max: BYTES_DEFAULT,
        };
        for (name, value, _) in asked::pairs(query) {
            address.set(name, &value)?;
        }
        if address.certificate.is_some() != address.key.is_some() {
            return Err("tlscert and tlskey go together".to_owned());
        }
        let files = [&address.authorities, &address.certificate, &address.key];
        match files.into_iter().flatten().find(|path| !path.is_file()) {
            Some(_) if !address.tls => return Err("tlsca, tlscert and tlskey are for tls://".to_owned()),
            Some(path) => return Err(format!("there is no file {}", path.display())),
            None => {}
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "stream" => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if value.is_empty() || value.len() > NAME_BYTES_MAX || !value.bytes().all(fits) {
                    return Err(format!("stream has 1 to {NAME_BYTES_MAX} letters, digits, hyphens and underscores"));
                }
                value.clone_into(&mut self.stream);
            }
            "replicas" => {
                let replicas = value.parse().ok().filter(|count| REPLICAS.contains(count));
                self.replicas = replicas.ok_or("replicas is 1, 3 or 5")?;
            }
            "lanes" => {
                let lanes = value.parse().ok().filter(|count| (1..=LANES_MAX).contains(count));
                self.lanes = lanes.ok_or(format!("lanes is a number from 1 to {LANES_MAX}"))?;
            }
            "bytes_max" => {
                let bytes = value.parse().ok().filter(|bytes| *bytes >= 1 << 20);
                self.bytes_max = bytes.ok_or("bytes_max is a number of bytes, at least 1048576")?;
            }
            "tlsca" => self.authorities = Some(PathBuf::from(value)),
            "tlscert" => self.certificate = Some(PathBuf::from(value)),
            "tlskey" => self.key = Some(PathBuf::from(value)),
            other => {
                let known = "stream, replicas, lanes, bytes_max, tlsca, tlscert and tlskey";
                return Err(format!("{other} is not known; {known} are"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_what_is_asked_of_streams() {
        let address = Address::parse("nats://a:1,nats://b:2,c:3?stream=x-1&lanes=2&bytes_max=1048576").unwrap();
        assert_eq!((address.servers.len(), address.stream.as_str(), address.replicas), (3, "x-1", 3));
        assert_eq!((address.lanes, address.bytes_max, address.credentials), (2, 1 << 20, None));
        let address = Address::parse("nats://me:se@cret@a:1").unwrap();
        assert_eq!((address.credentials, address.replicas), (Some(("me".to_owned(), "se@cret".to_owned())), 1));
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for (url, says) in [
            ("http://a:1", "nats://"),
            ("nats://secret@a:1", "user:password"),
            ("nats://a:1?stream=", "stream has"),
            ("nats://a:1?replicas=2", "1, 3 or 5"),
            ("nats://a:1?lanes=0", "lanes"),
            ("nats://a:1?what=1", "what is not known"),
            ("tls://a:1?tlscert=/no/cert", "go together"),
            ("tls://a:1?tlsca=%2Fno%2Fca.pem", "there is no file /no/ca.pem"),
            ("nats://a:1?tlsca=/no/ca.pem", "for tls://"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
