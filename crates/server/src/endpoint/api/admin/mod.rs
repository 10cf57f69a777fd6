//! `/api/v1/admin/…`: users, clients, APIs and roles. Every route needs a token with the scope
//! `admin`, and what the caller may do is read in the transaction in which they do it.

pub mod api_secrets;
pub mod apis;
pub mod audit;
pub mod audit_tiles;
pub mod clients;
pub mod keys;
pub mod registration_tokens;
pub mod roles;
pub mod sessions;
pub mod stats;
pub mod users;

use http::StatusCode;
use munjigi_core::access::{Carried, Object, RoleName};
use munjigi_core::account::user::User;
use munjigi_core::audit::{Event, Kind};
use munjigi_core::id::UserId;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::page::{Cursor, CursorError, Listed, Page, PageKey};
use munjigi_store::{
    Audit, Committed, ReadTx, StoreError, Tx, roles as roles_store, users as users_store,
};
use serde_json::{Value, json};

use crate::app::App;
use crate::ending::Ending;
use crate::extract::caller::Admin;
use crate::extract::query::Query;
use crate::failure::Failure;
use crate::reply::problem::{Problem, Undone};

/// A page of a list, by the query's `after` and `limit`.
fn page<K: PageKey>(query: &mut Query) -> Result<Page<K>, Problem> {
    let after = query.parsed("after", |text| text.parse::<Cursor<K>>().map_err(|_| CursorError))?;
    Ok(Page { after, limit: query.limit()? })
}

/// A page as it is shown.
fn shown<T, K: PageKey>(listed: Listed<T, K>, show: impl Fn(T) -> Value) -> Value {
    let next = listed.next.map(|cursor| cursor.to_string());
    let items: Vec<Value> = listed.items.into_iter().map(show).collect();
    json!({ "items": items, "next": next })
}

/// What a change of something did: nothing when it was that already.
enum Done<T> {
    /// It was done; the event says what.
    Changed(T, Event),
    /// It was like this already.
    Same(T),
}

impl<T> Done<T> {
    fn committed(self) -> Committed<T> {
        match self {
            Self::Changed(value, event) => Committed::new(value, Audit::Record(Box::new(event))),
            Self::Same(value) => Committed::nothing(value),
        }
    }
}

impl Admin {
    /// A new event caused by this caller.
    fn event(&self, kind: Kind) -> Result<Event, Problem> {
        Ok(self.context.event(kind, self.actor())?)
    }

    /// Runs one change in one transaction, after the caller's permission for things of this kind
    /// was checked in it.
    async fn write<T: Send + 'static>(
        &self,
        app: &App,
        permission: &'static str,
        change: impl Fn(&mut Tx<'_>) -> Result<Done<T>, Undone> + Send + 'static,
    ) -> Result<T, Problem> {
        let (app_in, admin) = (app.clone(), self.clone());
        let written = app.store.write(move |tx| {
            admin.check(&app_in, tx, permission, Object::Collection)?;
            change(tx).map(Done::committed)
        });
        match written.await.map_err(Problem::from) {
            Ok(value) => Ok(value),
            Err(problem) => Err(self.noted(app, problem).await),
        }
    }

    /// Looks at something in one transaction, after the caller's permission for things of this
    /// kind was checked in it.
    async fn read<T: Send + 'static>(
        &self,
        app: &App,
        permission: &'static str,
        look: impl Fn(&mut ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (app_in, admin) = (app.clone(), self.clone());
        let read = app.store.read(move |tx| {
            admin.check(&app_in, tx, permission, Object::Collection)?;
            Ok::<_, Undone>(look(tx)?)
        });
        match read.await.map_err(Problem::from) {
            Ok(value) => Ok(value),
            Err(problem) => Err(self.noted(app, problem).await),
        }
    }

    /// The same problem, after the audit trail was told when somebody asked for more than they
    /// may.
    async fn noted(&self, app: &App, problem: Problem) -> Problem {
        if problem.status != StatusCode::FORBIDDEN {
            return problem;
        }
        self.refused(app, problem).await
    }

    /// The same for reference data: this node knows of it when the caller gets the answer.
    async fn write_reference<T: Send + 'static>(
        &self,
        app: &App,
        permission: &'static str,
        change: impl Fn(&mut Tx<'_>) -> Result<Done<T>, Undone> + Send + 'static,
    ) -> Result<T, Problem> {
        let value = self.write(app, permission, change).await?;
        app.reload().await.map_err(Problem::from)?;
        Ok(value)
    }

    /// How things end at the time of this request.
    fn ending(&self, app: &App) -> Ending {
        app.ending()
    }
}

/// Makes the revocations that there were effective on this node.
fn take_over(app: &App, revocations: impl IntoIterator<Item = Revocation>) {
    for revocation in revocations {
        app.take_over(&revocation);
    }
}

/// What these roles carry, by the database and not by what this node last saw of it; disabled
/// roles too, since they may be enabled again, and then carry it for whoever has them.
fn carried(tx: &mut Tx<'_>, names: &[RoleName]) -> Result<Carried, StoreError> {
    let mut all = Carried::default();
    for name in names {
        if let Some(role) = roles_store::find(tx, name)? {
            all.permissions.extend(&role.permissions);
            all.scope = all.scope.with(&role.scope);
        }
    }
    Ok(all)
}

/// The account, if the caller may change what hangs on it: nobody who may do more than they
/// themselves.
fn writable_user(
    (app, admin): (&App, &Admin),
    tx: &mut Tx<'_>,
    permission: &'static str,
    id: &UserId,
) -> Result<User, Undone> {
    let user = users_store::find(tx, id)?.ok_or_else(|| Problem::not_found("user"))?;
    let Carried { permissions, .. } = carried(tx, &user.roles)?;
    admin.check(app, tx, permission, Object::User { id: *id, permissions: &permissions })?;
    Ok(user)
}

/// Something stored could not be shown.
fn damaged(what: &'static str) -> Problem {
    Failure::Damaged(what).into()
}
