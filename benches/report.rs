//! What a benchmark says: one line a figure, with its peer, the ratio and the target.

/// One figure.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure, with its unit.
    pub figure: String,
    /// The peer and its figure; why there is none where it is missing.
    pub peer: String,
    /// What the target is compared with: the ratio, or the figure itself.
    pub value: Option<f64>,
    /// The most that it may be; `None`: only told.
    pub most: Option<f64>,
    /// How the target reads; "-" where there is none.
    pub target: String,
}

/// All lines of a run.
pub struct Report {
    rows: Vec<[String; 6]>,
}

impl Report {
    /// Says what is measured where.
    pub fn begin(mib: u64) -> Report {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let build = if cfg!(debug_assertions) {
            "debug build: only what comes out is checked, no figure counts"
        } else {
            "release build"
        };
        println!("relevo benchmarks: {mib} MiB database, {cores} cores, {build}");
        Report { rows: Vec::new() }
    }

    /// A figure in seconds against a peer's: the ratio counts.
    pub fn against(&mut self, what: &str, own: f64, peer: &Peer, most: Option<f64>) {
        let ratio = peer.figure.map(|figure| own / figure);
        let row = Row {
            what: what.to_owned(),
            figure: seconds(own),
            peer: peer.to_string(),
            value: ratio,
            most,
            target: most.map_or("-".to_owned(), |most| format!("≤ {most} × peer")),
        };
        self.say(row);
    }

    /// A figure with a target of its own.
    pub fn figure(&mut self, what: &str, figure: String, value: f64, most: Option<f64>, target: &str) {
        let target = target.to_owned();
        self.say(Row { what: what.to_owned(), figure, peer: "-".to_owned(), value: Some(value), most, target });
    }

    /// Prints a row and keeps it for the table.
    pub fn say(&mut self, row: Row) {
        let verdict = match (row.value, row.most) {
            (_, None) => "told",
            (None, Some(_)) => "no peer",
            (Some(value), Some(most)) if value <= most => "pass",
            _ => "MISS",
        };
        let ratio = match row.value {
            Some(ratio) if row.peer != "-" => format!("{ratio:.2}"),
            _ => "-".to_owned(),
        };
        println!("{}: {} | peer {} | ratio {ratio} | target {} | {verdict}", row.what, row.figure, row.peer, row.target);
        self.rows.push([row.what, row.figure, row.peer, ratio, row.target, verdict.to_owned()]);
    }

    /// The whole run as a table, as docs/benchmarks.md has it.
    pub fn end(&self) {
        println!("\n| what | figure | peer, same run | ratio | target | |\n|---|---|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}

/// Somebody else's figure for the same work.
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Seconds; `None` where it is not installed.
    pub figure: Option<f64>,
    /// How to get it.
    pub remedy: &'static str,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.figure {
            Some(figure) => write!(f, "{} {}", self.name, seconds(figure)),
            None => write!(f, "{} is missing: {}", self.name, self.remedy),
        }
    }
}

/// Seconds as a person reads them.
pub fn seconds(value: f64) -> String {
    match value {
        v if v >= 1.0 => format!("{v:.2} s"),
        v if v >= 0.001 => format!("{:.1} ms", v * 1e3),
        v => format!("{:.0} µs", v * 1e6),
    }
}

/// Bytes as a person reads them.
pub fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}
