//! Requests by route: one set of numbers for each route of the table, made with the router. A label
//! is never what somebody wrote into a request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use super::series::{Counter, Histogram, Words};
use super::text::{Kind, Text};
use crate::router::Route;

/// The numbers of one route.
#[derive(Debug)]
pub struct RouteNumbers {
    /// Which one.
    pub route: Route,
    classes: [Counter; 5],
    seconds: Histogram,
    refusals: Arc<Words>,
}

/// The classes of a status (RFC 9110 §15).
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl RouteNumbers {
    fn new(route: Route, refusals: &Arc<Words>) -> Self {
        let classes = std::array::from_fn(|_| Counter::default());
        let refusals = Arc::clone(refusals);
        Self { route, classes, seconds: Histogram::default(), refusals }
    }

    /// An OAuth endpoint refused, with this code.
    pub fn refused(&self, code: &'static str) {
        self.refusals.add(code);
    }

    /// A request was answered.
    pub fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.classes.get(class) {
            counter.add();
        }
        self.seconds.observe(took);
    }
}

/// The numbers of every route.
#[derive(Debug, Default)]
pub struct Requests {
    routes: Mutex<Vec<Arc<RouteNumbers>>>,
    /// What the OAuth endpoints refused, by the code of the error.
    pub(super) refusals: Arc<Words>,
}

impl Requests {
    /// The numbers of a route: the same ones for each router of a server.
    pub fn of(&self, route: Route) -> Arc<RouteNumbers> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = routes.iter().find(|known| known.route == route) {
            return Arc::clone(known);
        }
        let made = Arc::new(RouteNumbers::new(route, &self.refusals));
        routes.push(Arc::clone(&made));
        made
    }

    /// Routes that nobody asked for are left out.
    pub(super) fn write(&self, text: &mut Text) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = routes.iter().map(|it| (it, it.seconds.distribution()));
        let asked: Vec<_> = asked.filter(|(_, took)| took.count > 0).collect();
        let help = "Requests that were answered, by route and class of the status.";
        let mut family = text.family(Kind::Counter, "munjigi_http_requests_total", help);
        for (numbers, _) in &asked {
            let Route { method, path } = numbers.route;
            for (class, counter) in CLASSES.iter().zip(&numbers.classes) {
                if counter.value() > 0 {
                    let labels = [("method", method), ("route", path), ("status", *class)];
                    family.sample(&labels, counter.value());
                }
            }
        }
        let help = "How long answers took, until their head was sent, in seconds.";
        let name = "munjigi_http_request_duration_seconds";
        let mut family = text.family(Kind::Histogram, name, help);
        for (numbers, took) in &asked {
            let Route { method, path } = numbers.route;
            family.histogram(&[("method", method), ("route", path)], took);
        }
    }
}
