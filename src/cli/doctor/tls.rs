//! Certificates: ours, which callers over TLS must accept, and those we accept of trunks.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};

use super::finding::Finding;
use crate::config::Config;

/// A certificate that ends sooner is to be renewed now.
const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Our own certificate, where TLS is spoken: readable, with its own key, valid now and for two weeks.
pub(super) fn certificate(config: &Config, now: Timestamp) -> Option<Finding> {
    config.sip.tls_listen?;
    let check = "certificate";
    let (Some(certificate), Some(key)) = (&config.sip.certificate, &config.sip.private_key) else {
        let remedy = "set sip.certificate and sip.private_key to PEM files";
        return Some(Finding::broken(check, "sip.tls_listen is set, but no certificate and key", remedy));
    };
    let shown = certificate.display();
    let chain = match chain(certificate, key) {
        Ok(chain) => chain,
        Err(fault) => {
            return Some(Finding::broken(check, fault, "put PEM files that belong together there"));
        }
    };
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    let valid = |at: Duration| validity(&chain, UnixTime::since_unix_epoch(at));
    Some(match (valid(now), valid(now + SOON)) {
        (Ok(()), Ok(())) => Finding::fine(check, format!("{shown} is valid for two weeks and more")),
        (Ok(()), Err(_)) => {
            Finding::look(check, format!("{shown} ends within two weeks"), "renew it, then `trunkline doctor` again")
        }
        (Err(fault), _) => Finding::broken(
            check,
            format!("{shown} {fault}"),
            "renew it, or correct the order of its PEM file: ours first",
        ),
    })
}

fn chain(certificate: &Path, key: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |path: &Path, error: &dyn ToString| format!("{}: {}", path.display(), error.to_string());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let settings = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let together = settings.with_no_client_auth().with_single_cert(chain.clone(), private);
    together
        .map(|_| chain)
        .map_err(|error| format!("{} and {} do not go together: {error}", certificate.display(), key.display()))
}

/// The dates of all of it. Who vouches for the last one is for others to judge, so it is taken as the root.
fn validity(chain: &[CertificateDer<'static>], at: UnixTime) -> Result<(), String> {
    let (Some(ours), Some(last)) = (chain.first(), chain.last()) else { return Err("holds no certificate".to_owned()) };
    let mut roots = RootCertStore::empty();
    roots.add(last.clone()).map_err(|error| format!("is no certificate: {error}"))?;
    let ours = ParsedCertificate::try_from(ours).map_err(|error| format!("is no certificate: {error}"))?;
    let algorithms = default_provider().signature_verification_algorithms.all;
    let between = chain.get(1..).unwrap_or_default();
    match verify_server_cert_signed_by_trust_anchor(&ours, &roots, between, at, algorithms) {
        Ok(()) => Ok(()),
        Err(rustls::Error::InvalidCertificate(fault)) => Err(match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has ended".to_owned(),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "is not valid yet".to_owned()
            }
            other => format!("cannot be used: {other}"),
        }),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}

/// How we meet a trunk: the system's authorities and those of `ca`.
pub(super) fn client(ca: Option<&Path>, host: &str) -> io::Result<(ClientConfig, ServerName<'static>)> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(ca) = ca {
        for certificate in CertificateDer::pem_file_iter(ca).map_err(io::Error::other)? {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
    }
    let settings = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok((settings, name))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::finding::Verdict;
    use super::*;

    /// A certificate of that time in a folder, and what is found about it on 1 June 2026.
    fn about(from: (i32, u8, u8), to: (i32, u8, u8), its_own_key: bool) -> Finding {
        let folder = tempfile::tempdir().unwrap();
        let (key, stranger) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(vec!["sip.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let certificate = params.self_signed(&key).unwrap();
        let key = if its_own_key { key } else { stranger };
        let mut config = Config::default();
        config.sip.tls_listen = Some("127.0.0.1:5061".parse().unwrap());
        for (name, text, place) in [
            ("certificate.pem", certificate.pem(), &mut config.sip.certificate),
            ("key.pem", key.serialize_pem(), &mut config.sip.private_key),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            *place = Some(path);
        }
        certificate_in_june(&config)
    }

    fn certificate_in_june(config: &Config) -> Finding {
        super::certificate(config, "2026-06-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_certificate_is_judged_by_its_dates_and_its_key() {
        let rows = [
            (about((2026, 1, 1), (2027, 1, 1), true), Verdict::Fine, "two weeks and more"),
            (about((2026, 1, 1), (2026, 6, 10), true), Verdict::Look, "within two weeks"),
            (about((2026, 1, 1), (2026, 5, 1), true), Verdict::Broken, "has ended"),
            (about((2026, 7, 1), (2027, 1, 1), true), Verdict::Broken, "not valid yet"),
            (about((2026, 1, 1), (2027, 1, 1), false), Verdict::Broken, "do not go together"),
        ];
        for (finding, verdict, says) in rows {
            assert!(finding.verdict == verdict && finding.result.contains(says), "{says}: {finding:?}");
        }
    }

    #[test]
    fn tls_without_a_certificate_is_a_fault_and_no_tls_is_none() {
        let mut config = Config::default();
        assert_eq!(super::certificate(&config, Timestamp::UNIX_EPOCH), None);
        config.sip.tls_listen = Some("127.0.0.1:5061".parse().unwrap());
        assert!(certificate_in_june(&config).result.contains("no certificate and key"));
    }
}
