//! The socket and both its sides, without a daemon behind them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::protocol::{HandlerSources, Planned};
use super::{Client, ClientError, Order, Refusal, Server, Socket, Wanted};
use crate::config::Invocation;
use crate::observe::{Board, History};

/// A machine that is busy with other tests is slow.
const SOON: Duration = Duration::from_secs(30);

/// A server on a thread of its own; `answer` is the daemon.
struct Site {
    dir: TempDir,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Site {
    fn start(answer: impl Fn(Order) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, "host-a", "control.sock", answer)
    }

    fn start_in(
        dir: TempDir,
        instance: &str,
        name: &str,
        answer: impl Fn(Order) + Send + 'static,
    ) -> Self {
        let server = Server::open(&dir.path().join(name)).unwrap();
        let board = Board::new(instance);
        board.set_config(&dir.path().join("deliveryd.toml"));
        let (end, ended) = oneshot::channel::<()>();
        let (sender, mut orders): (mpsc::Sender<Order>, _) = Server::orders();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let answering = async {
                    while let Some(order) = orders.recv().await {
                        answer(order);
                    }
                };
                let serving = server.serve(board, History::default(), sender, async {
                    drop(ended.await)
                });
                tokio::select! {
                    served = serving => served.unwrap(),
                    () = answering => {}
                }
            });
        });
        Self {
            dir,
            end: Some(end),
            thread: Some(thread),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    fn client(&self) -> Client {
        Client::find(&Wanted {
            control: Some(self.path()),
            ..Wanted::default()
        })
        .unwrap()
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Sends bytes as they are; what comes back until the other side closes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may have had enough before all of it is written.
        if let Err(error) = stream.write_all(bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn nothing(_: Order) {}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Malformed and huge requests are answered or cut, and everybody else is served as before.
#[test]
fn malformed_and_huge_requests_do_not_disturb() {
    let site = Site::start(nothing);
    let huge_head = format!(
        "GET /v1/status HTTP/1.1\r\nx: {}\r\n\r\n",
        "y".repeat(64 << 10)
    );
    let huge_body = {
        let head = "POST /v1/reload HTTP/1.1\r\nhost: a\r\ncontent-length: 4194304\r\n\r\n";
        [head.as_bytes(), &vec![b'z'; 4 << 20]].concat()
    };
    let cases: [(&[u8], &str); 6] = [
        (b"\x00\xff\xfe\r\n\r\n", ""),
        (b"GET /v1/status\r\n\r\n", ""),
        (
            b"POST /v1/reload HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
            "400",
        ),
        (huge_head.as_bytes(), ""),
        (&huge_body, "400"),
        (
            b"PUT /v1/plan HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "405",
        ),
    ];
    for (bytes, code) in cases {
        let answer = site.raw(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(answer.contains(code), "{shown}: {answer}");
        assert!(!answer.contains(" 200 "), "{shown}: {answer}");
        assert_eq!(site.client().status().unwrap().instance, "host-a");
    }
}

/// Those who connect and say nothing, or say it slowly, lose their place; who comes meanwhile is served
/// when a place is free.
#[test]
fn slow_callers_lose_their_place() {
    let site = Site::start(nothing);
    let mut slow: Vec<UnixStream> = (0..40).map(|_| site.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /v1/st").unwrap();
    }
    let began = Instant::now();
    assert_eq!(site.client().status().unwrap().instance, "host-a");
    assert!(began.elapsed() < SOON);
    let mut end = Vec::new();
    slow[0].read_to_end(&mut end).unwrap();
    assert!(!String::from_utf8_lossy(&end).contains(" 200 "));
}

/// A body that never comes keeps nothing but its own connection waiting, and that not for long.
#[test]
fn a_body_that_never_comes_is_given_up() {
    let site = Site::start(nothing);
    let mut stream = site.connect();
    let head = "POST /v1/reload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(site.client().status().unwrap().instance, "host-a");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains(" 400 ") && answer.contains("took longer"),
        "{answer}"
    );
}

/// Orders go to the daemon and its answers come back, problems as sentences.
#[test]
fn orders_are_answered() {
    let site = Site::start(|order| match order {
        Order::Plan(reply) => reply.send(Ok(Planned {
            generation: 7,
            ..Planned::default()
        })),
        Order::Handler(group, reply) if group == "a/b ä" => reply.send(Ok(HandlerSources {
            version: "v".to_owned(),
            file: "h.rhai".to_owned(),
            path: "/h.rhai".to_owned(),
            files: [("h.rhai".to_owned(), "text".to_owned())].into(),
            group,
        })),
        Order::Handler(group, reply) => {
            reply.send(Err(Refusal::NotFound(format!(
                "there is no group `{group}`"
            ))));
        }
        // As a daemon that stops before it comes to it.
        Order::Reload(_, reply) => drop(reply),
        other => drop(other),
    });
    let client = site.client();
    assert_eq!(client.plan().unwrap().generation, 7);
    assert_eq!(client.handler("a/b ä").unwrap().files["h.rhai"], "text");
    let told = |error: ClientError| error.to_string();
    assert_eq!(
        told(client.handler("x").unwrap_err()),
        "there is no group `x`"
    );
    assert_eq!(told(client.reload().unwrap_err()), "deliveryd is stopping");
    let unknown = site.raw(b"GET /v1/dance HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(
        unknown.contains(" 404 ") && unknown.contains("another version"),
        "{unknown}"
    );
}

/// The socket is for the daemon's user and group, whatever the umask; its directory for the user.
#[test]
fn the_socket_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/control.sock");
    let (socket, _listener) = Socket::open(&path).unwrap();
    assert_eq!(socket.path(), path);
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(&dir.path().join("new")), 0o700);
    drop(socket);
    assert!(!path.exists(), "it goes at the end");
}

/// What a killed daemon left is replaced; what lives, or is no socket at all, is left alone.
#[test]
fn only_a_dead_daemons_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket that nobody listens at");
    let (first, listener) = Socket::open(&path).unwrap();

    let taken = Socket::open(&path).unwrap_err().to_string();
    let own = std::process::id().to_string();
    assert!(
        taken.contains(&own) && taken.contains("`daemon.control`"),
        "{taken}"
    );

    // Another socket is there now, and the first one leaves it alone.
    fs::remove_file(&path).unwrap();
    let (second, _listener) = Socket::open(&path).unwrap();
    drop((first, listener));
    assert!(path.exists());
    drop(second);

    fs::write(&path, "precious").unwrap();
    let refused = Socket::open(&path).unwrap_err().to_string();
    assert!(refused.contains("it is no socket"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

/// A live daemon is named by its instance.
#[test]
fn a_live_daemon_is_named() {
    let site = Site::start(nothing);
    let error = Socket::open(&site.path()).unwrap_err().to_string();
    assert!(
        error.contains("another deliveryd (\"host-a\", process "),
        "{error}"
    );
}

/// Of daemons that start at the same moment at the same place one gets it, and keeps it.
#[test]
fn of_many_at_once_one_gets_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Socket::open(&path)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    });
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
    assert!(UnixStream::connect(&path).is_ok());
}

