//! rmqtt as a broker without plugins: `compared-rmqtt PORT [AUTHORITY CERTIFICATE KEY]`. With three files it asks for client certificates.

use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, tls_provider};
use rmqtt::server::MqttServer;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> rmqtt::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let at = |port: &str| Builder::new().name("compared").laddr(([127, 0, 0, 1], port.parse().unwrap_or(1883)).into()).nodelay(true);
    let listener = match words.as_slice() {
        ["--version"] => {
            println!("rmqtt {}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        [port] => at(port).allow_anonymous(true).bind()?.tcp()?,
        [port, authority, certificate, key] => {
            let _ = tls_provider::default_provider().install_default();
            let builder = at(port).tls_cross_certificate(true).tls_client_ca_certs(Some(*authority)).cert_cn_as_username(true);
            builder.allow_anonymous(true).tls_cert(Some(*certificate)).tls_key(Some(*key)).bind()?.tls()?
        }
        _ => return Err(rmqtt::Error::msg("usage: compared-rmqtt PORT [AUTHORITY CERTIFICATE KEY]")),
    };
    MqttServer::new(ServerContext::new().build().await).listener(listener).build().run().await
}
