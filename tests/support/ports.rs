//! Ports for servers that must know theirs before they start.
//!
//! They lie below the kernel's ephemeral range, so no outgoing connection and no bind to port 0
//! takes one in the meantime; a claim on the number keeps other test processes away from it.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port that is this process's own until dropped.
#[derive(Debug)]
pub struct Port {
    pub number: u16,
    /// An abstract socket: the kernel gives the name to one process and takes it back at its end.
    _claim: UnixListener,
}

impl Port {
    /// A port on which nothing listens.
    pub fn claim() -> Port {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = std::process::id() as u16 % COUNT;
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + start.wrapping_add(step) % COUNT;
            if let Some(port) = Self::try_claim(number) {
                return port;
            }
        }
        panic!("no free port between {FIRST} and {}", FIRST + COUNT);
    }

    fn try_claim(number: u16) -> Option<Port> {
        let name = SocketAddr::from_abstract_name(format!("deliveryd-test-port-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Port {
            number,
            _claim: claim,
        })
    }

    /// `127.0.0.1:NUMBER`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
