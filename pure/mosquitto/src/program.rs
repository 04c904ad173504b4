//! The command line of `mosquitto`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The release whose behaviour this is.
pub const VERSION: &str = "2.1.2";

/// The most ports that may be named.
pub const PORTS_MAXIMUM: usize = 10;

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The configuration. Without one: loopback, and everybody may connect.
    pub config_file: Option<PathBuf>,
    /// Go to the background.
    pub daemon: bool,
    /// Where to listen, unless the configuration has listeners.
    pub ports: Vec<u16>,
    /// Log nothing, whatever the configuration says. Goes before `verbose`.
    pub quiet: bool,
    /// Log everything, whatever the configuration says.
    pub verbose: bool,
    /// Only look at the configuration.
    pub test_config: bool,
    /// Write the secrets of every TLS connection to this file.
    pub tls_keylog: Option<PathBuf>,
}

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// For stdout.
    pub out: String,
    /// For stderr, and whether the time stands in front of it as in the log.
    pub err: Option<(String, bool)>,
    /// What the program ends with.
    pub code: u8,
}

/// Code of `-h` and `--version` (`MOSQ_ERR_UNKNOWN`): nothing was wrong, but nothing runs.
const NOTHING_RUNS: u8 = 13;

/// Code of everything that is wrong with the command line or the configuration (`MOSQ_ERR_INVAL`).
pub const INVALID: u8 = 3;

const HELP: &str = "\
mosquitto is an MQTT v5.0/v3.1.1/v3.1 broker; this one is Signet.

Usage: mosquitto [-c config_file] [-d] [-h] [-p port] [-q] [-v]
                 [--test-config] [--tls-keylog file]

 -c, --config-file : read this configuration: a mosquitto.conf or a signet.toml.
 -d, --daemon      : go to the background once the configuration is read.
 -h, --help        : show this help.
 -p, --port        : listen on this port; can be given ten times. Without effect
                     where the configuration has a listener.
 -q, --quiet       : log nothing, whatever the configuration and -v say.
 -v, --verbose     : log everything, whatever the configuration says.
 --version         : show the version.
 --test-config     : check the configuration and end.
 --tls-keylog      : write the secrets of every TLS connection to a file, for
                     programs such as Wireshark. Not where it matters who reads.

See `signet --help` for everything else that this program does.
";

/// Reads the arguments behind the program's name.
///
/// # Errors
/// Nothing is to be started: help was asked for, or something is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, Stop> {
    let mut flags = Flags::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str().unwrap_or_default() {
            "-c" | "--config-file" => {
                flags.config_file = Some(value(&mut arguments, "-c argument given, but no config file specified")?.into())
            }
            "-d" | "--daemon" => flags.daemon = true,
            "-h" | "--help" => return Err(Stop { out: format!("mosquitto version {VERSION}\n\n{HELP}"), err: None, code: NOTHING_RUNS }),
            "--version" => return Err(Stop { out: format!("mosquitto {VERSION}\n"), err: None, code: NOTHING_RUNS }),
            "-p" | "--port" => {
                let port = port(&value(&mut arguments, "-p argument given, but no port specified")?)?;
                if flags.ports.len() == PORTS_MAXIMUM {
                    return Err(wrong(format!("Only {PORTS_MAXIMUM} ports can be specified on the command line")));
                }
                flags.ports.push(port);
            }
            "--tls-keylog" => {
                flags.tls_keylog = Some(value(&mut arguments, "--tls-keylog argument given, but no file specified")?.into());
            }
            "-q" | "--quiet" => flags.quiet = true,
            "-v" | "--verbose" => flags.verbose = true,
            "--test-config" => flags.test_config = true,
            _ => {
                let err = Some((format!("Error: Unknown option '{}'.", argument.to_string_lossy()), false));
                return Err(Stop { out: format!("mosquitto version {VERSION}\n\n{HELP}"), err, code: INVALID });
            }
        }
    }
    Ok(flags)
}

fn value(arguments: &mut impl Iterator<Item = OsString>, missing: &str) -> Result<OsString, Stop> {
    arguments.next().ok_or_else(|| wrong(missing.to_owned()))
}

fn wrong(message: String) -> Stop {
    Stop { out: String::new(), err: Some((format!("Error: {message}."), true)), code: INVALID }
}

/// A port as `atoi` reads it: blanks, a sign, digits, and whatever follows.
fn port(text: &OsStr) -> Result<u16, Stop> {
    let text = text.to_string_lossy();
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits.get(..end).unwrap_or_default();
    let number: i64 = if number.is_empty() { 0 } else { number.parse().unwrap_or_else(|_| i64::from(i32::MAX)) };
    let number = sign * number;
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or_else(|| wrong(format!("Invalid port specified ({number})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Flags, Stop> {
        parse(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    #[test]
    fn flags() {
        let none = Flags::default;
        let cases = [
            ("", none()),
            ("-c m.conf -d", Flags { config_file: Some("m.conf".into()), daemon: true, ..none() }),
            ("--config-file m.conf --daemon", Flags { config_file: Some("m.conf".into()), daemon: true, ..none() }),
            ("-c one -c two", Flags { config_file: Some("two".into()), ..none() }),
            ("-c -d", Flags { config_file: Some("-d".into()), ..none() }),
            ("-p 1883 --port 0012 -p +7x", Flags { ports: vec![1883, 12, 7], ..none() }),
            ("-q -v", Flags { quiet: true, verbose: true, ..none() }),
            ("--quiet --verbose --test-config", Flags { quiet: true, verbose: true, test_config: true, ..none() }),
            ("--tls-keylog keys", Flags { tls_keylog: Some("keys".into()), ..none() }),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("-c", "Error: -c argument given, but no config file specified.", true),
            ("-d -p", "Error: -p argument given, but no port specified.", true),
            ("-p 0", "Error: Invalid port specified (0).", true),
            ("-p 65536", "Error: Invalid port specified (65536).", true),
            ("-p -5", "Error: Invalid port specified (-5).", true),
            ("-p mqtt", "Error: Invalid port specified (0).", true),
            ("--tls-keylog", "Error: --tls-keylog argument given, but no file specified.", true),
            (
                "-p 1 -p 2 -p 3 -p 4 -p 5 -p 6 -p 7 -p 8 -p 9 -p 10 -p 11",
                "Error: Only 10 ports can be specified on the command line.",
                true,
            ),
            ("--bogus", "Error: Unknown option '--bogus'.", false),
            ("-dv", "Error: Unknown option '-dv'.", false),
        ];
        for (line, message, has_time) in cases {
            let stop = read(line).unwrap_err();
            assert_eq!((stop.err, stop.code), (Some((message.to_owned(), has_time)), 3), "{line}");
            assert_eq!(stop.out.contains("Usage: mosquitto "), !has_time, "{line}");
        }
    }

    #[test]
    fn help_and_version() {
        let help = read("-c m.conf --help").unwrap_err();
        assert!(help.out.starts_with("mosquitto version 2.1.2\n") && help.out.contains("Usage: mosquitto "));
        assert_eq!((help.err, help.code), (None, 13));
        let version = read("--version").unwrap_err();
        assert_eq!((version.out.as_str(), version.code), ("mosquitto 2.1.2\n", 13));
    }
}
