//! Valid inputs to start from, built by code and the same on every run: fixed keys, serial numbers and dates, and Ed25519, whose
//! signatures are not random.

use std::num::NonZeroU16;
use std::sync::OnceLock;

use bytes::BytesMut;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use signet_mqtt::{
    Ack, Auth, ClientIdentifier, Connack, Connect, ConnectProperties, Disconnect, Packet, PacketId, Password, ProtocolVersion, Publish,
    PublishProperties, QoS, ReasonCode, Suback, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    TopicName, Unsuback, Unsubscribe, UserProperties, Will, WillProperties, encode,
};
use signet_revocation::IssuerCertificate;

/// Why the corpus could not be built: a fault in this crate.
pub type CorpusError = Box<dyn std::error::Error>;

/// One or more packets of each type and version.
///
/// # Errors
/// When one of them is not valid.
pub fn packets() -> Result<Vec<Vec<u8>>, CorpusError> {
    let mut list = Vec::new();
    for version in ProtocolVersion::ALL {
        for packet in packets_of(version)? {
            let mut out = BytesMut::new();
            encode(&packet, version, &mut out);
            list.push(out.to_vec());
        }
    }
    Ok(list)
}

/// Topic Filters and Topic Names as [`crate::topic`] takes them.
#[must_use]
pub fn topics() -> Vec<Vec<u8>> {
    [
        "sport/+/player1\nsport/tennis/player1",
        "#\n$SYS/x",
        "$share/group/a/+/#\na/b/c",
        "/+\n/finance",
        "$share/g/$share/h/#\na",
        "é/\u{feff}\né/\u{feff}",
    ]
    .map(Vec::from)
    .to_vec()
}

/// Identity templates.
#[must_use]
pub fn templates() -> Vec<Vec<u8>> {
    [
        "${cert.cn}",
        "urn:${cert.san.uri}-${cert.serial}",
        "$$${username}/${client_identifier}",
        "${device}",
        "plain",
        "${cert.issuer.dn}${cert.ou}",
    ]
    .map(Vec::from)
    .to_vec()
}

/// A root and two end-entity certificates in DER.
///
/// # Errors
/// When one of them cannot be built.
pub fn certificates() -> Result<Vec<Vec<u8>>, CorpusError> {
    let mut device = CertificateParams::default();
    device.distinguished_name =
        name(&[(DnType::CommonName, "pump-7"), (DnType::OrganizationalUnitName, "hall +\"2\""), (DnType::CountryName, "NL")]);
    device.subject_alt_names = vec![
        SanType::DnsName("pump-7.example".try_into()?),
        SanType::URI("urn:signet:device:pump-7".try_into()?),
        SanType::Rfc822Name("pump@example".try_into()?),
        SanType::IpAddress([192, 0, 2, 7].into()),
    ];
    device.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    device.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    device.is_ca = IsCa::ExplicitNoCa;
    device.use_authority_key_identifier_extension = true;
    let mut plain = CertificateParams::default();
    plain.distinguished_name = name(&[(DnType::CommonName, "x")]);
    let mut list = vec![root()?.der().to_vec()];
    for (number, mut params) in [device, plain].into_iter().enumerate() {
        dated(&mut params, u64::try_from(number)? + 0x80);
        list.push(params.signed_by(&key(2)?, &Issuer::from_params(&root_params(), key(1)?))?.der().to_vec());
    }
    Ok(list)
}

/// A CRL in DER and in PEM, and one of a part of the certificates.
///
/// # Errors
/// When it cannot be built.
pub fn crls() -> Result<Vec<Vec<u8>>, CorpusError> {
    let revoked = |serial: u64, reason_code| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2024, 3, 1),
        reason_code,
        invalidity_date: None,
    };
    let crl = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 3, 2),
        next_update: date_time_ymd(2034, 3, 2),
        crl_number: SerialNumber::from(7),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked(0x81, Some(RevocationReason::KeyCompromise)), revoked(0x1234_5678, None)],
        key_identifier_method: KeyIdMethod::Sha256,
    }
    .signed_by(&Issuer::from_params(&root_params(), key(1)?))?;
    let partition = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 3, 2),
        next_update: date_time_ymd(2034, 3, 2),
        crl_number: SerialNumber::from(8),
        issuing_distribution_point: Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec!["http://crl.example/1".to_owned()] },
            scope: Some(CrlScope::UserCertsOnly),
        }),
        revoked_certs: vec![revoked(0x82, Some(RevocationReason::CertificateHold))],
        key_identifier_method: KeyIdMethod::Sha256,
    }
    .signed_by(&Issuer::from_params(&root_params(), key(1)?))?;
    Ok(vec![crl.der().to_vec(), crl.pem()?.into_bytes(), partition.der().to_vec()])
}

/// Whose CRLs [`crate::crl`] reads.
pub fn issuers() -> &'static [IssuerCertificate] {
    static ISSUERS: OnceLock<Vec<IssuerCertificate>> = OnceLock::new();
    ISSUERS.get_or_init(|| root().ok().and_then(|root| IssuerCertificate::parse(root.der()).ok()).into_iter().collect())
}

fn root() -> Result<rcgen::Certificate, CorpusError> {
    Ok(root_params().self_signed(&key(1)?)?)
}

fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[(DnType::CommonName, "root"), (DnType::OrganizationName, "example")]);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    dated(&mut params, 1);
    params
}

