//! What waits to be sent, while each call of a round of the outbox fails in turn: it arrives, or is
//! given up and told, whatever fails. It arrives a second time only where the database could not
//! be told that it had, and as the same mail.

use std::collections::BTreeSet;

use munjigi_core::audit::Kind;
use munjigi_server::outbox;
use munjigi_store::outbox::waiting;

use crate::harness::{JUN, MINJI, TestApp};
use crate::mailed_links::recover;
use crate::outbox::relay;
use crate::signing_keys::told;
use crate::smtp::{MailServer, Protection};
use crate::visitor::Visitor;

/// No round asks more of the database than this.
const MOST: u32 = 60;
/// So many seconds a node has something that it took to itself.
const HELD: u64 = 600;

async fn unsent(app: &TestApp) -> usize {
    let (count, _) = app.app.store.read(waiting).await.unwrap();
    usize::try_from(count).unwrap()
}

/// A round in which a call fails; whether it came to that.
async fn run_with_fault(app: &TestApp, at: u32) -> bool {
    let faults = app.app.store.faults();
    faults.fail_at(at);
    let said = outbox::run(&app.app).await;
    let struck = faults.stop();
    assert_eq!(said.is_err(), struck, "fault {at}: {said:?}");
    struck
}

#[tokio::test]
async fn of_mails_none_is_lost_and_none_comes_twice_once_it_is_written_down() {
    for at in 1..MOST {
        let app = TestApp::start().await;
        for email in [MINJI.0, JUN.0] {
            recover(&Visitor::of(&app), email).await.expect(200);
        }
        let arrived = || {
            let list = app.app.mail.mailbox().unwrap().list();
            list.into_iter().map(|mail| mail.id).collect::<Vec<_>>()
        };
        assert_eq!((unsent(&app).await, arrived().len()), (2, 0));

        let struck = run_with_fault(&app, at).await;

        let (before, written) = (arrived().len(), 2 - unsent(&app).await);
        assert!(before >= written, "fault {at}: {written} are said to be sent, {before} are");
        app.advance(HELD);
        outbox::run(&app.app).await.unwrap();
        let ids: BTreeSet<_> = arrived().into_iter().collect();
        assert_eq!((ids.len(), unsent(&app).await), (2, 0), "fault {at}");
        assert_eq!(arrived().len() - 2, before - written, "fault {at}");
        app.advance(HELD);
        assert_eq!(outbox::run(&app.app).await.unwrap(), 0, "fault {at}");
        if !struck {
            eprintln!("two mails, {} places", at - 1);
            return;
        }
    }
    panic!("the outbox never comes to an end");
}

/// What the mail server does not take, for ever or for now.
#[tokio::test]
async fn of_mails_that_are_not_taken_each_is_told_once_or_arrives_later() {
    for answer in ["550 nobody here", "451 later"] {
        let is_final = answer.starts_with('5');
        for at in 1..=MOST {
            assert!(at < MOST, "the outbox never comes to an end");
            let server = MailServer::start(Protection::Nothing).await;
            let url = format!("smtp://localhost:{}?tls=none", server.port);
            let app = TestApp::start_from(relay(&url)).await;
            recover(&Visitor::of(&app), MINJI.0).await.expect(200);
            *server.answer.lock().unwrap() = answer;

            let struck = run_with_fault(&app, at).await;

            let given_up = 1 - unsent(&app).await;
            assert_eq!(told(&app, Kind::DeliveryFailed).await, given_up, "{answer}, fault {at}");
            assert!(is_final || given_up == 0, "fault {at}");
            app.advance(HELD);
            if !is_final {
                *server.answer.lock().unwrap() = "250 ok";
            }
            outbox::run(&app.app).await.unwrap();
            *server.answer.lock().unwrap() = "250 ok";
            app.advance(1_000_000);
            outbox::run(&app.app).await.unwrap();
            let mails = server.mails.lock().unwrap().len();
            let failed = told(&app, Kind::DeliveryFailed).await;
            let wanted = if is_final { (0, 1) } else { (1, 0) };
            assert_eq!((mails, failed), wanted, "{answer}, fault {at}");
            assert_eq!(unsent(&app).await, 0, "{answer}, fault {at}");
            if !struck {
                eprintln!("{answer}: {} places", at - 1);
                break;
            }
        }
    }
}
