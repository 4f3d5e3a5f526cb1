//! The smallest HTTP client that can read what the daemon serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
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
    get_with(address, path, &format!("Host: {host}\r\n"))
}

/// The same with an `Accept`.
pub fn get_accepting(address: SocketAddr, path: &str, accept: &str) -> Result<Response, String> {
    get_with(
        address,
        path,
        &format!("Host: {address}\r\nAccept: {accept}\r\n"),
    )
}

fn get_with(address: SocketAddr, path: &str, headers: &str) -> Result<Response, String> {
    let text = exchange(address, path, headers).map_err(|error| format!("GET {path}: {error}"))?;
    response(&text).map_err(|why| format!("GET {path}: {why}"))
}

/// `POST path` with a body to a Unix socket; panics where there is no answer.
pub fn post(socket: &Path, path: &str, body: &str) -> Response {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let text = ask().unwrap_or_else(|error| panic!("POST {path}: {error}"));
    response(&text).unwrap_or_else(|why| panic!("POST {path}: {why}"))
}

fn response(text: &str) -> Result<Response, String> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("not an HTTP answer: {text:?}"))?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Response {
        code: code.ok_or_else(|| format!("no status in {head:?}"))?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

fn exchange(address: SocketAddr, path: &str, headers: &str) -> std::io::Result<String> {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    // HTTP/1.0 has no chunked bodies, and the server closes when it has answered.
    write!(stream, "GET {path} HTTP/1.0\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
