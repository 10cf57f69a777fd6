//! A person who uses the server all the time, and remembers what it acknowledged.

use std::time::{Duration, Instant};

use crate::caller::{Caller, Gone, Heard};
use crate::random::Random;

/// Everybody's password.
pub const PASSWORD: &str = "a-long-enough-secret\n";

/// How many grants a person keeps beside the one of their sign-in.
const GRANTS: usize = 4;

/// A grant that was acknowledged and not ended.
#[derive(Clone, Debug)]
struct Held {
    refresh: String,
    /// The code that it came from.
    code: Option<String>,
}

/// What was asked for when the server went away.
#[derive(Debug)]
enum Doubt {
    Rename(String),
    /// Asked for at that moment.
    Refresh(usize, Instant),
    Redeem(String),
    Revoke(Held),
    /// A sign-in, or a request for a code: what it made, nobody has.
    Nothing,
}

/// For how long a public client that lost an answer is given the same again.
const ANSWERED_AGAIN: Duration = Duration::from_secs(30);

/// One person.
pub struct Person {
    email: String,
    random: Random,
    access: String,
    cookies: Option<String>,
    /// The first of them is that of the sign-in.
    held: Vec<Held>,
    /// The name that was acknowledged last.
    name: Option<String>,
    names: u64,
    /// Refresh tokens whose grant has ended, and codes that are spent: of this life.
    ended: Vec<Held>,
    doubt: Option<Doubt>,
    /// How many operations were acknowledged.
    pub acknowledged: u64,
    /// How many were under way when the server was killed.
    pub in_doubt: u64,
    checked: u64,
}

/// What a check has found wrong.
type Wrong = Vec<String>;

impl Person {
    /// Somebody who has not done anything yet.
    pub fn new(email: &str, random: Random) -> Self {
        Self {
            email: email.to_owned(),
            random,
            access: String::new(),
            cookies: None,
            held: Vec::new(),
            name: None,
            names: 0,
            ended: Vec::new(),
            doubt: None,
            acknowledged: 0,
            in_doubt: 0,
            checked: 0,
        }
    }

    /// How many facts were looked at since this was asked.
    pub fn take_checked(&mut self) -> u64 {
        std::mem::take(&mut self.checked)
    }

    /// Signs in, as an application and with a browser, while nobody kills the server.
    pub async fn come_in(&mut self, caller: &Caller) {
        self.sign_in(caller).await.expect("the server is there");
        self.enter(caller).await.expect("the server is there");
        self.doubt = None;
    }

    /// Does one thing after the other until the server is gone.
    pub async fn live(&mut self, caller: &Caller) {
        while self.act(caller).await.is_ok() {
            self.doubt = None;
            self.acknowledged += 1;
        }
        self.in_doubt += u64::from(self.doubt.is_some());
    }

    async fn act(&mut self, caller: &Caller) -> Result<(), Gone> {
        if self.held.is_empty() {
            return self.sign_in(caller).await;
        }
        let Some(cookies) = self.cookies.clone() else { return self.enter(caller).await };
        match self.random.between(0, 9) {
            0..=2 => {
                let last = u64::try_from(self.held.len() - 1).unwrap();
                let which = usize::try_from(self.random.between(0, last)).unwrap();
                self.refresh(caller, which).await
            }
            3..=4 => self.rename(caller).await,
            5..=7 if self.held.len() <= GRANTS => self.redeem(caller, &cookies).await,
            _ if self.held.len() > 1 => self.revoke(caller).await,
            _ => self.redeem(caller, &cookies).await,
        }
    }

