//! A hold on the TCP connection under a request, so that it can be cut without an answer.

use std::{
    any::Any,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
};

use actix_web::dev::Extensions;

/// A second handle of the connection's socket; it goes when the connection does.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    /// Keeps a handle of each new connection (for `HttpServer::on_connect`). Should the system have no descriptor left, the connection
    /// works and can't be cut.
    pub fn keep(io: &dyn Any, extensions: &mut Extensions) {
        if let Some(stream) = io.downcast_ref::<actix_web::rt::net::TcpStream>()
            && let Ok(socket) = stream.as_fd().try_clone_to_owned()
        {
            extensions.insert(Self(socket.into()));
        }
    }

    /// Ends the connection in both directions, now.
    pub fn cut(&self) {
        // Fails only when the other side has cut it already.
        let _gone = self.0.shutdown(Shutdown::Both);
    }
}
