//! A real nginx that serves one directory, over http and https, with a few addresses that answer wrongly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::certs::Pki;

const PATIENCE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: u32 = 5;

/// A running nginx. Besides the files of [`Nginx::root`] it answers `/500` with 500, `/redirect/…` with a redirect to the file of that name,
/// and `/slow/…` with the file of that name at 100 bytes a second after the first 20 000. Dropping it ends the process.
pub struct Nginx {
    child: Option<Child>,
    directory: TempDir,
    plain: u16,
    tls: u16,
}

impl Nginx {
    /// Starts it and waits until it listens, with the server certificate of a PKI or without https. Needs the `nginx-light` package of the
    /// system.
    #[must_use]
    pub fn start(pki: Option<&Pki>) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir(directory.path().join("root")).unwrap();
            let (plain, tls) = (free_port(), free_port());
            fs::write(directory.path().join("nginx.conf"), configuration(directory.path(), plain, pki.map(|pki| (pki, tls)))).unwrap();
            let mut nginx = Self { child: None, directory, plain, tls };
            if nginx.run() {
                return nginx;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// False when a port was taken by somebody else in the meantime.
    fn run(&mut self) -> bool {
        let directory = self.directory.path();
        let pid = directory.join("pid");
        let _ = fs::remove_file(&pid);
        let mut child = Command::new(program())
            .args(["-p".as_ref(), directory, "-c".as_ref(), &directory.join("nginx.conf")])
            .args(["-e".as_ref(), directory.join("error.log").as_path()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is needed for this test (apt-get install nginx-light)");
        let deadline = Instant::now() + PATIENCE;
        // It writes its process id once every port is its own.
        while !fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            if child.try_wait().unwrap().is_some() {
                let log = self.error_log();
                assert!(log.contains("Address already in use"), "nginx ended:\n{log}");
                return false;
            }
            assert!(Instant::now() < deadline, "nginx does not listen:\n{}", self.error_log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
        true
    }

    /// The directory that it serves.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Puts a file in place at once, as a CA's publisher does.
    pub fn publish(&self, name: &str, contents: &[u8]) {
        let (new, place) = (self.root().join(format!(".{name}")), self.root().join(name));
        fs::write(&new, contents).unwrap();
        fs::rename(&new, &place).unwrap();
    }

    /// Makes a file look as if it had been published so many seconds ago.
    pub fn age(&self, name: &str, seconds: u64) {
        let file = fs::File::options().append(true).open(self.root().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    /// The address of a file over http.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.plain)
    }

    /// The address of a file over https.
    #[must_use]
    pub fn https_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.tls)
    }

    /// The address at which every question is answered with this file.
    #[must_use]
    pub fn ocsp_url(&self, file: &str) -> String {
        self.url(&format!("ocsp/{file}"))
    }

    /// The port of http.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.plain
    }

    /// One line for each answer: status, method, path.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until it has noted so many answers, which it does after they were sent, and returns them.
    #[must_use]
    pub fn wait_for_answers(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        while self.answers().len() < count {
            assert!(Instant::now() < deadline, "{count} answers of nginx in time; there are {:?}", self.answers());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.answers()
    }

    /// Ends the process; its port refuses connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same ports.
    pub fn restart(&mut self) {
        self.stop();
        assert!(self.run(), "somebody took the port of nginx while it was down");
    }

    fn error_log(&self) -> String {
        fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(directory: &Path, plain: u16, https: Option<(&Pki, u16)>) -> String {
    let directory = directory.display();
    let tls = https.map_or_else(String::new, |(pki, port)| {
        let server = pki.server();
        format!(
            "listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {};",
            server.certificate.display(),
            server.key.display()
        )
    });
    // As root it would change to a user who cannot read the test's directory.
    format!(
        r#"user root; daemon off; master_process off; pid {directory}/pid; worker_rlimit_nofile 256;
events {{ worker_connections 64; }}
http {{
  log_format short '$status $request_method $uri';
  access_log {directory}/access.log short;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{plain}; {tls}
    root {directory}/root;
    location = /500 {{ return 500; }}
    location /redirect/ {{ rewrite ^/redirect/(.*)$ /$1 redirect; }}
    location /ocsp/ {{ rewrite ^/ocsp/([^/]*).*$ /$1 break; error_page 405 =200 $uri; default_type application/ocsp-response; }}
    location /slow/ {{ rewrite ^/slow/(.*)$ /$1 break; limit_rate_after 20k; limit_rate 100; }}
  }}
}}
"#
    )
}

/// Debian puts the daemon where ordinary users have no path to it.
fn program() -> &'static Path {
    let debian = Path::new("/usr/sbin/nginx");
    if debian.exists() { debian } else { Path::new("nginx") }
}
