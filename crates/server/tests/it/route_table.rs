//! AD-01: every route that a server in production has, and who may pass its door. A route that is
//! not declared here fails the tests, and so does one whose door stands otherwise than declared, or
//! that answers one of five callers otherwise.

mod declared;
mod street;

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use munjigi_server::{Mode, builtin, page_routes, routes};

use declared::Door::{self, Client, ClientMay, May, Open, Own, Page, Person, Registered};
use declared::{Row, TABLE};
use street::{Shown, Street};

/// Every permission that a door asks for.
fn permissions() -> Vec<&'static str> {
    let asked = TABLE.iter().flat_map(|(_, _, door, _)| match door {
        May(needed) => needed.to_vec(),
        ClientMay(needed) => vec![*needed],
        _ => vec![],
    });
    let asked: BTreeSet<_> = asked.collect();
    asked.into_iter().collect()
}

#[test]
fn every_route_is_declared_and_nothing_else_is() {
    let there: BTreeSet<_> = routes(Mode::Serve)
        .into_iter()
        .chain(page_routes(Mode::Serve))
        .map(|route| (route.method, route.path))
        .collect();
    let declared: BTreeSet<_> = TABLE.iter().map(|(method, path, ..)| (*method, *path)).collect();
    assert_eq!(declared.len(), TABLE.len(), "declared twice");
    assert_eq!(there, declared);
}

#[test]
fn every_permission_that_can_be_given_is_asked_for_by_a_door_and_no_other_is() {
    let mut known: Vec<_> = builtin::PERMISSIONS.iter().copied().filter(|it| *it != "*").collect();
    known.sort_unstable();
    assert_eq!(permissions(), known);
}

/// What is wrong with the answers of a row beside its door, if anything is.
fn contradiction((method, path, door, answers): &Row) -> Option<String> {
    let [nobody, somebody, other, scoped, admin] = *answers;
    let holds = match door {
        // Whatever they say, it makes no difference who says it.
        Open => [other, scoped, admin] == [somebody; 3],
        Client | Registered => answers.iter().all(|status| *status == nobody),
        Page => scoped == nobody,
        Person => nobody == 401 && somebody != 401,
        Own => nobody == 303 && scoped == 303,
        ClientMay(_) => *answers == [401, 403, 403, 403, 403],
        May(_) => {
            (nobody, [somebody, other, scoped]) == (401, [403; 3]) && ![401, 403].contains(&admin)
        }
    };
    let is_shut = !matches!(door, Client | Registered) || passes_not(nobody);
    (!holds || !is_shut).then(|| format!("{method} {path}: {door:?} and {answers:?}"))
}

#[test]
fn what_is_answered_agrees_with_the_door() {
    let wrong: Vec<_> = TABLE.iter().filter_map(contradiction).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let planted: Row =
        ("GET", "/api/v1/admin/stats", May(&["stats:read"]), [401, 403, 200, 403, 200]);
    assert!(contradiction(&planted).is_some());
}

/// A door that is shut, or that leads to another one.
fn passes_not(status: u16) -> bool {
    [303, 400, 401, 403, 404, 415].contains(&status)
}

