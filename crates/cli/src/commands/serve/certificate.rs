//! The server's certificate and key, read from their files and read again when those change.
//!
//! Nothing watches the files: a handshake looks at them, at most once a second, and an idle server does nothing. What
//! cannot be read, or does not fit together, leaves the certificate in force as it is and is logged once; a renewal that
//! replaces the two files one after the other is thus bridged.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use muster_server::{Certificate, Tls};

use crate::config::tls::TlsFiles;

/// How long a look at the files holds.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// TLS with the certificate of the files, from now on and whenever they change.
pub fn tls(files: TlsFiles) -> anyhow::Result<Tls> {
    let marks = (mark(&files.certificate), mark(&files.key));
    let certificate = read(&files).map_err(|says| anyhow!("{says}; see [tls] in the settings"))?;
    let in_force = Mutex::new(InForce { certificate, marks, looked_at: Instant::now() });
    Ok(Tls::new(move || in_force.lock().unwrap_or_else(PoisonError::into_inner).look(&files)))
}

/// The certificate that counts, and what the files looked like when it was read.
struct InForce {
    certificate: Certificate,
    marks: (Mark, Mark),
    looked_at: Instant,
}

/// What tells one version of a file from another: when it was written, its size, and which file it is.
type Mark = Option<(i64, i64, u64, u64)>;

impl InForce {
    fn look(&mut self, files: &TlsFiles) -> Certificate {
        if self.looked_at.elapsed() >= LOOK_INTERVAL {
            self.looked_at = Instant::now();
            // Looked at before reading, so that a change in between shows the next time.
            let marks = (mark(&files.certificate), mark(&files.key));
            if marks != self.marks {
                self.marks = marks;
                match read(files) {
                    Ok(certificate) => {
                        self.certificate = certificate;
                        tracing::info!("the TLS certificate was renewed");
                    }
                    Err(error) => {
                        tracing::error!(error, "the TLS certificate could not be renewed; the one before stays in use");
                    }
                }
            }
        }
        self.certificate.clone()
    }
}

fn mark(path: &Path) -> Mark {
    let about = fs::metadata(path).ok()?;
    Some((about.mtime(), about.mtime_nsec(), about.size(), about.ino()))
}

fn read(files: &TlsFiles) -> Result<Certificate, String> {
    let file =
        |path: &Path| fs::read(path).map_err(|error: io::Error| format!("{} cannot be read: {error}", path.display()));
    let (certificate, key) = (file(&files.certificate)?, file(&files.key)?);
    Certificate::from_pem(&certificate, &key)
        .map_err(|says| format!("{} and {}: {says}", files.certificate.display(), files.key.display()))
}
