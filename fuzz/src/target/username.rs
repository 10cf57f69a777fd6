//! User names: nothing that cannot be seen, no e-mail address, and the same name when it is read
//! again.

use munjigi_core::account::username::Username;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(name) = Username::parse(text) else { return };
    let kept = name.as_str();
    assert!((1..=64).contains(&kept.chars().count()) && !kept.contains('@'), "{kept}");
    assert!(!kept.contains(|c: char| c.is_control() || c.is_whitespace() || "<>&\"'/".contains(c)));
    assert!(!name.canonical().is_empty(), "nothing to find it by");

    let Ok(again) = Username::parse(kept) else { panic!("not read again: {kept}") };
    assert_eq!((again.as_str(), again.canonical()), (kept, name.canonical()), "another name");
    for small in [kept.to_lowercase(), kept.to_ascii_lowercase()] {
        let Ok(small) = Username::parse(&small) else { panic!("refused when small: {kept}") };
        assert_eq!(small.canonical(), name.canonical(), "case makes two of one");
    }
}
