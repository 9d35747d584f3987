//! `local.json` in the data directory: how commands on the same machine find the running server.
//!
//! It holds the server's loopback address, its process and a token that is made anew at every start. Guarantees that a
//! reader never sees half of it, and that nobody but the owner can read it. It is removed at a graceful stop; after a
//! crash a stale one may lie there until the next start, so a reader must be ready for nobody to answer.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

const FILE: &str = "local.json";
const UNFINISHED: &str = "local.json.new";

/// What a running server says about itself to its own machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalServer {
    /// `http://127.0.0.1:PORT`, or `https://…`
    pub url: String,
    /// The operator token of this run; a secret.
    pub token: String,
    pub pid: u32,
}

impl LocalServer {
    /// Where a server that listens on `address` is reached from its own machine.
    pub fn url_of(address: SocketAddr, speaks_tls: bool) -> String {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let scheme = if speaks_tls { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
    }

    /// Reads the file; `None` when there is none or it is no such file.
    pub fn read(data_dir: &Path) -> io::Result<Option<LocalServer>> {
        match fs::read(data_dir.join(FILE)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The file while its server runs.
pub struct Announcement {
    path: PathBuf,
    server: LocalServer,
}

impl Announcement {
    /// Writes the file, in place of whatever an earlier run left.
    pub fn publish(data_dir: &Path, server: &LocalServer) -> io::Result<Announcement> {
        let (unfinished, path) = (data_dir.join(UNFINISHED), data_dir.join(FILE));
        remove_if_there(&unfinished)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(server)?)?;
        drop(file);
        fs::rename(&unfinished, &path)?;
        Ok(Announcement { path, server: server.clone() })
    }

    /// Removes what an earlier run left. To be called by whoever owns the data directory.
    pub fn clear(data_dir: &Path) -> io::Result<()> {
        remove_if_there(&data_dir.join(UNFINISHED))?;
        remove_if_there(&data_dir.join(FILE))
    }

    /// Takes the file away, unless it is another server's by now, as it may be where nodes of a cluster share a directory.
    pub fn withdraw(self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        match LocalServer::read(directory)? {
            Some(other) if other != self.server => Ok(()),
            _ => remove_if_there(&self.path),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn addresses_are_those_of_the_own_machine() {
        let check = |address: &str, url: &str| {
            assert_eq!(LocalServer::url_of(address.parse().unwrap(), url.starts_with("https")), url)
        };
        check("127.0.0.1:80", "http://127.0.0.1:80");
        check("0.0.0.0:8080", "http://127.0.0.1:8080");
        check("[::]:1", "http://[::1]:1");
        check("[::]:1", "https://[::1]:1");
        check("192.0.2.7:1", "http://192.0.2.7:1");
    }

    #[test]
    fn the_file_is_private_whole_and_goes_away() {
        let dir = std::env::temp_dir().join(format!("muster-local-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert!(LocalServer::read(&dir).unwrap().is_none());
        fs::write(dir.join(UNFINISHED), "left behind").unwrap();
        let server = LocalServer { url: "http://127.0.0.1:1".to_owned(), token: "t".to_owned(), pid: 7 };
        let announcement = Announcement::publish(&dir, &server).unwrap();
        assert!(LocalServer::read(&dir).unwrap().as_ref() == Some(&server));
        let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = Announcement::publish(&dir, &LocalServer { pid: 8, ..server.clone() }).unwrap();
        announcement.withdraw().unwrap();
        assert!(LocalServer::read(&dir).unwrap().is_some_and(|known| known.pid == 8));
        other.withdraw().unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(&dir).unwrap();
    }
}
