//! What a scraper gets, and what those get who are none.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use signet_admin::{MetricsSocket, MetricsSource};
use tokio::sync::oneshot;

struct Numbers;

impl MetricsSource for Numbers {
    fn metrics(&self) -> String {
        "a 1\nb 2\n".to_owned()
    }
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_served_whoever_else_is_silent() {
    let socket = MetricsSocket::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = socket.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(socket.serve(Arc::new(Numbers), async move { drop(stopped.await) }));
    let answers = tokio::task::spawn_blocking(move || {
        // Fewer than there is room for, and never a request.
        let _silent: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
        ["GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /metrics HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "hello\r\n\r\n"]
            .map(|request| ask(address, request))
    });
    let [numbers, head, absent, garbage] = answers.await.unwrap();
    assert!(numbers.starts_with("HTTP/1.1 200 OK\r\n") && numbers.ends_with("\r\n\r\na 1\nb 2\n"), "{numbers}");
    assert!(numbers.contains("Content-Type: text/plain; version=0.0.4") && numbers.contains("Content-Length: 8\r\n"), "{numbers}");
    assert!(head.contains("Content-Length: 8\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(absent.starts_with("HTTP/1.1 404 "), "{absent}");
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).is_err(), "the port is free again");
}
