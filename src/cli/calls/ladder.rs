//! The SIP of one call, message by message: what an admin lays beside the carrier's own trace.

use std::fmt::Write as _;

use crate::call::record::CallRecord;
use crate::cli::harmless;
use crate::sip::ladder::Rung;

/// The ladder, ending with a line break.
///
/// ```text
/// +0.000  ◀──  INVITE sip:…@192.0.2.1     udp 192.0.2.7:5060  1 INVITE, 812 bytes
/// +0.002   ──▶ SIP/2.0 100 Trying         udp 192.0.2.7:5060  1 INVITE, 301 bytes
/// ```
pub(super) fn render(record: &CallRecord) -> String {
    let ladder = &record.ladder;
    let mut text = format!("call  {}\nsip   Call-ID {}\n\n", record.id, harmless(&record.sip_call_id));
    if ladder.rungs.is_empty() {
        return text + "No SIP was kept of this call.\n";
    }
    let shown: Vec<Shown> = ladder.rungs.iter().map(Shown::of).collect();
    let width = |part: fn(&Shown) -> &String| shown.iter().map(|rung| part(rung).chars().count()).max().unwrap_or(0);
    let (at, line, hop) = (width(|rung| &rung.at), width(|rung| &rung.line), width(|rung| &rung.hop));
    for rung in &shown {
        let Shown { sent, more, .. } = rung;
        let arrow = if *sent { " ──▶" } else { "◀── " };
        writeln!(text, "{:>at$}  {arrow} {:<line$}  {:<hop$}  {more}", rung.at, rung.line, rung.hop)
            .expect("writing to a string");
    }
    if ladder.left_out > 0 {
        writeln!(text, "\n{} messages in the middle were left out.", ladder.left_out).expect("writing to a string");
    }
    text
}

/// One rung in columns.
struct Shown {
    at: String,
    sent: bool,
    line: String,
    hop: String,
    more: String,
}

impl Shown {
    fn of(rung: &Rung) -> Self {
        let Rung { at_ms, sent, transport, peer, line, cseq, note, bytes, again } = rung;
        let mut more = format!("{}, {bytes} bytes", harmless(cseq));
        if *again > 0 {
            write!(more, ", sent {} times", u32::from(*again) + 1).expect("writing to a string");
        }
        if let Some(note) = note {
            write!(more, "; {}", harmless(note)).expect("writing to a string");
        }
        let at = format!("+{}.{:03}", at_ms / 1_000, at_ms % 1_000);
        Self { at, sent: *sent, line: harmless(line), hop: format!("{} {peer}", harmless(transport)), more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::ladder::Ladder;
    use crate::store::conformance::bare_record;

    fn rung(at_ms: u64, sent: bool, line: &str) -> Rung {
        Rung {
            at_ms,
            sent,
            transport: "udp".to_owned(),
            peer: "192.0.2.7:5060".parse().unwrap(),
            line: line.to_owned(),
            cseq: "1 INVITE".to_owned(),
            note: None,
            bytes: 301,
            again: 0,
        }
    }

    #[test]
    fn a_ladder_is_read_from_top_to_bottom() {
        let busy =
            Rung { note: Some("Q.850;cause=17 \u{1b}[31m".to_owned()), ..rung(12_345, true, "SIP/2.0 486 Busy Here") };
        let invite = Rung { again: 2, ..rung(0, false, "INVITE sip:…@192.0.2.1 SIP/2.0") };
        let ladder = Ladder { rungs: vec![invite, rung(2, true, "SIP/2.0 100 Trying"), busy], left_out: 4 };
        let text = render(&CallRecord { ladder, ..bare_record(1) });
        let expect = "\
call  01KE7ASYZ00000000000000001
sip   Call-ID 1@192.0.2.7

 +0.000  ◀──  INVITE sip:…@192.0.2.1 SIP/2.0  udp 192.0.2.7:5060  1 INVITE, 301 bytes, sent 3 times
 +0.002   ──▶ SIP/2.0 100 Trying              udp 192.0.2.7:5060  1 INVITE, 301 bytes
+12.345   ──▶ SIP/2.0 486 Busy Here           udp 192.0.2.7:5060  1 INVITE, 301 bytes; Q.850;cause=17 �[31m

4 messages in the middle were left out.
";
        assert_eq!(text, expect);
    }

    #[test]
    fn a_call_without_a_ladder_says_so() {
        let text = render(&CallRecord { ladder: Ladder::default(), ..bare_record(1) });
        assert!(text.ends_with("\n\nNo SIP was kept of this call.\n"), "{text}");
    }
}
