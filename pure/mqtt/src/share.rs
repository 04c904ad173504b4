//! Shared Subscriptions (§4.8.2): `$share/{ShareName}/{filter}` taken apart.

use crate::TopicError;
use crate::topic::shown;

/// ShareName and Topic Filter, or `None` when the text is not a Shared Subscription. The Topic Filter itself is not checked here.
pub(crate) fn split(text: &str) -> Result<Option<(&str, &str)>, TopicError> {
    // [MQTT-4.8.2-1]: what starts with `$share/` is a Shared Subscription and nothing else.
    let Some(rest) = text.strip_prefix("$share/") else {
        return Ok(None);
    };
    let (share_name, filter) = rest.split_once('/').unwrap_or((rest, ""));
    // [MQTT-4.8.2-1]: at least one character; [MQTT-4.8.2-2]: no wildcards in it.
    if share_name.is_empty() || share_name.contains(['+', '#']) {
        return Err(TopicError::ShareName { share_name: shown(share_name) });
    }
    // [MQTT-4.8.2-2]: followed by a `/` and a Topic Filter.
    if filter.is_empty() {
        return Err(TopicError::ShareWithoutFilter { filter: shown(text) });
    }
    Ok(Some((share_name, filter)))
}
