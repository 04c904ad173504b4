//! How the programs say that something is wrong, and with which exit code they end.

use std::process::ExitCode;

use signet_client::ClientError;

use crate::connect::NoPlan;
use crate::flag_table::{FLAGS, Takes};
use crate::flags::Wrong;
use crate::options::Options;
use crate::output;
use crate::session::Ending;
use crate::{Kind, Manner};

/// The release of Mosquitto whose behaviour this is.
const RELEASE: &str = "2.1.2";

/// What was wrong with the command line; or what it asked to be shown.
pub(crate) fn command_line(program: &str, kind: Kind, wrong: &Wrong) -> ExitCode {
    let manner = Manner::of(program);
    // Mosquitto's programs end with 1 even where they did what they were asked.
    let shown = if manner == Manner::Mosquitto { 1 } else { 0 };
    match wrong {
        Wrong::Help => {
            output::data(help(program, kind).as_bytes());
            shown.into()
        }
        Wrong::Version => {
            output::data(version(program, manner).as_bytes());
            shown.into()
        }
        Wrong::Line(text) => {
            output::error(&format!("{text}\nUse '{program} --help' to see usage.\n"));
            1.into()
        }
    }
}

fn version(program: &str, manner: Manner) -> String {
    match manner {
        Manner::Mosquitto => format!("{program} version {RELEASE} running on libmosquitto {RELEASE}.\n"),
        Manner::Signet => format!("{program} {}, with the flags of Mosquitto {RELEASE}\n", env!("CARGO_PKG_VERSION")),
    }
}

/// The usage text: every flag of the program in one table.
pub(crate) fn help(program: &str, kind: Kind) -> String {
    let (manner, purpose) = (Manner::of(program), purpose(kind));
    let mut text = format!("{purpose}\n\nUsage: {program} {}\n\nOptions:\n", usage(kind));
    for flag in FLAGS.iter().filter(|flag| flag.belongs_to(kind, manner)) {
        let ours = if manner == Manner::Signet { flag.ours } else { &[] };
        // A name that an earlier flag of ours has taken is not this one's.
        let is_first = |name: &&str| {
            FLAGS
                .iter()
                .find(|other| other.belongs_to(kind, manner) && other.has_name(name.as_bytes(), manner))
                .is_some_and(|first| std::ptr::eq(first, flag))
        };
        let names: Vec<&str> = flag.names.iter().chain(ours).copied().filter(|name| is_first(name)).collect();
        let value = match flag.takes {
            Takes::Nothing => "",
            Takes::Value { shown, .. } => shown,
            Takes::Property => "…",
            Takes::OptionFile => "FILE",
        };
        text.push_str(&format!("  {:32} {}\n", format!("{} {value}", names.join(", ")).trim_end(), flag.help));
    }
    text.push_str(exit_codes(manner));
    text
}

fn purpose(kind: Kind) -> &'static str {
    match kind {
        Kind::Publish => "Publishes messages with the flags of mosquitto_pub.",
        Kind::Subscribe => "Subscribes and prints messages with the flags of mosquitto_sub.",
        Kind::Request => "Publishes a request and prints the answer, with the flags of mosquitto_rr.",
    }
}

fn usage(kind: Kind) -> &'static str {
    match kind {
        Kind::Publish => "[-h HOST] [-p PORT] -t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]",
        Kind::Subscribe => "[-h HOST] [-p PORT] -t FILTER [-t FILTER …] [options]",
        Kind::Request => "[-h HOST] [-p PORT] -t TOPIC -e TOPIC {-m TEXT | -f FILE | -s | -n} [options]",
    }
}

fn exit_codes(manner: Manner) -> &'static str {
    match manner {
        Manner::Mosquitto => MOSQUITTOS_CODES,
        Manner::Signet => OUR_CODES,
    }
}

const MOSQUITTOS_CODES: &str = "
Exit codes:
  0          done
  1          the command line is wrong, a file cannot be read, nobody was reached
  1-5        MQTT 3.1.1: the code with which the broker refused the connection
  2, 4, 7, 8 protocol error, disconnected, connection lost, TLS failed
  19, 21     no answer to a PINGREQ; what the broker sent is not MQTT
  27         -W ended it
  128-162    MQTT 5.0: the reason code with which the broker refused the connection
  255        interrupted before the broker had answered
";

const OUR_CODES: &str = "
Exit codes:
  0          done
  1          the command line is wrong, or a file cannot be read
  1-5        MQTT 3.1.1: the code with which the broker refused the connection
  2          a packet came that has no place
  7, 8       connection lost; TLS failed
  10, 24, 25 the broker does not support what was asked for, or the QoS; message too large
  14, 15     no connection; unknown host
  19, 21     no answer to a PINGREQ; what the broker sent is not MQTT
  27         -W ended it, or the broker did not answer in time
  128-162    the reason code with which the broker refused the connection (MQTT 5.0), a message or
             every subscription, or disconnected us
";

/// What stood in the way before connecting.
pub(crate) fn no_plan(options: &Options, reason: &NoPlan) -> ExitCode {
    if let (Some(text), false) = (&reason.0, options.quiet) {
        output::error(text);
    }
    1.into()
}

/// An error message that `--quiet` suppresses.
pub(crate) fn error(options: &Options, text: &str) {
    if !options.quiet {
        output::error(text);
    }
}

/// A line in our voice.
pub(crate) fn own(options: &Options, words: &str) {
    error(options, &format!("signet: error: {words}\n"));
}

/// Why the connection is over, and the exit code for it. `refused`: the number of the CONNACK, or 0.
pub(crate) fn ending(options: &Options, ending: &Ending, refused: u8) -> ExitCode {
    match options.manner {
        Manner::Signet => in_our_words(options, &ending.error),
        Manner::Mosquitto if ending.before_connect => {
            let words = ending.trouble.words();
            match ending.trouble {
                crate::trouble::Trouble::System(_) => error(options, &format!("Error: {words}\n")),
                _ => error(options, &format!("Unable to connect ({words}).\n")),
            }
            1.into()
        }
        Manner::Mosquitto => {
            error(options, &format!("Error: {}\n", ending.trouble.words()));
            if refused == 0 { ending.trouble.code() } else { refused }.into()
        }
    }
}

fn in_our_words(options: &Options, problem: &ClientError) -> ExitCode {
    own(options, &problem.to_string());
    if let Some(hint) = problem.hint() {
        error(options, &format!("hint: {hint}\n"));
    }
    problem.exit_code().into()
}

/// The CONNACK said no. Mosquitto's programs say so at once, and what follows says how they end.
pub(crate) fn refused(options: &Options, code: u8) {
    if options.manner == Manner::Signet {
        // The connection's end says it, with a hint.
        return;
    }
    let is_v5 = options.who.version == signet_mqtt::ProtocolVersion::V5;
    let words = if is_v5 || options.kind == Kind::Request { crate::words::reason(code) } else { crate::words::connect_return(code) };
    match code {
        0x84 if is_v5 && options.kind != Kind::Request => {
            error(options, &format!("Connection error: {words}. Try connecting to an MQTT v5 broker, or use MQTT v3.x mode.\n"));
        }
        _ => error(options, &format!("Connection error: {words}\n")),
    }
}
