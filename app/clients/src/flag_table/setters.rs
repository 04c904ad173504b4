//! What flags set: each takes the value, or says in Mosquitto's words what is wrong with it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, RetainHandling};

use crate::c_text::{atof, atoi, strtoll};
use crate::flags::Wrong;
use crate::format::Format;
use crate::options::{Options, Source};
use crate::{Kind, topics, url};

pub(super) fn set(flag: &mut bool) -> Result<(), Wrong> {
    *flag = true;
    Ok(())
}

pub(super) fn bytes(place: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(value.to_vec());
    Ok(())
}

pub(super) fn text(place: &mut Option<String>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(String::from_utf8_lossy(value).into_owned());
    Ok(())
}

pub(super) fn path(place: &mut Option<PathBuf>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(PathBuf::from(std::ffi::OsStr::from_bytes(value)));
    Ok(())
}

pub(super) fn one_source(options: &Options) -> Result<(), Wrong> {
    match options.publish.source {
        Some(_) => Err(Wrong::line("Error: Only one type of message can be sent at once.\n\n")),
        None => Ok(()),
    }
}

pub(super) fn source(options: &mut Options, source: Source) -> Result<(), Wrong> {
    options.publish.source = Some(source);
    Ok(())
}

pub(super) fn message(options: &mut Options, text: &[u8]) -> Result<(), Wrong> {
    if text.len() > LARGEST_PAYLOAD {
        return Err(Wrong::line(format!("Error: Message length must be less than {LARGEST_PAYLOAD} bytes.\n\n")));
    }
    source(options, Source::Message(text.to_vec()))
}

/// MQTT_MAX_PAYLOAD
pub(crate) const LARGEST_PAYLOAD: usize = 268_435_455;

pub(super) fn file(options: &mut Options, name: &[u8]) -> Result<(), Wrong> {
    source(options, Source::File(PathBuf::from(std::ffi::OsStr::from_bytes(name))))
}

fn checked<'a>(topic: &'a [u8], flag: &str) -> Result<&'a str, Wrong> {
    topics::text(topic).ok_or_else(|| Wrong::line(format!("Error: Malformed UTF-8 in {flag} argument.\n\n")))
}

fn name(topic: &[u8], flag: &str, what: &str) -> Result<String, Wrong> {
    let topic = checked(topic, flag)?;
    if topics::is_name(topic) {
        return Ok(topic.to_owned());
    }
    Err(Wrong::line(format!("Error: Invalid {what} topic '{topic}', does it contain '+' or '#'?\n")))
}

fn filter(topic: &[u8], flag: &str, what: &str) -> Result<String, Wrong> {
    let topic = checked(topic, flag)?;
    if topics::is_filter(topic) {
        return Ok(topic.to_owned());
    }
    Err(Wrong::line(format!("Error: Invalid {what} topic '{topic}', are all '+' and '#' wildcards correct?\n")))
}

/// `flag` is what the messages name.
pub(crate) fn add_topic(options: &mut Options, topic: &[u8], flag: &str) -> Result<(), Wrong> {
    match options.kind {
        Kind::Subscribe => options.subscribe.filters.push(filter(topic, flag, "subscription")?),
        Kind::Publish | Kind::Request => options.publish.topic = Some(name(topic, flag, "publish")?),
    }
    Ok(())
}

pub(super) fn response_topic(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.publish.response_topic = Some(name(topic, "-e", "response")?);
    Ok(())
}

pub(super) fn will_topic(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.will.topic = Some(name(topic, "--will-topic", "will")?);
    Ok(())
}

pub(super) fn filter_out(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.subscribe.filter_outs.push(filter(topic, "-T", "filter")?);
    Ok(())
}

pub(super) fn unsubscribe(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.subscribe.unsubscribe.push(filter(topic, "-U", "unsubscribe")?);
    Ok(())
}

fn qos_of(number: i32) -> Option<QoS> {
    u8::try_from(number).ok().and_then(|number| QoS::try_from(number).ok())
}

pub(super) fn qos(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    options.qos = qos_of(number).ok_or_else(|| Wrong::line(format!("Error: Invalid QoS given: {number}\n")))?;
    Ok(())
}

pub(super) fn will_qos(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    options.will.qos = qos_of(number).ok_or_else(|| Wrong::line(format!("Error: Invalid will QoS {number}.\n\n")))?;
    Ok(())
}

/// A number that has to be at least 1.
fn positive(value: &[u8], wrong: impl FnOnce(i32) -> String) -> Result<u32, Wrong> {
    let number = atoi(value);
    u32::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| Wrong::line(wrong(number)))
}

pub(super) fn repeat(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.publish.repeat = positive(value, |_| "Error: --repeat argument must be >0.\n\n".to_owned())?;
    Ok(())
}

