//! Password hashes: the version that the real ones have in front (0x02 up to 2022, 0x03 in 2025), a salt, and a sum. The sum is the
//! simulator's own: what matters is that a hash travels, and that a later one is refused.

use uuid::Uuid;

/// A new hash.
pub fn make(password: &str, major: u16) -> Vec<u8> {
    let version = if major >= 17 { 3 } else { 2 };
    let salt: [u8; 4] = Uuid::new_v4().as_bytes()[..4].try_into().unwrap_or_default();
    with(version, salt, password)
}

/// Does the password belong to it?
pub fn fits(hash: &[u8], password: &str) -> bool {
    hash.len() == 70 && hash == with(hash[0], [hash[2], hash[3], hash[4], hash[5]], password)
}

/// May an instance of this version take it?
pub fn taken(hash: &[u8], major: u16) -> bool {
    hash.len() == 70 && (hash[0] == 2 || (hash[0] == 3 && major >= 17)) && hash[1] == 0
}

fn with(version: u8, salt: [u8; 4], password: &str) -> Vec<u8> {
    let mut hash = vec![version, 0];
    hash.extend_from_slice(&salt);
    let mut sum: u64 = u64::from(u32::from_le_bytes(salt)) | 1;
    for round in 0..8_u64 {
        for unit in password.encode_utf16() {
            sum = (sum ^ u64::from(unit) ^ round << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        }
        sum = (sum ^ sum >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash.extend_from_slice(&sum.to_be_bytes());
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_only() {
        let hash = make("Señal-1", 16);
        assert!(fits(&hash, "Señal-1") && !fits(&hash, "Señal-2") && !fits(&hash, ""));
        assert!(taken(&hash, 13) && taken(&hash, 17));
        assert!(!taken(&make("x", 17), 16) && taken(&make("x", 17), 17));
    }
}
