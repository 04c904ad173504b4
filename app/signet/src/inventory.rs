//! Whether the inventory is the one that goes with the authority: a lost or older copy would forget who was revoked, without a word.

use signet_admin::Administration;
use signet_ledger::AuthorityFiles;
use signet_revocation::{Crl, IssuerCertificate};
use signet_tls::CrlSignatureVerifier;

use crate::hint::Failure;
use crate::office::{self, Places};

/// Refuses an inventory that is behind the list it signed: the number is recorded before the file is written, so only another or older
/// inventory can be behind.
pub(crate) fn check(places: &Places, administration: &Administration) -> Result<(), Failure> {
    let path = &places.ca.crl;
    let signer = AuthorityFiles::new(&places.ca.dir).issuing_certificate();
    let Some(issuer) = signet_ledger::read_certificates(&signer).ok().and_then(|chain| IssuerCertificate::parse(chain.first()?).ok())
    else {
        return Ok(());
    };
    // A list that is not there, cut short, or of another authority says nothing about this inventory.
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    let Ok(lists) = Crl::parse_pem_or_der(&bytes, &[issuer], &CrlSignatureVerifier) else { return Ok(()) };
    let signed = administration.crl_number().map_err(office::problem)?;
    let ahead = |list: &Crl| list.status().number.filter(|number| *number > signed.into()).map(|number| (number, list.status().entries));
    let Some((number, entries)) = lists.iter().find_map(ahead) else { return Ok(()) };
    let revoked = if entries == 1 { "1 revoked certificate".to_owned() } else { format!("{entries} revoked certificates") };
    let known = if signed == 0 { "none".to_owned() } else { format!("up to number {signed} only") };
    Err(Failure::new(format!(
        "`{}` is list number {number} with {revoked}, but the inventory `{}` has signed {known}: it is not the one of this authority, or an old copy",
        path.display(),
        places.ledger().display()
    ))
    .hint(format!(
        "put the right inventory back, or check `data_dir`; to begin a new one, which forgets who is revoked, move `{}` away",
        path.display()
    )))
}
