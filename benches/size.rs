//! The size of the program.

use crate::report::{Report, mib};
use crate::{Options, Result};

/// Looks.
pub fn bench(_options: &Options, report: &mut Report) -> Result<()> {
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_relevo"))?.len();
    let most = (!cfg!(debug_assertions)).then_some(25e6);
    report.figure("release binary", mib(bytes), bytes as f64, most, "≤ 25 MB");
    Ok(())
}
