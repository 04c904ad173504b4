use signet_identity::{PlaceholderStyle, Template};

use super::*;

#[test]
fn a_text_proves_the_name_that_stands_in_it_alone() {
    for (text, expected) in [
        ("${username}", ProvenNames::USERNAME),
        ("user:${username}@plant", ProvenNames::USERNAME),
        ("${client_identifier}", ProvenNames::CLIENT_IDENTIFIER),
        ("${username:lower}", ProvenNames::default()),
        ("${cert.cn | username}", ProvenNames::default()),
        ("${username | client_identifier}", ProvenNames::default()),
        // `ab` and `c` make the same as `a` and `bc`.
        ("${username}${client_identifier}", ProvenNames::default()),
        ("${cert.cn}", ProvenNames::default()),
        ("admin", ProvenNames::default()),
    ] {
        assert_eq!(ProvenNames::in_text(&Template::parse(text).unwrap()), expected, "{text}");
    }
    for (style, text) in [(PlaceholderStyle::Emqx4, "%c"), (PlaceholderStyle::Emqx5, "${clientid}")] {
        let template = Template::parse_with_placeholders(style, text).unwrap();
        assert_eq!(ProvenNames::in_text(&template), ProvenNames::CLIENT_IDENTIFIER, "{text}");
    }
}
