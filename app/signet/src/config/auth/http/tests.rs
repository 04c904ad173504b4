//! The keys of HTTP as they are written.

use std::time::Duration;

use super::super::testing::read;
use super::*;

fn authenticator(keys: &str) -> String {
    format!("[[authenticator]]\ntype = \"http\"\n{keys}\n")
}

#[test]
fn keys_become_what_they_say() {
    let section = |text: &str, use_it: &dyn Fn(Asked)| {
        let problems = Problems::new(Path::new("/etc/signet/signet.toml"), text);
        let file = toml::de::DeTable::parse(text).unwrap();
        let section = Section::new("[[authenticator]]", file.get_ref(), 0..0, &problems);
        use_it(Asked::read(&section, Some(Purpose::Authenticate), Path::new("/etc/signet"), &problems).unwrap());
        section.finish();
        assert_eq!(problems.into_sorted().len(), 0);
    };
    let whole = "url = \"https://h/${username}\"\nmethod = \"post\"\nheaders = { A = \"${listener}\", B = \"b\" }\nheader_files = { C = \"c\" }\n\
                 body = { u = \"${username}\", in = [1, true, 2.5, { p = \"${password}\" }] }\nplaceholders = \"signet\"\ncompatibility = \"emqx4\"\n\
                 trust = \"ca.pem\"\ncertificate = \"/c.pem\"\nkey = \"k.pem\"\nserver_name = \"n\"\nconnect_timeout = \"1s\"\nidle_timeout = \"2s\"\n\
                 answer_maximum = \"1KiB\"\n";
    section(whole, &|asked| {
        let question = &asked.question;
        assert_eq!((&*question.url, question.headers.len(), asked.compatibility), ("https://h/${username}", 2, Compatibility::Emqx4));
        let HttpBody::Json(body) = &question.body else { panic!("no JSON") };
        assert_eq!(body.to_string(), r#"{"in":[1,true,2.5,{"p":"${password}"}],"u":"${username}"}"#);
        let endpoint = &asked.endpoint;
        assert_eq!((endpoint.connect_timeout, endpoint.idle_timeout), (Duration::from_secs(1), Duration::from_secs(2)));
        assert_eq!((endpoint.body_maximum, endpoint.tls.server_name.as_deref()), (1024, Some("n")));
        let files: Vec<String> = asked.files().iter().map(|file| file.display().to_string()).collect();
        assert_eq!(files, ["/etc/signet/ca.pem", "/c.pem", "/etc/signet/k.pem", "/etc/signet/c"]);
    });
    section("url = \"http://h\"\nbody = { c = \"%c\" }\nbody_format = \"form\"\nplaceholders = \"emqx4\"", &|asked| {
        assert_eq!(asked.question.placeholders, HttpPlaceholders::Emqx4);
        assert!(matches!(&asked.question.body, HttpBody::Form(fields) if fields == &[("c".to_owned(), "%c".to_owned())]));
    });
    // Those of EMQX 5 are known by their names.
    section("url = \"http://h\"\nbody = { c = \"${clientid}\" }", &|asked| {
        assert_eq!(asked.question.placeholders, HttpPlaceholders::Emqx5);
    });
}

#[test]
fn what_makes_no_sense_is_said_where_it_stands() {
    for (keys, expected) in [
        ("", "a table of type \"http\" has no `url`"),
        ("url = \"http://${username}/\"", "the question cannot be asked: url: the host is fixed"),
        ("url = \"http://h/${user}\"", "the question cannot be asked: url: "),
        ("url = \"http://h/${topic}\"", "the question cannot be asked: url: "),
        ("url = \"http://h/\"\nheaders = { Host = \"x\" }", "headers.Host: this field is not for the operator to set"),
        ("url = \"http://h/\"\nheaders = { X = 1 }", "`headers.X` must be a string"),
        ("url = \"http://h/\"\nheaders = \"x\"", "`headers` must be a table of strings"),
        ("url = \"http://h/\"\nbody = \"x\"", "`body` must be a table"),
        ("url = \"http://h/\"\nbody = { a = 2026-01-01 }", "no date"),
        ("url = \"http://h/\"\nbody = { a = [\"x\"] }\nbody_format = \"form\"", "a form holds texts alone"),
        ("url = \"http://h/\"\nmethod = \"get\"\nbody = { a = \"x\" }", "a GET has none"),
        ("url = \"http://h/\"\ncertificate = \"c.pem\"", "a client certificate takes both files"),
        ("url = \"http://h/\"\ncompatibility = \"emqx3\"", "`emqx3` is not a value of `compatibility`"),
        ("url = \"http://h/\"\nmode = \"ask\"", "unknown key `mode`"),
    ] {
        let (_, problems) = read(&authenticator(keys));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{keys}: {problems:?}");
    }
    let source = |keys: &str| read(&format!("[[access_source]]\ntype = \"http\"\nurl = \"http://h/\"\n{keys}\n"));
    assert!(source("").1.iter().any(|problem| problem.contains("has no `mode`")));
    assert!(source("mode = \"rules\"\nbody = { t = \"${topic}\" }").1.iter().any(|problem| problem.contains("body")));
    let (config, problems) = source("mode = \"ask\"\nbody = { t = \"${topic}\" }");
    assert_eq!(problems, Vec::<String>::new());
    assert!(config.authentication.sources[0].kind.is_asked_each_time());
    let (config, problems) = source("mode = \"rules\"\nmethod = \"get\"");
    assert_eq!(problems, Vec::<String>::new());
    assert!(!config.authentication.sources[0].kind.is_asked_each_time());
}

#[test]
fn secrets_are_not_printed() {
    let (config, problems) = read(&authenticator("url = \"http://h/\"\nheaders = { X = \"s3cret\" }\nbody = { k = \"s3cret\" }"));
    assert_eq!(problems, Vec::<String>::new());
    assert!(!format!("{:?}", config.authentication).contains("s3cret"));
}
