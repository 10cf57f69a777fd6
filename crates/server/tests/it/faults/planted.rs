//! The campaign notices endpoints and jobs that are careless, each in a way of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::EventId;
use munjigi_core::time::Timestamp;
use munjigi_store::{Audit, Committed, StoreError, Tx, settings, users};

use super::flow::Again::{Anew, Never};
use super::flow::{Ask, Flow, On, ask, find_wrong};
use super::jobs::{Job, to_do};
use crate::harness::{Answer, TestApp};

/// Changes a row that is there, as an UPDATE of one of its columns does.
async fn put(app: &TestApp, name: &'static str, value: u32) -> Result<(), StoreError> {
    let now = app.app.clock.now();
    let put = move |tx: &mut Tx<'_>| {
        settings::put(tx, name, &value.to_string(), now)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a careless endpoint")))
    };
    app.app.store.write(put).await
}

/// An event that says that something was done.
async fn tell(app: &TestApp) -> Result<(), StoreError> {
    static TOLD: AtomicU32 = AtomicU32::new(1);
    let (number, at) = (TOLD.fetch_add(1, Ordering::Relaxed), app.app.clock.now());
    let mut random = [0; 10];
    random[..4].copy_from_slice(&number.to_be_bytes());
    let origin = Origin { at, actor: Actor::Anonymous, address: None, request_id: None };
    let later = Timestamp::from_millis(at.as_millis() + 1);
    let event = Event::new(EventId::from_parts(later, random), Kind::SettingChanged, origin);
    let tell = move |_: &mut Tx<'_>| {
        Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(event.clone()))))
    };
    app.app.store.write(tell).await
}

/// An endpoint that does this, and says that it could not if it failed.
fn endpoint<F>(app: &TestApp, act: impl Fn(TestApp, u32) -> F + Copy + 'static) -> Ask
where
    F: Future<Output = Result<(), StoreError>> + 'static,
{
    let (app, asked) = (app.clone(), std::sync::Arc::new(AtomicU32::new(1)));
    ask(move || {
        let (app, asked) = (app.clone(), asked.fetch_add(1, Ordering::Relaxed));
        async move {
            let done = act(app.clone(), asked).await;
            let answer = app.get("/livez").await;
            match done {
                Ok(()) => answer,
                Err(_) => Answer { status: http::StatusCode::SERVICE_UNAVAILABLE, ..answer },
            }
        }
    })
}

/// What the campaign finds.
async fn found(flow: Flow) -> String {
    find_wrong(On::Memory, &[flow]).await.join("\n")
}

async fn with_settings(app: &TestApp) {
    for name in ["one", "other"] {
        put(app, name, 0).await.unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_that_answers_whatever_the_database_says_is_noticed() {
    let flow = Flow::new(("careless", "GET /"), (200, Never), async |app| {
        ask(move || {
            let app = app.clone();
            async move {
                drop(app.app.store.read(users::count).await);
                app.get("/livez").await
            }
        })
    });
    assert!(found(flow).await.starts_with("careless, fault 1: 200"));
}

/// Two transactions where one is needed: both change rows that are there.
#[tokio::test]
async fn an_endpoint_that_does_half_is_noticed() {
    let flow = Flow::new(("half", "GET /"), (200, Anew), async |app| {
        with_settings(&app).await;
        endpoint(&app, |app, asked| async move {
            put(&app, "one", asked).await?;
            put(&app, "other", asked).await
        })
    });
    let said = found(flow).await;
    assert!(said.contains("done by half") && said.contains("\"setting\": (1, 1)"), "{said}");
}

#[tokio::test]
async fn an_endpoint_that_does_again_what_is_good_once_is_noticed() {
    let flow = |again| {
        Flow::new(("twice", "GET /"), (200, again), async |app| {
            with_settings(&app).await;
            endpoint(&app, |app, asked| async move { put(&app, "one", asked).await })
        })
    };
    let said = found(flow(Never)).await;
    assert!(said.contains("again: not Never"), "{said}");
    assert_eq!(found(flow(Anew)).await, "", "where it may be done twice, it may");
}

#[tokio::test]
async fn an_endpoint_that_tells_of_what_it_has_not_done_is_noticed() {
    let flow = Flow::new(("told", "GET /"), (200, Anew), async |app| {
        with_settings(&app).await;
        endpoint(&app, |app, asked| async move {
            tell(&app).await?;
            put(&app, "one", asked).await
        })
    });
    let said = found(flow).await;
    assert!(said.contains("done by half") && said.contains("setting_changed"), "{said}");
}

#[tokio::test]
async fn a_job_that_says_nothing_of_a_fault_is_noticed() {
    let job = Job::new("careless", 1, async || {
        to_do(&TestApp::start().await, async |app| {
            drop(app.store.read(users::count).await);
            Ok(())
        })
    });
    assert!(job.endure().await.unwrap_err().starts_with("careless, fault 1: Ok"));
}

#[tokio::test]
async fn a_job_that_does_half_is_noticed() {
    let job = Job::new("half", 1, async || {
        let app = TestApp::start().await;
        with_settings(&app).await;
        to_do(&app.clone(), move |_| {
            let app = app.clone();
            async move {
                put(&app, "one", 1).await?;
                Ok(put(&app, "other", 1).await?)
            }
        })
    });
    assert!(job.endure().await.unwrap_err().contains("done by half"));
}

/// Which of two things is done depends on what failed before.
#[tokio::test]
async fn a_job_that_ends_otherwise_after_a_fault_is_noticed() {
    let job = Job::new("otherwise", 1, async || {
        let app = TestApp::start().await;
        with_settings(&app).await;
        let asked = std::sync::Arc::new(AtomicU32::new(1));
        to_do(&app.clone(), move |_| {
            let (app, asked) = (app.clone(), asked.fetch_add(1, Ordering::Relaxed));
            async move { Ok(put(&app, if asked == 1 { "one" } else { "other" }, 1).await?) }
        })
    });
    assert!(job.endure().await.unwrap_err().contains("instead of"));
}
