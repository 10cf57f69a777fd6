//! Bundles of entries (C2SP tlog-tiles, "Log entries"): one bundle has one reading, and the reverse.

use munjigi_audit::{read_bundle, write_bundle};

pub fn run(bytes: &[u8]) {
    let Some((&width, bundle)) = bytes.split_first() else { return };
    if let Ok(entries) = read_bundle(bundle, u64::from(width)) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(write_bundle(entries).as_deref(), Ok(bundle), "not written as it was read");
        let wrong = [u64::from(width) + 1, u64::from(width).wrapping_sub(1)];
        assert!(wrong.iter().all(|width| read_bundle(bundle, *width).is_err()), "another width");
    }
    let entries = || bundle.split(|byte| *byte == width);
    let Ok(written) = write_bundle(entries()) else { return };
    let count = u64::try_from(entries().count()).unwrap_or(0);
    let Ok(read) = read_bundle(&written, count) else { panic!("not read as it was written") };
    assert!(read.into_iter().eq(entries()), "other entries");
}
