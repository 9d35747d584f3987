//! Which traits feed the fields of records that come from traits, and which one says what a group is.

use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    let names = &mut settings.trait_names;
    for (key, name) in [
        ("traits.mrr", &mut names.mrr),
        ("traits.next_renewal_date", &mut names.next_renewal_date),
        ("traits.churned_at", &mut names.churned_at),
        ("traits.trial_end_date", &mut names.trial_end_date),
        ("traits.organization", &mut settings.organization_trait),
    ] {
        let text = values.text(key);
        if text.is_empty() {
            return Err(values.refuse(key, "must name a trait"));
        }
        text.clone_into(name);
    }
    Ok(())
}
