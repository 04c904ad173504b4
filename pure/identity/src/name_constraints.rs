//! Placeholder until the branch with the real one is merged.
use crate::error::IdentityError;
use crate::leaf::Leaf;
/// x
#[derive(Debug)]
pub struct NameConstraints;
impl NameConstraints {
    /// x
    pub fn of(_: &Leaf) -> Result<Option<Self>, IdentityError> {
        Ok(None)
    }
    /// x
    pub fn check(&self, _: &Leaf) -> Result<(), IdentityError> {
        Ok(())
    }
}
