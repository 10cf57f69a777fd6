//! `munjigi audit`: the audit trail. Searched in the database; exported, proved and verified as
//! the tree that it is. `munjigi-audit` verifies an export without any of this.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use munjigi_audit::{Checkpoint, Directory, Keys, VerifierKey};
use munjigi_core::audit::{Kind, Outcome};
use munjigi_core::id::{ClientId, EventId, UserId};
use munjigi_core::time::{Span, Timestamp};
use munjigi_server::Clock;
use munjigi_server::accounts::{parse_rfc3339, rfc3339};
use munjigi_server::config::parse_span;
use munjigi_server::operate::Operator;
use munjigi_server::operate::audit::{Trail, own_key, show_event};
use munjigi_store::audit::{AuditFilter, StoredEvent};
use munjigi_store::page::{Cursor, MAX_LIMIT, Page};
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::{Code, Stop};

/// `munjigi audit …`
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the newest events, the oldest of them first
    Tail(Tail),
    /// Search events, the newest first
    Search(Box<Search>),
    /// Print the newest signed checkpoint: keep one now and then where the server cannot reach it
    Checkpoint,
    /// Write the signed trail into a directory, for `munjigi-audit verify`
    Export {
        /// The directory; made if there is none
        directory: PathBuf,
    },
    /// Print a proof that an event is in the trail, for `munjigi-audit check-proof`
    Prove {
        /// The event's id
        event: EventId,
    },
    /// Say whether the trail is what was signed; exit code 6 when it is not
    Verify(Verify),
    /// Have the trail signed with another key from now on, which the present one introduces
    RotateKey,
    /// Erase addresses and details from the events about a person; the trail holds as before
    Erase {
        /// The person's id, also of an account that is gone
        user: UserId,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Tail {
    /// How many events
    #[arg(long, value_name = "NUMBER", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=MAX_LIMIT.into()))]
    lines: u32,

    /// Go on with what happens, until interrupted
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Args)]
struct Search {
    /// Who did it: the id of a person or of a client
    #[arg(long, value_name = "ID")]
    actor: Option<String>,

    /// Whom it concerns: the id of a person
    #[arg(long, value_name = "ID")]
    subject: Option<UserId>,

    /// Which client it concerns
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,

    /// What happened, such as `sign_in_refused`
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,

    /// How it ended: `succeeded` or `refused`
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<Outcome>,

    /// Where the request came from
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,

    /// Not before: a time such as `2026-08-01T00:00:00Z`, or so long ago, such as `1h`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,

    /// Before: the same
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,

    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=MAX_LIMIT.into()))]
    limit: u32,

    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor<EventId>>,
}

#[derive(Debug, Args)]
struct Verify {
    /// The key that it has to be signed with [default: the one in the database, which whoever can
    /// write there can replace]
    #[arg(long, value_name = "NAME+ID+KEY")]
    vkey: Option<VerifierKey>,

    /// A checkpoint that was kept: nothing before it may have changed
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

/// A time, said in one of two ways.
#[derive(Clone, Copy, Debug)]
enum Moment {
    At(Timestamp),
    Ago(Span),
}

impl Moment {
    fn when(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.minus(span),
        }
    }
}

fn moment(text: &str) -> Result<Moment, &'static str> {
    let at = parse_rfc3339(text).map(Moment::At);
    at.or_else(|| parse_span(text).map(Moment::Ago))
        .ok_or("is a time such as `2026-08-01T00:00:00Z`, or a span such as `1h`")
}

fn kind(text: &str) -> Result<Kind, &'static str> {
    text.parse().map_err(|_| "is no kind of event")
}

fn outcome(text: &str) -> Result<Outcome, &'static str> {
    let all = [Outcome::Succeeded, Outcome::Refused];
    all.into_iter().find(|one| one.as_str() == text).ok_or("is `succeeded` or `refused`")
}

/// What people read of an event; programs read all of it.
const COLUMNS: &[&str] =
    &["at", "kind", "outcome", "actor_kind", "actor", "subject", "client_id", "address"];

/// How often `tail --follow` looks.
const EVERY: Duration = Duration::from_millis(500);
/// How much later than it happened an event may come to stand: what a request waits for at most,
/// and more.
const LATE: Span = Span::from_seconds(15);

