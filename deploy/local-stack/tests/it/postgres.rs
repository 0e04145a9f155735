//! One server and its port.

use std::net::TcpListener;

use local_stack::binaries::Binaries;
use local_stack::{Postgres, PostgresOptions, ports};

fn options(dir: &std::path::Path, port: Option<u16>) -> PostgresOptions {
    PostgresOptions { dir: dir.join("postgres"), log: dir.join("postgres.log"), port, password: "secret".to_owned() }
}

#[tokio::test]
async fn a_start_on_a_taken_port_says_what_the_server_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let holder = TcpListener::bind(ports::local(ports::free("the test").expect("free"))).expect("bound");
    let port = holder.local_addr().expect("bound").port();
    let error = Postgres::start(&Binaries::find().expect("servers"), options(folder.path(), Some(port)))
        .await
        .expect_err("the port is taken");
    assert!(error.to_string().contains("Address already in use"), "{error}");
}

#[tokio::test]
async fn dropping_a_server_leaves_no_process_and_its_data_can_be_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let binaries = Binaries::find().expect("servers");
    let postgres = Postgres::start(&binaries, options(folder.path(), None)).await.expect("started");
    let server = postgres.process().expect("it runs");
    let mut all = server.children();
    all.push(server);
    drop(postgres);
    assert!(!server.is_alive());
    for process in all {
        local_stack::wait::until_gone(std::time::Duration::from_secs(30), "a backend to end", process)
            .await
            .expect("gone");
    }
    let mut again = Postgres::start(&binaries, options(folder.path(), None)).await.expect("started again");
    again.stop().await.expect("stopped");
    assert!(again.process().is_none());
}
