//! Which program has opened a connection on this machine, by the kernel's own table.

use std::fs;
use std::net::SocketAddr;

/// The one of `programs` that has the client's end of a connection from `client` to `server`; none if it is none of them.
pub(super) fn program<'a>(client: SocketAddr, server: SocketAddr, programs: &[&'a str]) -> Option<&'a str> {
    if programs.is_empty() {
        return None;
    }
    let socket = socket(client, server)?;
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let owner = processes.filter_map(|process| {
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        let program = programs.iter().copied().find(|program| *program == name.trim_end())?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.filter_map(Result::ok);
        files
            .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str()))
            .then_some(program)
    });
    owner.into_iter().next()
}

/// As a process' list of files names it.
fn socket(client: SocketAddr, server: SocketAddr) -> Option<String> {
    let (client, server) = (hexadecimal(client)?, hexadecimal(server)?);
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1) == Some(&client.as_str()) && fields.get(2) == Some(&server.as_str());
        is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    })
}

/// As the kernel's table has it: the address as the machine holds it, and the port.
fn hexadecimal(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}
