//! What people read, letter by letter.

use clap::Parser as _;

use super::*;
use crate::call::record::{CallRecord, Latency, TurnOutcome, TurnRecord};
use crate::language::Language;
use crate::media::Recording;
use crate::pii::Pii;
use crate::store::conformance::{arrival, bare_record, every_outcome, full_record};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn new_york() -> TimeZone {
    TimeZone::get("America/New_York").unwrap()
}

/// What `trunkline calls …` says beside a data directory that holds these calls.
async fn calls(words: &[&str], records: &[CallRecord]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&home.path().join(DATABASE_FILE)).await.unwrap();
    store.save(records).await.unwrap();
    // The store stays open: a running server is the usual case.
    let args = Line::parse_from([&["calls"], words].concat()).args;
    answer(&args, home.path(), &new_york(), arrival(200)).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_list_is_a_table_with_the_latest_first_in_local_time() {
    let rejected = CallRecord { end: CallEnd::Rejected(486), caller: Pii::new(String::new()), ..bare_record(2) };
    let text = calls(&[], &[full_record(1), rejected, bare_record(3)]).await.unwrap();
    let expect = "\
CALL                        WHEN                 FROM          PLAN       END                          LASTED  TURNS
01KE7AXM500000000000000003  2026-01-05 10:03:00  +12025550123  bank-main  given up before we answered       –      0
01KE7AVSJ00000000000000002  2026-01-05 10:02:00  unknown       bank-main  refused with 486                  –      0
01KE7ASYZ00000000000000001  2026-01-05 10:01:00  +12025550123  bank-main  completed: balance             0:31      3
";
    assert_eq!(text, expect);
    assert_eq!(calls(&[], &[]).await.unwrap(), "No calls.\n");
}

#[tokio::test]
async fn limit_and_since_choose() {
    let records = [bare_record(1), bare_record(2), bare_record(3)];
    let lines = |text: String| text.lines().count() - 1;
    assert_eq!(lines(calls(&["--limit", "2"], &records).await.unwrap()), 2);
    assert_eq!(lines(calls(&["--since", "2026-01-05T10:02"], &records).await.unwrap()), 2);
    let error = calls(&["--since", "soon"], &records).await.unwrap_err();
    assert!(error.starts_with("--since \"soon\" is not a time; write it like 2h"), "{error}");
}

