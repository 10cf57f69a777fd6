//! LG-02 of the attack kit, against the real program: whether the time of an answer tells what an
//! account is. Requests about each kind of account take turns, so that whatever else the machine
//! does falls on all of them alike.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};

use crate::Dev;
use crate::production::Production;
use crate::statistics::{mann_whitney, median};

const PASSWORD: &str = "correct-horse-battery-staple";
const WRONG: &str = "another-horse-battery-staple";
/// How often one account is guessed at: from the sixth wrong guess on it would be put off.
const GUESSES: usize = 4;

/// What two kinds of accounts have in common, or have not.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What was asked.
    pub asked: &'static str,
    /// Of which two kinds of accounts.
    pub kinds: [&'static str; 2],
    /// The medians, in ms.
    pub medians: [f64; 2],
    /// How far the second is from the first, as a share of it.
    pub difference: f64,
    /// The fastest answers, in ms. Whatever else a machine does makes answers slower, never faster.
    pub fastest: [f64; 2],
    /// How likely they are so far apart by chance.
    pub p: f64,
    /// How many answers of each.
    pub samples: usize,
}

impl Compared {
    fn new(asked: &'static str, one: &Kind, other: &Kind) -> Self {
        let medians = [median(&one.took), median(&other.took)];
        let fastest = |kind: &Kind| kind.took.iter().copied().fold(f64::INFINITY, f64::min);
        Self {
            asked,
            kinds: [one.name, other.name],
            medians,
            difference: (medians[1] - medians[0]).abs() / medians[0],
            fastest: [fastest(one), fastest(other)],
            p: mann_whitney(&one.took, &other.took),
            samples: one.took.len(),
        }
    }

    /// No significant difference, and none above three in a hundred.
    pub fn is_alike(&self) -> bool {
        self.p > 0.01 && self.difference < 0.03
    }
}

impl Compared {
    /// Neither kind has an answer that leaves out half of what every answer of the other takes: of
    /// a few answers on a machine that does other things, too, nothing finer can be said.
    pub fn is_alike_by_far(&self) -> bool {
        let [one, other] = self.fastest;
        one < other * 2.0 && other < one * 2.0
    }
}

/// Answers about one kind of account.
struct Kind {
    name: &'static str,
    status: u16,
    took: Vec<f64>,
}

impl Kind {
    fn new(name: &'static str, status: u16) -> Self {
        Self { name, status, took: Vec::new() }
    }
}

/// A server, and accounts of every kind.
pub struct Street<'d> {
    dev: &'d Dev,
    client: Client,
    accounts: usize,
    samples: usize,
}

