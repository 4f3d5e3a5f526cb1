//! The smallest HTTP client that can read what the daemon serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer: status code, head and body.
#[derive(Debug)]
pub struct Response {
    pub code: u16,
    pub head: String,
    pub body: String,
}

/// `GET path`, or why there was no answer.
pub fn get(address: SocketAddr, path: &str) -> Result<Response, String> {
    get_as(address, path, &address.to_string())
}

/// The same under another `Host`.
pub fn get_as(address: SocketAddr, path: &str, host: &str) -> Result<Response, String> {
    let text = exchange(address, path, host).map_err(|error| format!("GET {path}: {error}"))?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("GET {path}: not an HTTP answer: {text:?}"))?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Response {
        code: code.ok_or_else(|| format!("GET {path}: no status in {head:?}"))?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

fn exchange(address: SocketAddr, path: &str, host: &str) -> std::io::Result<String> {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    // HTTP/1.0 has no chunked bodies, and the server closes when it has answered.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