#[test]
fn since_is_read_as_people_write_it() {
    let now = "2026-01-05T18:30:00Z".parse::<Timestamp>().unwrap();
    let rows = [
        ("2h", "2026-01-05T16:30:00Z"),
        ("3d", "2026-01-02T18:30:00Z"),
        ("90s", "2026-01-05T18:28:30Z"),
        ("today", "2026-01-05T05:00:00Z"),
        ("yesterday", "2026-01-04T05:00:00Z"),
        ("2025-12-31", "2025-12-31T05:00:00Z"),
        ("2025-12-31 18:00", "2025-12-31T23:00:00Z"),
        ("2025-12-31T18:00:00+08:00", "2025-12-31T10:00:00Z"),
    ];
    for (text, expect) in rows {
        assert_eq!(parse_since(text, &new_york(), now).unwrap(), expect.parse().unwrap(), "{text}");
    }
    for text in ["", "h", "-2h", "1y", "tomorrowish", "99999999999d", "2026-13-01", "🕐"] {
        assert!(parse_since(text, &new_york(), now).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_call_is_shown_as_a_timeline() {
    let text = calls(&["show", "01ke7"], &[full_record(1)]).await.unwrap();
    let expect = "\
call  01KE7ASYZ00000000000000001, inbound from peer local
from  +12025550123 → 1000
plan  bank-main@0123456789abcdef
when  2026-01-05 10:01:00 -05:00, answered after 0.2 s, lasted 0:31
end   completed: balance
why   Q.850 16, Normal call clearing
for   01KE7B8KQ00000000000000009, whose caller was to be sent there
path  welcome → main → balance

00:00.0 bot  Welcome to Example Bank. This call is recorded.  [protected: played 5.2 of 5.2 s]
00:05.2 bot  What can I do for you?
00:09.2 ...  said nothing  [main, asking 1]
00:10.2 bot  You can say, for example: my balance.  [cut short: played 1.2 of 3.4 s]
00:11.4 you  \"how much is in my account\" (0.83) → balance, interrupted at 1.2 s  [main, asking 2]
              reply after 336 ms: endpointing 262, queue 0, recognition 61, understanding 1, first packet 12
00:18.0 keys 1234# → pin
              reply after 20 ms: endpointing 0, queue 0, recognition 0, understanding 0, first packet 20
--:--.- bot  Your balance is on its way — 您好.  [never began]

media in 1600 packets, 3 lost, 1 late, 2 refused, jitter 1.6 ms; out 1588 packets, 4 ticks late
line  opus, encrypted with AES_CM_128_HMAC_SHA1_80, MOS 4.25 here, 3.50 there, round trip 80.5 ms, buffered 40 ms \
(20 to 120), their clock -12 ppm
sound /var/lib/trunkline/recordings/call.wav (caller left, bot right), paused for 5.4 s
sip   Call-ID 1@192.0.2.7
";
    assert_eq!(text, expect);
}

#[tokio::test]
async fn what_came_of_a_call_is_shown_in_words() {
    let record = CallRecord { outcomes: every_outcome(), language: Some(Language::english()), ..bare_record(1) };
    let text = calls(&["show", "0"], std::slice::from_ref(&record)).await.unwrap();
    assert!(text.contains("\nlang  en-US\n"), "{text}");
    let shown = text.lines().filter_map(|line| line.strip_prefix("came  ")).collect::<Vec<_>>();
    let expect = [
        "reason = '); drop table outcomes; --  [ask]",
        "ratio = 0.30000000000000004  [ask]",
        "verified: born, postcode fitted, asked 2 times  [ask]",
        "promised 200.00 USD by 2026-01-09, 200.00 USD  [ask]",
        "rated nps 9 (0 to 10)  [ask]",
        "said of why: \"太贵了 😀\" (price)  [ask]",
        "do not call +12025550123 again, everywhere: \"stop calling me\"  [ask]",
        "left a message of 12.3 s: messages/2026-01/05/01.wav  [ask]",
        "no message left on their machine, stopped after 1.2 s  [ask]",
        "call back between 2026-01-06 17:00 and 2026-01-06 18:00  [ask]",
        "call back on +12025550124  [ask]",
        "asked in vain: \"do you deliver to the moon\"  [ask]",
        "http: timeout  [ask]",
        "due = 200.00 USD, on = 2026-01-09  [ask]",
    ];
    assert_eq!(shown, expect);
    let json = calls(&["show", "0", "--json"], std::slice::from_ref(&record)).await.unwrap();
    assert_eq!(serde_json::from_str::<CallRecord>(&json).unwrap(), record);
}

#[tokio::test]
async fn a_call_that_never_became_one_is_shown_too() {
    let mut record = CallRecord { plan: String::new(), end: CallEnd::Rejected(404), ..bare_record(1) };
    record.media.recording = Recording::Failed { reason: "no room left".into() };
    let text = calls(&["show", "0"], &[record]).await.unwrap();
    let expect = "\
call  01KE7ASYZ00000000000000001, inbound from peer local
from  +12025550123 → 1000
plan  none was chosen
when  2026-01-05 10:01:00 -05:00, never answered
end   refused with 404

media in 0 packets, 0 lost, 0 late, 0 refused, jitter 0.0 ms; out 0 packets, 0 ticks late
sound lost: no room left
sip   Call-ID 1@192.0.2.7
";
    assert_eq!(text, expect);
}

#[tokio::test]
async fn a_call_of_ours_that_nobody_took_says_neither_a_trunk_nor_a_codec_it_never_had() {
    let mut record = full_record(1);
    record.direction = crate::call::record::Direction::Outbound;
    record.peer = String::new();
    record.answered_at = None;
    record.end = CallEnd::Unreachable(Some("nothing came back from udp:192.0.2.1:5060".into()));
    (record.result, record.media.packets_in, record.media.packets_out) = (None, 0, 0);
    let text = calls(&["show", "0"], std::slice::from_ref(&record)).await.unwrap();
    assert!(text.starts_with("call  01KE7ASYZ00000000000000001, outbound, straight there\n"), "{text}");
    assert!(text.contains("\nend   unreachable: nothing came back from udp:192.0.2.1:5060\n"), "{text}");
    assert!(!text.contains("\nline  "), "{text}");
    record.peer = "carrier".to_owned();
    let text = calls(&["show", "0"], &[record]).await.unwrap();
    assert!(text.contains("outbound through trunk carrier\n"), "{text}");
}

#[tokio::test]
async fn every_outcome_has_its_words() {
    let turn = |outcome: TurnOutcome, heard: Option<&str>, meaning: Option<&str>| TurnRecord {
        step: "main".into(),
        quest: 0,
        language: None,
        attempt: 1,
        at_ms: 61_999,
        outcome,
        meaning: meaning.map(str::to_owned),
        heard: heard.map(|words| Pii::new(words.to_owned())),
        keys: None,
        confidence: heard.map(|_| 0.407),
        barge_in_ms: None,
        latency: None,
    };
    let turns = vec![
        turn(TurnOutcome::NoMatch, Some("purple \u{1b}[2Jelephants"), None),
        turn(TurnOutcome::Speech, None, Some("pin")),
        TurnRecord { keys: Some(Pii::new("9".into())), ..turn(TurnOutcome::Keys, None, None) },
        turn(TurnOutcome::Keys, None, Some("pin")),
        turn(TurnOutcome::Error, None, None),
        turn(TurnOutcome::HungUp, None, None),
    ];
    let text = calls(&["show", "0"], &[CallRecord { turns, ..bare_record(1) }]).await.unwrap();
    let shown = text.lines().filter(|line| line.starts_with("01:01.9")).collect::<Vec<_>>();
    let expect = [
        "01:01.9 you  \"purple �[2Jelephants\" (0.41) → not understood",
        "01:01.9 you  (words not kept) → pin",
        "01:01.9 keys 9 → not understood",
        "01:01.9 keys (keys not kept) → pin",
        "01:01.9 you  could not be heard, recognition failed",
        "01:01.9 you  hung up",
    ];
    assert_eq!(shown, expect);
}

#[tokio::test]
async fn proof_does_not_gain_from_rounding() {
    let mut record = full_record(1);
    record.prompts[0].played_ms = 5_199;
    let text = calls(&["show", "0"], &[record]).await.unwrap();
    assert!(text.contains("[protected: played only 5.1 of 5.2 s]"), "{text}");
}

#[tokio::test]
async fn json_holds_the_whole_record() {
    let text = calls(&["show", "0", "--json"], &[full_record(1)]).await.unwrap();
    assert_eq!(serde_json::from_str::<CallRecord>(&text).unwrap(), full_record(1));
    let text = calls(&["--json"], &[full_record(1), bare_record(2)]).await.unwrap();
    let list = serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_eq!((&list[1]["turns"], &list[1]["end"]["why"]), (&3.into(), &"completed".into()));
    assert_eq!(list[0]["id"], bare_record(2).id.as_str());
}

#[tokio::test]
async fn unknown_and_ambiguous_ids_say_what_to_do() {
    let records = [bare_record(1), bare_record(2)];
    let error = calls(&["show", "7zzz"], &records).await.unwrap_err();
    assert_eq!(error, "there is no call 7ZZZ; `trunkline calls` lists the latest");
    let error = calls(&["show", "01"], &records).await.unwrap_err();
    let expect = "more than one call begins with 01, such as 01KE7ASYZ00000000000000001 and \
                  01KE7AVSJ00000000000000002; type more of the id";
    assert_eq!(error, expect);
}

#[tokio::test]
async fn before_the_first_call_there_is_a_sentence_instead_of_a_fault() {
    let home = tempfile::tempdir().unwrap();
    let args = Line::parse_from(["calls"]).args;
    let error = answer(&args, home.path(), &new_york(), arrival(0)).await.unwrap_err().to_string();
    assert!(error.starts_with("there is no database at ") && error.contains("trunkline serve"), "{error}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_reply_that_took_long_is_shown_in_whole_milliseconds() {
    let latency = Latency { total_ms: 1_234.56, ..Latency::default() };
    let record = CallRecord {
        turns: vec![TurnRecord { latency: Some(latency), ..full_record(1).turns[1].clone() }],
        ..bare_record(1)
    };
    assert!(timeline::render(&record, &new_york()).contains("reply after 1235 ms:"));
}
