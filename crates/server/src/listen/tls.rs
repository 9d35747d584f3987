//! Speaking TLS: what proves who this server is, and the handshake.
//!
//! TLS 1.2 and 1.3 by rustls; no choice of ciphers is offered, since the library's are the sound ones. The certificate is
//! asked for anew at each handshake, so that a renewed one counts from the next connection on. Never reads a file.

use std::{fmt, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// The first byte of every TLS connection: the type of a record that holds a part of a handshake.
pub(super) const HANDSHAKE_BYTE: u8 = 0x16;

/// A certificate with the chain up to its authority, and the private key that belongs to it.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Reads both from PEM text.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which of the two.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Certificate, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the certificate file is not PEM: {error}"))?;
        if chain.is_empty() {
            return Err("the certificate file holds no certificate in PEM form".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| format!("the key file holds no private key in PEM form: {error}"))?;
        CertifiedKey::from_der(chain, key, &provider())
            .map(|certified| Certificate(Arc::new(certified)))
            .map_err(|error| format!("the certificate and the key cannot be used together: {error}"))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// How connections are kept secret; prints nothing of it.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// `certificate` is asked at every handshake and must answer at once.
    pub fn new(certificate: impl Fn() -> Certificate + Send + Sync + 'static) -> Tls {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default protocol versions");
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Source(certificate)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Tls(TlsAcceptor::from(Arc::new(config)))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

struct Source<F>(F);

impl<F> fmt::Debug for Source<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl<F: Fn() -> Certificate + Send + Sync> ResolvesServerCert for Source<F> {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some((self.0)().0)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &[u8] = include_bytes!("../../../cli/tests/data/tls/one.pem");
    const KEY: &[u8] = include_bytes!("../../../cli/tests/data/tls/one.key.pem");
    const OTHER_KEY: &[u8] = include_bytes!("../../../cli/tests/data/tls/other.key.pem");

    #[test]
    fn what_does_not_fit_is_named() {
        let certificate = Certificate::from_pem(CHAIN, KEY).unwrap();
        assert_eq!(format!("{certificate:?}"), "Certificate");
        assert_eq!(format!("{:?}", Tls::new(move || certificate.clone())), "Tls");
        for (chain, key, says) in [
            (&b""[..], KEY, "holds no certificate"),
            (b"nonsense", KEY, "holds no certificate"),
            (&CHAIN[..200], KEY, "certificate file"),
            (CHAIN, b"", "holds no private key"),
            (CHAIN, CHAIN, "holds no private key"),
            (CHAIN, OTHER_KEY, "cannot be used together"),
        ] {
            let error = Certificate::from_pem(chain, key).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
