//! Certificates, made for one test run: an authority, what it signs, and another that nobody knows.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// Who signs.
pub struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

/// A key and its certificate as files in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Both in one file, as Kafka's keystores want it.
    pub store: PathBuf,
}

/// For whom a certificate is.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its common name; Kafka's principal is `User:CN=NAME`.
    pub name: &'a str,
    pub dns: &'a [&'a str],
    pub addresses: &'a [&'a str],
}

impl Authority {
    /// Signs itself; its certificate is at `file`.
    pub fn new(name: &str, file: &Path) -> Authority {
        let made = key().and_then(|key| {
            let certificate = certificate(name, &key, None, |builder| {
                let extension = BasicConstraints::new().critical().ca().build()?;
                builder.append_extension(extension)
            })?;
            Ok(Authority { key, certificate })
        });
        let authority = made.unwrap_or_else(|error| panic!("an authority: {error}"));
        write(file, &pem(authority.certificate.to_pem()));
        authority
    }

    /// A key and a signed certificate as `NAME.crt`, `NAME.key` and `NAME.pem` in `folder`.
    pub fn sign(&self, folder: &Path, file: &str, subject: Subject<'_>) -> Identity {
        let key = key().unwrap_or_else(|error| panic!("a key: {error}"));
        let signed = certificate(subject.name, &key, Some(self), |builder| {
            let mut names = SubjectAlternativeName::new();
            for name in subject.dns {
                names.dns(name);
            }
            for address in subject.addresses {
                names.ip(address);
            }
            if subject.dns.is_empty() && subject.addresses.is_empty() {
                return Ok(());
            }
            let extension = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
            builder.append_extension(extension)
        });
        let signed = signed.unwrap_or_else(|error| panic!("a certificate: {error}"));
        let identity = Identity {
            certificate: folder.join(format!("{file}.crt")),
            key: folder.join(format!("{file}.key")),
            store: folder.join(format!("{file}.pem")),
        };
        let key = pem(key.private_key_to_pem_pkcs8());
        let chain = pem(signed.to_pem()) + &pem(self.certificate.to_pem());
        write(&identity.key, &key);
        write(&identity.certificate, &chain);
        write(&identity.store, &(key + &chain));
        identity
    }
}

fn key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

/// Valid for two days; signed by `by`, or by itself.
fn certificate(
    name: &str,
    key: &PKey<Private>,
    by: Option<&Authority>,
    extend: impl FnOnce(&mut X509Builder) -> Result<(), ErrorStack>,
) -> Result<X509, ErrorStack> {
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(64, MsbOption::ONE, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(2)?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(by.map_or(&*subject, |by| by.certificate.subject_name()))?;
    builder.set_pubkey(key)?;
    extend(&mut builder)?;
    builder.sign(by.map_or(key, |by| &by.key), MessageDigest::sha256())?;
    Ok(builder.build())
}

fn pem(made: Result<Vec<u8>, ErrorStack>) -> String {
    let bytes = made.unwrap_or_else(|error| panic!("PEM: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
