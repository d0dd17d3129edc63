//! `sys.configurations`: names and first values.

use std::collections::BTreeMap;

/// Name, id, value, least, most, advanced.
pub const OPTIONS: &[(&str, i64, i64, i64, i64, bool)] = &[
    ("recovery interval (min)", 101, 0, 0, 32767, true),
    ("nested triggers", 115, 1, 0, 1, false),
    ("remote access", 117, 1, 0, 1, false),
    ("show advanced options", 518, 0, 0, 1, false),
    ("cross db ownership chaining", 400, 0, 0, 1, false),
    ("max server memory (mb)", 1544, 2_147_483_647, 128, 2_147_483_647, true),
    ("clr enabled", 1562, 0, 0, 1, false),
    ("backup compression default", 1579, 0, 0, 1, false),
    ("filestream access level", 1580, 0, 0, 2, false),
    ("contained database authentication", 16393, 0, 0, 1, false),
    ("backup checksum default", 1584, 0, 0, 1, false),
    ("xp_cmdshell", 16390, 0, 0, 1, true),
    ("ole automation procedures", 16388, 0, 0, 1, true),
];

/// The first values.
pub fn defaults() -> BTreeMap<String, i64> {
    OPTIONS.iter().map(|option| (option.0.to_string(), option.2)).collect()
}
