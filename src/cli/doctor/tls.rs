//! Certificates: ours, which callers over TLS must accept, and those we accept of trunks.

use std::io;
use std::net::IpAddr;
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
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::finding::Finding;
use crate::config::Config;

/// A certificate that ends sooner is to be renewed now.
const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Our own certificate, where TLS is spoken: readable, with its own key, valid now and for two weeks, for a name that
/// callers may know us by.
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
    let at = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    if let Err(fault) = validity(&chain, UnixTime::since_unix_epoch(at)) {
        let remedy = "renew it, or correct the order of its PEM file: ours first";
        return Some(Finding::broken(check, format!("{shown} {fault}"), remedy));
    }
    let known = Known::of(&chain);
    let ends = known.as_ref().map(|known| known.ends).filter(|ends| *ends > now);
    let how_long = ends.map_or_else(String::new, |ends| {
        let days = ends.duration_since(now).as_secs() / 86_400;
        format!(" until {}, {days} days more", ends.strftime("%Y-%m-%d"))
    });
    let names = known.map(|known| known.names).unwrap_or_default();
    let said = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let result = format!("{shown} is valid{how_long}, for {said}");
    if validity(&chain, UnixTime::since_unix_epoch(at + SOON)).is_err() {
        let remedy = "renew it now: it ends within two weeks. A running gateway takes the new files by itself";
        return Some(Finding::look(check, result, remedy));
    }
    let ours = names_of_ours(config);
    Some(match ours.iter().find(|ours| is_covered(ours, &names)) {
        _ if ours.is_empty() => Finding::fine(check, result),
        Some(_) => Finding::fine(check, result),
        None => Finding::look(
            check,
            format!("{result}; not for {}", ours.join(" or ")),
            "callers must call us by a name that stands in it; else have it issued for one of those too",
        ),
    })
}

/// What a certificate says of itself.
struct Known {
    ends: Timestamp,
    names: Vec<String>,
}

impl Known {
    /// The first certificate's names, and when the first of the whole chain ends.
    fn of(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let mut read = Vec::new();
        for certificate in chain {
            read.push(X509Certificate::from_der(certificate).ok()?.1);
        }
        let ends = read.iter().map(|certificate| certificate.validity().not_after.timestamp()).min()?;
        let names = read.first()?.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        Some(Self { ends: Timestamp::from_second(ends).ok()?, names: names.unwrap_or_default() })
    }
}

fn name(known: &GeneralName<'_>) -> Option<String> {
    match known {
        GeneralName::DNSName(name) => Some((*name).to_lowercase()),
        GeneralName::URI(uri) => Some((*uri).to_lowercase()),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// What callers may know us by: a realm that is a domain, and the address we tell them.
fn names_of_ours(config: &Config) -> Vec<String> {
    let realm = Some(config.sip.realm.to_lowercase()).filter(|realm| realm.contains('.'));
    let listen = config.sip.tls_listen.map(|listen| listen.ip()).filter(|ip| !ip.is_unspecified());
    let address = config.sip.advertise.or(listen).map(|ip| ip.to_string());
    realm.into_iter().chain(address).collect()
}

/// RFC 5922 §7.2: letter by letter. SIP knows no wildcards, but callers that check as browsers do take them.
fn is_covered(ours: &str, names: &[String]) -> bool {
    names.iter().any(|name| {
        let name = name.trim_start_matches("sips:").trim_start_matches("sip:");
        let below = name.strip_prefix('*').zip(ours.find('.')).is_some_and(|(rest, dot)| ours[dot..] == *rest);
        name == ours || below
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
        found(&["sip.example"], (from, to), its_own_key, |_| {})
    }

    fn about_names(names: &[&str], when: ((i32, u8, u8), (i32, u8, u8)), edit: impl FnOnce(&mut Config)) -> Finding {
        found(names, when, true, edit)
    }

    fn found(
        names: &[&str],
        (from, to): ((i32, u8, u8), (i32, u8, u8)),
        its_own_key: bool,
        edit: impl FnOnce(&mut Config),
    ) -> Finding {
        let folder = tempfile::tempdir().unwrap();
        let (key, stranger) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
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
        edit(&mut config);
        certificate_in_june(&config)
    }

    fn certificate_in_june(config: &Config) -> Finding {
        super::certificate(config, "2026-06-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_certificate_is_judged_by_its_dates_and_its_key() {
        let rows = [
            (
                about((2026, 1, 1), (2027, 1, 1), true),
                Verdict::Look,
                "valid until 2027-01-01, 214 days more, for sip.example",
            ),
            (about((2026, 1, 1), (2026, 6, 10), true), Verdict::Look, "until 2026-06-10, 9 days more"),
            (about((2026, 1, 1), (2026, 5, 1), true), Verdict::Broken, "has ended"),
            (about((2026, 7, 1), (2027, 1, 1), true), Verdict::Broken, "not valid yet"),
            (about((2026, 1, 1), (2027, 1, 1), false), Verdict::Broken, "do not go together"),
        ];
        for (finding, verdict, says) in rows {
            assert!(finding.verdict == verdict && finding.result.contains(says), "{says}: {finding:?}");
        }
    }

    #[test]
    fn a_certificate_that_names_nothing_of_ours_is_worth_a_look() {
        let long = ((2026, 1, 1), (2027, 1, 1));
        for (names, realm, advertise, verdict) in [
            (vec!["sip.example"], "sip.example", None, Verdict::Fine),
            (vec!["sip.example"], "SIP.example", None, Verdict::Fine),
            (vec!["*.example"], "sip.example", None, Verdict::Fine),
            (vec!["*.example"], "a.sip.example", None, Verdict::Look),
            (vec!["other.example"], "sip.example", None, Verdict::Look),
            (vec!["203.0.113.7"], "trunkline", Some("203.0.113.7"), Verdict::Fine),
            (vec!["sip.example", "127.0.0.1"], "trunkline", None, Verdict::Fine),
            (vec!["sip.example"], "trunkline", Some("203.0.113.7"), Verdict::Look),
            (vec!["2001:db8::7"], "trunkline", Some("2001:db8::7"), Verdict::Fine),
        ] {
            let finding = about_names(&names, long, |config| {
                config.sip.realm = realm.to_owned();
                config.sip.advertise = advertise.map(|address| address.parse().unwrap());
            });
            assert_eq!(finding.verdict, verdict, "{names:?}: {finding:?}");
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
