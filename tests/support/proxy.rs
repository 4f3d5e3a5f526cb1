//! TCP proxies before a cluster's brokers, whose connections a test cuts or holds up.
//!
//! [`Proxies::set`] says what happens to all of them from now on. The brokers must advertise the
//! proxies' addresses on a listener of their own, else clients go past them after the first request.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::ports::Port;
use super::server::Properties;

/// What the proxies do with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Open,
    /// Those that are there end, and new ones end at once.
    Cut,
    /// They stay, and nothing passes in either direction until the line is open again.
    Held,
    /// Nothing passes to the brokers; what they send arrives.
    HeldOut,
    /// Nothing passes to the clients; what they send arrives.
    HeldBack,
    /// Everything passes, each piece [`DELAY`] late.
    Slow,
}

/// Of a slow line, each way.
pub const DELAY: Duration = Duration::from_millis(150);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    Back,
}

impl Line {
    fn lets_pass(self, way: Way) -> bool {
        match self {
            Line::Open | Line::Slow => true,
            Line::Cut | Line::Held => false,
            Line::HeldOut => way == Way::Back,
            Line::HeldBack => way == Way::Out,
        }
    }
}

/// The ports of proxies that are to be, collected broker by broker.
#[derive(Debug, Default)]
pub struct Through {
    pub fronts: Vec<Port>,
    backs: Vec<Port>,
}

impl Through {
    /// The next broker's further listener, to be added to its `listeners`; the rest of what it needs
    /// goes into its properties. `direct` is where it listens besides.
    pub fn listener(&mut self, properties: &mut Properties, direct: &str) -> String {
        let (front, back) = (Port::claim(), Port::claim());
        let listener = format!(",PROXIED://{}", back.address());
        for (name, value) in [
            (
                "advertised.listeners",
                format!("PLAINTEXT://{direct},PROXIED://{}", front.address()),
            ),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            ),
        ] {
            properties.insert(name.to_owned(), value);
        }
        self.fronts.push(front);
        self.backs.push(back);
        listener
    }

    /// Starts the proxies; they may be up before their brokers.
    pub fn start(self) -> Proxies {
        Proxies::start(self.fronts, self.backs)
    }
}

/// A proxy for each broker of a cluster; gone when dropped.
#[derive(Debug)]
pub struct Proxies {
    line: watch::Sender<Line>,
    fronts: Vec<Port>,
    _backs: Vec<Port>,
    _runtime: Runtime,
}

impl Proxies {
    /// Listens on each of `fronts` for the broker's listener at the same place of `backs`.
    fn start(fronts: Vec<Port>, backs: Vec<Port>) -> Proxies {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .enable_time()
            .build()
            .unwrap_or_else(|error| panic!("a runtime: {error}"));
        let (line, seen) = watch::channel(Line::Open);
        for (front, back) in fronts.iter().zip(&backs) {
            let address = (Ipv4Addr::LOCALHOST, front.number);
            let listener = runtime
                .block_on(TcpListener::bind(address))
                .unwrap_or_else(|error| panic!("a proxy on {address:?}: {error}"));
            runtime.spawn(serve(listener, back.address(), seen.clone()));
        }
        Proxies {
            line,
            fronts,
            _backs: backs,
            _runtime: runtime,
        }
    }

    /// `bootstrap.servers` for those who go through the proxies.
    pub fn servers(&self) -> String {
        let addresses: Vec<String> = self.fronts.iter().map(Port::address).collect();
        addresses.join(",")
    }

    /// Does so from now on.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn serve(listener: TcpListener, back: String, line: watch::Receiver<Line>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) if *line.borrow() != Line::Cut => {
                tokio::spawn(connect(client, back.clone(), line.clone()));
            }
            Ok((refused, _)) => drop(refused),
            Err(error) => panic!("the proxy of {back}: {error}"),
        }
    }
}

async fn connect(client: TcpStream, back: String, mut line: watch::Receiver<Line>) {
    // A broker that is not there: the client's connection ends, as it would without a proxy.
    let Ok(broker) = TcpStream::connect(&back).await else {
        return;
    };
    for end in [&client, &broker] {
        if let Err(error) = end.set_nodelay(true) {
            panic!("the proxy of {back}: {error}");
        }
    }
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    tokio::select! {
        _ = pass(from_client, to_broker, Way::Out, line.clone()) => {}
        _ = pass(from_broker, to_client, Way::Back, line.clone()) => {}
        _ = line.wait_for(|line| *line == Line::Cut) => {}
    }
}

/// Until one of the two ends.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    mut line: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = line
            .wait_for(|line| line.lets_pass(way))
            .await
            .map(|line| *line)
        else {
            return;
        };
        if now == Line::Slow {
            tokio::time::sleep(DELAY).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
