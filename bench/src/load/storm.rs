//! A storm in open loop: sign-ins come at three times what the server can do, each when it is due
//! and from an address of its own, whatever became of those before; half of them of people whom
//! nobody knows. Meanwhile others refresh and read keys at a steady rate. Latencies count from the
//! moment at which a request was due, so that none is left out because the one before was slow
//! ("coordinated omission"). The server has one core, with one worker and one hashing thread; the
//! client has the other.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::child::{Child, memory};
use crate::load::client::{Caller, Connected, Connection, post};
use crate::load::figure::{Figure, Goal};
use crate::load::{Place, http, population, sign_in};
use crate::statistics::{Spread, at};

const CALM: Duration = Duration::from_secs(4);
const STORM: Duration = Duration::from_secs(30);
/// Sign-ins for each that can be done.
const OVERLOAD: f64 = 3.0;
const REFRESHES_A_SECOND: f64 = 100.0;
const KEYS_A_SECOND: f64 = 200.0;
const GRANTS: &str = "64";

/// What one request came to.
struct Answered {
    status: u16,
    has_retry_after: bool,
    /// From when it was due, in ms.
    took: f64,
}

/// Asks in a fixed rhythm; none waits for another.
async fn in_rhythm<A>(rate: f64, time: Duration, mut ask: impl FnMut(u64) -> A) -> Vec<Answered>
where
    A: Future<Output = (u16, bool)> + Send + 'static,
{
    let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    let mut asking = JoinSet::new();
    for number in 0..(rate * time.as_secs_f64()) as u64 {
        let due = due.tick().await.into_std();
        let asked = ask(number);
        asking.spawn(async move {
            let (status, has_retry_after) = asked.await;
            let took = due.elapsed().as_secs_f64() * 1e3;
            Answered { status, has_retry_after, took }
        });
    }
    asking.join_all().await
}

