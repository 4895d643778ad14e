//! What a person may ask of the plans through the control socket: which versions there are, reading files again, and
//! putting an earlier version back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Depth, Plans};
use crate::call::registry::Registry;

/// Calls by plan and version.
type Calls = BTreeMap<(String, String), usize>;

/// Every plan in service, its versions, and who is on the line with which; then those that only calls of ours run.
pub(in crate::app) fn listed(plans: &Plans, registry: &Registry) -> Value {
    let mut calls = Calls::new();
    for (_, live) in registry.snapshot() {
        *calls.entry((live.plan, live.version)).or_default() += 1;
    }
    let mut told: Vec<Value> = plans.routed.values().map(|routed| described(routed, &mut calls)).collect();
    let rest = calls.into_iter().map(|((plan, version), calls)| {
        json!({ "plan": plan, "file": null, "version": version, "calls": calls, "earlier": [] })
    });
    told.extend(rest);
    json!({ "plans": told })
}

fn described(routed: &super::Routed, calls: &mut Calls) -> Value {
    let (live, versions) = (routed.live(), routed.versions());
    let plan = &live.plan.name;
    let mut on_the_line = |version: &str| calls.remove(&(plan.clone(), version.to_owned())).unwrap_or(0);
    let mut until = versions.in_force().map(|seen| seen.since);
    let now_with = on_the_line(&live.plan.version);
    let earlier: Vec<Value> = versions
        .before()
        .map(|seen| {
            let ended = until.replace(seen.since);
            let calls = on_the_line(&seen.version);
            json!({ "version": seen.version, "since": seen.since, "until": ended, "calls": calls })
        })
        .collect();
    json!({
        "plan": plan,
        "file": routed.file,
        "version": live.plan.version,
        "since": versions.in_force().map(|seen| seen.since),
        "calls": now_with,
        "earlier": earlier,
        "put_aside": versions.put_aside(),
        "fault": versions.fault().map(|fault| json!({ "since": fault.since, "text": fault.text })),
    })
}

/// Reads every file again, and tells what is in force then.
pub(in crate::app) async fn reload(plans: &Plans, registry: &Registry) -> Value {
    plans.look(Depth::Whole).await;
    listed(plans, registry)
}

/// Puts an earlier version back.
pub(in crate::app) async fn roll_back(plans: &Plans, name: &str, version: Option<&str>) -> Value {
    match plans.roll_back(name, version).await {
        Ok(done) => json!({ "ok": done.plan, "from": done.from, "version": done.to, "file": done.file }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}