    async fn sign_in(&mut self, caller: &Caller) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Nothing);
        let heard = caller.sign_in(&self.email, PASSWORD.trim()).await?;
        assert_eq!(heard.status, 200, "{heard:?}");
        self.access = heard.text("access_token");
        self.held.insert(0, Held { refresh: heard.text("refresh_token"), code: None });
        Ok(())
    }

    async fn enter(&mut self, caller: &Caller) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Nothing);
        self.cookies = caller.enter(&self.email, PASSWORD.trim()).await?;
        assert!(self.cookies.is_some(), "{} is not let in", self.email);
        Ok(())
    }

    async fn refresh(&mut self, caller: &Caller, which: usize) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Refresh(which, Instant::now()));
        let heard = caller.refresh(&self.held[which].refresh).await?;
        assert_eq!(heard.status, 200, "{heard:?}");
        self.refreshed(which, &heard);
        Ok(())
    }

    fn refreshed(&mut self, which: usize, heard: &Heard) {
        self.held[which].refresh = heard.text("refresh_token");
        if which == 0 {
            self.access = heard.text("access_token");
        }
    }

    async fn rename(&mut self, caller: &Caller) -> Result<(), Gone> {
        self.names += 1;
        let name = format!("Name {}", self.names);
        self.doubt = Some(Doubt::Rename(name.clone()));
        let heard = caller.rename(&self.access, &name).await?;
        assert_eq!(heard.status, 200, "{heard:?}");
        self.name = Some(name);
        Ok(())
    }

    async fn redeem(&mut self, caller: &Caller, cookies: &str) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Nothing);
        let code = caller.authorize(cookies).await?;
        let code = code.unwrap_or_else(|| panic!("no code for {}", self.email));
        self.doubt = Some(Doubt::Redeem(code.clone()));
        let heard = caller.redeem(&code).await?;
        assert_eq!(heard.status, 200, "{heard:?}");
        self.held.push(Held { refresh: heard.text("refresh_token"), code: Some(code) });
        Ok(())
    }

    async fn revoke(&mut self, caller: &Caller) -> Result<(), Gone> {
        let held = self.held.pop().unwrap();
        self.doubt = Some(Doubt::Revoke(held.clone()));
        let heard = caller.revoke(&held.refresh).await?;
        assert_eq!(heard.status, 200, "{heard:?}");
        self.ended.push(held);
        Ok(())
    }

    /// Whether a write is answered: a name that nobody is held to. What is wrong if they are
    /// signed out.
    pub async fn can_write(&mut self, caller: &Caller) -> Result<bool, String> {
        // First what such a write would cover up.
        if let Some(name) = &self.name {
            let Ok(heard) = caller.me(&self.access).await else { return Ok(false) };
            let found = heard.text("name");
            let is_doubted = matches!(&self.doubt, Some(Doubt::Rename(name)) if *name == found);
            if heard.status == 200 && found != *name && !is_doubted {
                return Err(format!("the name is not {name}: {}", heard.body));
            }
        }
        let name = self.name.clone().unwrap_or_else(|| "Name 0".to_owned());
        match caller.rename(&self.access, &name).await {
            Ok(heard) if heard.status == 200 => {
                self.name = Some(name);
                // What was in doubt about the name is not any more.
                self.doubt = self.doubt.take().filter(|it| !matches!(it, Doubt::Rename(_)));
                Ok(true)
            }
            Ok(heard) if heard.status == 401 => Err(format!("they are signed out: {}", heard.body)),
            Ok(_) | Err(Gone) => Ok(false),
        }
    }

    /// Looks whether everything is as it was acknowledged, after a start.
    pub async fn check(&mut self, caller: &Caller) -> Vec<String> {
        let wrong = match self.look(caller).await {
            Ok(wrong) => wrong,
            Err(Gone) => vec!["the server ends by itself".to_owned()],
        };
        self.ended.clear();
        wrong.into_iter().map(|it| format!("{}: {it}", self.email)).collect()
    }

    async fn look(&mut self, caller: &Caller) -> Result<Wrong, Gone> {
        let mut wrong = self.settle(caller).await?;
        // What was ended stays ended, and a spent code stays spent.
        let skipped = self.ended.len().saturating_sub(3);
        for held in self.ended.iter().skip(skipped) {
            self.checked += 1;
            let heard = caller.refresh(&held.refresh).await?;
            expect_refused(&mut wrong, "a grant whose end was acknowledged lives", &heard);
            if let Some(code) = &held.code {
                expect_refused(&mut wrong, "a code was good twice", &caller.redeem(code).await?);
            }
        }
        // What was given is still good.
        for which in 0..self.held.len() {
            self.checked += 1;
            let heard = caller.refresh(&self.held[which].refresh).await?;
            match heard.status {
                200 => self.refreshed(which, &heard),
                _ => wrong.push(format!("a grant that was acknowledged is gone: {}", heard.body)),
            }
        }
        if let Some(cookies) = &self.cookies {
            self.checked += 1;
            if caller.authorize(cookies).await?.is_none() {
                wrong.push("a browser session that was acknowledged is gone".to_owned());
                self.cookies = None;
            }
        }
        if let Some(name) = &self.name {
            self.checked += 1;
            let heard = caller.me(&self.access).await?;
            if heard.text("name") != *name {
                wrong.push(format!("the name is not {name}: {}", heard.body));
            }
        }
        if !wrong.is_empty() {
            self.held.clear();
        }
        Ok(wrong)
    }

    /// Asks again for what was in doubt: it happens now, or had happened, once in all.
    async fn settle(&mut self, caller: &Caller) -> Result<Wrong, Gone> {
        let mut wrong = Vec::new();
        self.checked += 1;
        match self.doubt.take() {
            None | Some(Doubt::Nothing) => {}
            Some(Doubt::Rename(name)) => {
                let found = caller.me(&self.access).await?.text("name");
                if found == name {
                    self.name = Some(name);
                }
            }
            Some(Doubt::Redeem(code)) => {
                let first = caller.redeem(&code).await?;
                let again = caller.redeem(&code).await?;
                expect_refused(&mut wrong, "a code in doubt was good twice", &again);
                if first.status == 200 {
                    // A copy of the code exists: what it issued is over.
                    let heard = caller.refresh(&first.text("refresh_token")).await?;
                    expect_refused(&mut wrong, "a code came twice, and its grant lives", &heard);
                } else {
                    expect_refused(&mut wrong, "a code in doubt is not answered", &first);
                }
            }
            Some(Doubt::Revoke(held)) => {
                caller.revoke(&held.refresh).await?;
                self.ended.push(held);
            }
            Some(Doubt::Refresh(which, asked)) => {
                wrong.extend(self.settle_refresh(caller, (which, asked)).await?);
            }
        }
        Ok(wrong)
    }

    /// A refresh whose answer was lost can be asked for again, and is the same; once its successor
    /// was used, or after half a minute, the token before it is a copy.
    async fn settle_refresh(
        &mut self,
        caller: &Caller,
        (which, asked): (usize, Instant),
    ) -> Result<Wrong, Gone> {
        let before = self.held[which].refresh.clone();
        let first = caller.refresh(&before).await?;
        if first.status != 200 {
            let held = self.held.remove(which);
            if asked.elapsed() > ANSWERED_AGAIN {
                self.ended.push(held);
                if which == 0 {
                    self.sign_in(caller).await?;
                }
                return Ok(Vec::new());
            }
            return Ok(vec![format!("a lost refresh cannot be asked for again: {}", first.body)]);
        }
        let again = caller.refresh(&before).await?;
        let mut wrong = Vec::new();
        if again.text("refresh_token") != first.text("refresh_token") {
            wrong.push("a lost refresh has two successors".to_owned());
        }
        self.refreshed(which, &first);
        if which == 0 {
            return Ok(wrong);
        }
        let held = self.held.remove(which);
        let newest = caller.refresh(&held.refresh).await?;
        if newest.status != 200 {
            wrong.push(format!("the successor of a lost refresh is dead: {}", newest.body));
        }
        let otherwise = "a refresh token was good after its successor was used";
        expect_refused(&mut wrong, otherwise, &caller.refresh(&before).await?);
        let otherwise = "a copy of a refresh token was shown, and the grant lives";
        let heard = caller.refresh(&newest.text("refresh_token")).await?;
        expect_refused(&mut wrong, otherwise, &heard);
        Ok(wrong)
    }
}

/// A server that fails has not refused: that would pass for whatever is asked of it.
fn expect_refused(wrong: &mut Wrong, otherwise: &str, heard: &Heard) {
    if !heard.is_refused() {
        wrong.push(format!("{otherwise}: {heard:?}"));
    }
}
