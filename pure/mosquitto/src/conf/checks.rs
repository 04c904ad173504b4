//! What has to fit together: on the way, and when everything is read.

use super::model::{Bridge, Listener, Settings};
use super::reader::{Current, Spot};
use super::values::Fault;
use crate::{Mistake, Place};

const BOTH_KINDS: &str = "Error: Cannot use both certificate and psk encryption in a single listener.";

/// Whether an option may stand behind those that are there.
pub(super) fn before(name: &str, settings: &Settings, current: &Current) -> Result<(), Fault> {
    let listener = match current.listener {
        Spot::At(index) => settings.listeners.get(index),
        Spot::Nowhere | Spot::Broken => None,
    };
    let bridge = match current.bridge {
        Spot::At(index) => settings.bridges.get(index),
        Spot::Nowhere | Spot::Broken => None,
    };
    let has = |option: &str| listener.is_some_and(|listener| listener.values.written(option).is_some());
    let bridged = |options: &[&str]| bridge.is_some_and(|bridge| options.iter().any(|option| bridge.values.written(option).is_some()));
    match name {
        "cafile" | "certfile" if has("psk_hint") => Err(Fault::new(BOTH_KINDS)),
        "psk_file" if has("certfile") => Err(Fault::new(BOTH_KINDS).hint("write psk_file before the listener that has a certificate")),
        "bridge_cafile" | "bridge_capath" | "bridge_certfile" | "bridge_keyfile" if bridged(&["bridge_identity", "bridge_psk"]) => {
            Err(Fault::new(format!("Error: '{name}': Cannot use both certificate and psk encryption in a single bridge.")))
        }
        "bridge_identity" | "bridge_psk" if bridged(&["bridge_cafile", "bridge_capath", "bridge_certfile", "bridge_keyfile"]) => {
            Err(Fault::new(format!("Error: '{name}': Cannot use both certificate and identity encryption in a single bridge.")))
        }
        _ => Ok(()),
    }
}

/// Finds what is missing.
pub(super) fn check(settings: &Settings, mistakes: &mut Vec<Mistake>) {
    let listeners = settings.listeners.iter().filter(|_| !settings.is_local_only);
    for listener in listeners {
        mistakes.extend(tls(listener).or_else(|| proxy(listener)).or_else(|| keys(settings, listener)));
    }
    for bridge in &settings.bridges {
        mistakes.extend(incomplete(bridge));
    }
    mistakes.extend(same_local_identifier(&settings.bridges));
}

fn mistake(place: &Place, message: impl Into<String>, hint: Option<&str>) -> Mistake {
    Mistake { place: Some(place.clone()), message: message.into(), hint: hint.map(str::to_owned) }
}

fn tls(listener: &Listener) -> Option<Mistake> {
    let place = |option: &str| listener.values.place(option);
    let both = "Error: Both certfile and keyfile must be provided to enable a TLS listener.";
    match (place("certfile"), place("keyfile"), place("cafile"), place("capath")) {
        (Some(place), None, ..) => Some(mistake(place, both, Some("add keyfile, the file of its key"))),
        (None, Some(place), ..) => Some(mistake(place, both, Some("add certfile, the file of the certificate"))),
        (None, None, Some(place), _) => Some(mistake(place, "Error: cafile specified without certfile and keyfile.", None)),
        (None, None, None, Some(place)) => Some(mistake(place, "Error: capath specified without certfile and keyfile.", None)),
        _ => None,
    }
}

fn proxy(listener: &Listener) -> Option<Mistake> {
    if listener.values.number("enable_proxy_protocol") != 2 {
        return None;
    }
    let place = |option: &str| listener.values.place(option);
    if let Some(place) = place("use_subject_as_username").filter(|_| listener.values.switch("use_subject_as_username")) {
        let message = "Error: use_subject_as_username cannot be used with `enable_proxy_protocol 2`.";
        return Some(mistake(place, message, Some("a proxy says the common name and no more: use_identity_as_username")));
    }
    let place = place("certfile").or_else(|| place("keyfile"))?;
    Some(mistake(place, "Error: certfile and keyfile cannot be used with `enable_proxy_protocol 2`.", None))
}

/// What Mosquitto does not look at before the first client comes, or never.
fn keys(settings: &Settings, listener: &Listener) -> Option<Mistake> {
    let place = |option: &str| listener.values.place(option);
    if let Some(place) = place("tls_keyform").filter(|_| listener.values.text("tls_keyform") == Some("engine")) {
        let hint = "there are no OpenSSL engines here: write the key into a PEM file, or keep TLS with the engine in a proxy before it";
        return Some(mistake(place, "tls_keyform engine is not supported", Some(hint)));
    }
    if let Some(place) = place("psk_hint").filter(|_| place_of_psk_file(settings, listener).is_none()) {
        let hint = "add psk_file, the file of the keys; keys from plugins are not supported";
        return Some(mistake(place, "psk_hint without psk_file: no client could connect", Some(hint)));
    }
    if let (Some(place), Some(_)) = (place("psk_hint"), place("certfile")) {
        return Some(mistake(place, BOTH_KINDS, Some("give clients with keys a listener of their own")));
    }
    let version = listener.values.text("tls_version").unwrap_or_default();
    if let Some(place) = place("tls_version").filter(|_| !["tlsv1.3", "tlsv1.2", "tlsv1.1"].contains(&version)) {
        return Some(mistake(place, format!("Error: Unsupported tls_version \"{version}\"."), Some("write tlsv1.2 or tlsv1.3")));
    }
    None
}

fn place_of_psk_file<'a>(settings: &'a Settings, listener: &'a Listener) -> Option<&'a Place> {
    settings.security_of(listener).values.place("psk_file")
}

fn incomplete(bridge: &Bridge) -> Option<Mistake> {
    let place = &bridge.name.place;
    let written = |option: &str| bridge.values.written(option).is_some();
    let lacks = [
        (bridge.addresses().is_empty(), "no remote addresses defined."),
        (bridge.topics().next().is_none(), "no topics defined."),
        (written("bridge_psk") && !written("bridge_identity"), "missing bridge_identity."),
        (written("bridge_identity") && !written("bridge_psk"), "missing bridge_psk."),
    ];
    let (_, lack) = lacks.into_iter().find(|(is_lacking, _)| *is_lacking)?;
    Some(mistake(place, format!("Error: Invalid bridge configuration: {lack}"), None))
}

fn same_local_identifier(bridges: &[Bridge]) -> Option<Mistake> {
    let identifiers: Vec<String> = bridges.iter().map(|bridge| bridge.local_client_identifier("${hostname}")).collect();
    let (index, identifier) =
        identifiers.iter().enumerate().find(|(index, identifier)| identifiers.iter().take(*index).any(|other| other == *identifier))?;
    let message = format!(
        "Error: Bridge local_clientid '{identifier}' is not unique. Try changing or setting the local_clientid value for one of the bridges."
    );
    bridges.get(index).map(|bridge| mistake(&bridge.name.place, message, None))
}
