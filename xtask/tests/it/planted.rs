//! For each rule a file that breaks it, and the same file as it should be. A rule that lets its
//! violation pass, or that finds fault with the innocent, fails here.

use xtask::tidy::{self, Report, Rule, Source, Tree};

/// What breaks a rule, and what does nearly the same and keeps it.
struct Case {
    rule: Rule,
    guilty: Vec<Source>,
    innocent: Vec<Source>,
}

fn case(rule: Rule, path: &str, guilty: impl AsRef<str>, innocent: impl AsRef<str>) -> Case {
    let file = |text: &str| {
        let head = if path.ends_with(".rs") { "//! A file.\n" } else { "" };
        vec![Source::new(path, format!("{head}{text}\n"))]
    };
    Case { rule, guilty: file(guilty.as_ref()), innocent: file(innocent.as_ref()) }
}

/// The same text in a place where it is forbidden and in one where it is at home.
fn moved(rule: Rule, forbidden: &str, home: &str, text: &str) -> Case {
    let file = |path: &str| vec![Source::new(path, format!("//! A file.\n{text}\n"))];
    Case { rule, guilty: file(forbidden), innocent: file(home) }
}

fn check(sources: Vec<Source>) -> Report {
    tidy::check(&Tree { sources })
}

fn found(rule: Rule, report: &Report) -> usize {
    report.findings.iter().filter(|finding| finding.rule == rule).count()
}

fn judge(cases: Vec<Case>) {
    for Case { rule, guilty, innocent } in cases {
        let (path, text) = (guilty[0].path.clone(), guilty[0].text.clone());

        let guilty = check(guilty);
        let innocent = check(innocent);

        assert!(found(rule, &guilty) > 0, "{rule:?} let this pass in {path}:\n{text}");
        assert_eq!(guilty.findings.len(), found(rule, &guilty), "other rules too: {guilty}");
        assert_eq!(innocent.findings.len(), 0, "{rule:?}, the innocent of {path}: {innocent}");
    }
}