pub(super) fn repeat_delay(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = atof(value);
    if seconds < 0.0 {
        return Err(Wrong::line("Error: --repeat-delay argument must be >=0.0.\n\n"));
    }
    options.publish.repeat_delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Ok(())
}

pub(super) fn count(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.count = Some(positive(value, |number| format!("Error: Invalid message count \"{number}\".\n\n"))?);
    Ok(())
}

pub(super) fn timeout(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.timeout = Some(positive(value, |number| format!("Error: Invalid timeout \"{number}\".\n\n"))?);
    Ok(())
}

pub(super) fn in_flight(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = positive(value, |_| "Error: Maximum inflight messages must be greater than 0.\n\n".to_owned())?;
    // A number that MQTT cannot say is not taken over, as with Mosquitto.
    options.who.in_flight_maximum = u16::try_from(number).unwrap_or(options.who.in_flight_maximum);
    Ok(())
}

pub(super) fn no_retained(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.subscribe.no_retain = true;
    options.subscribe.retain_handling = RetainHandling::DoNotSend;
    Ok(())
}

pub(super) fn retain_handling(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.retain_handling = match value {
        b"always" => RetainHandling::SendAtSubscribe,
        b"new" => RetainHandling::SendIfNew,
        b"never" => RetainHandling::DoNotSend,
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(Wrong::line(format!("Error: Unknown value '{other}' for --retain-handling.\n\n")));
        }
    };
    Ok(())
}

pub(super) fn format(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.output.format = Some(Format::parse(value).map_err(Wrong::Line)?);
    Ok(())
}

pub(super) fn no_end_of_line(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.output.end_of_line = false;
    Ok(())
}

/// The number is tenths of a percent, and what it is compared with ten-thousandths: as with Mosquitto, whose 100 shows a tenth of the messages.
pub(super) fn random_filter(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let tenths = format!("{:.0}", (10.0 * atof(value)).trunc()).parse::<i64>().unwrap_or(i64::MAX);
    let in_range = u32::try_from(tenths).ok().filter(|tenths| (1..=10_000).contains(tenths));
    options.output.random_filter = in_range.ok_or_else(|| Wrong::line("Error: --random-filter chance must be between 0.1-100.0\n\n"))?;
    Ok(())
}

pub(super) fn latency(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.publish.measure_latency = true;
    options.place.no_delay = true;
    Ok(())
}

pub(super) fn host(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    bytes(&mut options.place.host, value)
}

pub(super) fn port(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    let port = u16::try_from(number).map_err(|_| Wrong::line(format!("Error: Invalid port given: {number}\n")))?;
    options.place.port = Some(port);
    Ok(())
}

pub(super) fn unix(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.place.port = Some(0);
    bytes(&mut options.place.host, value)
}

pub(super) fn websocket(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.place.websocket.get_or_insert_with(|| url::WEBSOCKET_PATH.to_owned());
    Ok(())
}

pub(super) fn bind_address(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    text(&mut options.place.bind_address, value)
}

fn together() -> Wrong {
    Wrong::line("Error: -i and -I argument cannot be used together.\n\n")
}

pub(super) fn no_id_prefix(options: &Options) -> Result<(), Wrong> {
    if options.who.id_prefix.is_some() { Err(together()) } else { Ok(()) }
}

pub(super) fn no_id(options: &Options) -> Result<(), Wrong> {
    if options.who.id.is_some() { Err(together()) } else { Ok(()) }
}

pub(super) fn version(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.who.version = match value {
        b"31" | b"mqttv31" => ProtocolVersion::V31,
        b"311" | b"mqttv311" => ProtocolVersion::V311,
        b"5" | b"mqttv5" => ProtocolVersion::V5,
        _ => return Err(Wrong::line("Error: Invalid protocol version argument given.\n\n")),
    };
    Ok(())
}

pub(super) fn keep_alive(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = u16::try_from(atoi(value)).ok().filter(|seconds| *seconds >= 5);
    options.who.keep_alive =
        seconds.ok_or_else(|| Wrong::line("Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n"))?;
    Ok(())
}

pub(super) fn no_clean_session(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.who.clean_session = false;
    Ok(())
}

pub(super) fn session_expiry(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = match value {
        [0xE2, 0x88, 0x9E] => u32::MAX,
        number => {
            let number = strtoll(number).ok_or_else(|| Wrong::line("Error: session-expiry-interval not a number.\n\n"))?;
            let out_of_range = |_| Wrong::line("Error: session-expiry-interval out of range.\n\n");
            if number == -1 { u32::MAX } else { u32::try_from(number).map_err(out_of_range)? }
        }
    };
    options.who.session_expiry = Some(seconds);
    options.who.version = ProtocolVersion::V5;
    Ok(())
}
