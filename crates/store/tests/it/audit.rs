//! The audit trail.

use munjigi_core::audit::{Actor, Event, Kind, Origin, Outcome};
use munjigi_core::id::{EventId, RequestId};
use munjigi_store::audit::{self, AuditFilter, LOOKED_AT, StoredEvent};
use munjigi_store::page::Page;
use munjigi_store::{Audit, Committed, Store, StoreError, each_backend, users};

use crate::sample::*;

fn event_id(number: u8) -> EventId {
    EventId::from_parts(at(number.into()), [number; 10])
}

fn event(number: u8, kind: Kind, actor: Actor) -> Event {
    let address = Some("192.0.2.7".parse().unwrap());
    let request_id = Some(RequestId::from_bytes([number; 16]));
    let origin = Origin { at: at(number.into()), actor, address, request_id };
    Event::new(event_id(number), kind, origin)
}

/// Four events: 1 by nobody, 2 by user 1 about themselves, 3 by the client about user 2, refused,
/// 4 by the system.
async fn trail(store: &Store) {
    let nobody = event(1, Kind::SignInRefused, Actor::Anonymous).refused("no such user");
    let own = event(2, Kind::SignedIn, Actor::User(user_id(1)))
        .subject(user_id(1))
        .client(client_id("shop"));
    let mut theirs = event(3, Kind::RefreshReused, Actor::Client(client_id("shop")))
        .subject(user_id(2))
        .with("generation", 7)
        .refused("used before");
    theirs.origin.address = Some("2001:db8::7".parse().unwrap());
    let mut system = event(4, Kind::KeyCreated, Actor::System);
    system.origin.address = None;
    system.origin.request_id = None;
    let events = [nobody, own, theirs, system];
    store
        .write(move |tx| {
            users::insert(tx, &user(1))?;
            Ok::<_, StoreError>(Committed::new((), Audit::Records(events.to_vec())))
        })
        .await
        .unwrap();
}

async fn list(store: &Store, filter: AuditFilter) -> Vec<StoredEvent> {
    let page = Page::first(50);
    read(store, move |tx| audit::list(tx, &page, &filter)).await.items
}

each_backend! {
    async fn an_event_is_read_back(database) {
        let store = database.store().await;
        trail(&store).await;
        let listed = list(&store, AuditFilter::default()).await;
        let detail = serde_json::json!({"generation": 7, "reason": "used before"});
        assert_eq!(listed[1], StoredEvent {
            id: event_id(3), at: at(3), kind: "refresh_reused".into(), outcome: Outcome::Refused,
            actor_kind: "client".into(), actor_id: Some("shop".into()), subject: Some(user_id(2)),
            client_id: None, address: Some("2001:db8::7".parse().unwrap()),
            request_id: Some(RequestId::from_bytes([3; 16])),
            detail: detail.as_object().unwrap().clone(),
        });
        assert_eq!(listed[0], StoredEvent {
            id: event_id(4), at: at(4), kind: "key_created".into(), outcome: Outcome::Succeeded,
            actor_kind: "system".into(), actor_id: None, subject: None, client_id: None,
            address: None, request_id: None, detail: Default::default(),
        });
    }

    async fn the_newest_event_comes_first_and_each_once(database) {
        let store = database.store().await;
        trail(&store).await;
        let (mut page, mut seen) = (Page::first(3), Vec::new());
        loop {
            let asked = page.clone();
            let filter = AuditFilter::default();
            let listed = read(&store, move |tx| audit::list(tx, &asked, &filter)).await;
            seen.extend(listed.items.into_iter().map(|event| event.id));
            page.after = listed.next.map(|next| next.to_string().parse().unwrap());
            if page.after.is_none() { break }
        }
        assert_eq!(seen, [4, 3, 2, 1].map(event_id));
    }

    async fn a_trail_is_narrowed_by_each_of_its_words(database) {
        let store = database.store().await;
        trail(&store).await;
        let none = AuditFilter::default;
        let filters = [
            (AuditFilter { subject: Some(user_id(1)), ..none() }, vec![2]),
            (AuditFilter { actor_id: Some("shop".into()), ..none() }, vec![3]),
            (AuditFilter { actor_id: Some(user_id(1).to_string()), ..none() }, vec![2]),
            (AuditFilter { kind: Some(Kind::KeyCreated), ..none() }, vec![4]),
            (AuditFilter { client_id: Some(client_id("shop")), ..none() }, vec![2]),
            (AuditFilter { outcome: Some(Outcome::Refused), ..none() }, vec![3, 1]),
            (AuditFilter { address: "192.0.2.7".parse().ok(), ..none() }, vec![2, 1]),
            (AuditFilter { address: "2001:db8:0::7".parse().ok(), ..none() }, vec![3]),
            (AuditFilter { address: "192.0.2.8".parse().ok(), ..none() }, vec![]),
            (AuditFilter { since: Some(at(3)), ..none() }, vec![4, 3]),
            (AuditFilter { until: Some(at(3)), ..none() }, vec![2, 1]),
            (AuditFilter { since: Some(at(2)), until: Some(at(4)), ..none() }, vec![3, 2]),
            (AuditFilter { subject: Some(user_id(2)), since: Some(at(4)), ..none() }, vec![]),
            (AuditFilter {
                subject: Some(user_id(2)), kind: Some(Kind::RefreshReused),
                outcome: Some(Outcome::Refused), ..none()
            }, vec![3]),
        ];
        for (filter, numbers) in filters {
            let listed = list(&store, filter.clone()).await;
            let ids: Vec<_> = listed.iter().map(|event| event.id).collect();
            assert_eq!(ids, numbers.into_iter().map(event_id).collect::<Vec<_>>(), "{filter:?}");
        }
    }

    /// What matches next to nothing costs no more than what matches everything: the page ends, and
    /// says where the next one goes on.
    async fn a_page_looks_at_so_many_events_and_no_more(database) {
        let store = database.store().await;
        trail(&store).await;
        let many = i64::from(LOOKED_AT) + 1_000;
        for first in (0..many).step_by(5_500) {
            let older = (first..many.min(first + 5_500)).map(|number| {
                let mut random = [0; 10];
                random[..8].copy_from_slice(&number.to_be_bytes());
                let mut event = event(0, Kind::SignedIn, Actor::System).subject(user_id(3));
                event.id = EventId::from_parts(at(0), random);
                event
            });
            let older: Vec<_> = older.collect();
            let insert = move |_: &mut munjigi_store::Tx<'_>| {
                Ok::<_, StoreError>(Committed::new((), Audit::Records(older.clone())))
            };
            store.write(insert).await.unwrap();
        }
        let look = async |filter: AuditFilter| {
            let (mut page, mut found) = (Page::first(50), Vec::new());
            loop {
                let (asked, filter) = (page.clone(), filter.clone());
                let listed = read(&store, move |tx| audit::list(tx, &asked, &filter)).await;
                found.push(listed.items.len());
                page.after = listed.next;
                if page.after.is_none() { return found }
            }
        };
        let none = AuditFilter::default;
        let rare = AuditFilter { kind: Some(Kind::KeyCreated), ..none() };
        assert_eq!(look(rare.clone()).await, [1, 0]);
        let person = AuditFilter { subject: Some(user_id(3)), ..rare.clone() };
        assert_eq!(look(person).await, [0, 0]);
        // What a time bounds is not looked at beyond it.
        assert_eq!(look(AuditFilter { since: Some(at(1)), ..rare.clone() }).await, [1]);
        assert_eq!(look(AuditFilter { until: Some(at(0)), ..rare }).await, [0]);
        assert_eq!(look(AuditFilter { subject: Some(user_id(2)), ..none() }).await, [1]);
        let common = AuditFilter { kind: Some(Kind::SignedIn), ..none() };
        let all: usize = look(common).await.into_iter().sum();
        assert_eq!(all, usize::try_from(many).unwrap() + 1);
    }

    /// Deleting an account must not delete what happened to it.
    async fn the_trail_outlives_whom_it_is_about(database) {
        let store = database.store().await;
        trail(&store).await;
        write(&store, |tx| users::delete(tx, &user_id(1))).await.unwrap();
        let filter = AuditFilter { subject: Some(user_id(1)), ..AuditFilter::default() };
        assert_eq!(list(&store, filter).await.len(), 1);
    }
}