fn layers() -> Vec<Case> {
    use Rule::{Driver, Endpoint, Pure, Sql};
    let (core, server) = ("crates/core/src/rule.rs", "crates/server/src/page.rs");
    let revoke = "crates/server/src/endpoint/oauth/revoke.rs";
    let query = "fn list() -> &'static str {\n    \"SELECT id FROM user_ WHERE id = $1\"\n}";
    vec![
        case(Pure, core, "use tokio::sync::Mutex;", "use std::sync::Mutex;"),
        case(Pure, core, "use {axum::Json, url::Url};", "use {serde::Serialize, url::Url};"),
        case(Pure, core, "fn a() {\n    reqwest::get();\n}", "fn a() {\n    request::get();\n}"),
        case(Pure, "crates/token/src/a.rs", "type A = hyper::Body;", "type A = Body;"),
        moved(Pure, core, server, "use tower::Layer;"),
        moved(Sql, server, "crates/store/src/users.rs", query),
        moved(Sql, server, "examples/planner/src/main.rs", query),
        case(Sql, server, r#"f!("INSERT INTO a (b) VALUES ($1)");"#, r#"f!("Insert a coin");"#),
        case(Sql, server, r#"f!("\n  UPDATE a SET b = 1");"#, r#"f!("Update your settings");"#),
        case(Sql, server, r#"f!("delete from a");"#, r#"f!("delete a user from the list");"#),
        case(Sql, server, r#"f!(r"CREATE TABLE a (b TEXT)");"#, r#"f!("CREATED at a table");"#),
        moved(
            Driver,
            "crates/store/src/users.rs",
            "crates/store/src/sql/a.rs",
            "use rusqlite::Row;",
        ),
        case(
            Driver,
            server,
            "fn a() {\n    tokio_postgres::connect();\n}",
            "#[cfg(test)]\nmod tests {\n    use tokio_postgres::connect;\n}",
        ),
        with_neighbours(case(
            Endpoint,
            revoke,
            "use crate::endpoint::oauth::token::Answer;",
            "use crate::issue::Answer;",
        )),
        with_neighbours(case(
            Endpoint,
            revoke,
            "fn a() {\n    super::token::answer();\n}",
            "fn a() {\n    super::answer();\n}",
        )),
        with_neighbours(moved(
            Endpoint,
            revoke,
            "crates/server/src/endpoint/oauth/mod.rs",
            "use crate::endpoint::oauth::token;",
        )),
    ]
}

fn sources_of_chance() -> Vec<Case> {
    use Rule::{Clock, Randomness};
    let (core, server) = ("crates/core/src/rule.rs", "crates/server/src/page.rs");
    let stamp = "fn now() {\n    let _ = std::time::SystemTime::now();\n}";
    let watch = "use std::time::Instant;\nfn start() {\n    let _ = Instant::now();\n}";
    let dice = "use aws_lc_rs::{digest, rand::SystemRandom};";
    vec![
        moved(Clock, server, "crates/server/src/clock.rs", stamp),
        moved(Clock, "crates/store/src/clock.rs", "crates/verify/src/clock.rs", stamp),
        moved(Clock, server, "bench/src/main.rs", stamp),
        moved(Clock, "crates/store/src/pool.rs", "crates/store/src/clock.rs", watch),
        case(
            Clock,
            server,
            "fn a() {\n    f(jiff::Timestamp::now);\n}",
            "#[test]\nfn a() {\n    f(jiff::Timestamp::now);\n}",
        ),
        moved(Randomness, server, "crates/server/src/random.rs", dice),
        moved(Randomness, core, "crates/token/src/key.rs", dice),
        case(Randomness, core, "fn a() {\n    rand::random();\n}", "fn a() {\n    random();\n}"),
        case(Randomness, core, "use getrandom::fill;", "use zeroize::Zeroize;"),
    ]
}

/// Other endpoints beside the one that is judged.
fn with_neighbours(mut case: Case) -> Case {
    for sources in [&mut case.guilty, &mut case.innocent] {
        for path in ["oauth/token/mod.rs", "oauth/introspect.rs"] {
            let path = format!("crates/server/src/endpoint/{path}");
            sources.push(Source::new(path, "//! An endpoint.\n"));
        }
    }
    case
}

fn manifests() -> Vec<Case> {
    use Rule::{Driver, OneWay, Pure, Syntax};
    let of = |name: &str| format!("crates/{name}/Cargo.toml");
    let one = |dependency: &str| format!("[dependencies]\n{dependency}.workspace = true");
    vec![
        case(Pure, &of("core"), one("tokio"), one("url")),
        case(
            Pure,
            &of("token"),
            "[dev-dependencies]\naxum = \"1\"",
            "[dev-dependencies]\na = \"1\"",
        ),
        case(
            Pure,
            &of("token"),
            "[target.'cfg(unix)'.dependencies]\nweb = { package = \"hyper\", version = \"1\" }",
            "[target.'cfg(unix)'.dependencies]\nhyper-link = \"1\"",
        ),
        case(OneWay, &of("verify"), one("munjigi-core"), one("munjigi-token")),
        case(OneWay, &of("verify"), one("munjigi-store"), one("axum")),
        case(OneWay, &of("verify"), one("munjigi-server"), one("tower")),
        case(OneWay, &of("core"), one("munjigi-store"), one("munjigi-token")),
        case(OneWay, &of("store"), one("munjigi-server"), one("munjigi-core")),
        case(OneWay, &of("token"), one("munjigi-core"), one("serde")),
        case(Driver, &of("server"), one("rusqlite"), "[dev-dependencies]\nrusqlite = \"1\""),
        case(Syntax, &of("server"), "[dependencies", "[dependencies]"),
    ]
}

fn shapes() -> Vec<Case> {
    use Rule::{Columns, FileLines, FnLines, Nesting, Parameters};
    let path = "crates/core/src/rule.rs";
    let body = |lines: usize| format!("fn long() {{\n{}}}", "    step();\n".repeat(lines));
    let takes = |count: usize| format!("fn wide({}) {{}}", "_: u8, ".repeat(count));
    let deep = |levels: usize| {
        let (open, close) = ("if a {\n".repeat(levels), "}\n".repeat(levels));
        format!("fn deep(a: bool) {{\n{open}b();\n{close}}}")
    };
    let words = " a".repeat(48);
    let tests = "#[cfg(test)]\nmod tests {}";
    let mixed = "fn a() {\nfor b in c {\nmatch b {\n_ => loop {\nwhile d() {}\n}\n}\n}\n}";
    let chain =
        "fn a() {\n    if b {\n    } else if c {\n    } else if d {\n    } else if e {\n    }\n}";
    vec![
        case(FnLines, path, body(61), body(60)),
        case(FnLines, path, body(61), body(60).replacen("{\n", "{\n    // why\n\n", 1)),
        case(Parameters, path, takes(6), takes(5)),
        case(Parameters, path, takes(6), format!("impl A for B {{\n    {}\n}}", takes(6))),
        case(Nesting, path, deep(4), deep(3)),
        case(Nesting, path, mixed, chain),
        case(Columns, path, format!("// ab{words}"), format!("// a{words}")),
        case(Columns, path, format!("// a{}", " ab".repeat(33)), format!("// {}", "a".repeat(120))),
        case(FileLines, path, "const A: u8 = 1;\n".repeat(500), "const A: u8 = 1;\n".repeat(499))
            .trimmed(),
        case(
            FileLines,
            path,
            "// a\n".repeat(500) + tests,
            format!("{}{tests}{}", "// a\n".repeat(499), "\n// a".repeat(200)),
        ),
    ]
}

impl Case {
    /// Without what the repetition left at the end.
    fn trimmed(mut self) -> Self {
        for source in self.guilty.iter_mut().chain(&mut self.innocent) {
            source.text = format!("{}\n", source.text.trim_end());
        }
        self
    }
}

fn words() -> Vec<Case> {
    use Rule::{DocHead, Names, Panic, Syntax, Verbs};
    let path = "crates/server/src/page.rs";
    let unwraps = "fn a() {\n    b.unwrap();\n}";
    let test =
        |body: &str| format!("#[cfg(test)]\nmod tests {{\n    fn a() {{\n{body}\n    }}\n}}");
    vec![
        moved(Names, "crates/core/src/utils.rs", "crates/core/src/scope.rs", "fn a() {}"),
        moved(Names, "crates/core/src/common/a.rs", "crates/core/src/scope/a.rs", "fn a() {}"),
        moved(Names, "crates/core/src/token_helpers.rs", "crates/core/src/commons.rs", "fn a() {}"),
        case(Names, path, "struct TokenManager;", "struct TokenLedger;"),
        case(Names, path, "enum BaseKind {}", "enum Base64Kind {}"),
        case(Names, path, "trait UserService {}", "impl tower::Service<A> for Guard {}"),
        case(Names, path, "mod helpers {}", "mod scopes {}"),
        case(Names, path, "type HTTPService = u8;", "type HTTPServed = u8;"),
        case(Verbs, path, "fn get_user() {}", "fn find_user() {}"),
        case(Verbs, path, "fn do_it() {}", "#[test]\nfn do_not_track_is_honoured() {}"),
        case(Verbs, path, "fn process_form() {}", "fn processed() {}"),
        case(
            Verbs,
            path,
            "impl A {\n    fn handle_it() {}\n}",
            "impl B for A {\n    fn handle_it() {}\n}",
        ),
        case(Verbs, path, "trait A {\n    fn validate_it();\n}", "trait A {\n    fn check();\n}"),
        Case {
            rule: DocHead,
            guilty: vec![Source::new(path, "// A file.\nfn a() {}\n")],
            innocent: vec![Source::new(path, "//! A file.\nfn a() {}\n")],
        },
        case(Panic, path, "fn a() {\n    b.unwrap();\n}", test("b.unwrap();")),
        case(Panic, path, "fn a() {\n    todo!()\n}", test("todo!()")),
        case(
            Panic,
            path,
            "fn a() {\n    b(unimplemented!());\n}",
            "fn a() {\n    b(todo != c);\n}",
        ),
        case(
            Panic,
            path,
            "fn a() {\n    dbg!(b);\n}",
            "/// ```\n/// a.unwrap();\n/// ```\nfn a() {}",
        ),
        moved(Panic, path, "crates/server/tests/it/a.rs", unwraps),
        moved(Panic, "examples/planner/src/main.rs", "crates/store/examples/rate.rs", unwraps),
        case(Syntax, path, "fn a( {}", "fn a() {}"),
    ]
}

fn texts() -> Vec<Case> {
    use Rule::{Exception, Lockfile, Template, Whitespace, Workplace};
    let (path, page) = ("crates/core/src/rule.rs", "crates/server/templates/login.html");
    let here = concat!("/wo", "rk/main");
    let lock = "e2e/package-lock.json";
    vec![
        case(Workplace, "docs/a.md", format!("Look into {here}."), "Look into `docs/`."),
        case(Workplace, path, format!("// \"{here}\""), format!("// https://example.com{here}")),
        case(Whitespace, "docs/a.md", "a \nb", "a\nb"),
        case(Whitespace, path, "fn a() {\n\tb();\n}", "fn a() {\n    b();\n}"),
        case(Whitespace, "docs/a.md", "a\n", "a"),
        case(Whitespace, "docs/a.md", "a\r\nb", "a\nb"),
        case(Lockfile, lock, "{\n  \"resolved\": \"x\"\n}", "{\n  \"integrity\": \"x\"\n}"),
        case(Template, page, "{% let a = 1 %}", "{% if a %}{% else %}{% endif %}"),
        case(Template, page, "{%- set a = 1 -%}", "{%- for a in b -%}{{- a -}}{%- endfor -%}"),
        case(Template, page, "<p>{{ a + 1 }}</p>", "<p>{{ a.name(\"1 + 1\")|upper }}</p>"),
        case(Exception, path, "// tidy: sql", "fn a() {}"),
        case(Exception, path, "// tidy: everything — I want to", "fn a() {}"),
        case(Exception, path, "// tidy: sql —", "fn a() {}"),
        case(Exception, path, "// tidy: sql — it was SQL once\nfn a() {}", "fn a() {}"),
        case(
            Exception,
            path,
            "#[expect(clippy::too_many_lines)]\nfn a() {}",
            "#[expect(clippy::too_many_lines, reason = \"a table\")]\nfn a() {}",
        ),
    ]
}

#[test]
fn a_layer_that_names_what_is_not_its_own_is_caught() {
    judge(layers());
}

#[test]
fn a_clock_or_a_die_outside_its_place_is_caught() {
    judge(sources_of_chance());
}

#[test]
fn a_dependency_that_points_the_other_way_is_caught() {
    judge(manifests());
}

#[test]
fn a_shape_beyond_its_cap_is_caught() {
    judge(shapes());
}

#[test]
fn a_name_that_says_nothing_is_caught() {
    judge(words());
}

#[test]
fn a_text_that_belongs_nowhere_is_caught() {
    judge(texts());
}

#[test]
fn every_rule_has_a_planted_violation() {
    let cases = [layers(), sources_of_chance(), manifests(), shapes(), words(), texts()];
    let planted: Vec<Rule> = cases.iter().flatten().map(|case| case.rule).collect();

    for rule in Rule::ALL {
        assert!(planted.contains(&rule), "{rule:?} was never seen to catch anything");
        assert_eq!(Rule::parse(rule.as_str()), Some(rule));
    }
}

#[test]
fn an_exception_with_a_reason_is_granted_and_counted() {
    let long = format!("fn long() {{\n{}}}\n", "    step();\n".repeat(61));
    let wide = format!("fn wide({}) {{}}\n", "_: u8, ".repeat(6));
    let texts = [
        format!("// tidy: fn-lines — a table\n{long}"),
        format!("#[expect(clippy::too_many_lines, reason = \"a table\")]\n{long}"),
        format!("#[expect(clippy::too_many_arguments, reason = \"a wire format\")]\n{wide}"),
        format!("/// Says what.\n// tidy: parameters — a wire format\n#[inline]\n{wide}"),
        "fn a() {\n    b.unwrap(); // tidy: panic — cannot fail\n}\n".to_owned(),
        format!("// tidy: file-lines — one table\n{}", "const A: u8 = 1;\n".repeat(500)),
    ];
    for text in texts {
        let path = "crates/core/src/rule.rs";

        let report = check(vec![Source::new(path, format!("//! A file.\n{text}"))]);

        assert_eq!(report.findings.len(), 0, "{report}\n{text}");
        assert_eq!(report.exceptions.len(), 1, "{report}\n{text}");
    }
}

#[test]
fn an_exception_reaches_no_further_than_the_code_below_it() {
    let text = "//! A file.\nfn a() {\n    // tidy: panic — cannot fail\n    b.unwrap();\n    \
                c.unwrap();\n}\n";

    let report = check(vec![Source::new("crates/core/src/rule.rs", text)]);

    assert_eq!(report.findings.len(), 1, "{report}");
    assert_eq!(report.findings[0].line, 5);
}

#[test]
fn an_exception_inside_a_string_asks_for_nothing() {
    let text = "//! A file.\nconst A: &str = \"// tidy: nonsense\";\n";

    let report = check(vec![Source::new("crates/core/src/rule.rs", text)]);

    assert_eq!(report.findings.len(), 0, "{report}");
}

#[test]
fn a_module_behind_cfg_test_is_a_test_file() {
    let sources = vec![
        Source::new("crates/core/src/lib.rs", "//! A crate.\n#[cfg(test)]\nmod trials;\n"),
        Source::new("crates/core/src/trials.rs", "//! Trials.\nfn a() {\n    b.unwrap();\n}\n"),
        Source::new("crates/core/src/trial.rs", "//! Trial.\nfn a() {\n    b.unwrap();\n}\n"),
    ];

    let report = check(sources);

    assert_eq!(report.findings.len(), 1, "{report}");
    assert_eq!(report.findings[0].path, "crates/core/src/trial.rs");
}

#[test]
fn unaudited_writes_are_counted_outside_tests() {
    let text = "//! A file.\nfn a() {\n    f(Audit::Routine(\"why\"));\n}\n\
                #[test]\nfn b() {\n    f(Audit::Routine(\"why\"));\n}\n";

    let report = check(vec![Source::new("crates/server/src/page.rs", text)]);

    assert_eq!(report.routine_writes, [("crates/server/src/page.rs".to_owned(), 3)]);
}
