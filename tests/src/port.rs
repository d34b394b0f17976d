//! Ports of the loopback address, picked by the system, for hosts that are started on them later, and again.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use tokio::net::TcpSocket;

/// A port that nobody else is given while this lives, neither to listen on nor to connect from.
///
/// A port that was only looked up is free for everybody again: beside other tests it becomes the near end of somebody's
/// connection within seconds, and the host that was to listen there cannot. So a socket stays bound to it. It never listens;
/// that is why a listener that reuses addresses, as those of the standard library and of tokio do, takes the port all the same.
/// This is how Linux has it. Elsewhere two sockets cannot be bound to one address, and the port is only looked up.
#[derive(Debug)]
pub struct Reserved {
    port: u16,
    _bound: Option<TcpSocket>,
}

impl Reserved {
    /// Reserves a port that the system picks.
    ///
    /// # Errors
    /// Those of the system: no ports, or no file descriptors, are left.
    pub fn any() -> std::io::Result<Reserved> {
        Reserved::of(0)
    }

    /// Reserves this port, or any for 0.
    ///
    /// # Errors
    /// If it is not free; those of the system.
    pub fn of(port: u16) -> std::io::Result<Reserved> {
        let socket = TcpSocket::new_v4()?;
        // Bound alone, and open to others only then: sockets that do not listen would share a port from the first.
        socket.bind(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
        socket.set_reuseaddr(true)?;
        let port = socket.local_addr()?.port();
        Ok(Reserved { port, _bound: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Returns its number.
    pub fn number(&self) -> u16 {
        self.port
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_reserved_port_is_listened_on_again_and_again_and_is_nobody_elses() {
        let reserved = Reserved::any().expect("a port");
        let at = (Ipv4Addr::LOCALHOST, reserved.number());
        for _ in 0..3 {
            let refused = TcpStream::connect(at).expect_err("nobody listens");
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
            assert!(Reserved::of(reserved.number()).is_err(), "somebody has reserved it");
            let listener = TcpListener::bind(at).expect("a listener takes it");
            TcpStream::connect(at).expect("somebody listens");
            assert!(Reserved::of(reserved.number()).is_err(), "somebody listens");
            drop(listener);
        }
        // Neither as a port to connect from: one socket that reuses no addresses is refused it.
        let near = TcpSocket::new_v4().expect("a socket");
        let near = near.bind(SocketAddr::from(at)).expect_err("it is bound");
        assert_eq!(near.kind(), std::io::ErrorKind::AddrInUse);
    }
}
