//! TLS below SIP: our certificate, whom we believe, whom we asked for (RFC 3261 §26.3.1, RFC 5922).

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::port::Control;

/// What it takes to speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where to listen; `None`: connections are only opened by us.
    pub listen: Option<SocketAddr>,
    /// Our certificate and those above it, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub private_key: Option<PathBuf>,
    /// Certificates believed besides the system's, PEM.
    pub ca: Option<PathBuf>,
}

/// Why TLS cannot be spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// A file is missing, unreadable or holds something else.
    #[error("{what} `{path}` cannot be used for TLS: {cause}", path = path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Others cannot call by TLS without a certificate of ours.
    #[error("cannot listen for TLS on {0} without a certificate; set sip.certificate and sip.private_key")]
    NoCertificate(SocketAddr),
}

/// Both sides, ready to be used.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) connector: TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("listens", &self.acceptor.is_some()).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    pub(super) fn load(config: &TlsConfig) -> Result<Self, TlsFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let ring = "ring speaks TLS 1.2 and 1.3";
        let acceptor = match (&config.certificate, &config.private_key) {
            (Some(certificate), Some(private_key)) => {
                let chain = read_certificates("the certificate", certificate)?;
                let fault =
                    |cause: String| TlsFault::File { what: "the private key", path: private_key.clone(), cause };
                let key = PrivateKeyDer::from_pem_file(private_key).map_err(|error| fault(error.to_string()))?;
                let builder = ServerConfig::builder_with_provider(provider.clone());
                let builder = builder.with_safe_default_protocol_versions().expect(ring).with_no_client_auth();
                let server = builder.with_single_cert(chain, key).map_err(|error| fault(error.to_string()))?;
                Some(TlsAcceptor::from(Arc::new(server)))
            }
            _ => match config.listen {
                Some(listen) => return Err(TlsFault::NoCertificate(listen)),
                None => None,
            },
        };
        let mut roots = RootCertStore::empty();
        // What the system holds may be partly unreadable, or missing in a container: `ca` may be all there is.
        for certificate in rustls_native_certs::load_native_certs().certs {
            let _ = roots.add(certificate);
        }
        if let Some(ca) = &config.ca {
            for certificate in read_certificates("the certificate authority", ca)? {
                roots.add(certificate).map_err(|error| TlsFault::File {
                    what: "the certificate authority",
                    path: ca.clone(),
                    cause: error.to_string(),
                })?;
            }
        }
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect(ring)
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { acceptor, connector: TlsConnector::from(Arc::new(client)) })
    }
}

/// Renews the certificates of a running server. Clones speak to the same one.
#[derive(Clone, Debug)]
pub struct TlsKeeper {
    control: mpsc::Sender<Control>,
    config: Option<TlsConfig>,
}

impl TlsKeeper {
    pub(super) fn new(control: mpsc::Sender<Control>, config: Option<TlsConfig>) -> Self {
        Self { control, config }
    }

    /// Reads certificates, key and authorities again. New connections use them; those that stand go on as they are,
    /// and with them every call.
    ///
    /// # Errors
    ///
    /// [`TlsFault`] when a file cannot be used; then nothing has changed.
    pub async fn renew(&self) -> Result<(), TlsFault> {
        let Some(config) = self.config.clone() else { return Ok(()) };
        // The system's authorities are some hundred files.
        let loaded = tokio::task::spawn_blocking(move || Tls::load(&config)).await;
        let tls = loaded.expect("reading certificates does not panic")?;
        // A server that is down needs none.
        let _ = self.control.send(Control::Renew(Box::new(tls))).await;
        Ok(())
    }
}

/// Whose certificate we want to see: the domain of the URI, not a name found on the way to it (RFC 5922 §4), else the
/// address.
pub(super) fn server_name(asked_for: Option<&str>, address: IpAddr) -> ServerName<'static> {
    asked_for
        .and_then(|name| ServerName::try_from(name.to_owned()).ok())
        .unwrap_or_else(|| ServerName::IpAddress(address.into()))
}

fn read_certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |cause: String| TlsFault::File { what, path: path.to_owned(), cause };
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?.collect();
    let certificates = read.map_err(|error| fault(error.to_string()))?;
    if certificates.is_empty() {
        return Err(fault("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}
