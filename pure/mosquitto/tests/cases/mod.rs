//! The rows of `options.toml`. The comparison with the real program reads them too, as a module of its own.

#![allow(clippy::expect_used, reason = "a table that cannot be read fails the tests that use it; in unit tests there is nothing to allow")]

/// One row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    /// The option that it is about.
    pub(crate) option: String,
    /// What is written.
    pub(crate) conf: String,
    /// Why it is refused; `None`: it is accepted.
    pub(crate) error: Option<String>,
    /// Lines of what becomes of it.
    pub(crate) toml: Vec<String>,
    /// A part of what is said besides.
    pub(crate) notice: Option<String>,
    /// What Mosquitto 2.0.11 does or says where that is something else.
    pub(crate) real: Option<String>,
}

/// All rows, with a directory and two ports filled in.
pub(crate) fn all(directory: &str, ports: [u16; 2]) -> Vec<Case> {
    let table: toml::Table = include_str!("../options.toml").parse().expect("options.toml is TOML");
    let mut cases = Vec::new();
    for (group, rows) in &table {
        for row in rows.as_array().expect("each group is a list") {
            let text = |key: &str| {
                let value = row.get(key)?.as_str().expect("a text");
                let [first, second] = ports.map(|port| port.to_string());
                Some(value.replace("{dir}", directory).replace("{port}", &first).replace("{port+1}", &second))
            };
            let lines = row.get("toml").and_then(toml::Value::as_array).into_iter().flatten();
            let fill = |line: &toml::Value| {
                let [first, second] = ports.map(|port| port.to_string());
                let line = line.as_str().expect("a text").replace("{dir}", directory);
                line.replace("{port}", &first).replace("{port+1}", &second)
            };
            let case = Case {
                option: text("option").expect("a row names an option"),
                conf: text("conf").unwrap_or_default(),
                error: text("error"),
                toml: lines.map(fill).collect(),
                notice: text("notice"),
                real: text("real"),
            };
            match group.as_str() {
                "bridge_values" => cases.extend(of_bridge(case, &text("value").expect("a value"), &text("refused").expect("a value"))),
                _ => cases.push(case),
            }
        }
    }
    for case in &cases {
        let is_known = |real: &str| matches!(real, "accepts" | "refuses" | "silent") || real.starts_with("Error: ");
        assert!(case.real.as_deref().is_none_or(is_known), "{case:?}");
        assert!(case.error.is_none() || (case.toml.is_empty() && case.notice.is_none()), "what is refused becomes nothing: {case:?}");
    }
    cases
}

/// A value that is taken, and one that is not.
fn of_bridge(case: Case, value: &str, refused: &str) -> [Case; 2] {
    let written = |value: &str| format!("connection hq\naddress 127.0.0.1:9\ntopic #\n{} {value}", case.option);
    let accepted = Case { option: case.option.clone(), conf: written(value), notice: case.notice.clone(), ..Case::default() };
    let conf = written(refused);
    [accepted, Case { conf, notice: None, ..case }]
}
