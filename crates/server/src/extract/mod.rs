//! Turns requests into typed values. Past these, no text means anything.

pub mod caller;
pub mod client_auth;
pub mod form;
pub mod json;
pub mod path;
pub mod query;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The largest body of any request, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The longest time that a body may take to arrive.
pub const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More than [`MAX_BODY`].
    TooLarge,
    /// It took longer than [`BODY_DEADLINE`].
    TooSlow,
    /// The connection broke.
    Broken,
}

/// Reads a whole body, within bounds of size and time.
pub async fn read_body(body: Body) -> Result<Bytes, BodyError> {
    // A length that is announced too large is refused before anything is read.
    let announced = http_body::Body::size_hint(&body).lower();
    if usize::try_from(announced).is_ok_and(|length| length > MAX_BODY) {
        return Err(BodyError::TooLarge);
    }
    let read = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, MAX_BODY).collect());
    match read.await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}