/// Every caller at every route behind such doors. What alters nothing is asked at one server.
async fn hold_all(which: impl Fn(Door) -> bool) {
    let (mut wrong, mut of_tokens, mut of_browsers) = (Vec::new(), None, None);
    for row in TABLE.iter().filter(|(_, _, door, _)| which(*door)) {
        let found = match (row.0, row.2) {
            ("GET", Own | Page) => {
                if of_browsers.is_none() {
                    of_browsers = Some(Street::of_browsers().await);
                }
                of_browsers.as_ref().unwrap().judge(row).await
            }
            ("GET", _) | (_, Client | Registered) => {
                if of_tokens.is_none() {
                    of_tokens = Some(Street::new().await);
                }
                of_tokens.as_ref().unwrap().judge(row).await
            }
            _ => Street::before(row).await.judge(row).await,
        };
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_open_and_what_clients_prove_answers_every_caller_as_declared() {
    hold_all(|door| matches!(door, Open | Client | Registered)).await;
}

#[tokio::test]
async fn the_account_api_answers_every_caller_as_declared_and_shows_each_their_own() {
    hold_all(|door| matches!(door, Person | ClientMay(_))).await;
}

#[tokio::test]
async fn the_admin_api_answers_every_caller_as_declared() {
    hold_all(|door| matches!(door, May(_))).await;
}

#[tokio::test]
async fn pages_answer_every_caller_as_declared() {
    hold_all(|door| door == Page).await;
}

#[tokio::test]
async fn pages_of_an_account_answer_every_caller_as_declared_and_show_each_their_own() {
    hold_all(|door| door == Own).await;
}

/// Whatever token comes: pages know cookies alone.
#[tokio::test]
async fn a_token_makes_no_difference_at_a_page() {
    let street = Street::new().await;
    let admin = Shown::token(&street.admin);
    for (method, path, door, answers) in TABLE {
        if !matches!(door, Page | Own) {
            continue;
        }
        let answer = street.knock(method, path, &admin).await;
        assert_eq!(answer.status.as_u16(), answers[0], "{method} {path}: {}", answer.shown());
    }
}

/// A row that says another thing than the server does is noticed, and so is a server at which one
/// person gets what is another one's: here the other person has somebody's own token and cookie.
#[tokio::test]
async fn a_wrong_row_is_noticed_and_so_is_a_person_who_gets_what_is_another_ones() {
    let street = Street::of_browsers().await;
    for row in TABLE.iter().filter(|row| row.0 == "GET" && row.2 == Own).take(3) {
        let (method, path, door, answers) = *row;
        assert!(street.judge(row).await.is_empty(), "{method} {path}");
        for (at, status) in [(0, 200), (1, 303), (2, 404), (3, 200), (4, 403)] {
            let mut planted = answers;
            planted[at] = status;
            let wrong = street.judge(&(method, path, door, planted)).await;
            assert_eq!(wrong.len(), 1, "{method} {path} {planted:?}: {wrong:?}");
        }
    }
    for (method, path) in [
        ("GET", "/account/profile"),
        ("GET", "/account/sessions"),
        ("POST", "/account/profile"),
        ("POST", "/account/applications"),
        ("GET", "/api/v1/users/me"),
        ("DELETE", "/api/v1/users/me/sessions/{id}"),
    ] {
        let row = TABLE.iter().find(|row| (row.0, row.1) == (method, path)).unwrap();
        let mut street = Street::before(row).await;
        let [_, somebody, other, ..] = &mut street.callers;
        other.clone_from(somebody);
        let wrong = street.judge(row).await;
        let noticed = |wrong: &String| wrong.contains(" shows ") || wrong.contains(" alters ");
        assert!(wrong.iter().any(noticed), "{method} {path}: {wrong:?}");
    }
}

/// The permissions of the role `manager`, which is built in.
const MANAGER: &[&str] = &["users:read"];
const HR: &[&str] = &["users:read", "users:write"];
const ROBOT: &[&str] = &["users:read", "users:write", "clients:read"];

/// Somebody with some permissions: all but one, by a role, or as a client for itself.
struct Holder {
    token: String,
    has: Vec<&'static str>,
}

impl Holder {
    async fn all(street: &Street) -> Vec<Self> {
        let (app, admin) = (&street.app, &street.admin);
        let mut all = Vec::new();
        for (number, missing) in permissions().into_iter().enumerate() {
            let has: Vec<_> = permissions().into_iter().filter(|it| *it != missing).collect();
            all.push(Self { token: street.with(&format!("but{number}"), &has).await, has });
        }
        let manager = app.make_and_sign_in(admin, "manager", &["user", "manager"]).await.access;
        all.push(Self { token: manager, has: MANAGER.to_vec() });
        all.push(Self { token: street.with("hr", HR).await, has: HR.to_vec() });
        all.extend(Self::robots(street).await);
        all
    }

    /// A client for itself: without the scope `admin`, which opens nothing, and with it.
    async fn robots(street: &Street) -> [Self; 2] {
        let (app, scopes) = (&street.app, ROBOT.join(" "));
        let all = format!("admin {scopes}");
        let secret = app.make_client(&street.admin, "robot", &all).await;
        let robot = async |scope: &str, has: &[&'static str]| {
            let token = app.own_token(("robot", &secret), Some(scope)).await;
            Self { token: token.text("/access_token"), has: has.to_vec() }
        };
        [robot(&scopes, &[]).await, robot(&all, ROBOT).await]
    }

    /// What is wrong with how they were answered, if anything is.
    async fn judge(
        &self,
        street: &Street,
        (method, path, _, _): &Row,
        may: bool,
    ) -> Option<String> {
        let answer = street.knock(method, path, &Shown::token(&self.token)).await;
        let is_refused = [401, 403].contains(&answer.status.as_u16());
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let is_told = challenge.contains("insufficient_scope");
        let wrong = is_refused == may || is_told == may;
        wrong.then(|| format!("{method} {path} with {:?}: {}", self.has, answer.shown()))
    }
}

/// Whoever has every permission but one is refused where that one is asked for; and who has some
/// passes where those are all that is asked for.
#[tokio::test]
async fn each_admin_route_asks_for_just_the_permissions_that_are_declared() {
    let street = Street::new().await;
    let holders = Holder::all(&street).await;
    let (mut refused, mut wrong) = (0, Vec::new());
    for (number, row) in TABLE.iter().enumerate() {
        let May(needed) = row.2 else { continue };
        // Those who are refused alter nothing.
        let lacks = |holder: &&Holder| needed.iter().any(|it| !holder.has.contains(it));
        for holder in holders.iter().filter(lacks) {
            refused += 1;
            wrong.extend(holder.judge(&street, row, false).await);
        }
        let fresh = if row.0 == "GET" { None } else { Some(Street::new().await) };
        let place = fresh.as_ref().unwrap_or(&street);
        let token = place.with(&format!("these{number}"), needed).await;
        let these = Holder { token, has: needed.to_vec() };
        wrong.extend(these.judge(place, row, true).await);
        if let Some(fresh) = fresh.as_ref().filter(|_| needed.iter().all(|it| ROBOT.contains(it))) {
            let [_, robot] = Holder::robots(fresh).await;
            wrong.extend(robot.judge(fresh, row, true).await);
        }
    }
    for row in TABLE.iter().filter(|row| row.0 == "GET" && matches!(row.2, May(_))) {
        let May(needed) = row.2 else { continue };
        let has = |holder: &&Holder| needed.iter().all(|it| holder.has.contains(it));
        for holder in holders.iter().filter(has) {
            wrong.extend(holder.judge(&street, row, true).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 150, "{refused}");
}

/// The door comes first: whoever may not pass learns nothing of what is behind it, not even whether
/// what they sent is well formed, or names a thing that is there.
#[tokio::test]
async fn permission_comes_before_bodies_names_and_queries_on_every_admin_route() {
    let street = Street::new().await;
    let others = street.with("others", &[]).await;
    let knock = async |token: Option<&str>, method: &str, path: &str, json: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("content-type", json);
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        street.app.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let mut refused = 0;
    for (method, path, door, _) in TABLE {
        let May(_) = door else { continue };
        // Nobody has such an id, name or audience; and no list has such a parameter.
        let nowhere = path.replace("{id}", "nobody").replace("{name}", "%FF");
        let nowhere = nowhere.replace("{audience}", "nothing");
        let asked = format!("{nowhere}?what=ever&limit=none");
        for (json, body) in [
            ("application/json", "{\"unheard\": \"of\""),
            ("application/json", "{\"unheard\": \"of\"}"),
            ("text/plain", "nothing"),
        ] {
            let place = format!("{method} {path} with {body}");
            for (token, status) in [(Some(&others), 403), (None, 401)] {
                let answer = knock(token.map(String::as_str), method, &asked, json, body).await;
                assert_eq!(answer.status, status, "{place}: {}", answer.shown());
                refused += 1;
            }
            let admin = knock(Some(&street.admin), method, &asked, json, body).await;
            let status = admin.status.as_u16();
            assert!(![401, 403, 500].contains(&status), "{place}: {}", admin.shown());
        }
    }
    assert!(refused > 200, "{refused}");
}

#[tokio::test]
async fn the_feed_is_for_clients_that_act_for_themselves_and_may_read_it() {
    let street = Street::new().await;
    let (app, admin) = (&street.app, &street.admin);
    for (id, scope) in [("others", "users:read audit:read"), ("this", "revocations:read")] {
        let secret = app.make_client(admin, id, scope).await;
        let token = app.own_token((id, &secret), Some(scope)).await.expect(200);
        let token = token.text("/access_token");
        let answer = street.knock("GET", "/api/v1/revocations", &Shown::token(&token)).await;
        answer.expect(if id == "this" { 200 } else { 403 });
    }
    // A person is refused, whatever they may do.
    street.knock("GET", "/api/v1/revocations", &Shown::token(admin)).await.expect(403);
    street.knock("GET", "/api/v1/revocations", &Shown::default()).await.expect(401);
}
