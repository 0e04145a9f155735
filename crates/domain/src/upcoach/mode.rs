//! Where UpCoach's records are (`UPCOACH_MODE`).

use crate::labels::labels;

labels! {
    /// Where UpCoach's records are.
    #[derive(Default)]
    pub enum UpcoachMode {
        /// In tables of ours, fed by Stripe's events and by imports.
        #[default]
        Tables => "tables",
        /// In a real UpCoach's own tables in the same database, read through views; UpCoach books Stripe's payments itself.
        Views => "views",
    }
}
