//! Turns requests into typed values. Past these, no text means anything.

pub mod caller;
mod client_assertion;
pub mod client_auth;
pub mod dpop;
pub mod form;
pub mod json;
pub mod path;
pub mod query;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
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
    let mut reading = pin!(Limited::new(body, MAX_BODY).collect());
    let read = match at_hand(reading.as_mut()).await {
        Some(read) => read,
        None => {
            let in_time = tokio::time::timeout(BODY_DEADLINE, reading).await;
            in_time.map_err(|_| BodyError::TooSlow)?
        }
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// What a future has at once or at the next turn of its task. A body that came along with its head
/// is there by then, and needs no timer.
async fn at_hand<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut is_second = false;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if is_second => Poll::Ready(None),
        Poll::Pending => {
            is_second = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}
