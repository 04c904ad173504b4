//! What somebody meets who moves from Mosquitto: a service manager that waits, a mistake in a file that is named from beside it, the same as
//! `signet.toml`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use signet_e2e::{PATIENCE, Running, Site, Whose};
use signet_testkit::free_port;

/// Debian's service is of `Type=notify`: it would be ended and started again for ever.
#[test]
fn a_service_manager_is_told_when_clients_can_connect_and_when_the_end_begins() {
    let site = Site::empty();
    site.write("m.conf", &format!("user root\nlistener {} 127.0.0.1\nallow_anonymous true\n", site.port()));
    let told = |whose: Whose| {
        let path = site.path(&format!("notify-{whose:?}"));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let broker = Running::start(whose.command("mosquitto", site.folder()).args(["-c", "m.conf"]).env("NOTIFY_SOCKET", &path));
        let mut octets = [0; 256];
        let length = socket.recv(&mut octets).unwrap();
        let first = String::from_utf8_lossy(octets.get(..length).unwrap()).into_owned();
        assert!(std::net::TcpStream::connect(("127.0.0.1", site.port())).is_ok());
        broker.signal("TERM");
        assert_eq!(broker.finish().code, Some(0));
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let last = socket.recv(&mut octets).map(|length| String::from_utf8_lossy(octets.get(..length).unwrap()).into_owned());
        (first, last.ok())
    };
    assert_eq!(told(Whose::Ours), ("READY=1".to_owned(), Some("STOPPING=1".to_owned())));
}

#[test]
fn a_mistake_is_shown_at_its_line_however_the_file_is_named() {
    let site = Site::empty();
    fs::create_dir(site.path("conf.d")).unwrap();
    site.write("m.conf", "listener 1883\nalow_anonymous true\ninclude_dir conf.d\n");
    site.write("conf.d/more.conf", "\npasswort_file x\n");
    let absolute = site.path("m.conf").display().to_string();
    for name in ["m.conf", "./m.conf", &absolute] {
        let refused = Whose::Ours.run("mosquitto", site.folder(), &["-c", name]);
        assert_eq!(refused.code, Some(3), "{}", refused.output);
        for part in [
            &format!("{name}:2:1: Error: Unknown configuration variable 'alow_anonymous'."),
            "2 | alow_anonymous true",
            "did you mean `allow_anonymous`?",
        ] {
            assert!(refused.says(part), "`{part}` is missing:\n{}", refused.output);
        }
        assert!(refused.says("more.conf:2:1: ") && refused.says("2 | passwort_file x"), "{}", refused.output);
    }
}

#[test]
fn what_is_imported_keeps_its_state_where_it_was() {
    let site = Site::empty();
    site.write("m.conf", &format!("user root\nlistener {} 127.0.0.1\nallow_anonymous true\n", free_port()));
    let mut import = Whose::Ours.command("signet", site.folder());
    Running::run(import.args(["import", "mosquitto", "m.conf", "-o", "signet.toml"])).succeeded();
    let text = fs::read_to_string(site.path("signet.toml")).unwrap();
    let place = text.lines().find_map(|line| line.strip_prefix("data_dir = ")).unwrap();
    assert!(place.contains("state/signet/m-"), "{place}");
    assert_eq!(fs::metadata(site.path("signet.toml")).unwrap().permissions().mode() & 0o777, 0o600);
    for file in ["m.conf", "signet.toml"] {
        let broker = Running::start(Whose::Ours.command("signet", site.folder()).args(["serve", "-c", file]));
        broker.wait_for("mosquitto version 2.1.2 running");
        broker.signal("TERM");
        assert_eq!(broker.finish().code, Some(0));
    }
    assert!(fs::read_dir(site.path("state/signet")).unwrap().count() == 1 && !site.path("data").exists());
}
