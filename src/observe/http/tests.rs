//! What a client gets over a real socket.

use std::collections::BTreeMap;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::observe::status::{BrokerState, BrokerStatus, DaemonState};

/// Longer than anything takes that works.
const DEADLINE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    board: Board,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    fn start() -> Self {
        let server = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address();
        let board = Board::new("host-a");
        board.set_state(DaemonState::Running);
        board.set_brokers(BrokerStatus {
            state: BrokerState::Up,
            ..BrokerStatus::default()
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let metrics = Metrics::new(&board);
        let task = tokio::spawn({
            let board = board.clone();
            async move {
                let stopped = async { stopped.await.unwrap_or_default() };
                let hosts = vec!["status.example.org".to_owned()];
                let hosts = Arc::new(arc_swap::ArcSwap::from_pointee(hosts));
                server
                    .serve(board, metrics, History::default(), hosts, stopped)
                    .await
            }
        });
        Self {
            address,
            board,
            stop: Some(stop),
            task,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(DEADLINE, read)
            .await
            .expect(request)
            .unwrap();
        Answer::parse(&String::from_utf8(answer).unwrap())
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect(text);
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .expect(text);
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Status, page and metrics are there, each as what it is.
#[tokio::test]
async fn every_path_answers() {
    let server = Server::start();
    let status = server.get("/api/status").await;
    assert_eq!(status.status, 200);
    assert_eq!(status.headers["content-type"], "application/json");
    assert_eq!(status.json()["instance"], "host-a");

    let metrics = server.get("/metrics").await;
    assert!(metrics.headers["content-type"].starts_with("text/plain; version=0.0.4"));
    assert!(
        metrics.body.contains("\ndeliveryd_config_generation 1.0\n"),
        "{}",
        metrics.body
    );

    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<title>deliveryd</title>"));
    assert!(
        !page.body.contains("http://") && !page.body.contains("https://"),
        "an outside request"
    );
    let policy = &page.headers["content-security-policy"];
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .unwrap();
    assert_eq!(page.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    let again = server.get("/").await;
    assert!(!again.body.contains(nonce), "a nonce is used once");

    assert_eq!(server.get("/nothing").await.status, 404);
}

/// A scraper that asks for OpenMetrics gets it.
#[tokio::test]
async fn openmetrics_on_request() {
    let server = Server::start();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0\r\nConnection: close\r\n\r\n";
    let answer = server.ask(request).await;
    assert!(answer.headers["content-type"].starts_with("application/openmetrics-text"));
    assert!(answer.body.ends_with("# EOF\n"));
}

/// Ready and alive are 200, else 503 with the reasons.
#[tokio::test]
async fn health_has_reasons() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").await.status, 200);
    let ready = server.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (200, r#"{"ready":true,"reasons":[]}"#)
    );
    server.board.set_brokers(BrokerStatus {
        state: BrokerState::Down,
        reason: Some("no broker at localhost:9092: connection refused".to_owned()),
        ..BrokerStatus::default()
    });
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["reasons"][0],
        "no broker at localhost:9092: connection refused"
    );
    assert_eq!(server.get("/healthz").await.status, 200, "waiting is alive");
}

/// Nothing can be changed here: any other method is 405, on any path, and a body is refused.
#[tokio::test]
async fn read_only() {
    let server = Server::start();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        for path in ["/", "/api/status", "/healthz", "/nothing"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = server.ask(&request).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.headers["allow"], "GET, HEAD");
        }
    }
    let with_body = "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
    assert_eq!(server.ask(with_body).await.status, 413);
    let head = server
        .ask("HEAD /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

/// Under a foreign name there is no status, only what probes and scrapers need.
#[tokio::test]
async fn foreign_host_gets_health_and_metrics_only() {
    let server = Server::start();
    let as_host = async |path: &str, hosts: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        server.ask(&request).await.status
    };
    for path in ["/", "/api/status", "/api/events"] {
        assert_eq!(as_host(path, "Host: evil.example\r\n").await, 421, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(as_host(path, "Host: evil.example\r\n").await, 200, "{path}");
    }
    assert_eq!(
        as_host("/api/status", "Host: status.example.org:80\r\n").await,
        200
    );
    assert_eq!(as_host("/api/status", "Host: host-a\r\n").await, 200);
    assert_eq!(as_host("/api/status", "").await, 421, "none");
    assert_eq!(
        as_host("/api/status", "Host: localhost\r\nHost: evil.example\r\n").await,
        421
    );
    assert_eq!(
        as_host("http://evil.example/api/status", "Host: localhost\r\n").await,
        421
    );
}

/// Every answer forbids sniffing, framing and caching, refusals too.
#[tokio::test]
async fn answers_have_security_headers() {
    let server = Server::start();
    for path in ["/", "/api/status", "/metrics", "/nothing"] {
        let headers = server.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(
            headers["content-security-policy"].contains("default-src 'none'"),
            "{path}"
        );
        assert!(
            headers["content-security-policy"].contains("frame-ancestors 'none'"),
            "{path}"
        );
    }
}

/// A port that is taken is told with the address and what to set.
#[test]
fn taken_port_is_a_clear_error() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = bind(taken.address()).unwrap_err();
    let address = taken.address();
    assert_eq!(
        error.to_string(),
        format!(
            "the status page can not listen on {address}: another program has this port; set `daemon.http` to another address, or to \"off\" for none"
        )
    );
}

/// Events come at once, then with news, at most two a second; the end of the server ends them.
#[tokio::test]
async fn events_follow_the_status_and_end_with_the_server() {
    let mut server = Server::start();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next_status = async || {
        loop {
            let line = tokio::time::timeout(DEADLINE, lines.next_line())
                .await
                .expect("an event");
            let line = line.unwrap()?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str::<serde_json::Value>(data).unwrap());
            }
        }
    };
    assert_eq!(next_status().await.unwrap()["state"], "running");
    let first = std::time::Instant::now();
    for _ in 0..100 {
        server.board.set_state(DaemonState::Reloading);
    }
    assert_eq!(next_status().await.unwrap()["state"], "reloading");
    server.board.set_state(DaemonState::Running);
    assert_eq!(next_status().await.unwrap()["state"], "running");
    assert!(
        first.elapsed() >= Duration::from_millis(900),
        "{:?}",
        first.elapsed()
    );

    drop(server.stop.take());
    assert_eq!(next_status().await, None);
    let served = tokio::time::timeout(DEADLINE, &mut server.task).await;
    served.expect("the server ends").unwrap().unwrap();
}

/// A client that never finishes its request, or never reads, does not hold up the end.
#[tokio::test]
async fn silent_client_does_not_hold_up_the_end() {
    let mut server = Server::start();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET / HT").await.unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
    drop(server.stop.take());
    let served = tokio::time::timeout(Duration::from_secs(5), &mut server.task).await;
    served.expect("the server ends").unwrap().unwrap();
}

/// However many streams are open, a probe finds its place.
#[tokio::test]
async fn streams_leave_places_for_probes() {
    let server = Server::start();
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        open.push(stream);
    }
    assert_eq!(server.get("/api/events").await.status, 503);
    assert_eq!(server.get("/healthz").await.status, 200);
}
