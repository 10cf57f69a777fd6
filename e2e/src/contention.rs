//! The contention campaign (PK-03, RT-02, RT-05): one code, or one refresh token, is shown by many
//! callers at once, at one node or at several. A code is good once; a refresh has one successor;
//! after an acknowledged revocation nothing of the grant is good.

mod kinds;
mod mailed;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use self::kinds::Cast;
pub use self::kinds::Kind;
use crate::caller::{Caller, Heard};
use crate::crash::register;
use crate::production::Production;

const EMAIL: &str = "person@example.kr";
const PASSWORD: &str = "a-long-enough-secret";

/// How many callers show one thing at once.
const CALLERS: usize = 32;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Contention {
    /// How many codes, each shown by 32 callers.
    pub codes: u32,
    /// How many refresh tokens, each shown by 32 callers.
    pub refreshes: u32,
    /// How many revocations, each beside 31 refreshes.
    pub revocations: u32,
    /// How many of each of the other kinds.
    pub others: u32,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many answers there were.
    pub presentations: u64,
    /// How many codes were redeemed.
    pub redeemed: u32,
    /// How many refresh tokens were rotated.
    pub rotated: u32,
    /// How many refreshes were acknowledged while the grant was being revoked.
    pub beside_a_revocation: u32,
    /// How many of each other kind were taken, once each.
    pub others: BTreeMap<Kind, u32>,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Contention {
    /// So much of everything that there are about so many presentations.
    pub const fn of(presentations: u32) -> Self {
        // Of 39 things, 28 are codes, refresh tokens and revocations, eleven of other kinds, which
        // take longer: for one of those everybody hashes a password.
        let parts = (presentations / 32).div_ceil(39);
        Self { codes: 14 * parts, refreshes: 11 * parts, revocations: 3 * parts, others: parts }
    }

    /// Runs it on nodes of one issuer that are not started yet.
    pub async fn run(self, nodes: &mut [Production]) -> Tally {
        let (client, cast) = (prepare(&nodes[0]), Some(Cast::prepare(nodes)));
        let callers: Vec<Caller> = nodes
            .iter_mut()
            .map(|node| {
                node.start();
                Caller::new(&node.base, &client)
            })
            .collect();
        let mut crowd = Crowd::new(callers, cast);
        crowd.enter().await;
        for round in 0..self.others {
            crowd.move_on(round);
            for kind in Kind::ALL {
                crowd.show(kind, &nodes[0]).await;
            }
        }
        for _ in 0..self.codes {
            crowd.redeem_at_once().await;
        }
        for _ in 0..self.refreshes {
            crowd.refresh_at_once().await;
        }
        for _ in 0..self.revocations {
            crowd.revoke_beside_refreshes().await;
        }
        crowd.tally
    }
}

/// Shows codes and mailed links that were given out before to two nodes that do not know of each
/// other: whoever counts right, counts two who had each of them.
pub async fn split(each: u32) -> Tally {
    let mut first = Production::on_sqlite();
    let client = prepare(&first);
    let postbox = mailed::prepare(std::slice::from_ref(&first));
    first.start();
    let mut crowd = Crowd::new(vec![Caller::new(&first.base, &client)], None);
    crowd.enter().await;
    let (mut codes, mut people) = (Vec::new(), Vec::new());
    let (mut asked, mut changed) = (Vec::new(), Vec::new());
    for number in 0..each {
        crowd.move_on(number);
        codes.push(crowd.code().await);
        people.push(crowd.sign_up(&postbox, &format!("split-{number}")).await);
        let person = crowd.sign_up(&postbox, &format!("asked-{number}")).await;
        asked.push(crowd.ask_to_change(&postbox, &person).await);
        let person = crowd.sign_up(&postbox, &format!("changed-{number}")).await;
        let change = crowd.ask_to_change(&postbox, &person).await;
        changed.push(crowd.change(&postbox, &change).await);
    }
    first.kill();
    let mut second = first.another_node();
    // A copy is noticed, and would end everything: somebody vouches for it, who should not.
    second.cli(&["database", "intact", "--yes"], "");
    first.start();
    second.start();
    crowd.callers = vec![Caller::new(&first.base, &client), Caller::new(&second.base, &client)];
    for code in codes {
        crowd.redeem(&code).await;
    }
    for mut person in people {
        crowd.verify(&person).await;
        crowd.recover(&mut person).await;
    }
    for change in asked {
        crowd.agree_at_the_new_one(&change).await;
        crowd.agree_at_the_old_one(&change).await;
    }
    for ticket in changed {
        crowd.take_back(&ticket).await;
    }
    crowd.tally
}

fn prepare(server: &Production) -> String {
    let create = ["users", "create", "--email", EMAIL, "--password-stdin"];
    server.cli(&create, &format!("{PASSWORD}\n"));
    register(server)
}

struct Crowd {
    callers: Vec<Caller>,
    cookies: String,
    tally: Tally,
    /// Who shows the other kinds.
    cast: Option<Cast>,
}

impl Crowd {
    fn new(callers: Vec<Caller>, cast: Option<Cast>) -> Self {
        Self { callers, cookies: String::new(), tally: Tally::default(), cast }
    }

    /// Goes on from another address, which has not used up what one may ask for.
    fn move_on(&mut self, round: u32) {
        let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + round);
        for caller in &mut self.callers {
            *caller = caller.at_address(address);
        }
    }

    async fn enter(&mut self) {
        self.callers[0].wait_for_keys().await;
        let entered = self.callers[0].enter(EMAIL, PASSWORD).await.expect("the server is there");
        self.cookies = entered.expect("the person is let in");
    }

    async fn code(&self) -> String {
        let code = self.callers[0].authorize(&self.cookies).await.expect("the server is there");
        code.expect("a code")
    }

    /// A grant of its own; its refresh token.
    async fn grant(&mut self) -> String {
        let code = self.code().await;
        let heard = self.callers[0].redeem(&code).await.expect("the server is there");
        assert_eq!(heard.status, 200, "{heard:?}");
        heard.text("refresh_token")
    }

    /// Everybody asks at once, each at the next node; `first` instead of the first of them.
    async fn at_once(&mut self, ask: Ask, text: &str, first: Ask) -> Vec<Heard> {
        let tasks: Vec<_> = (0..CALLERS)
            .map(|number| {
                let caller = self.callers[number % self.callers.len()].clone();
                let ask = if number == 0 { first } else { ask };
                let text = text.to_owned();
                tokio::spawn(async move { ask.of(&caller, &text).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        self.tally.presentations += u64::try_from(answers.len()).unwrap();
        for answer in &answers {
            if answer.status != 200 && !answer.is_refused() {
                self.wrong(format!("an answer that nobody expects: {answer:?}"));
            }
        }
        answers
    }

    /// Notes whatever a refresh token gets but a refusal.
    async fn expect_dead(&mut self, token: &str, otherwise: &str) {
        let heard = Ask::Refresh.of(&self.callers[0].clone(), token).await;
        if !heard.is_refused() {
            self.wrong(format!("{otherwise}: {heard:?}"));
        }
    }

    fn wrong(&mut self, what: String) {
        self.tally.violations.push(what);
    }

    async fn redeem_at_once(&mut self) {
        let code = self.code().await;
        self.redeem(&code).await;
    }

    async fn redeem(&mut self, code: &str) {
        let answers = self.at_once(Ask::Redeem, code, Ask::Redeem).await;
        let issued: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        if let [issued] = issued[..] {
            self.tally.redeemed += 1;
            // The others have shown a copy.
            let refresh = issued.text("refresh_token");
            self.expect_dead(&refresh, "a code came twice, and its grant lives").await;
            return;
        }
        self.wrong(format!("a code was redeemed {} times", issued.len()));
    }

    async fn refresh_at_once(&mut self) {
        let refresh = self.grant().await;
        let answers = self.at_once(Ask::Refresh, &refresh, Ask::Refresh).await;
        let good = answers.iter().filter(|answer| answer.status == 200);
        let successors: BTreeSet<_> = good.map(|answer| answer.text("refresh_token")).collect();
        if successors.len() != 1 {
            self.wrong(format!("a refresh token has {} successors", successors.len()));
            return;
        }
        self.tally.rotated += 1;
        // Used, the successor makes a copy of what was before it: the family ends.
        let caller = self.callers[0].clone();
        let successor = successors.into_iter().next().unwrap();
        let newest = Ask::Refresh.of(&caller, &successor).await;
        if newest.status != 200 {
            self.wrong(format!("the one successor is dead: {newest:?}"));
        }
        for token in [refresh, newest.text("refresh_token")] {
            self.expect_dead(&token, "a copy was shown, and something of the family is good").await;
        }
    }

    async fn revoke_beside_refreshes(&mut self) {
        let refresh = self.grant().await;
        let answers = self.at_once(Ask::Refresh, &refresh, Ask::Revoke).await;
        if answers[0].status != 200 {
            self.wrong(format!("a grant cannot be ended: {:?}", answers[0]));
        }
        let minted: BTreeSet<_> = answers
            .iter()
            .skip(1)
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.text("refresh_token"))
            .collect();
        self.tally.beside_a_revocation += u32::try_from(minted.len()).unwrap();
        for token in minted.iter().chain([&refresh]) {
            self.expect_dead(token, "a grant lives after its end was acknowledged").await;
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Redeem,
    Refresh,
    Revoke,
}

impl Ask {
    async fn of(self, caller: &Caller, text: &str) -> Heard {
        let heard = match self {
            Self::Redeem => caller.redeem(text).await,
            Self::Refresh => caller.refresh(text).await,
            Self::Revoke => caller.revoke(text).await,
        };
        heard.expect("the server is there")
    }
}
