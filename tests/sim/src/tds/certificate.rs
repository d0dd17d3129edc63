//! A certificate that a server makes for itself at start, as SQL Server does when nobody gives it one: its key never lies anywhere.

use std::io;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Good for `localhost` and 127.0.0.1, signed by itself.
pub struct Certificate {
    der: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const BITS: u8 = 0x03;
    pub const OCTETS: u8 = 0x04;
    pub const OBJECT: u8 = 0x06;
    pub const UTF8: u8 = 0x0C;
    pub const TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// `[0]` and `[3]` of a certificate: version, extensions.
    pub const VERSION: u8 = 0xA0;
    pub const EXTENSIONS: u8 = 0xA3;
    /// Of the alternative names: a DNS name, an address.
    pub const DNS: u8 = 0x82;
    pub const ADDRESS: u8 = 0x87;
}

const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1D, 0x11];

/// A DER value: tag, length, contents.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len();
    let mut out = vec![tag];
    match length {
        0..=0x7F => out.push(length as u8),
        0x80..=0xFF => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(contents);
    out
}

impl Certificate {
    /// Makes one. Fails only where the system has no random numbers.
    pub fn new() -> io::Result<Certificate> {
        let failed = |_| io::Error::other("no key could be made for a certificate");
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref())
            .map_err(|_| io::Error::other("a key just made could not be read"))?;

        let algorithm = der(tag::SEQUENCE, &[&der(tag::OBJECT, &[ECDSA_WITH_SHA256])]);
        // The name that SQL Server gives to its own.
        let name = der(tag::SEQUENCE, &[&der(tag::OBJECT, &[COMMON_NAME]), &der(tag::UTF8, &[b"SSL_Self_Signed_Fallback"])]);
        let name = der(tag::SEQUENCE, &[&der(tag::SET, &[&name])]);
        let validity = der(tag::SEQUENCE, &[&der(tag::TIME, &[b"20200101000000Z"]), &der(tag::TIME, &[b"21200101000000Z"])]);
        let kind = der(tag::SEQUENCE, &[&der(tag::OBJECT, &[EC_PUBLIC_KEY]), &der(tag::OBJECT, &[P256])]);
        let public = der(tag::SEQUENCE, &[&kind, &der(tag::BITS, &[&[0], pair.public_key().as_ref()])]);
        let names = der(tag::SEQUENCE, &[&der(tag::DNS, &[b"localhost"]), &der(tag::ADDRESS, &[&[127, 0, 0, 1]])]);
        let extension = der(tag::SEQUENCE, &[&der(tag::OBJECT, &[ALTERNATIVE_NAMES]), &der(tag::OCTETS, &[&names])]);
        let extensions = der(tag::EXTENSIONS, &[&der(tag::SEQUENCE, &[&extension])]);
        let version = der(tag::VERSION, &[&der(tag::INTEGER, &[&[2]])]);
        let number = der(tag::INTEGER, &[&[1]]);
        let body = der(tag::SEQUENCE, &[&version, &number, &algorithm, &name, &validity, &name, &public, &extensions]);

        let signature = pair.sign(&random, &body).map_err(failed)?;
        let der = der(tag::SEQUENCE, &[&body, &algorithm, &der(tag::BITS, &[&[0], signature.as_ref()])]);
        Ok(Certificate { der, key: pkcs8.as_ref().to_vec() })
    }

    /// The certificate alone, in DER: for a client that is to trust it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}
