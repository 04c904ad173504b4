//! A response becomes an answer (RFC 6960 §4.2): signer, certificate, times and nonce, all checked before a word of it counts.

use std::sync::Arc;

use signet_identity::der::{self, DerError, Element, Extension, Reader};
use signet_identity::{Leaf, NameDigest, Subject};

use super::delegate::Candidate;
use super::error::{OcspError, OcspRefusal};
use super::request::{OID_NONCE, OcspRequest, sha1_of};
use super::{OcspAnswer, OcspDelegate, OcspStatus};
use crate::issuer::{SignatureVerifier, SignedData, key_octets};
use crate::reason::Reason;

/// What a response has to satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspRules {
    /// Whether a response without the request's nonce is refused. One with another nonce is refused always.
    pub nonce_required: bool,
    /// How far the responder's clock may be off, in seconds.
    pub clock_skew: i64,
    /// How long ago thisUpdate may be, in seconds; `None`: as long as nextUpdate says, without one [`Self::AGE_WITHOUT_NEXT_UPDATE`].
    pub maximum_age: Option<i64>,
}

impl OcspRules {
    /// How long ago thisUpdate of a response without nextUpdate may be, in seconds, when nothing else is said: a day. Such a response names no end,
    /// so whoever stands between could replay it for as long as its signer's certificate lives (RFC 6960 §3.2 (5)).
    pub const AGE_WITHOUT_NEXT_UPDATE: i64 = 86_400;
}

/// No nonce required, five minutes of skew, any age that the responder vouches for.
impl Default for OcspRules {
    fn default() -> Self {
        Self { nonce_required: false, clock_skew: 300, maximum_age: None }
    }
}

/// A verified response: the answer, and the bytes to staple when it is about our own certificate (RFC 6066 §8).
#[derive(Debug, Clone)]
pub struct OcspResponse {
    answer: OcspAnswer,
    der: Arc<[u8]>,
}

impl OcspResponse {
    /// The largest response that is read, in bytes. Real ones have 300 to 5000.
    pub const MAXIMUM_SIZE: usize = 64 * 1024;

    /// Reads a response to `request` and verifies it: by the request's issuer itself, or by a delegate whose certificate is in the response, was
    /// signed by the issuer directly, holds at `now` and has id-kp-OCSPSigning. `now` in seconds since 1970-01-01 UTC.
    ///
    /// Whether the delegate's certificate is revoked is not asked here (see [`OcspDelegate::no_check`]).
    ///
    /// # Errors
    /// [`OcspError`]. Never panics; verifies at most 17 signatures, allocates no more than a small multiple of the input.
    pub fn verify(
        der: &[u8],
        request: &OcspRequest,
        rules: &OcspRules,
        verifier: &dyn SignatureVerifier,
        now: i64,
    ) -> Result<Self, OcspError> {
        if der.len() > Self::MAXIMUM_SIZE {
            return Err(OcspError::TooLarge { size: der.len(), limit: Self::MAXIMUM_SIZE });
        }
        let basic = Basic::read(read_envelope(der)?)?;
        let data = ResponseData::read(&basic)?;
        let delegate = basic.verify(&data.responder, request, verifier, now)?;
        check_nonce(data.extensions, request, rules)?;
        let single = find_single(data.responses, request)?;
        check_times(&single, rules, now)?;
        let answer = OcspAnswer {
            certificate: request.certificate(),
            status: single.status,
            this_update: single.this_update,
            next_update: single.next_update,
            fetched_at: now,
            delegate,
        };
        Ok(Self { answer, der: der.into() })
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> OcspAnswer {
        self.answer
    }

    /// The response as it came.
    #[must_use]
    pub fn der(&self) -> &Arc<[u8]> {
        &self.der
    }
}

fn in_field(field: &'static str) -> impl Fn(DerError) -> OcspError {
    move |error| OcspError::Unreadable { field, reason: error.to_string() }
}

/// OCSPResponse: the content of a BasicOCSPResponse, or why there is none.
fn read_envelope(der: &[u8]) -> Result<&[u8], OcspError> {
    let mut envelope = Reader::document(der).map_err(in_field("DER"))?;
    let status = envelope.expect(der::ENUMERATED).map_err(in_field("responseStatus"))?.content;
    if status != [0] {
        let refusal = if let [code] = status { OcspRefusal::from_code(*code) } else { None };
        return Err(
            refusal.map_or_else(|| in_field("responseStatus")(DerError::Content("found a status that does not exist")), OcspError::Refused)
        );
    }
    let bytes = envelope.expect(0xa0).map_err(in_field("responseBytes"))?.content;
    envelope.finish().map_err(in_field("DER"))?;
    let mut bytes = Reader::document(bytes).map_err(in_field("responseBytes"))?;
    let kind = bytes.expect(der::OBJECT_IDENTIFIER).map_err(in_field("responseType"))?.content;
    if kind != OID_BASIC {
        return Err(OcspError::OtherType { oid: der::oid_text(kind).map_err(in_field("responseType"))? });
    }
    let response = bytes.expect(der::OCTET_STRING).map_err(in_field("response"))?.content;
    bytes.finish().map_err(in_field("responseBytes"))?;
    Ok(response)
}

/// BasicOCSPResponse: nothing believed yet.
struct Basic<'a> {
    to_be_signed: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
    certificates: Vec<Element<'a>>,
}