/// Does it.
pub async fn run(args: AuditArgs, output: Output) -> Result<(), Stop> {
    let operator = args.database.open().await?;
    let done = match args.verb {
        Verb::Tail(tail) => tailed(&operator, &tail, output).await,
        Verb::Search(search) => searched(&operator, *search, output).await,
        Verb::Checkpoint => shown(&operator, output).await,
        Verb::Export { directory } => exported(&operator, &directory, output).await,
        Verb::Prove { event } => proved(&operator, event).await,
        Verb::Verify(verify) => verified(&operator, &verify, output).await,
        Verb::RotateKey => rotated(&operator, output).await,
        Verb::Erase { user, yes } => erased(&operator, user, yes, output).await,
    };
    operator.close().await;
    done
}

async fn tailed(operator: &Operator, tail: &Tail, output: Output) -> Result<(), Stop> {
    let listed = operator.list_events(Page::first(tail.lines), AuditFilter::default()).await?;
    let items: Vec<Value> = listed.items.iter().rev().map(show_event).collect();
    if !tail.follow {
        return print::list(output, COLUMNS, items, None);
    }
    let mut told = Told::with(listed.items);
    let mut is_read = print::json_lines(&items)?;
    let mut ticks = tokio::time::interval(EVERY);
    while is_read {
        ticks.tick().await;
        let fresh: Vec<Value> = told.unseen(operator).await?.iter().rev().map(show_event).collect();
        is_read = print::json_lines(&fresh)?;
    }
    Ok(())
}

/// What was told already, as far back as something new may still come to stand.
struct Told {
    events: BTreeMap<EventId, Timestamp>,
    since: Timestamp,
    /// Whoever looks for the first time has not seen what is older than what they were shown.
    begins_after: Option<EventId>,
}

impl Told {
    /// With what is shown first.
    fn with(shown: Vec<StoredEvent>) -> Self {
        let events: BTreeMap<_, _> = shown.into_iter().map(|event| (event.id, event.at)).collect();
        let begins_after = events.last_key_value().map(|(id, _)| *id);
        let mut told = Self { events, since: Timestamp::from_millis(0), begins_after };
        told.forget();
        told
    }

