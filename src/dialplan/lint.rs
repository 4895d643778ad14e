//! Judges a plan that works: what will callers or their administrator regret?

use super::diagnostic::Findings;
use super::plan::Plan;
use super::schema;

pub(super) fn judge(_plan: &Plan, _written: &schema::Plan, _findings: &mut Findings) {}