/// The certificates that are looked at in one response. A delegate needs one.
const MAXIMUM_CERTIFICATES: usize = 8;
/// The certificates about which one response may speak.
const MAXIMUM_RESPONSES: usize = 256;

impl<'a> Basic<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OcspError> {
        let mut basic = Reader::document(bytes).map_err(in_field("BasicOCSPResponse"))?;
        let to_be_signed = basic.expect(der::SEQUENCE).map_err(in_field("tbsResponseData"))?;
        let algorithm = basic.expect(der::SEQUENCE).map_err(in_field("signatureAlgorithm"))?.encoded;
        let signature = basic.expect(der::BIT_STRING).map_err(in_field("signature"))?.content.strip_prefix(&[0]);
        let signature = signature.ok_or_else(|| in_field("signature")(DerError::Content("expected whole octets")))?;
        let mut certificates = Vec::new();
        if let Some(wrapper) = basic.optional(0xa0).map_err(in_field("certs"))? {
            let mut list = Reader::document(wrapper.content).map_err(in_field("certs"))?;
            while !list.is_empty() {
                if certificates.len() == MAXIMUM_CERTIFICATES {
                    return Err(in_field("certs")(DerError::Content("found more than 8 certificates")));
                }
                certificates.push(list.expect(der::SEQUENCE).map_err(in_field("certs"))?);
            }
        }
        basic.finish().map_err(in_field("BasicOCSPResponse"))?;
        Ok(Self { to_be_signed, algorithm, signature, certificates })
    }

    /// Finds who signed (RFC 6960 §4.2.2.2, §3.2): the issuer, or a delegate of it.
    fn verify(
        &self,
        responder: &ResponderId<'_>,
        request: &OcspRequest,
        verifier: &dyn SignatureVerifier,
        now: i64,
    ) -> Result<Option<OcspDelegate>, OcspError> {
        let issuer = request.issuer();
        let issuer_text = issuer.leaf().subject().rfc4514();
        let mut failure = OcspError::UnknownResponder { responder: responder.to_text(), issuer: issuer_text.clone() };
        if responder.is(issuer.leaf()) {
            match verifier.verify(self.signed_by(issuer.leaf())) {
                Ok(()) => return Ok(None),
                Err(reason) => failure = OcspError::BadSignature { responder: format!("`{issuer_text}`"), reason },
            }
        }
        for certificate in &self.certificates {
            let candidate = Candidate::read(*certificate)?;
            // The issuer's own certificate comes along at times: its key was tried above.
            if !responder.is(&candidate.leaf) || candidate.leaf.authority_id() == issuer.leaf().authority_id() {
                continue;
            }
            let checked = candidate.check(issuer, verifier, now).and_then(|delegate| {
                let bad = |reason| OcspError::BadSignature { responder: format!("`{}`", candidate.leaf.subject().rfc4514()), reason };
                verifier.verify(self.signed_by(&candidate.leaf)).map_err(bad)?;
                Ok(delegate)
            });
            match checked {
                Ok(delegate) => return Ok(Some(delegate)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn signed_by<'b>(&'b self, signer: &'b Leaf) -> SignedData<'b> {
        let Self { to_be_signed, algorithm, signature, .. } = self;
        SignedData { to_be_signed: to_be_signed.encoded, algorithm, signature, issuer_spki: signer.spki() }
    }
}

/// ResponseData (RFC 6960 §4.2.1) up to its lists, which are read after the signature was verified.
struct ResponseData<'a> {
    responder: ResponderId<'a>,
    responses: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> ResponseData<'a> {
    fn read(basic: &Basic<'a>) -> Result<Self, OcspError> {
        let mut data = Reader::new(basic.to_be_signed.content);
        if let Some(version) = data.optional(0xa0).map_err(in_field("version"))?
            && version.content != [der::INTEGER, 1, 0]
        {
            return Err(in_field("version")(DerError::Content("expected version 1")));
        }
        let responder = data.element().and_then(ResponderId::read).map_err(in_field("responderID"))?;
        data.expect(der::GENERALIZED_TIME).and_then(der::time).map_err(in_field("producedAt"))?;
        let responses = data.expect(der::SEQUENCE).map_err(in_field("responses"))?.content;
        let extensions = data.optional(0xa1).map_err(in_field("responseExtensions"))?.map(|element| element.content);
        data.finish().map_err(in_field("tbsResponseData"))?;
        Ok(Self { responder, responses, extensions })
    }
}

/// ResponderID: who says that it signed.
enum ResponderId<'a> {
    Name(&'a [u8]),
    /// SHA-1 of the key's octets.
    Key(&'a [u8]),
}

impl<'a> ResponderId<'a> {
    fn read(element: Element<'a>) -> Result<Self, DerError> {
        let mut inner = Reader::new(element.content);
        let id = match element.tag {
            0xa1 => Self::Name(inner.expect(der::SEQUENCE)?.encoded),
            0xa2 => Self::Key(inner.expect(der::OCTET_STRING)?.content),
            _ => return Err(DerError::Content("expected byName or byKey")),
        };
        inner.finish()?;
        Ok(id)
    }

    fn is(&self, certificate: &Leaf) -> bool {
        match self {
            Self::Name(name) => NameDigest::of(name) == certificate.subject_name_digest(),
            Self::Key(digest) => key_octets(certificate).is_ok_and(|key| sha1_of(key) == *digest),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Name(name) => match Subject::from_name_der(name, "responderID") {
                Ok(name) => format!("`{}`", name.rfc4514()),
                Err(_) => "a malformed Name".to_owned(),
            },
            Self::Key(digest) => {
                let hex: String = digest.iter().take(20).map(|octet| format!("{octet:02X}")).collect();
                format!("the key with the SHA-1 digest `{hex}`")
            }
        }
    }
}

/// responseExtensions: the nonce (RFC 8954), and nothing critical that is not understood.
fn check_nonce(extensions: Option<&[u8]>, request: &OcspRequest, rules: &OcspRules) -> Result<(), OcspError> {
    let field = "responseExtensions";
    let mut found = None;
    if let Some(content) = extensions {
        let mut list = Reader::document(content).map_err(in_field(field))?;
        while !list.is_empty() {
            let extension = Extension::read(&mut list).map_err(in_field(field))?;
            if extension.oid == OID_NONCE {
                let mut value = Reader::new(extension.value);
                let nonce = value.expect(der::OCTET_STRING).map_err(in_field("nonce"))?.content;
                value.finish().map_err(in_field("nonce"))?;
                if found.replace(nonce).is_some() {
                    return Err(in_field("nonce")(DerError::Content("the extension is there twice")));
                }
            } else {
                refuse_if_critical(&extension)?;
            }
        }
    }
    match (request.nonce(), found) {
        (Some(sent), Some(found)) if found != sent => Err(OcspError::NonceMismatch),
        (Some(_), None) | (None, _) if rules.nonce_required => Err(OcspError::NonceMissing),
        // Without a nonce in the request there is nothing to compare: a cache may answer with what it got for somebody else.
        _ => Ok(()),
    }
}

fn refuse_if_critical(extension: &Extension<'_>) -> Result<(), OcspError> {
    if !extension.critical {
        return Ok(());
    }
    let oid = der::oid_text(extension.oid).map_err(in_field("extnID"))?;
    Err(OcspError::UnknownCriticalExtension { oid })
}

/// SingleResponse about the certificate that was asked for.
struct Single {
    status: OcspStatus,
    this_update: i64,
    next_update: Option<i64>,
}

/// The one response that is about the certificate of the request. Of two, each reader could believe another.
fn find_single(responses: &[u8], request: &OcspRequest) -> Result<Single, OcspError> {
    let mut list = Reader::new(responses);
    let mut found = None;
    let mut count = 0;
    while !list.is_empty() {
        count += 1;
        if count > MAXIMUM_RESPONSES {
            return Err(in_field("responses")(DerError::Content("found more than 256 responses")));
        }
        let mut single = list.sequence().map_err(in_field("responses"))?;
        let cert_id = single.expect(der::SEQUENCE).map_err(in_field("certID"))?.content;
        if request.is_answered_by(cert_id).map_err(in_field("certID"))? && found.replace(read_single(single)?).is_some() {
            return Err(in_field("responses")(DerError::Content("the certificate is there twice")));
        }
    }
    found.ok_or_else(|| OcspError::OtherCertificate { serial: request.serial().to_string() })
}

/// What follows the CertID.
fn read_single(mut single: Reader<'_>) -> Result<Single, OcspError> {
    let status = single.element().and_then(read_status).map_err(in_field("certStatus"))?;
    let this_update = single.expect(der::GENERALIZED_TIME).and_then(der::time).map_err(in_field("thisUpdate"))?;
    let next_update = match single.optional(0xa0).map_err(in_field("nextUpdate"))? {
        Some(wrapper) => Some(only(wrapper.content, der::GENERALIZED_TIME).and_then(der::time).map_err(in_field("nextUpdate"))?),
        None => None,
    };
    if let Some(wrapper) = single.optional(0xa1).map_err(in_field("singleExtensions"))? {
        let mut list = Reader::document(wrapper.content).map_err(in_field("singleExtensions"))?;
        while !list.is_empty() {
            refuse_if_critical(&Extension::read(&mut list).map_err(in_field("singleExtensions"))?)?;
        }
    }
    single.finish().map_err(in_field("responses"))?;
    Ok(Single { status, this_update, next_update })
}

/// CertStatus.
fn read_status(element: Element<'_>) -> Result<OcspStatus, DerError> {
    match (element.tag, element.content) {
        (0x80, []) => Ok(OcspStatus::Good),
        (0x82, []) => Ok(OcspStatus::Unknown),
        (0xa1, content) => {
            let mut info = Reader::new(content);
            let since = der::time(info.expect(der::GENERALIZED_TIME)?)?;
            let reason = match info.optional(0xa0)? {
                Some(wrapper) => {
                    let code = only(wrapper.content, der::ENUMERATED)?.content;
                    let known = if let [code] = code { Reason::from_code(*code) } else { None };
                    known.ok_or(DerError::Content("expected a reason of 0 to 6 or 8 to 10"))?
                }
                None => Reason::Unspecified,
            };
            info.finish()?;
            // The status says "revoked"; this reason would say "released".
            let reason = if reason == Reason::RemoveFromCrl { Reason::Unspecified } else { reason };
            Ok(OcspStatus::Revoked { since, reason })
        }
        _ => Err(DerError::Content("expected good, revoked or unknown")),
    }
}

/// The one element of this tag that the content consists of.
fn only(content: &[u8], tag: u8) -> Result<Element<'_>, DerError> {
    let mut reader = Reader::new(content);
    let element = reader.expect(tag)?;
    reader.finish()?;
    Ok(element)
}

/// RFC 6960 §3.2 (5), (6).
fn check_times(single: &Single, rules: &OcspRules, now: i64) -> Result<(), OcspError> {
    let Single { this_update, next_update, .. } = *single;
    if this_update > now.saturating_add(rules.clock_skew) {
        return Err(OcspError::NotYet { this_update });
    }
    if next_update.is_some_and(|next_update| next_update < this_update) {
        return Err(in_field("nextUpdate")(DerError::Content("it is before thisUpdate")));
    }
    let age = rules.maximum_age.or_else(|| next_update.is_none().then_some(OcspRules::AGE_WITHOUT_NEXT_UPDATE));
    let oldest = age.map(|age| this_update.saturating_add(age));
    match next_update.into_iter().chain(oldest).min() {
        Some(until) if until < now.saturating_sub(rules.clock_skew) => Err(OcspError::Expired { until }),
        _ => Ok(()),
    }
}

/// id-pkix-ocsp-basic.
const OID_BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];

#[cfg(test)]
mod tests;
