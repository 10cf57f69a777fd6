//! The passwords that attackers try first (NIST SP 800-63B-4 §3.1.1.2, ASVS 6.2.4): two sorted
//! texts inside the program, searched where they lie. There is nothing to build at start and
//! nothing on the heap.

/// Lists of common passwords of 8 characters and more, folded, in the order of their bytes, one a
/// line. `data/README.md` says where they come from.
const LISTS: [&str; 2] = [
    include_str!("../../data/common-passwords.txt"),
    include_str!("../../data/common-passwords-korean.txt"),
];

/// Whether `folded`, a password in NFKC without case, is a common one. The time that it takes says
/// something about the password, so this is for choosing one and never for signing in.
pub(super) fn contains(folded: &str) -> bool {
    LISTS.iter().any(|list| has_line(list.as_bytes(), folded.as_bytes()))
}

// Binary search over offsets: each probe is widened to the line that it hit.
fn has_line(mut list: &[u8], wanted: &[u8]) -> bool {
    while !list.is_empty() {
        let (before, after) = list.split_at(list.len() / 2);
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |place| place + 1);
        let to_end = after.iter().position(|&byte| byte == b'\n').unwrap_or(after.len());
        let end = before.len() + to_end;

        let line = list.get(start..end).unwrap_or_default();
        list = match wanted.cmp(line) {
            std::cmp::Ordering::Equal => return !line.is_empty(),
            std::cmp::Ordering::Less => list.get(..start).unwrap_or_default(),
            std::cmp::Ordering::Greater => list.get(end + 1..).unwrap_or_default(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::unicode::fold;
    use super::*;

    #[test]
    fn the_lists_are_sorted_folded_and_fit_the_policy() {
        for list in LISTS {
            assert!(list.ends_with('\n') && !list.contains('\r'));
            let lines: Vec<&str> = list.lines().collect();
            assert!(lines.is_sorted_by(|one, next| one < next), "sorted by bytes, none twice");
            for line in lines {
                assert_eq!(*fold(line), line);
                assert!((8..=64).contains(&line.chars().count()), "{line}");
            }
        }
        let total: usize = LISTS.iter().map(|list| list.lines().count()).sum();
        assert!(total > 30_000, "{total}");
    }

    #[test]
    fn every_line_is_found_and_no_piece_of_one() {
        for line in LISTS.iter().flat_map(|list| list.lines()) {
            assert!(contains(line), "{line}");
        }
        for text in [
            "",
            "\n",
            "passwor",
            "password\n",
            "\npassword",
            "password\nqwerty",
            "zzzzzzzzzzzzzzzzzzzzzzz",
            "힣힣힣힣힣힣힣힣",
            "!",
        ] {
            assert!(!contains(text), "{text:?}");
        }
    }

    #[test]
    fn a_list_without_lines_or_without_a_last_line_break_is_searched_too() {
        assert!(!has_line(b"", b"a"));
        assert!(!has_line(b"\n\n", b""));
        assert!(has_line(b"a", b"a") && has_line(b"a\nb\nc", b"c") && !has_line(b"a\nc", b"b"));
    }
}