/// What a search costs that finds nothing among a million events: printed, and not asserted.
#[tokio::test]
#[ignore = "writes a million events"]
#[expect(clippy::disallowed_methods, reason = "it measures, by command")]
async fn a_search_of_a_million_events() {
    let database = munjigi_store::testing::Database::sqlite();
    let store = database.store().await;
    for batch in 0..200_i64 {
        let events = (0..5_000).map(|number| {
            let mut event = event(0, Kind::SignedIn, Actor::User(user_id(3))).subject(user_id(3));
            let mut random = [0; 10];
            random[..8].copy_from_slice(&i64::to_be_bytes(number));
            event.origin.at = at(batch);
            event.id = EventId::from_parts(at(batch), random);
            event.with("sid", "0198c0de-0000-7000-8000-000000000001")
        });
        let events: Vec<_> = events.collect();
        let insert = move |_: &mut munjigi_store::Tx<'_>| {
            Ok::<_, StoreError>(Committed::new((), Audit::Records(events.clone())))
        };
        store.write(insert).await.unwrap();
    }
    let none = AuditFilter::default;
    let rare = AuditFilter { kind: Some(Kind::KeyCreated), ..none() };
    let searches = [
        ("a kind that is not there", rare.clone()),
        ("the same in a millisecond", AuditFilter { since: Some(at(199)), ..rare.clone() }),
        ("the same of one person", AuditFilter { subject: Some(user_id(3)), ..rare }),
        ("everything", none()),
        ("nobody", AuditFilter { subject: Some(user_id(4)), ..none() }),
    ];
    for (what, filter) in searches {
        let (mut page, mut longest, mut pages) = (Page::first(50), 0, 0);
        let begun = std::time::Instant::now();
        while pages < 200 {
            let (asked, filter, before) = (page.clone(), filter.clone(), begun.elapsed());
            let listed = read(&store, move |tx| audit::list(tx, &asked, &filter)).await;
            longest = longest.max((begun.elapsed() - before).as_micros());
            (page.after, pages) = (listed.next, pages + 1);
            if page.after.is_none() {
                break;
            }
        }
        println!("{what}: {pages} pages in {:?}, the longest {longest} µs", begun.elapsed());
    }
}
