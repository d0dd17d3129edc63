//! Manifests are plain data; see `model/manifest.rs`.

pub use crate::model::{Listed, Manifest, Sized, copy_name};
