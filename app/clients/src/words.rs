//! The words in which Mosquitto's clients tell of codes.

/// Names of Reason Codes (MQTT 5.0 §2.4) where Mosquitto's differ from the specification's.
const REASONS: [(u8, &str); 3] = [(0xA0, "Maximum connect time"), (0xA1, "Subscription identifiers not supported"), (0x00, "Success")];

/// A Reason Code in words. Codes below 0x80 that are no Reason Codes of MQTT 5.0, as those of a CONNACK of MQTT 3.1.1, are not known.
pub(crate) fn reason(code: u8) -> &'static str {
    if let Some((_, words)) = REASONS.iter().find(|(known, _)| *known == code) {
        return words;
    }
    signet_mqtt::ReasonCode::try_from(code).map_or("Unknown reason", signet_mqtt::ReasonCode::name)
}

/// A Connect Return code of MQTT 3.1 and 3.1.1 (§3.2.2.3 there) in words.
pub(crate) fn connect_return(code: u8) -> &'static str {
    match code {
        0 => "Connection Accepted",
        1 => "Connection Refused: unacceptable protocol version",
        2 => "Connection Refused: identifier rejected",
        3 => "Connection Refused: broker unavailable",
        4 => "Connection Refused: bad user name or password",
        5 => "Connection Refused: not authorised",
        _ => "Connection Refused: unknown reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_that_mosquitto_gives_them() {
        for (code, words) in [
            (0x00, "Success"),
            (0x05, "Unknown reason"),
            (0x81, "Malformed Packet"),
            (0x86, "Bad User Name or Password"),
            (0x87, "Not authorized"),
            (0x8D, "Keep Alive timeout"),
            (0x92, "Packet Identifier not found"),
            (0x9E, "Shared Subscriptions not supported"),
            (0xA0, "Maximum connect time"),
            (0xA1, "Subscription identifiers not supported"),
            (0xA2, "Wildcard Subscriptions not supported"),
        ] {
            assert_eq!(reason(code), words);
        }
        assert_eq!(connect_return(9), "Connection Refused: unknown reason");
    }
}
