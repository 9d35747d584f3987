//! Whether and with what the server speaks TLS: both files, or none.

use std::path::PathBuf;

use super::{origin::SettingsError, values::Values};

/// Where the server's certificate and its key lie. They are read when the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsFiles {
    /// `None` when the server is not to speak TLS.
    pub fn read(values: &Values) -> Result<Option<TlsFiles>, SettingsError> {
        let (certificate, key) = (values.text("tls.certificate_file"), values.text("tls.key_file"));
        match (certificate.is_empty(), key.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some(TlsFiles { certificate: certificate.into(), key: key.into() })),
            (true, false) => Err(values.refuse("tls.key_file", "must be given together with tls.certificate_file")),
            (false, true) => Err(values.refuse("tls.certificate_file", "must be given together with tls.key_file")),
        }
    }
}
