//! Searches as rows: a little zone, a target, the hops that come out.

use std::collections::BTreeMap;

use super::*;
use crate::sip::uri::Uri;

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// `NAPTR name order pref service replacement`, `SRV name prio weight port target`, `A name address`.
fn zone(text: &str) -> BTreeMap<Question, Vec<Answer>> {
    let mut zone: BTreeMap<Question, Vec<Answer>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words[1].to_owned();
        let number = |at: usize| words[at].parse::<u16>().unwrap();
        let (question, answer) = match words[0] {
            "NAPTR" => {
                let (service, replacement) = (words[4].to_owned(), words[5].to_owned());
                let flags = "s".to_owned();
                let (order, preference) = (number(2), number(3));
                (Question::Naptr(name), Answer::Naptr { order, preference, flags, service, replacement })
            }
            "SRV" => {
                let target = words[5].to_owned();
                let (priority, weight, port) = (number(2), number(3), number(4));
                (Question::Srv(name), Answer::Srv { priority, weight, port, target })
            }
            _ => {
                let address: IpAddr = words[2].parse().unwrap();
                let question = if address.is_ipv4() { Question::A(name) } else { Question::Aaaa(name) };
                (question, Answer::Address(address))
            }
        };
        zone.entry(question).or_default().push(answer);
    }
    zone
}

fn search(uri: &str, speaks: &[Transport], text: &str, random: u64) -> (Vec<String>, usize) {
    let zone = zone(text);
    let mut search = Search::new(Target::of(&Uri::parse(uri).unwrap()).unwrap(), speaks, random);
    let mut asked = 0;
    loop {
        match search.poll() {
            Step::Ask(question) => {
                asked += 1;
                search.handle(&question, zone.get(&question).cloned().unwrap_or_default());
            }
            Step::Done(hops) => return (hops.iter().map(ToString::to_string).collect(), asked),
        }
    }
}

#[test]
fn targets_lead_where_the_standard_says() {
    let full = "NAPTR c.example 50 50 SIPS+D2T _sips._tcp.c.example.
                NAPTR c.example 90 50 SIP+D2T _sip._tcp.c.example
                NAPTR c.example 100 50 SIP+D2U _sip._udp.c.example
                SRV _sips._tcp.c.example 0 1 5061 s1.c.example
                SRV _sip._tcp.c.example 0 1 5060 s1.c.example
                SRV _sip._udp.c.example 0 1 5060 s1.c.example.
                SRV _sip._udp.c.example 1 1 5070 s2.c.example
                A s1.c.example 192.0.2.1
                A s1.c.example 2001:db8::1
                A s2.c.example 192.0.2.2
                A c.example 192.0.2.9";
    let plain = "A c.example 192.0.2.9";
    for (uri, speaks, text, hops) in [
        ("sip:192.0.2.5", &ALL[..], "", vec!["udp:192.0.2.5:5060"]),
        ("sips:[2001:db8::5]", &ALL, "", vec!["tls:[2001:db8::5]:5061"]),
        ("sip:c.example:5080", &ALL, full, vec!["udp:192.0.2.9:5080"]),
        ("sip:c.example:5080;transport=tls", &ALL, full, vec!["tls:192.0.2.9:5080"]),
        (
            "sip:c.example;transport=udp",
            &ALL,
            full,
            vec!["udp:[2001:db8::1]:5060", "udp:192.0.2.1:5060", "udp:192.0.2.2:5070"],
        ),
        ("sip:c.example;transport=tls", &ALL, full, vec!["tls:[2001:db8::1]:5061", "tls:192.0.2.1:5061"]),
        ("sips:c.example", &ALL, full, vec!["tls:[2001:db8::1]:5061", "tls:192.0.2.1:5061"]),
        ("sip:c.example", &ALL[..1], full, vec!["udp:[2001:db8::1]:5060", "udp:192.0.2.1:5060", "udp:192.0.2.2:5070"]),
        ("sip:c.example", &ALL, plain, vec!["udp:192.0.2.9:5060"]),
        ("sips:c.example", &ALL, plain, vec!["tls:192.0.2.9:5061"]),
        ("sip:c.example;transport=tcp", &ALL, plain, vec!["tcp:192.0.2.9:5060"]),
        ("sips:c.example", &ALL[..2], full, vec![]),
        ("sip:nowhere.example", &ALL, full, vec![]),
    ] {
        assert_eq!(search(uri, speaks, text, 1).0, hops, "{uri}");
    }
    let (hops, _) = search("sip:c.example", &ALL, full, 1);
    assert_eq!(hops.first().map(String::as_str), Some("tls:[2001:db8::1]:5061"), "NAPTR prefers TLS");
    assert_eq!(hops.len(), 7, "all three services, one behind the other: {hops:?}");
}

#[test]
fn without_naptr_plain_transports_come_before_tls() {
    let zone = "SRV _sips._tcp.c 0 1 5061 s
                SRV _sip._tcp.c 0 1 5062 s
                A s 192.0.2.1";
    assert_eq!(search("sip:c", &ALL, zone, 1).0, ["tcp:192.0.2.1:5062", "tls:192.0.2.1:5061"]);
}

#[test]
fn records_of_equal_priority_share_by_weight() {
    let zone = "SRV _sip._udp.c 5 0 5060 rare
                SRV _sip._udp.c 5 30 5060 some
                SRV _sip._udp.c 5 70 5060 most
                SRV _sip._udp.c 9 99 5060 last
                A rare 192.0.2.1\nA some 192.0.2.2\nA most 192.0.2.3\nA last 192.0.2.4";
    let mut first: BTreeMap<String, u32> = BTreeMap::new();
    for random in 0..2_000 {
        let (hops, _) = search("sip:c;transport=udp", &ALL, zone, random);
        assert_eq!(hops.len(), 4);
        assert_eq!(hops[3], "udp:192.0.2.4:5060");
        *first.entry(hops[0].clone()).or_default() += 1;
    }
    assert!((500..700).contains(&first["udp:192.0.2.2:5060"]), "{first:?}");
    assert!((1_250..1_500).contains(&first["udp:192.0.2.3:5060"]), "{first:?}");
    assert!(first["udp:192.0.2.1:5060"] < 100, "{first:?}");
}

#[test]
fn a_service_that_is_not_offered_and_rubbish_lead_to_the_name_itself() {
    let zone = "SRV _sip._udp.c 0 0 5060 .
                SRV _sip._udp.c 0 0 0 x
                NAPTR c 1 1 E2U+sip x
                A c 192.0.2.9";
    assert_eq!(search("sip:c", &ALL, zone, 1).0, ["udp:192.0.2.9:5060"]);
}

#[test]
fn a_zone_without_end_is_left_in_time() {
    let mut text = String::new();
    for count in 0..500 {
        text.push_str(&format!("SRV _sip._udp.c {count} 1 5060 h{count}\n"));
        for last in 0..4 {
            text.push_str(&format!("A h{count} 10.0.{}.{last}\n", count % 250));
        }
    }
    let (hops, asked) = search("sip:c;transport=udp", &ALL, &text, 1);
    assert!(hops.len() == MAX_HOPS && asked <= MAX_QUESTIONS, "{} {asked}", hops.len());
    let endless: String = (0..500).map(|count| format!("SRV _sip._udp.c {count} 1 5060 h{count}\n")).collect();
    let (hops, asked) = search("sip:c;transport=udp", &ALL, &endless, 1);
    assert!(hops.is_empty() && asked <= MAX_QUESTIONS, "{asked}");
}
