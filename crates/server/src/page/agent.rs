//! What a `User-Agent` says about a device, in two words that a person knows. It is a hint to
//! recognise one's own device by; nothing may be decided with it, since anybody can write it.

/// Browsers, the more particular ones first: each of them also names those it descends from.
const PROGRAMS: [(&str, &str); 11] = [
    ("SamsungBrowser/", "Samsung Internet"),
    ("Whale/", "Whale"),
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(", "NAVER"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// The program and the system, such as `Chrome · Windows`; `None` when neither is known.
pub fn describe(user_agent: &str) -> Option<String> {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&PROGRAMS), find(&SYSTEMS)) {
        (Some(program), Some(system)) => Some(format!("{program} · {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_what_a_person_knows() {
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                   like Gecko) Version/17.0 Safari/605.1.15";
        let whale = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                     Gecko) Chrome/120.0 Whale/3.24 Safari/537.36";
        assert_eq!(describe(mac).as_deref(), Some("Safari · macOS"));
        assert_eq!(describe(whale).as_deref(), Some("Whale · Windows"));
        assert_eq!(describe("curl/8.0 (Linux)").as_deref(), Some("Linux"));
        assert_eq!(describe("<script>"), None);
    }
}