/// Asks about each kind in turn, beginning with another one each time.
async fn take_turns(
    samples: usize,
    kinds: &mut [Kind],
    ask: impl Fn(&'static str, usize) -> RequestBuilder,
) {
    for number in 0..samples {
        for turn in 0..kinds.len() {
            let place = (number + turn) % kinds.len();
            let kind = &mut kinds[place];
            let request = ask(kind.name, number);
            let began = Instant::now();
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            answer.bytes().await.unwrap();
            kind.took.push(began.elapsed().as_secs_f64() * 1e3);
            assert_eq!(status, kind.status, "{}", kind.name);
        }
    }
}

fn client() -> Client {
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    client.timeout(Duration::from_secs(20)).build().unwrap()
}

/// A form, sent as the page at `base` sends it.
fn form(client: &Client, base: &str, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(fields).finish();
    let request = client.post(format!("{base}{path}"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.header("sec-fetch-site", "same-origin").body(body)
}

/// Sign-ins from an address that has guessed too often, in a browser that is known for somebody
/// else: of an account, and of none.
pub async fn over_budget(samples: usize) -> Compared {
    let mut server = Production::on_sqlite();
    for name in ["known", "browser"] {
        let create = ["users", "create", "--email", &email(name, 0), "--password-stdin"];
        server.cli(&create, PASSWORD);
    }
    // Two at once, and one more in a minute: none of the samples is looked at.
    server.cli(&["settings", "set", "address_budget", "1"], "");
    server.start();
    let client = client();
    let guess = |email: &str, password: &str| {
        let fields = [("username", email), ("password", password)];
        form(&client, &server.base, "/login", &fields)
    };
    let signed_in = guess(&email("browser", 0), PASSWORD).send().await.unwrap();
    let cookies = signed_in.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.filter_map(|it| it.to_str().ok()?.split(';').next()).collect();
    let device = cookies.into_iter().find(|cookie| cookie.contains("device")).unwrap().to_owned();
    for number in 0.. {
        let status = guess(&email("nobody", number), WRONG).send().await.unwrap().status();
        if status.as_u16() == 429 {
            break;
        }
        assert!(number < 1_000, "no address is ever put off");
    }

    let mut kinds = ["account", "no account"].map(|name| Kind::new(name, 429));
    let ask = |kind: &'static str, number: usize| {
        let email = match kind {
            "account" => email("known", 0),
            _ => email("known", number + 1),
        };
        guess(&email, WRONG).header("cookie", &device)
    };
    take_turns(samples, &mut kinds, ask).await;
    Compared::new("sign-in from an address that is put off", &kinds[0], &kinds[1])
}

impl<'d> Street<'d> {
    /// Makes as many accounts as so many answers of each kind need.
    pub async fn new(dev: &'d Dev, samples: usize) -> Self {
        let accounts = samples.div_ceil(GUESSES);
        let street = Self { dev, client: client(), accounts, samples };
        let admin = street.administrator().await;
        for number in 0..accounts {
            for kind in ["known", "disabled", "reader"] {
                let body = json!({"email": email(kind, number), "password": PASSWORD});
                let made = street.post("/api/v1/users/signup", &body).send().await.unwrap();
                let made: Value = made.json().await.unwrap();
                if kind == "disabled" {
                    let id = made["id"].as_str().unwrap();
                    let path = format!("/api/v1/admin/users/{id}/disable");
                    let disabled = street.post(&path, &json!({})).bearer_auth(&admin).send().await;
                    assert_eq!(disabled.unwrap().status(), 204);
                }
            }
        }
        street
    }

    async fn administrator(&self) -> String {
        let users = self.dev.there["users"].as_array().unwrap();
        let is_admin = |user: &&Value| user["roles"].to_string().contains("\"admin\"");
        let admin = users.iter().find(is_admin).unwrap();
        let body = json!({"email": admin["email"], "password": admin["password"]});
        let tokens = self.post("/api/v1/users/signin", &body).send().await.unwrap();
        let tokens: Value = tokens.json().await.unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.dev.issuer)).json(body)
    }

    fn page(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        form(&self.client, &self.dev.issuer, path, fields)
    }

    fn guess(&self, email: &str, password: &str) -> RequestBuilder {
        self.post("/api/v1/users/signin", &json!({"email": email, "password": password}))
    }

    /// Asks about each kind in turn.
    async fn take_turns(
        &self,
        kinds: &mut [Kind],
        ask: impl Fn(&'static str, usize) -> RequestBuilder,
    ) {
        take_turns(self.samples, kinds, ask).await;
    }

    /// Sign-ins that are refused, whatever the reason.
    pub async fn sign_ins(&self) -> Vec<Compared> {
        let names = ["wrong password", "no account", "disabled"];
        let mut kinds = names.map(|name| Kind::new(name, 401));
        let ask = |kind: &'static str, number: usize| {
            let place = number % self.accounts;
            match kind {
                "wrong password" => self.guess(&email("known", place), WRONG),
                "no account" => self.guess(&email("nobody", number), WRONG),
                // With the right password: nothing but the state of the account refuses it.
                _ => self.guess(&email("disabled", place), PASSWORD),
            }
        };
        self.take_turns(&mut kinds, ask).await;
        let [wrong, nobody, disabled] = &kinds;
        vec![Compared::new("sign-in", wrong, nobody), Compared::new("sign-in", wrong, disabled)]
    }

    /// Sign-ins that are put off: of an account, and of none.
    pub async fn throttled(&self) -> Compared {
        let (known, nobody) = (email("reader", 0), email("nobody", usize::MAX));
        self.put_off(&[&known, &nobody]).await;
        let mut kinds = ["account", "no account"].map(|name| Kind::new(name, 429));
        let ask = |kind: &'static str, _: usize| {
            self.guess(if kind == "account" { &known } else { &nobody }, WRONG)
        };
        self.take_turns(&mut kinds, ask).await;
        Compared::new("sign-in that is put off", &kinds[0], &kinds[1])
    }

    /// Guesses at all of them until each has a pause that is long enough for what follows. Side by
    /// side, since the clock that ends the shorter pauses is the same for all.
    async fn put_off(&self, names: &[&str]) {
        for _ in 0..40 {
            let mut waits = Vec::new();
            for name in names {
                let answer = self.guess(name, WRONG).send().await.unwrap();
                let wait = answer.headers().get("retry-after").cloned();
                waits.push(wait.map_or(0, |it| it.to_str().unwrap().parse::<u32>().unwrap()));
            }
            if waits.iter().all(|wait| *wait > 60) {
                return;
            }
            let by = json!({"advance_seconds": waits.iter().max()});
            self.post("/dev/clock", &by).send().await.unwrap();
        }
        panic!("{names:?} are never put off for long");
    }

    /// Sign-ups with an address that is free, and with one that is not.
    pub async fn sign_ups(&self) -> Compared {
        let mut kinds = ["free address", "taken address"].map(|name| Kind::new(name, 200));
        let ask = |kind: &'static str, number: usize| {
            let email = match kind {
                "free address" => email("fresh", number),
                _ => email("known", number % self.accounts),
            };
            self.page("/signup", &[("email", &email), ("password", PASSWORD)])
        };
        self.take_turns(&mut kinds, ask).await;
        Compared::new("sign-up", &kinds[0], &kinds[1])
    }

    /// Links for a new password.
    pub async fn recoveries(&self) -> Compared {
        let mut kinds = ["account", "no account"].map(|name| Kind::new(name, 200));
        let ask = |kind: &'static str, number: usize| {
            let email = match kind {
                "account" => email("reader", number % self.accounts),
                _ => email("stranger", number % self.accounts),
            };
            self.page("/recover", &[("email", &email)])
        };
        self.take_turns(&mut kinds, ask).await;
        Compared::new("recovery", &kinds[0], &kinds[1])
    }

    /// What has to be noticed: a refusal that costs no hash beside one that does.
    pub async fn planted(&self) -> Compared {
        let mut kinds = [Kind::new("wrong password", 401), Kind::new("without a hash", 422)];
        let ask = |kind: &'static str, number: usize| match kind {
            "wrong password" => self.guess(&email("no-one", number), WRONG),
            _ => self.post("/api/v1/users/signin", &json!({"email": email("no-one", number)})),
        };
        self.take_turns(&mut kinds, ask).await;
        Compared::new("planted", &kinds[0], &kinds[1])
    }
}

fn email(kind: &str, number: usize) -> String {
    format!("{kind}{number}@timings.example")
}
