//! docs/reference/coverage.md, written from what was found.

use std::fmt::Write as _;

use super::Version;
use super::coverage::{Coverage, Place};

/// Where the page stands.
pub(crate) const PAGE: &str = "docs/reference/coverage.md";

/// The way from the page to the root of the repository.
const ROOT: &str = "../../";

const HEAD: &str = "\
# What the specifications ask for

Every numbered statement of MQTT 5.0 and of MQTT 3.1.1: what it asks in a few words of ours, the files whose code decides by it (each cites the
number at the line that does), and which tests prove it, or why none can. The tests run in MQTT 3.1 too wherever a statement holds there.

MQTT 3.1 has no numbered statements. What is otherwise there than in 3.1.1 is tested in `pure/mqtt/tests/codec/mqtt_3_1.rs` and
`test/conformance/tests/mqtt/mqtt_3_1.rs`; where its text and its clients differ, Signet is as tolerant as Mosquitto:

- A Client Identifier may be longer than 23 characters. An empty one is refused with return code 2.
- User name and password may be missing though the flags announce them; then there is none.
- Flags and bits that 3.1 does not use may be set.
- CONNACK does not say whether a session is resumed.
- SUBACK has no code for a failure. A subscription that is not allowed is acknowledged and delivers nothing; one that fails for another reason
  ends the connection.

This page is generated: `cargo xtask statements` writes it from `test/conformance/statements.toml`, the citations in the code and the names
of the tests, and `cargo xtask tidy` fails when it is stale.
";

pub(crate) fn page(coverage: &Coverage<'_>) -> String {
    let mut text = HEAD.to_owned();
    for version in Version::ALL {
        let rows: Vec<_> = coverage.rows.iter().filter(|((of, _), _)| *of == version).map(|(_, row)| row).collect();
        let tested = rows.iter().filter(|(_, row)| !row.tests.is_empty()).count();
        let _ = write!(
            text,
            "\n## MQTT {}\n\n{} statements: {tested} with tests, {} with a reason why there is none.\n\n\
             | Statement | Asks that | Decided in | Proven by |\n|---|---|---|---|\n",
            version.name(),
            rows.len(),
            rows.len() - tested
        );
        for (number, row) in rows {
            let proof = match row.reason {
                Some(reason) => format!("– {reason}"),
                None => row.tests.iter().map(|test| link(&test.name, test)).collect::<Vec<_>>().join("<br>"),
            };
            let mut code: Vec<String> = row.code.iter().map(|place| link(&place.path, place)).collect();
            code.extend(row.statement.not_cited.iter().filter(|_| row.code.is_empty()).map(|reason| format!("– {reason}")));
            let _ = writeln!(text, "| {number} | {} | {} | {proof} |", row.statement.says, code.join("<br>"));
        }
    }
    text
}

fn link(words: &str, place: &Place) -> String {
    format!("[{words}]({ROOT}{})", place.path)
}
