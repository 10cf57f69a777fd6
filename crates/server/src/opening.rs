//! A connection whose first bytes have to arrive in time. The server reads up to 24 of them to tell
//! HTTP/1 from HTTP/2 (RFC 9113 §3.4), and hyper's own deadlines begin only after that: without
//! this, whoever connects and says nothing is waited for for ever.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that fails when it has not said which HTTP it speaks within a deadline.
pub struct Opening<S> {
    stream: S,
    /// Gone once the protocol is known.
    undecided: Option<Undecided>,
}

struct Undecided {
    deadline: Pin<Box<Sleep>>,
    /// What is left of the preface, as long as everything that came is one.
    expected: &'static [u8],
}

impl<S> Opening<S> {
    /// Gives `stream` so long to say which HTTP it speaks.
    #[expect(clippy::disallowed_methods, reason = "the deadline is the point")]
    pub fn within(deadline: Duration, stream: S) -> Self {
        let deadline = Box::pin(tokio::time::sleep(deadline));
        Self { stream, undecided: Some(Undecided { deadline, expected: PREFACE }) }
    }
}

impl Undecided {
    /// What is left to be seen after these bytes; nothing when they decide.
    fn after(&self, came: &[u8]) -> Option<&'static [u8]> {
        self.expected.strip_prefix(came).filter(|rest| !rest.is_empty())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let Some(undecided) = &mut this.undecided else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        if undecided.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;

        let came = buf.filled().get(before..).unwrap_or_default();
        match undecided.after(came) {
            Some(rest) => undecided.expected = rest,
            None => this.undecided = None,
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_protocol_is_known_with_the_first_byte_that_is_not_the_prefaces() {
        let Opening { undecided, .. } = Opening::within(Duration::from_secs(1), ());
        let mut undecided = undecided.unwrap();
        assert_eq!(undecided.after(b"GET"), None);
        assert_eq!(undecided.after(b"PO"), None);
        assert_eq!(undecided.after(b""), Some(PREFACE));
        undecided.expected = undecided.after(b"PRI").unwrap();
        assert_eq!(undecided.after(b" * HTTP/2.0\r\n\r\nSM\r\n\r\n"), None, "it is whole");
        assert_eq!(undecided.after(b" * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"), None);
        assert_eq!(undecided.after(b" * HTTP/1"), None);
    }
}
