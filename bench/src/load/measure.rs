//! Two servers in alternating windows: what a request costs the one, beside what it costs the
//! other, by the processor time of their processes.

use std::time::Duration;

use munjigi_token::Algorithm;
use tokio::task::AbortHandle;

use crate::bare::Subject;
use crate::child::{Child, Report};
use crate::load::client::{Caller, Connected, Window};
use crate::load::figure::{Figure, Goal};
use crate::load::rows::Rows;
use crate::ratios::micros_per_call;
use crate::statistics::{median, quartiles};

/// How it is measured.
pub struct Measure {
    pairs: usize,
    window: Duration,
    /// With how many connections.
    pub connections: Vec<usize>,
    /// Who runs where.
    pub cores: Cores,
    subject: Subject,
    rows: Option<Rows>,
}

/// Where the servers and the client run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// The servers on core 0 with one worker each, the client on core 1: no server pays for being
    /// interrupted by its client.
    Apart,
    /// Everybody on all of them.
    Together,
}

/// What is measured against what.
pub struct Beside<'c> {
    pub name: String,
    pub hello: &'c mut Child,
    /// What the hello is asked.
    pub greeting: Caller,
    pub server: &'c mut Child,
    pub callers: Vec<Caller>,
    pub bound: Bound,
}

/// H and how many bare signatures and durable rows on top of it, and how many times all of that.
#[derive(Clone, Copy)]
pub struct Bound {
    pub signatures: f64,
    pub rows: f64,
    pub factor: f64,
}

/// Windows of one server, summed up.
#[derive(Default)]
pub struct Sum {
    requests: u64,
    took: Duration,
    latencies: Vec<f64>,
    micros: Vec<f64>,
    pub report: Report,
}

impl Measure {
    pub fn new(pairs: usize, window: Duration, (connections, cores): (Vec<usize>, Cores)) -> Self {
        let subject = Subject::new(Algorithm::Es256);
        Self { pairs, window, connections, cores, subject, rows: None }
    }

    /// A bare hello, where servers run.
    pub fn hello(&self) -> Child {
        self.start(&["child-hello"])
    }

    /// The same hello behind our way of serving.
    pub fn hello_served_as_ours(&self) -> Child {
        self.start(&["child-hello", "--served-as-ours"])
    }

    /// Ours, where servers run.
    pub fn server(&self, further: &[&str]) -> Child {
        self.start(&[&["child-server"], further].concat())
    }

    fn start(&self, words: &[&str]) -> Child {
        match self.cores {
            Cores::Apart => Child::start(&[words, &["--core", "0", "--workers", "1"]].concat()),
            Cores::Together => Child::start(words),
        }
    }

    /// In how many pairs something slow is measured: each of their windows takes seconds.
    pub fn long_pairs(&self) -> usize {
        self.pairs.div_ceil(2)
    }

    /// Measures, and how the server's counters moved meanwhile.
    pub async fn beside(&mut self, beside: Beside<'_>) -> (Figure, Sum) {
        self.beside_and(beside, &|| 0.0).await
    }

    /// The same with something further in the bound, in µs, measured in each pair.
    pub async fn beside_and(
        &mut self,
        beside: Beside<'_>,
        further: &dyn Fn() -> f64,
    ) -> (Figure, Sum) {
        let _awake = (self.cores == Cores::Apart).then(Awake::stay);
        let Beside { name, hello, greeting, server, mut callers, bound } = beside;
        let mut greeters = vec![greeting; callers.len()];
        let (mut of_hello, mut of_server) = (Sum::default(), Sum::default());
        let (mut bounds, mut ratios) = (Vec::new(), Vec::new());
        for pair in 0..=self.pairs {
            let extra = self.extra(bound) + further();
            if pair % 2 == 0 {
                greeters = window(hello, greeters, self.window, &mut of_hello).await;
                callers = window(server, callers, self.window, &mut of_server).await;
            } else {
                callers = window(server, callers, self.window, &mut of_server).await;
                greeters = window(hello, greeters, self.window, &mut of_hello).await;
            }
            if pair == 0 {
                // Everything is warm now; that was not measured.
                (of_hello, of_server) = (Sum::default(), Sum::default());
                continue;
            }
            let least = of_hello.micros.last().unwrap() + extra;
            bounds.push(least);
            ratios.push(of_server.micros.last().unwrap() / least);
        }
        let figure = Figure::plain(name, quartiles(&ratios), "×").goal(Goal::AtMost(bound.factor));
        let mut figure = figure.latencies(&of_server.latencies);
        figure.rate = of_server.requests as f64 / of_server.took.as_secs_f64();
        figure.cpu = median(&of_server.micros);
        figure.bound = median(&bounds);
        let hello = median(&of_hello.micros);
        let hello_p50 = median(&of_hello.latencies);
        figure.note = format!("H {hello:.1} µs, p50 {hello_p50:.0}");
        (figure, of_server)
    }

    fn extra(&mut self, bound: Bound) -> f64 {
        let mut extra = 0.0;
        if bound.signatures > 0.0 {
            extra += bound.signatures * micros_per_call(800, &mut || self.subject.bare_sign());
        }
        if bound.rows > 0.0 {
            let rows = self.rows.get_or_insert_with(Rows::new);
            extra += bound.rows * rows.micros_per_row();
        }
        extra
    }
}

/// Keeps the client's core awake. Who writes to a sleeping client pays for waking it, and on a
/// virtual machine that costs as much as a hello: a client that keeps up with the one server and
/// sleeps before the other would charge the slower one with it, and only that one.
struct Awake(AbortHandle);

impl Awake {
    fn stay() -> Self {
        let spinning = tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        Self(spinning.abort_handle())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One window of one server.
async fn window(
    child: &mut Child,
    callers: Vec<Caller>,
    time: Duration,
    sum: &mut Sum,
) -> Vec<Caller> {
    let connected = Connected::open(child.address, callers).await;
    let before = child.report();
    let (done, callers) = connected.run(time).await;
    let after = child.report();
    let Window { requests, refused, first_refusal, took, latencies } = done;
    assert_eq!(refused, 0, "{}", first_refusal.unwrap_or_default());
    sum.requests += requests;
    sum.took += took;
    sum.latencies.extend(latencies);
    sum.micros.push((after.cpu - before.cpu).as_secs_f64() * 1e6 / requests as f64);
    sum.report.writes += after.writes - before.writes;
    sum.report.commits += after.commits - before.commits;
    sum.report.retries += after.retries - before.retries;
    callers
}
