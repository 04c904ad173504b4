//! Topic rules by statement, and matching against a naive model.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

fn statement_of_filter(text: &str) -> &'static str {
    TopicFilter::new(text).unwrap_err().statement()
}

/// [MQTT-4.7.3-1]
#[test]
fn mqtt_4_7_3_1_at_least_one_character() {
    assert_eq!(TopicName::new("").unwrap_err().statement(), "MQTT-4.7.3-1");
    assert_eq!(statement_of_filter(""), "MQTT-4.7.3-1");
    assert!(TopicName::new("/").is_ok());
}

/// [MQTT-4.7.3-2]
#[test]
fn mqtt_4_7_3_2_no_null_character() {
    assert_eq!(TopicName::new("a\0b").unwrap_err().statement(), "MQTT-4.7.3-2");
    assert_eq!(statement_of_filter("a/\0"), "MQTT-4.7.3-2");
}

/// [MQTT-4.7.3-3]
#[test]
fn mqtt_4_7_3_3_at_most_65535_bytes() {
    assert!(TopicName::new("x".repeat(65_535)).is_ok());
    assert_eq!(TopicName::new("x".repeat(65_536)).unwrap_err().statement(), "MQTT-4.7.3-3");
}

/// [MQTT-4.7.3-4]: no normalization, and case counts (§4.7.3).
#[test]
fn mqtt_4_7_3_4_characters_are_compared_as_they_are() {
    assert!(!filter("ACCOUNTS").matches(&name("Accounts")));
    assert!(!filter("caf\u{e9}").matches(&name("cafe\u{301}")));
    assert!(filter("a b").matches(&name("a b")));
}

/// [MQTT-4.7.0-1]
#[test]
fn mqtt_4_7_0_1_no_wildcards_in_a_name() {
    for text in ["a/+", "#", "a+b", "a#"] {
        assert_eq!(TopicName::new(text).unwrap_err().statement(), "MQTT-4.7.0-1", "{text}");
    }
}

/// [MQTT-4.7.1-1]
#[test]
fn mqtt_4_7_1_1_multi_level_wildcard_alone_and_last() {
    for text in ["sport/tennis#", "sport/tennis/#/ranking", "#/", "##", "+#"] {
        assert_eq!(statement_of_filter(text), "MQTT-4.7.1-1", "{text}");
    }
    for text in ["#", "sport/tennis/#", "/#", "+/#"] {
        assert!(TopicFilter::new(text).is_ok(), "{text}");
    }
}

/// [MQTT-4.7.1-2]
#[test]
fn mqtt_4_7_1_2_single_level_wildcard_alone_in_its_level() {
    for text in ["sport+", "a/b+/c", "++", "a/+b"] {
        assert_eq!(statement_of_filter(text), "MQTT-4.7.1-2", "{text}");
    }
    for text in ["+", "+/tennis/#", "sport/+/player1", "/+", "+/+"] {
        assert!(TopicFilter::new(text).is_ok(), "{text}");
    }
}

/// [MQTT-4.7.2-1]
#[test]
fn mqtt_4_7_2_1_wildcard_first_does_not_match_dollar() {
    let topic = name("$SYS/monitor/Clients");
    assert!(topic.starts_with_dollar());
    for text in ["#", "+/monitor/Clients", "+/#", "$share/g/#", "$share/g/+/monitor/Clients"] {
        assert!(!filter(text).matches(&topic), "{text}");
    }
    for text in ["$SYS/#", "$SYS/monitor/+", "$share/g/$SYS/#"] {
        assert!(filter(text).matches(&topic), "{text}");
    }
}

/// [MQTT-4.8.2-1]
#[test]
fn mqtt_4_8_2_1_share_name_has_a_character() {
    assert_eq!(statement_of_filter("$share//a"), "MQTT-4.8.2-1");
    assert_eq!(statement_of_filter("$share/"), "MQTT-4.8.2-1");
    assert_eq!(filter("$share/g/a/+").shared(), Some(("g", "a/+")));
    assert_eq!(filter("$shared/g/a").shared(), None);
    assert_eq!(filter("$share").shared(), None);
}

