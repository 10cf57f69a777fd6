//! What the operating system says of this process, where it is Linux: it is read when somebody
//! asks, and a machine that does not say it leaves it out.

use std::time::Duration;

use super::text::{Kind, Seconds, Text};

/// Writes what there is.
pub fn write(text: &mut Text) {
    if let Some(kib) = status("VmRSS:") {
        let bytes = kib.saturating_mul(1_024);
        text.single(
            Kind::Gauge,
            "process_resident_memory_bytes",
            ("Memory that this process holds, in bytes.", bytes),
        );
    }
    if let Some(threads) = status("Threads:") {
        text.single(Kind::Gauge, "process_threads", ("Threads of this process.", threads));
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        let open = open.count();
        text.single(Kind::Gauge, "process_open_fds", ("Open file descriptors.", open));
    }
    if let Some(most) = limit() {
        let help = "How many file descriptors this process may open.";
        text.single(Kind::Gauge, "process_max_fds", (help, most));
    }
    if let Some(used) = processor_time() {
        text.single(
            Kind::Counter,
            "process_cpu_seconds_total",
            ("Processor time that this process used, in seconds.", Seconds(used)),
        );
    }
}

/// A number of `/proc/self/status` (proc(5)).
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn limit() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// In user and in kernel mode together: fields 14 and 15 of `/proc/self/stat`, in ticks. The name
/// of the program stands before them in parentheses, and may hold anything.
#[cfg(target_os = "linux")]
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    let micros = user.saturating_add(kernel).saturating_mul(1_000_000);
    let micros = micros.checked_div(rustix::param::clock_ticks_per_second())?;
    Some(Duration::from_micros(micros))
}

#[cfg(not(target_os = "linux"))]
const fn processor_time() -> Option<Duration> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_memory_and_files_and_used_the_processor() {
        let mut text = Text::default();
        write(&mut text);
        let text = text.finish();
        for name in [
            "process_resident_memory_bytes",
            "process_threads",
            "process_open_fds",
            "process_max_fds",
            "process_cpu_seconds_total",
        ] {
            let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            assert!(value.is_some(), "{name} is not in\n{text}");
        }
    }
}