/// In the default places the one daemon is found; of several one has to be named; none is told with
/// every place that was tried.
#[test]
fn the_default_places_are_searched() {
    let empty = tempfile::tempdir().unwrap();
    let site = Site::start(nothing);
    let places = [empty.path().to_owned(), site.dir.path().to_owned()];
    let found = Client::search(&places, None).unwrap();
    assert_eq!(found.path(), site.path());

    let other = Site::start_in(
        tempfile::tempdir().unwrap(),
        "host-b",
        "control-host-b.sock",
        nothing,
    );
    let places = [site.dir.path().to_owned(), other.dir.path().to_owned()];
    let several = Client::search(&places, None).unwrap_err().to_string();
    assert!(
        several.contains("host-a at") && several.contains("host-b at"),
        "{several}"
    );
    let file = other.dir.path().join("deliveryd.toml");
    let found = Client::search(&places, Some(&file)).unwrap();
    assert_eq!(found.status().unwrap().instance, "host-b");

    let dead = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(dead.path().join("control.sock")).unwrap());
    let places = [empty.path().to_owned(), dead.path().to_owned()];
    let nobody = Client::search(&places, None).unwrap_err().to_string();
    assert!(
        nobody.contains("no socket in") && nobody.contains("nobody listens"),
        "{nobody}"
    );
    assert!(nobody.contains("--control PATH"), "{nobody}");
}

/// A configuration says where its daemon's socket is, also when the rest of it is wrong by now.
#[test]
fn a_broken_configuration_still_leads_to_its_daemon() {
    let site = Site::start(nothing);
    let file = site.dir.path().join("deliveryd.toml");
    let find = |toml: &str, sets: &[String]| {
        fs::write(&file, toml).unwrap();
        Client::find(&Wanted {
            config: Some(Invocation {
                file: file.clone(),
                sets: sets.to_vec(),
                env: [].into(),
            }),
            ..Wanted::default()
        })
    };
    let broken = "[daemon]\ncontrol = \"control.sock\"\n[groups.a]\nmembres = 3\n";
    assert_eq!(find(broken, &[]).unwrap().path(), site.path());
    let set = format!("daemon.control={:?}", site.path());
    assert_eq!(find("no = = toml", &[set]).unwrap().path(), site.path());
    let elsewhere = find("[daemon]\ncontrol = \"else.sock\"\n", &[]).unwrap_err();
    assert!(
        elsewhere.to_string().contains("else.sock is not there"),
        "{elsewhere}"
    );
}
