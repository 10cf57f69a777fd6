//! A witness of the audit trail, outside of the server: keeps the verifier key that was seen first
//! and every checkpoint since, and has `munjigi audit verify` hold the trail against all of them.
//! Nothing here takes the trail's word for what it was before.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::production::Production;

/// How long a server may take to sign what there is: a lease of ten seconds may have to end first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Exit code of `munjigi` for what was checked and is not as it has to be.
const CHECK_FAILED: i32 = 6;

/// What somebody outside has kept of a trail.
pub struct Witness {
    directory: tempfile::TempDir,
    vkey: Option<String>,
    /// How often the whole trail was verified, and held.
    pub looks: u32,
    /// How many events were signed when it was looked at last.
    pub events: u64,
}

/// What a look has shown.
#[derive(Debug)]
pub enum Look {
    /// It holds, and goes on from everything that was kept.
    Holds {
        /// How many events are signed.
        size: u64,
        /// How many are not yet.
        waiting: u64,
    },
    /// Nothing has been signed yet, now or before.
    Unsigned,
    /// The command came to no verdict: how it ended.
    NoVerdict(String),
    /// It is not what was signed, or not what was there before.
    Wrong(String),
}

impl Witness {
    /// Has not seen anything yet.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), vkey: None, looks: 0, events: 0 }
    }

    /// Keeps the newest checkpoint, and verifies the trail against it and those before.
    pub fn look(&mut self, node: &Production) -> Look {
        let (code, newest) = node.tell(&["audit", "checkpoint"]);
        match code {
            Some(0) => {}
            Some(CHECK_FAILED) if self.vkey.is_none() => return Look::Unsigned,
            Some(CHECK_FAILED) => return Look::Wrong("forked: no checkpoint is left".to_owned()),
            code => return Look::NoVerdict(format!("`munjigi audit` ends with {code:?}")),
        }
        self.keep(&newest);
        let (vkey, kept) = (self.vkey.clone().unwrap(), self.kept());
        let (code, told) =
            node.tell(&["audit", "verify", "--vkey", &vkey, "--since", kept.to_str().unwrap()]);
        match code {
            Some(0) => {
                let (size, waiting) = (told["size"].as_u64(), told["waiting"].as_u64());
                let (size, waiting) = (size.unwrap(), waiting.unwrap());
                (self.looks, self.events) = (self.looks + 1, size);
                Look::Holds { size, waiting }
            }
            // What was kept cannot be opened with the key that was kept: `usage`.
            Some(CHECK_FAILED | 2) => Look::Wrong(format!("{code:?}: {told}")),
            code => Look::NoVerdict(format!("`munjigi audit` ends with {code:?}")),
        }
    }

    /// Looks until the trail holds and is so far, or is wrong; its size, or what is wrong.
    pub async fn until(
        &mut self,
        node: &Production,
        is_enough: impl Fn(u64, u64) -> bool,
    ) -> Result<u64, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let look = self.look(node);
            match look {
                Look::Holds { size, waiting } if is_enough(size, waiting) => return Ok(size),
                // Never asked again: a second look may find it covered up.
                Look::Wrong(wrong) => return Err(format!("the audit trail: {wrong}")),
                _ if Instant::now() > until => {
                    return Err(format!("the audit trail does not go on: {look:?}"));
                }
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Looks once every event is signed.
    pub async fn until_all_signed(&mut self, node: &Production) -> Result<u64, String> {
        let until = Instant::now() + PATIENCE;
        // Asking how many are not costs little; a look goes over all of them.
        while node.tell(&["audit", "checkpoint"]).1["waiting"] != 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.until(node, |_, waiting| waiting == 0).await
    }

    fn keep(&mut self, newest: &Value) {
        if self.vkey.is_none() {
            self.vkey = Some(newest["vkey"].as_str().unwrap().to_owned());
        }
        let line = json!({ "at": newest["signed_at"], "checkpoint": newest["checkpoint"] });
        let file = OpenOptions::new().create(true).append(true).open(self.kept());
        writeln!(file.unwrap(), "{line}").unwrap();
    }

    fn kept(&self) -> std::path::PathBuf {
        self.directory.path().join("kept")
    }
}