    /// What was not told yet, the newest first; it is told with this.
    async fn unseen(&mut self, operator: &Operator) -> Result<Vec<StoredEvent>, Stop> {
        let filter = AuditFilter { since: Some(self.since), ..AuditFilter::default() };
        let mut page = Page::first(MAX_LIMIT);
        let mut unseen = Vec::new();
        // However many came since the last look, and wherever among the newest they stand.
        loop {
            let listed = operator.list_events(page.clone(), filter.clone()).await?;
            for event in listed.items {
                let is_old = self.begins_after.is_some_and(|first| event.id < first);
                if self.events.insert(event.id, event.at).is_none() && !is_old {
                    unseen.push(event);
                }
            }
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
        self.begins_after = None;
        self.forget();
        Ok(unseen)
    }

    /// Lets go of what is so old that nothing new can stand beside it.
    fn forget(&mut self) {
        let Some(newest) = self.events.values().max() else { return };
        self.since = newest.minus(LATE);
        self.events.retain(|_, at| *at >= self.since);
    }
}

async fn searched(operator: &Operator, search: Search, output: Output) -> Result<(), Stop> {
    let now = Clock::system().now();
    let filter = AuditFilter {
        subject: search.subject,
        actor_id: search.actor,
        kind: search.kind,
        client_id: search.client,
        outcome: search.outcome,
        since: search.since.map(|moment| moment.when(now)),
        until: search.until.map(|moment| moment.when(now)),
        address: search.address,
    };
    let mut page = Page { after: search.after, limit: search.limit };
    let mut items = Vec::new();
    // One look goes over so many events and no more: whoever asks here wants all of the page.
    let next = loop {
        let listed = operator.list_events(page.clone(), filter.clone()).await?;
        items.extend(listed.items.iter().map(show_event));
        let found = u32::try_from(items.len()).unwrap_or(u32::MAX);
        page.limit = search.limit.saturating_sub(found);
        if page.limit == 0 || listed.next.is_none() {
            break listed.next;
        }
        page.after = listed.next;
    };
    print::list(output, COLUMNS, items, next.map(|next| next.to_string()))
}

async fn shown(operator: &Operator, output: Output) -> Result<(), Stop> {
    let trail = operator.audit_trail().await?;
    if output == Output::Table {
        return print::text(&trail.checkpoint.note);
    }
    print::json_line(&summary(&trail))
}

fn summary(trail: &Trail) -> Value {
    json!({
        "vkey": trail.log.vkey,
        "size": trail.checkpoint.size,
        "signed_at": rfc3339(trail.checkpoint.signed_at),
        "waiting": trail.waiting.saturating_add(trail.log.size).saturating_sub(trail.checkpoint.size),
        "checkpoint": trail.checkpoint.note,
    })
}

async fn exported(operator: &Operator, into: &PathBuf, output: Output) -> Result<(), Stop> {
    let trail = operator.export_audit(&Directory::new(into)).await?;
    if output == Output::Json {
        return print::json_line(&summary(&trail));
    }
    let (size, vkey, into) = (trail.checkpoint.size, &trail.log.vkey, into.display());
    print::text(&format!(
        "{size} events. To verify them without this server, with a key that you kept:\n  \
         munjigi-audit verify --vkey '{vkey}' --log {into}\n"
    ))
}

async fn proved(operator: &Operator, event: EventId) -> Result<(), Stop> {
    print::text(&operator.prove_event(event).await?.to_string())
}

async fn verified(operator: &Operator, verify: &Verify, output: Output) -> Result<(), Stop> {
    let trail = operator.audit_trail().await?;
    let key = match &verify.vkey {
        Some(key) => key.clone(),
        None => own_key(&trail)?,
    };
    let since = match &verify.since {
        Some(path) => match operator.audit_keys(&key).await? {
            Ok(keys) => Some(kept(path, &keys)?),
            Err(finding) => return Err(Stop::new(Code::CheckFailed, finding.to_string())),
        },
        None => None,
    };
    match operator.verify_audit(&key, &since.unwrap_or_default()).await? {
        Ok(holds) if output == Output::Json => print::json_line(&json!({
            "holds": true,
            "size": holds.checkpoint.size,
            "erased": holds.erased,
            "waiting": summary(&trail).get("waiting"),
            "vkey": key.to_string(),
        })),
        Ok(holds) => print::text(&format!(
            "ok: {}: {} events; the personal data of {} was erased\n",
            holds.checkpoint.origin, holds.checkpoint.size, holds.erased
        )),
        Err(finding) => {
            let (word, what) = (finding.as_str(), finding.to_string());
            if output == Output::Json {
                print::json_line(&json!({ "holds": false, "found": word, "message": what }))?;
                return Err(Stop::told(Code::CheckFailed));
            }
            Err(Stop::new(Code::CheckFailed, what))
        }
    }
}

/// The checkpoints in a file that somebody kept: one, or one in each line.
fn kept(path: &PathBuf, keys: &Keys) -> Result<Vec<Checkpoint>, Stop> {
    let what = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Stop::file(&what, &error))?;
    let wrong = |error: munjigi_audit::Error| Stop::usage(format!("{what}: {error}"));
    keys.kept(&text).map(|(kept, _)| kept).map_err(wrong)
}

async fn rotated(operator: &Operator, output: Output) -> Result<(), Stop> {
    let asked = operator.rotate_audit_key().await?;
    if output == Output::Json {
        return print::json_line(&json!({ "asked": asked }));
    }
    print::text(match asked {
        true => {
            "Asked: a server signs with another key within a moment. \
             Keep the `vkey` of `munjigi audit checkpoint` anew.\n"
        }
        false => {
            "Nothing was changed: no server has signed anything yet, \
             or another key is asked for already.\n"
        }
    })
}

async fn erased(operator: &Operator, user: UserId, yes: bool, output: Output) -> Result<(), Stop> {
    confirm(&format!("This erases what the audit trail tells about {user}."), yes)?;
    let erased = operator.erase_from_audit(user).await?;
    print::one(output, &["user", "events"], &json!({ "user": user.to_string(), "events": erased }))
}