/// The sign-in of somebody, from an address of their own.
async fn sign_in(address: SocketAddr, number: u64) -> (u16, bool) {
    let email = match number % 2 {
        0 => population::email(number / 2 % sign_in::PEOPLE),
        _ => format!("nobody{number:08}@example.com"),
    };
    let body = format!(r#"{{"email":"{email}","password":"{}"}}"#, population::PASSWORD);
    let request = post("/api/v1/users/signin", "application/json", "", &body);
    let [_, b, c, d] = u32::try_from(number + 0x0100_0002).unwrap().to_be_bytes();
    let from = Ipv4Addr::new(127, b.max(1), c, d);
    let mut connection = Connection::open_from(address, from).await;
    let (status, _) = connection.exchange(request.as_bytes()).await;
    (status, !connection.headers("retry-after").is_empty())
}

/// Those who wait for their turn to ask, with what they keep.
struct Idle<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Clone for Idle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Idle<T> {
    fn new(all: impl IntoIterator<Item = T>) -> Self {
        Self(Arc::new(Mutex::new(all.into_iter().collect())))
    }

    /// Who has waited longest. Where all are under way, one waits for them, which counts.
    async fn take(&self) -> T {
        loop {
            let taken = self.0.lock().unwrap().pop_front();
            match taken {
                Some(one) => return one,
                None => tokio::task::yield_now().await,
            }
        }
    }

    fn give_back(&self, one: T) {
        self.0.lock().unwrap().push_back(one);
    }
}

type Asking = Idle<(Connection, Caller)>;

async fn ask(idle: Asking) -> (u16, bool) {
    let (mut connection, mut caller) = idle.take().await;
    let (status, _) = connection.exchange(&caller.request()).await;
    if status == 200 {
        caller.answered(&connection);
    }
    idle.give_back((connection, caller));
    (status, false)
}

async fn asking(address: SocketAddr, callers: Vec<Caller>) -> Asking {
    let mut all = Vec::new();
    for caller in callers {
        all.push((Connection::open(address).await, caller));
    }
    Idle::new(all)
}

/// What a storm came to.
struct Weather {
    refreshes: Vec<Answered>,
    keys: Vec<Answered>,
    sign_ins: Vec<Answered>,
}

async fn blow(
    address: SocketAddr,
    (refreshing, reading): (&Asking, &Asking),
    rate: f64,
) -> Weather {
    let (refreshes, keys, sign_ins) = tokio::join!(
        in_rhythm(REFRESHES_A_SECOND, STORM, |_| ask(refreshing.clone())),
        in_rhythm(KEYS_A_SECOND, STORM, |_| ask(reading.clone())),
        in_rhythm(rate, STORM, |number| sign_in(address, number)),
    );
    Weather { refreshes, keys, sign_ins }
}

/// Refreshes and keys while sign-ins come at three times what can be done.
pub async fn run() -> Vec<Figure> {
    let place = Place::sqlite();
    let further = ["--core", "0", "--workers", "1", "--grants", GRANTS];
    let child = sign_in::server(&place, 1, &further);
    let credentials = http::credentials(&child);
    let tokens = child.ready["refresh_tokens"].as_array().unwrap();
    let refreshing = tokens.iter().map(|token| Caller::Refresh {
        credentials: credentials.clone(),
        token: token.as_str().unwrap().to_owned(),
    });
    let refreshing = asking(child.address, refreshing.collect()).await;
    let keys = vec![Caller::get("/.well-known/jwks.json", None); 16];
    let reading = asking(child.address, keys).await;

    let calm = Connected::open(child.address, sign_in::callers(4)).await.run(CALM).await.0;
    assert_eq!(calm.refused, 0, "{}", calm.first_refusal.unwrap_or_default());
    let (capacity, before) = (calm.rate(), memory(child.id()).0);
    // From here on, the peak is that of what follows (proc_pid_clear_refs(5)).
    std::fs::write(format!("/proc/{}/clear_refs", child.id()), "5").unwrap();
    let weather = blow(child.address, (&refreshing, &reading), OVERLOAD * capacity).await;
    let (_, peak) = memory(child.id());
    told(&child, (capacity, &weather), peak.saturating_sub(before))
}

fn told(child: &Child, (capacity, weather): (f64, &Weather), grown_kib: u64) -> Vec<Figure> {
    let Weather { refreshes, keys, sign_ins } = weather;
    let one = |value: f64| Spread { median: value, low: value, high: value };
    let times = |all: &[Answered]| all.iter().map(|it| it.took).collect::<Vec<_>>();
    let steady = |name: &str, all: &[Answered]| {
        let errors = all.iter().filter(|it| it.status != 200).count();
        assert_eq!(errors, 0, "{name}: first {:?}", all.iter().map(|it| it.status).max());
        let took = times(all);
        let micros: Vec<f64> = took.iter().map(|it| it * 1e3).collect();
        let note = format!("{} asked, 0 errors, worst {:.1} ms", all.len(), at(&took, 1.0));
        let figure = Figure::plain(format!("{name} p99, open loop"), one(at(&took, 0.99)), "ms");
        figure.goal(Goal::AtMost(50.0)).latencies(&micros).note(note)
    };
    let shed: Vec<&Answered> = sign_ins.iter().filter(|it| is_shed(it)).collect();
    let unmarked = shed.iter().filter(|it| !it.has_retry_after).count();
    assert_eq!(unmarked, 0, "shed without a word about when to come again");
    let served = sign_ins.iter().filter(|it| matches!(it.status, 200 | 401)).count();
    assert_eq!(served + shed.len(), sign_ins.len(), "anything else than served or shed");
    let shed_took: Vec<f64> = shed.iter().map(|it| it.took).collect();
    let share = shed.len() as f64 / sign_ins.len() as f64;
    let note = format!(
        "{} sign-ins in {:.0} s, {:.0}/s where {capacity:.1}/s can be done; {served} served, {} \
         shed with Retry-After, p50 {:.0} ms, p99 {:.0} ms",
        sign_ins.len(),
        STORM.as_secs_f64(),
        OVERLOAD * capacity,
        shed.len(),
        at(&shed_took, 0.5),
        at(&shed_took, 0.99),
    );
    let grown = grown_kib as f64 / 1_024.0;
    let memory = format!("peak of {} beyond its calm", child.id());
    vec![
        steady("refresh in a storm", refreshes),
        steady("JWKS in a storm", keys),
        Figure::plain("sign-ins shed".to_owned(), one(share), "of all").note(note),
        Figure::plain("memory in a storm, beyond calm".to_owned(), one(grown), "MiB")
            .goal(Goal::AtMost(16.0))
            .note(memory),
    ]
}

fn is_shed(answered: &Answered) -> bool {
    matches!(answered.status, 429 | 503)
}
