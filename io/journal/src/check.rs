//! Looking at a journal without changing it.

use crate::error::JournalError;
use crate::folder::Folder;
use crate::report::Report;
use crate::survey::Survey;

/// Reads every file and says what is in it, what is damaged, and what the next opening would cut off.
///
/// # Errors
/// A file cannot be read.
pub fn check(folder: &dyn Folder) -> Result<Report, JournalError> {
    let survey = Survey::take(folder, &mut |_, _| Ok(()))?;
    let segments = survey.reports(folder);
    Ok(Report { segments, damages: survey.gaps.into_iter().flat_map(|gap| gap.damages).collect(), torn: survey.torn.map(|(_, cut)| cut) })
}
