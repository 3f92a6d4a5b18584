//! Revocable: how does a stream end when whoever reads it is no longer let in?

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;

/// What whoever is no longer let in is told.
pub(crate) fn over() -> Status {
    Status::unauthenticated("your session has ended or your rights have changed: sign in again")
}

/// The body of an answer, which ends with `UNAUTHENTICATED` when its reader's rights do.
pub(crate) struct Revocable {
    body: Body,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

impl Revocable {
    pub(crate) fn new(body: Body, over: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { body, over: Box::pin(over), is_over: false }
    }
}

impl HttpBody for Revocable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.over.as_mut().poll(context).is_ready() {
            self.is_over = true;
            let mut trailers = http::HeaderMap::new();
            // An error means that the status does not fit a header, and ours does.
            let _ = over().add_header(&mut trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
