//! A fault at every call (I1, I2, I6, DS-06): whatever is asked of the database fails once, at each
//! place of each request in turn. The caller hears 503, never that it was done, or refused, or
//! nothing. It happened whole or not at all, by every row and by the events that tell of it. Asked
//! again, it is done, and what is good once is not done a second time.
//!
//! What a request may leave behind that fails later on is a guess that was counted, a proof that
//! was spent, and the event of a refusal.

mod account;
mod admin;
mod flow;
mod jobs;
mod keeping;
mod pages;
mod planted;
mod sending;
mod tokens;

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use munjigi_server::{Mode, page_routes, routes};

use self::flow::{Flow, On, endure, find_wrong};
use crate::harness::TestApp;

/// Routes that ask nothing of the database, with an address of each.
const ASK_NOTHING: &[(&str, &str)] = &[
    ("GET /.well-known/openid-configuration", "/.well-known/openid-configuration"),
    ("GET /.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"),
    ("GET /.well-known/jwks.json", "/.well-known/jwks.json"),
    ("GET /livez", "/livez"),
    ("GET /openapi.json", "/openapi.json"),
    ("GET /docs", "/docs"),
    ("GET /docs/", "/docs/"),
    ("GET /docs/{*path}", "/docs/swagger-ui.css"),
    ("GET /assets/{name}", "/assets/none.css"),
    ("GET /signup", "/signup"),
    ("GET /recover", "/recover"),
];

/// Routes that are held to something else, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    // Says itself whether the database is there: `munjigi/tests/it/outage.rs`.
    ("GET /readyz", "its answer is whether the database is there"),
    // It goes by what was announced: `forward_auth.rs`, `epochs.rs`.
    ("GET /forward-auth", "it goes by the feed"),
    ("POST /oauth2/authorize", "it leads to the GET of the same request"),
];

/// Every request of the campaign.
fn all() -> Vec<Flow> {
    let groups: [fn() -> Vec<Flow>; 12] = [
        tokens::grants,
        tokens::about_tokens,
        tokens::preparations,
        pages::authorizations,
        pages::sign_ins,
        pages::devices,
        pages::mailed_links,
        account::by_api,
        account::by_pages,
        admin::reads,
        admin::of_people,
        admin::of_programs,
    ];
    groups.into_iter().flat_map(|group| group()).collect()
}

#[test]
fn every_route_is_in_the_campaign_or_asks_nothing_of_the_database() {
    let all = all();
    let mut walked: BTreeSet<_> = all.iter().map(|flow| flow.route.as_str()).collect();
    for (route, _) in ASK_NOTHING.iter().chain(ELSEWHERE) {
        assert!(walked.insert(route), "{route} is in the campaign");
    }
    let there = routes(Mode::Serve).into_iter().chain(page_routes(Mode::Serve));
    let there: BTreeSet<_> = there.map(|it| format!("{} {}", it.method, it.path)).collect();
    let there: BTreeSet<_> = there.iter().map(String::as_str).collect();
    assert_eq!(there, walked);
}

#[tokio::test]
async fn what_asks_nothing_of_the_database_does_not_notice_that_it_is_away() {
    let app = TestApp::start().await;
    for (route, path) in ASK_NOTHING {
        let faults = app.app.store.faults();
        faults.fail_at(1);
        let answer = app.send(Request::get(*path).body(Body::empty()).unwrap()).await;
        assert!(!faults.stop(), "{route} asks something of the database");
        assert!(answer.status.as_u16() < 500, "{route}: {}", answer.shown());
    }
}

#[tokio::test]
async fn of_grants() {
    endure(tokens::grants()).await;
}

#[tokio::test]
async fn of_questions_about_tokens_and_of_what_clients_prepare() {
    endure(tokens::about_tokens().into_iter().chain(tokens::preparations())).await;
}

#[tokio::test]
async fn of_the_way_through_the_pages() {
    endure(pages::authorizations().into_iter().chain(pages::sign_ins())).await;
}

#[tokio::test]
async fn of_devices_and_of_mailed_links() {
    endure(pages::devices().into_iter().chain(pages::mailed_links())).await;
}

#[tokio::test]
async fn of_ones_own_account_by_the_api() {
    endure(account::by_api()).await;
}

#[tokio::test]
async fn of_ones_own_account_by_its_pages() {
    endure(account::by_pages()).await;
}

#[tokio::test]
async fn of_what_administrators_read() {
    endure(admin::reads()).await;
}

#[tokio::test]
async fn of_what_administrators_do_with_people() {
    endure(admin::of_people()).await;
}

#[tokio::test]
async fn of_what_administrators_do_with_programs() {
    endure(admin::of_programs()).await;
}

#[tokio::test]
async fn of_what_a_server_forgets_by_itself() {
    jobs::endure(jobs::of_forgetting()).await;
}

#[tokio::test]
async fn of_keys_that_come_and_go_by_themselves() {
    jobs::endure(jobs::of_keys()).await;
}

/// Where a fault strikes is the same for both databases; how what was done is undone is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_good_once_on_postgresql() {
    let wanted = ["a refresh", "a stolen refresh token", "a code", "a device", "a new password"];
    let flows: Vec<_> = all().into_iter().filter(|it| wanted.contains(&it.name)).collect();
    assert_eq!(flows.len(), wanted.len() + 1, "a code is asked for, too");
    let wrong = find_wrong(On::Postgres, &flows).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
