//! The events and their SQLite file. It must not know about tokens: an owner is a text.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS event (
        id          INTEGER PRIMARY KEY,
        owner       TEXT NOT NULL,
        title       TEXT NOT NULL,
        image       TEXT NOT NULL,
        description TEXT NOT NULL,
        tags        TEXT NOT NULL,
        location    TEXT NOT NULL,
        created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT";
const COLUMNS: &str = "id, title, image, description, tags, location, owner, created_at";

/// An event as its owner describes it. Any other member is refused, an owner above all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    title: String,
    image: String,
    description: String,
    tags: Vec<String>,
    location: String,
}

/// An event as everybody sees it.
#[derive(Serialize)]
pub struct Event {
    id: i64,
    title: String,
    image: String,
    description: String,
    tags: Vec<String>,
    location: String,
    owner: String,
    created_at: String,
}

impl NewEvent {
    /// Whether it is of a size that can be listed, and its image one that a browser may load.
    pub fn check(&self) -> Result<(), Problem> {
        let fits = |text: &str, most: usize| text.chars().count() <= most;
        let is_web = self.image.starts_with("https://") || self.image.starts_with("http://");
        let rules = [
            (!self.title.trim().is_empty(), "title must not be empty"),
            (fits(&self.title, 200), "title must have at most 200 characters"),
            (is_web && fits(&self.image, 2_000), "image must be an http or https URL"),
            (fits(&self.description, 10_000), "description must have at most 10000 characters"),
            (self.tags.len() <= 20, "tags must be at most 20"),
            (self.tags.iter().all(|tag| fits(tag, 50)), "a tag must have at most 50 characters"),
            (fits(&self.location, 200), "location must have at most 200 characters"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(Problem::unprocessable(broken)),
            None => Ok(()),
        }
    }
}

impl Event {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let tags: String = row.get("tags")?;
        Ok(Self {
            id: row.get("id")?,
            title: row.get("title")?,
            image: row.get("image")?,
            description: row.get("description")?,
            tags: serde_json::from_str(&tags).unwrap_or_default(),
            location: row.get("location")?,
            owner: row.get("owner")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// The table. One connection is enough for an example.
#[derive(Clone)]
pub struct Events(Arc<Mutex<Connection>>);

impl Events {
    /// Opens the file, or a table in memory for `:memory:`.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The newest hundred.
    pub async fn list(&self) -> Result<Vec<Event>, Problem> {
        self.with(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM event ORDER BY id DESC LIMIT 100");
            connection.prepare(&sql)?.query_map([], Event::read)?.collect()
        })
        .await
    }

    /// How many there are.
    pub async fn count(&self) -> Result<i64, Problem> {
        let sql = "SELECT count(*) FROM event";
        self.with(move |connection| connection.query_row(sql, [], |row| row.get(0))).await
    }

    /// Adds one for this owner.
    pub async fn insert(&self, owner: String, event: NewEvent) -> Result<Event, Problem> {
        self.with(move |connection| {
            let sql = format!(
                "INSERT INTO event (title, image, description, tags, location, owner)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING {COLUMNS}"
            );
            let tags = serde_json::json!(event.tags).to_string();
            let NewEvent { title, image, description, location, .. } = event;
            let row = params![title, image, description, tags, location, owner];
            connection.prepare(&sql)?.query_row(row, Event::read)
        })
        .await
    }

    /// Disk and locks block, so they have a thread of their own.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = Arc::clone(&self.0);
        let task = tokio::task::spawn_blocking(move || {
            work(&shared.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match task.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Problem::internal(&error)),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}
