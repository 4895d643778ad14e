//! Which connection carries what. No socket: connections that stand are queues.

use super::*;

/// A house with no connection, and no certificates to open one over TLS.
fn streams() -> Streams {
    let (news, _) = mpsc::channel(1);
    Streams::new(false, None, Patience::default(), news)
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// A connection that stands.
fn stand(streams: &mut Streams, transport: Transport, far: &str, proves: Option<&str>) -> mpsc::Receiver<Bytes> {
    let (queue, queued) = mpsc::channel(QUEUE);
    let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
    let slot = (transport, at(far), proves.map(str::to_owned));
    let stranger = Arc::new(AtomicBool::new(proves.is_none()));
    streams.open.insert(slot, Connection { queue, task, serial: 7, stranger });
    queued
}

#[tokio::test]
async fn a_tls_connection_carries_only_what_is_for_the_name_it_proves() {
    let mut streams = streams();
    let (ours, theirs) = ("192.0.2.1:5061", "192.0.2.1:40000");
    let mut carried = stand(&mut streams, Transport::Tls, ours, Some("carrier.example"));
    let mut answers = stand(&mut streams, Transport::Tls, theirs, None);
    let mut goes = |far: &str, towards: Option<&str>| {
        let went = streams.send(&Hop::new(Transport::Tls, at(far)), Bytes::from_static(b"x"), towards);
        let heard = usize::from(carried.try_recv().is_ok()) + usize::from(answers.try_recv().is_ok());
        assert_eq!(usize::from(went), heard, "{far} {towards:?}");
        went
    };
    assert!(goes(ours, Some("carrier.example")) && goes(ours, None));
    assert!(!goes(ours, Some("other.example")), "another name that leads to the same address");
    assert!(goes(ours, Some("192.0.2.1")), "an address names nobody");
    assert!(goes(theirs, None), "answers, and requests inside the dialog");
    assert!(!goes(theirs, Some("carrier.example")), "who came to us has proved no name");
    assert!(!goes(theirs, Some("192.0.2.1")));
}

#[tokio::test]
async fn a_connection_that_ends_leaves_its_neighbour_of_another_name() {
    let mut streams = streams();
    let far = "192.0.2.1:5061";
    let _one = stand(&mut streams, Transport::Tls, far, Some("one.example"));
    let _two = stand(&mut streams, Transport::Tls, far, Some("two.example"));
    streams.open.values_mut().next_back().unwrap().serial = 8;
    assert!(streams.forget((Transport::Tls, at(far)), 7));
    assert!(!streams.forget((Transport::Tls, at(far)), 7), "once");
    assert_eq!(streams.open.keys().map(|slot| slot.2.as_deref()).collect::<Vec<_>>(), [Some("two.example")]);
}

#[tokio::test]
async fn a_plain_connection_proves_nothing_and_is_used_by_all() {
    let mut streams = streams();
    let mut queue = stand(&mut streams, Transport::Tcp, "192.0.2.1:5060", None);
    let hop = Hop::new(Transport::Tcp, at("192.0.2.1:5060"));
    assert!(streams.send(&hop, Bytes::from_static(b"x"), Some("carrier.example")));
    assert!(queue.try_recv().is_ok());
}

/// One household of IPv6 has more addresses than we have connections; whoever has become known is no stranger.
#[tokio::test]
async fn strangers_are_counted_by_household_until_they_are_known() {
    let mut streams = streams();
    let far = |last: usize| format!("[2001:db8:1:2::{last:x}]:5060");
    for last in 1..=MAX_OF_ONE_STRANGER {
        assert!(!streams.is_crowded(at(&far(99)).ip()), "{last}");
        drop(stand(&mut streams, Transport::Tcp, &far(last), None));
    }
    assert!(streams.is_crowded(at(&far(99)).ip()));
    assert!(!streams.is_crowded(at("[2001:db8:1:3::1]:5060").ip()), "the neighbours");
    streams.promote((Transport::Tcp, at(&far(1))), || false);
    assert!(streams.is_crowded(at(&far(99)).ip()));
    streams.promote((Transport::Tcp, at(&far(1))), || true);
    assert!(!streams.is_crowded(at(&far(99)).ip()));
}
