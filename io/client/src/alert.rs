//! TLS alerts of the broker in words: which certificate it did not like, and what to do about it (RFC 8446 §6).

/// An alert that has a plain meaning for somebody who holds a device certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The alert's name in the RFC.
    pub name: &'static str,
    /// What it means here.
    pub found: &'static str,
    /// What to try.
    pub hint: &'static str,
}

/// Every alert a broker sends about a client certificate. `library_name` is how the TLS library spells it in its errors.
const ALERTS: [(&str, Alert); 9] = [
    (
        "CertificateRevoked",
        Alert {
            name: "certificate_revoked",
            found: "the broker refused this certificate: it is revoked",
            hint: "ask for a new certificate (`signet device add NAME --force` on the side of the authority) and use it with `--cert` and `--key`",
        },
    ),
    (
        "CertificateExpired",
        Alert {
            name: "certificate_expired",
            found: "the broker refused this certificate: it is expired or not yet valid",
            hint: "look at its dates with `openssl x509 -noout -dates -in FILE`, and at this machine's clock",
        },
    ),
    (
        "CertificateRequired",
        Alert {
            name: "certificate_required",
            found: "the broker wants a client certificate, and none was given",
            hint: "give one with `--cert FILE --key FILE`",
        },
    ),
    (
        "UnknownCA",
        Alert {
            name: "unknown_ca",
            found: "the broker refused this certificate: it does not know the authority that issued it",
            hint: "the certificate file should hold the device certificate and then its intermediates; the listener's `trust` has to name the root",
        },
    ),
    (
        "BadCertificate",
        Alert {
            name: "bad_certificate",
            found: "the broker refused this certificate: it is damaged, not meant for clients, or of a version that TLS does not take",
            hint: "the broker's log says which check failed; device certificates are X.509 v3 with extended key usage clientAuth",
        },
    ),
    (
        "UnsupportedCertificate",
        Alert {
            name: "unsupported_certificate",
            found: "the broker refused this certificate: it is of a kind that the broker does not take",
            hint: "the broker's log says which check failed; device certificates are X.509 v3 with extended key usage clientAuth",
        },
    ),
    (
        "CertificateUnknown",
        Alert {
            name: "certificate_unknown",
            found: "the broker refused this certificate",
            hint: "the broker's log says which check failed",
        },
    ),
    (
        "AccessDenied",
        Alert {
            name: "access_denied",
            found: "the broker knows this certificate and refuses it access",
            hint: "the broker's log says which rule refused",
        },
    ),
    (
        "HandshakeFailure",
        Alert {
            name: "handshake_failure",
            found: "the broker and this client have no TLS settings in common, or the broker wants a client certificate",
            hint: "give a certificate with `--cert FILE --key FILE`, or look at the broker's log",
        },
    ),
];

impl Alert {
    /// Finds the alert that an error of the TLS connection names, by the library's spelling or the RFC's.
    #[must_use]
    pub fn named_in(text: &str) -> Option<Self> {
        ALERTS.iter().find(|(library_name, alert)| text.contains(library_name) || text.contains(alert.name)).map(|(_, alert)| *alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_found_by_either_spelling() {
        let revoked = Alert::named_in("received fatal alert: CertificateRevoked").unwrap();
        assert_eq!(revoked.found, "the broker refused this certificate: it is revoked");
        assert_eq!(Alert::named_in("the peer sent `certificate_revoked` (44)"), Some(revoked));
        assert_eq!(Alert::named_in("connection reset by peer"), None);
    }
}
