//! One request over the socket and its answer, whole or line by line.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::protocol::{Problem, Tapped};
use super::{Client, ClientError};

/// Bytes of one answer: the status of 100 members, the sources of a large handler.
const ANSWER: usize = 64 << 20;

impl Client {
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        within: Duration,
    ) -> Result<T, ClientError> {
        self.ask(Method::GET, path, Bytes::new(), within)
    }

    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        within: Duration,
    ) -> Result<T, ClientError> {
        let body = self.json(body)?;
        self.ask(Method::POST, path, body, within)
    }

    pub(super) fn json(&self, body: &impl Serialize) -> Result<Bytes, ClientError> {
        let text = serde_json::to_vec(body).map_err(|error| self.strange(&error))?;
        Ok(text.into())
    }

    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<T, ClientError> {
        let exchange = async {
            let (answer, _connection) = self.open(method, path, body).await?;
            let code = answer.status();
            Ok::<_, ClientError>((code, self.body(answer.into_body()).await?))
        };
        let exchange = self
            .runtime()?
            .block_on(async { tokio::time::timeout(within, exchange).await });
        let (code, body) = exchange.map_err(|_| self.slow(within))??;
        if code == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|error| self.strange(&error));
        }
        Err(self.problem(code, &body))
    }

    pub(super) fn runtime(&self) -> Result<tokio::runtime::Runtime, ClientError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.strange(&error))
    }

    /// Sends a request; the answer's body is still to come, and comes while the connection is kept.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|error| self.nobody(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.strange(&error))?;
        // Its own errors reach the answer too.
        let connection = Connection(tokio::spawn(async { drop(connection.await) }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .body(Body::from(body))
            .map_err(|error| self.strange(&error))?;
        let answer = sender.send_request(request).await;
        Ok((answer.map_err(|error| self.strange(&error))?, connection))
    }

    pub(super) async fn body(&self, body: Incoming) -> Result<Bytes, ClientError> {
        let body = to_bytes(Body::new(body), ANSWER).await;
        body.map_err(|error| self.strange(&error))
    }

    pub(super) async fn lines(
        &self,
        answer: Response<Incoming>,
        mut take: impl FnMut(Tapped) -> io::Result<()>,
    ) -> Result<io::Result<()>, ClientError> {
        let mut pieces = Body::new(answer.into_body()).into_data_stream();
        let mut rest = Vec::new();
        while let Some(piece) = pieces.next().await {
            rest.extend_from_slice(&piece.map_err(|error| self.strange(&error))?);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let tapped = serde_json::from_slice(&line).map_err(|error| self.strange(&error))?;
                if let Err(error) = take(tapped) {
                    return Ok(Err(error));
                }
            }
            if rest.len() > ANSWER {
                return Err(self.strange(&"a line that does not end"));
            }
        }
        Ok(Ok(()))
    }

    pub(super) fn problem(&self, code: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Refused(problem.error),
            Err(_) => self.strange(&format!("HTTP status {code}")),
        }
    }

    pub(super) fn slow(&self, after: Duration) -> ClientError {
        ClientError::Slow {
            socket: self.path.display().to_string(),
            after,
        }
    }

    pub(super) fn strange(&self, why: &dyn std::fmt::Display) -> ClientError {
        ClientError::Strange {
            socket: self.path.display().to_string(),
            why: why.to_string(),
        }
    }
}

/// Drives a connection while it is kept.
pub(super) struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}
