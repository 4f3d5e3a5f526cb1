//! Whether there is a Docker to start the broker of docker-compose.yml with, for the way out of a broker
//! that is not there.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

/// Where Docker listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// How to get a broker on this machine. Asks Docker's socket, which answers or refuses at once.
pub(super) fn way_out() -> &'static str {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = match host.strip_prefix("unix://") {
        Some(path) => path,
        None if host.is_empty() => SOCKET,
        // Elsewhere: to ask there takes time, and it may be right.
        None => return said(None),
    };
    said(UnixStream::connect(socket).err().map(|error| error.kind()))
}

fn said(error: Option<ErrorKind>) -> &'static str {
    match error {
        None => "is it running? `docker compose up -d` starts the one in docker-compose.yml",
        Some(ErrorKind::PermissionDenied) => {
            "is it running? docker-compose.yml has one, but Docker does not let you in: `sudo usermod -aG docker $USER`, log in again, then `docker compose up -d`"
        }
        Some(_) => {
            "is it running? docker-compose.yml has one, but no Docker runs here: `sudo systemctl start docker`, then `docker compose up -d`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Docker that is not there and one that lets nobody in have ways out of their own.
    #[test]
    fn docker_is_told_as_it_is() {
        assert!(said(Some(ErrorKind::PermissionDenied)).contains("usermod -aG docker"));
        assert!(said(Some(ErrorKind::NotFound)).contains("systemctl start docker"));
        assert!(said(Some(ErrorKind::ConnectionRefused)).contains("systemctl start docker"));
        assert!(!said(None).contains("sudo"));
    }
}