/// [MQTT-4.8.2-2]
#[test]
fn mqtt_4_8_2_2_share_name_without_wildcards_and_with_a_filter() {
    for text in ["$share/g", "$share/g/", "$share/+/a", "$share/g#/a", "$share/#"] {
        assert_eq!(statement_of_filter(text), "MQTT-4.8.2-2", "{text}");
    }
    assert_eq!(statement_of_filter("$share/g/a/#/b"), "MQTT-4.7.1-1");
    // The filter behind the ShareName may start with a slash.
    assert_eq!(filter("$share/g//a").shared(), Some(("g", "/a")));
}

/// The examples of §4.7.1.2 and §4.7.1.3.
#[test]
fn examples_of_the_specification() {
    let matching = [
        ("sport/tennis/player1/#", "sport/tennis/player1"),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
        ("sport/#", "sport"),
        ("sport/tennis/+", "sport/tennis/player1"),
        ("sport/+", "sport/"),
        ("+/+", "/finance"),
        ("/+", "/finance"),
    ];
    for (wanted, topic) in matching {
        assert!(filter(wanted).matches(&name(topic)), "{wanted} {topic}");
    }
    for (wanted, topic) in [("sport/tennis/+", "sport/tennis/player1/ranking"), ("sport/+", "sport"), ("+", "/finance")] {
        assert!(!filter(wanted).matches(&name(topic)), "{wanted} {topic}");
    }
}

/// The rules of §4.7 said once more, by recursion over lists of levels.
fn model(filter: &[&str], name: &[&str]) -> bool {
    match (filter, name) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, name @ ..]) => model(filter, name),
        ([wanted, filter @ ..], [level, name @ ..]) => wanted == level && model(filter, name),
        _ => false,
    }
}

/// §4.7.1 and §4.8.2 as questions about single characters: is every wildcard where it may be?
fn is_filter(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return false;
    }
    if let Some(behind) = text.strip_prefix("$share/") {
        let Some(slash) = behind.find('/') else { return false };
        let (share_name, filter) = (&behind[..slash], &behind[slash + 1..]);
        return !share_name.is_empty()
            && !share_name.contains(['+', '#'])
            && !filter.is_empty()
            && wildcards_stand_alone(filter.as_bytes());
    }
    wildcards_stand_alone(bytes)
}

fn wildcards_stand_alone(bytes: &[u8]) -> bool {
    (0..bytes.len()).all(|at| {
        let begins_level = at == 0 || bytes[at - 1] == b'/';
        let ends_level = at + 1 == bytes.len() || bytes[at + 1] == b'/';
        match bytes[at] {
            b'+' => begins_level && ends_level,
            b'#' => begins_level && at + 1 == bytes.len(),
            _ => true,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_a_filter_and_what_a_name_agrees_with_the_model(text in "[a/+#$é\0]{0,10}|(\\$share|\\$SHARE|\\$share/[a+#]?)(/[a/+#]{0,6})?") {
        prop_assert_eq!(TopicFilter::new(text.clone()).is_ok(), is_filter(&text), "{:?}", text);
        let is_name = !text.is_empty() && !text.contains(['+', '#', '\0']);
        prop_assert_eq!(TopicName::new(text.clone()).is_ok(), is_name, "{:?}", text);
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_the_model(
        levels in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "$x"]), 1..6),
        wanted in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "$x", "+", "+"]), 1..6),
        multi in any::<bool>(),
    ) {
        let mut wanted = wanted;
        if multi {
            wanted.push("#");
        }
        let (topic, pattern) = (levels.join("/"), wanted.join("/"));
        prop_assume!(!topic.is_empty() && !pattern.is_empty());
        let hidden = topic.starts_with('$') && matches!(wanted[0], "+" | "#");
        let expected = !hidden && model(&wanted, &levels);
        prop_assert_eq!(filter(&pattern).matches(&name(&topic)), expected);
        prop_assert_eq!(filter(&format!("$share/g/{pattern}")).matches(&name(&topic)), expected);
    }

    #[test]
    fn any_text_is_judged_without_panic(text in "[a/+#$\0]{0,12}|\\$share/[ab/+#]{0,8}") {
        if let Ok(filter) = TopicFilter::new(text.clone()) {
            prop_assert_eq!(filter.as_str(), text.as_str());
            prop_assert_eq!(filter.shared().is_some(), text.starts_with("$share/"));
        }
        if let Ok(name) = TopicName::new(text.clone()) {
            // A name without `$share/` in front is a filter that matches itself.
            if let Ok(filter) = TopicFilter::new(text) && filter.shared().is_none() {
                prop_assert!(filter.matches(&name));
            }
        }
    }
}
