//! Known answers of others: transparency-dev/merkle `testonly/constants.go` (leaves and roots of
//! Certificate Transparency), its proofs, golang.org/x/mod `sumdb/note`, and C2SP signed-note.

use munjigi_audit::{
    Checkpoint, Edge, Error, Hash, Signer, VerifierKey, check_consistency, check_inclusion,
    consistency, empty_root, inclusion, leaf_hash, node_hash, root_at,
};

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

pub fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn hash(text: &str) -> Hash {
    hex(text).try_into().unwrap()
}

/// Complete subtrees over leaves in memory, for comparison with what is found in tiles.
pub fn subtree(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, Error> {
    fn fold(row: &[Hash]) -> Hash {
        match row {
            [one] => *one,
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                node_hash(&fold(left), &fold(right))
            }
        }
    }
    move |height, index| {
        let first = usize::try_from(index << height).unwrap();
        let row = leaves.get(first..first + (1 << height)).ok_or(Error::OutOfRange)?;
        Ok(fold(row))
    }
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let leaves: Vec<Hash> = LEAVES.iter().map(|leaf| leaf_hash(&hex(leaf))).collect();
    let mut edge = Edge::default();
    assert_eq!((edge.root(), empty_root()), (hash(ROOTS[0]), hash(ROOTS[0])));
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(root_at(size, subtree(&leaves)), Ok(hash(root)), "{size}");
        assert_eq!((edge.size(), edge.root()), (size, hash(root)));
        if let Some(leaf) = leaves.get(size as usize) {
            edge.push(*leaf);
        }
    }
}

#[test]
fn the_proofs_are_those_of_certificate_transparency() {
    let leaves: Vec<Hash> = LEAVES.iter().map(|leaf| leaf_hash(&hex(leaf))).collect();
    let inclusions: [(u64, u64, &[&str]); 2] = [
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ];
    for (index, size, expected) in inclusions {
        let expected: Vec<Hash> = expected.iter().map(|text| hash(text)).collect();
        assert_eq!(inclusion(index, size, subtree(&leaves)), Ok(expected.clone()));
        let (leaf, root) = (leaves[index as usize], hash(ROOTS[size as usize]));
        assert!(check_inclusion(&leaf, index, size, &expected, &root));
    }
    let consistencies: [(u64, u64, &[&str]); 3] = [
        (1, 1, &[]),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in consistencies {
        let expected: Vec<Hash> = expected.iter().map(|text| hash(text)).collect();
        assert_eq!(consistency(old, new, subtree(&leaves)), Ok(expected.clone()));
        let (old_root, new_root) = (hash(ROOTS[old as usize]), hash(ROOTS[new as usize]));
        assert!(check_consistency((old, &old_root), (new, &new_root), &expected));
    }
}

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNED: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng\
    otpRZb6KE6RyyBwJnAM=\n";

/// golang.org/x/mod `sumdb/note`, the example of its documentation; the seed is that of
/// `PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz`.
#[test]
fn a_note_is_signed_and_opened_as_the_go_checksum_database_does() {
    let seed = hex("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173");
    let signer = Signer::from_seed("PeterNeumann", &seed.try_into().unwrap()).unwrap();
    assert_eq!(signer.verifier().to_string(), PETER);
    assert_eq!(signer.sign(TEXT).as_deref(), Ok(SIGNED));
    let key: VerifierKey = PETER.parse().unwrap();
    assert_eq!(key.open(SIGNED), Ok(TEXT));
    assert_eq!(Checkpoint::open(SIGNED, &key), Err(Error::BadCheckpoint));
}

/// The keys of golang.org/x/mod, C2SP signed-note and transparency-dev/formats, written back as
/// they are. The last has a plus in its base64.
#[test]
fn the_verifier_keys_of_others_are_read() {
    let ours = [
        PETER,
        "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
        "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
    ];
    for text in ours {
        assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), text);
    }
    let wrong = [
        "",
        "PeterNeumann",
        // Another type: a key of cosignatures.
        "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        // Another id, another name, in capitals, a byte less, with a space.
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ];
    for text in wrong {
        assert_eq!(text.parse::<VerifierKey>(), Err(Error::BadKey), "{text}");
    }
}

/// C2SP signed-note, "Signatures".
#[test]
fn a_signature_of_somebody_else_is_ignored_and_a_wrong_one_of_ours_is_not() {
    let key: VerifierKey = PETER.parse().unwrap();
    let enoch = Signer::from_seed("EnochRoot", &[3; 32]).unwrap();
    let both = enoch.sign(TEXT).unwrap();
    let other = both.rsplit_once('\u{2014}').unwrap().1;
    assert_eq!(key.open(&format!("{SIGNED}\u{2014}{other}")), Ok(TEXT));
    assert_eq!(key.open(&both), Err(Error::Unsigned));
    assert_eq!(key.open(&SIGNED.replace("answer", "anzwer")), Err(Error::BadSignature));
    let wrong = [SIGNED.trim_end(), TEXT, "", "\n\n", &SIGNED.replace("x08go", "x08g")];
    for note in wrong {
        assert_eq!(key.open(note), Err(Error::BadNote), "{note}");
    }
    assert_eq!(key.open(&SIGNED.replace('.', "\u{1b}")), Err(Error::BadNote));
    assert_eq!(enoch.sign("no newline"), Err(Error::BadNote));
}

/// C2SP tlog-checkpoint, "Note text".
#[test]
fn a_checkpoint_has_three_lines_and_one_text() {
    let signer = Signer::from_seed("log", &[3; 32]).unwrap();
    let key = signer.verifier();
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let open = |text: String| Checkpoint::open(&signer.sign(&text).unwrap(), &key);
    let text = format!("log\n20852163\n{root}\n");
    assert_eq!(open(text.clone()).unwrap().to_string(), text);
    let wrong = [
        format!("other\n20852163\n{root}\n"),
        format!("log\n020852163\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n1\n{root}\nextension\n"),
        format!("log\n1\n{}\n", &root[4..]),
        "log\n1\n".to_owned(),
    ];
    for text in wrong {
        assert_eq!(open(text.clone()), Err(Error::BadCheckpoint), "{text}");
    }
}