fn dated(params: &mut CertificateParams, serial: u64) {
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2034, 1, 1);
}

fn name(attributes: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in attributes {
        name.push(kind.clone(), *value);
    }
    name
}

/// An Ed25519 key of one repeated byte: PKCS#8 (RFC 8410 §7) around it.
fn key(byte: u8) -> Result<KeyPair, CorpusError> {
    let mut pkcs8 = vec![0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    pkcs8.extend([byte; 32]);
    Ok(KeyPair::try_from(pkcs8)?)
}

fn packets_of(version: ProtocolVersion) -> Result<Vec<Packet>, CorpusError> {
    let id = PacketId::from(NonZeroU16::MIN);
    let user_properties = UserProperties(vec![("name".into(), "value".into()), ("name".into(), "é".into())]);
    let identifier = SubscriptionIdentifier::new(300);
    let filters = [TopicFilter::new("sport/+/#")?, TopicFilter::new("$share/group/a/+")?];
    let topic = TopicName::new("sport/tennis")?;
    let ack = Ack {
        packet_id: id,
        reason_code: ReasonCode::Success,
        reason_string: Some("why".into()),
        user_properties: user_properties.clone(),
    };
    let [publish, delivered] = publishes(id, &topic, &user_properties);
    let subscriptions = filters.iter().map(|filter| SubscribeFilter { filter: filter.clone(), options: SubscriptionOptions::default() });
    let mut connack = Connack::default();
    connack.properties.assigned_client_identifier = Some(ClientIdentifier::new("given"));
    connack.properties.features.maximum_qos = Some(QoS::AtLeastOnce);
    connack.properties.server_keep_alive = Some(30);
    connack.properties.user_properties = user_properties.clone();
    let reason_string = Some("why".into());
    Ok(vec![
        Packet::Connect(Box::new(connect(version, &topic, &user_properties))),
        Packet::Connack(Box::new(connack)),
        Packet::Publish(publish),
        Packet::Publish(delivered),
        Packet::Puback(Ack::success(id)),
        Packet::Pubrec(ack.clone()),
        Packet::Pubrel(Ack::new(id, ReasonCode::PacketIdentifierNotFound)),
        Packet::Pubcomp(ack),
        Packet::Subscribe(Subscribe {
            packet_id: id,
            subscription_identifier: identifier,
            user_properties: user_properties.clone(),
            subscriptions: subscriptions.collect(),
        }),
        Packet::Suback(Suback {
            packet_id: id,
            reason_string: reason_string.clone(),
            user_properties: user_properties.clone(),
            reason_codes: vec![ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError],
        }),
        Packet::Unsubscribe(Unsubscribe { packet_id: id, user_properties: user_properties.clone(), filters: filters.to_vec() }),
        Packet::Unsuback(Unsuback { packet_id: id, reason_string, user_properties, reason_codes: vec![ReasonCode::NoSubscriptionExisted] }),
        Packet::Pingreq,
        Packet::Pingresp,
        Packet::Disconnect(Box::new(Disconnect { session_expiry_interval: Some(5), ..Disconnect::new(ReasonCode::DisconnectWithWill) })),
        Packet::Auth(Box::new(Auth {
            reason_code: ReasonCode::ContinueAuthentication,
            authentication_method: Some("method".into()),
            authentication_data: Some("data".into()),
            ..Auth::default()
        })),
    ])
}

/// One as a client sends it, and one as a server does.
fn publishes(id: PacketId, topic: &TopicName, user_properties: &UserProperties) -> [Publish; 2] {
    let publish = Publish {
        dup: true,
        qos: QoS::ExactlyOnce,
        retain: true,
        topic: Some(topic.clone()),
        packet_id: Some(id),
        properties: PublishProperties {
            payload_format_indicator: Some(true),
            message_expiry_interval: Some(60),
            topic_alias: NonZeroU16::new(7),
            response_topic: Some(topic.clone()),
            correlation_data: Some("\0\u{1}".into()),
            user_properties: user_properties.clone(),
            subscription_identifiers: Vec::new(),
            content_type: Some("text/plain".into()),
        }
        .into(),
        payload: "payload".into(),
    };
    let delivered = Publish {
        properties: PublishProperties {
            subscription_identifiers: SubscriptionIdentifier::new(300).into_iter().collect(),
            ..PublishProperties::default()
        }
        .into(),
        ..publish.clone()
    };
    [publish, delivered]
}

fn connect(version: ProtocolVersion, topic: &TopicName, user_properties: &UserProperties) -> Connect {
    Connect {
        version,
        is_bridge: version.has_bridge_bit(),
        clean_start: true,
        keep_alive: 60,
        client_identifier: ClientIdentifier::new("identifier"),
        will: Some(Will {
            topic: topic.clone(),
            payload: "gone".into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties {
                delay_interval: Some(5),
                response_topic: Some(topic.clone()),
                user_properties: user_properties.clone(),
                ..WillProperties::default()
            },
        }),
        username: Some("user".into()),
        password: Some(Password::new("secret")),
        properties: ConnectProperties {
            session_expiry_interval: Some(3600),
            receive_maximum: NonZeroU16::new(10),
            request_problem_information: Some(true),
            authentication_method: Some("method".into()),
            authentication_data: Some("data".into()),
            user_properties: user_properties.clone(),
            ..ConnectProperties::default()
        },
    }
}
