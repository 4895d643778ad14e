//! What every store does with closed numbers: several reasons for one, lists, what is lifted, counts.

use tokio::sync::mpsc;

use super::{arrival, closed, is_closed, opted_out};
use crate::law::facts::Closed;
use crate::pii::Pii;
use crate::store::Store;
use crate::store::lists::{Batch, ImportEnd, ImportOrder, Imported, ListState, ListVersion};
use crate::store::numbers::{KeepNumbers, NumberPolicy};
use crate::store::suppression::{BY_HAND, EVERYWHERE, Lifted, Lifting, Sought, Suppression, Which};

/// Closed by hand at the arrival of that call.
fn by_hand(number: u8, reason: &str) -> Suppression {
    Suppression {
        reason: reason.into(),
        source: BY_HAND.into(),
        call: None,
        said: None,
        note: Some(Pii::new("a letter".into())),
        by: Some("ada".into()),
        ..closed(number, EVERYWHERE)
    }
}

fn known(number: &str) -> Sought {
    NumberPolicy::FULL.sought(&Pii::new(number.to_owned()), None)
}

const NUMBER: &str = "+12025550123";

fn lifted(at: u8) -> Lifted {
    Lifted { at: arrival(at), by: "bob".into(), why: Pii::new("they changed their mind".into()) }
}

pub(crate) async fn each_reason_closes_by_itself_and_decisions_see_them_all(store: &impl Store) {
    let passing = Suppression { expires_at: Some(arrival(6)), ..by_hand(2, "dispute") };
    let of_plan = Suppression { scope: "spring".into(), ..by_hand(3, "attorney") };
    store.suppress(&[closed(1, EVERYWHERE), passing.clone(), of_plan.clone()]).await.unwrap();
    let expect = [closed(1, EVERYWHERE), passing, of_plan];
    assert_eq!(store.entries(&known("12025550123")).await.unwrap(), expect);
    let reasons = async |scopes: &[&str], at| {
        let closed: Vec<Closed> = store.closed(&known(NUMBER), scopes, arrival(at)).await.unwrap();
        closed.into_iter().map(|closed| closed.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&[], 5).await, ["opt_out", "dispute"]);
    assert_eq!(reasons(&["autumn", "spring"], 5).await, ["opt_out", "dispute", "attorney"]);
    assert_eq!(reasons(&["spring"], 6).await, ["opt_out", "attorney"], "at its end it is over");
    let first = store.closed(&known(NUMBER), &[], arrival(5)).await.unwrap().remove(1);
    assert_eq!((first.source.as_str(), first.since, first.until), (BY_HAND, arrival(2), Some(arrival(6))));
    assert_eq!(store.closed(&known("+12025550124"), &["spring"], arrival(5)).await.unwrap(), []);
}

pub(crate) async fn what_is_lifted_is_kept_and_what_a_person_asked_for_is_not_lifted_in_passing(store: &impl Store) {
    store.suppress(&[closed(1, EVERYWHERE), by_hand(2, "dispute")]).await.unwrap();
    let which = Lifting::default();
    assert_eq!(store.lift(&known(NUMBER), &which, &lifted(3)).await.unwrap(), [by_hand(2, "dispute")]);
    assert_eq!(store.lift(&known(NUMBER), &which, &lifted(4)).await.unwrap(), [], "once is enough");
    let proof = Suppression { lifted: Some(lifted(3)), ..by_hand(2, "dispute") };
    assert_eq!(store.entries(&known(NUMBER)).await.unwrap(), [closed(1, EVERYWHERE), proof.clone()]);
    assert_eq!(is_closed(store, None, arrival(9)).await, Some(closed(1, EVERYWHERE)));
    // It may be closed for the same reason again, and the proof of before stays beside it.
    store.suppress(&[by_hand(5, "dispute")]).await.unwrap();
    let expect = [closed(1, EVERYWHERE), proof, by_hand(5, "dispute")];
    assert_eq!(store.entries(&known(NUMBER)).await.unwrap(), expect);
    let other = Lifting { scope: Some("spring".into()), opt_outs: true, ..Lifting::default() };
    assert_eq!(store.lift(&known(NUMBER), &other, &lifted(6)).await.unwrap(), []);
    let all = Lifting { opt_outs: true, ..Lifting::default() };
    assert_eq!(store.lift(&known(NUMBER), &all, &lifted(6)).await.unwrap().len(), 2);
    assert_eq!(is_closed(store, None, arrival(9)).await, None);
}

pub(crate) async fn a_lifted_opt_out_stays_lifted_when_the_record_of_its_call_follows(store: &impl Store) {
    store.suppress(&[closed(1, EVERYWHERE)]).await.unwrap();
    let all = Lifting { opt_outs: true, ..Lifting::default() };
    store.lift(&known(NUMBER), &all, &lifted(2)).await.unwrap();
    store.save(&[opted_out(1)]).await.unwrap();
    assert_eq!(is_closed(store, None, arrival(9)).await, None, "the same call says nothing new");
    store.suppress(&[closed(3, EVERYWHERE)]).await.unwrap();
    assert_eq!(is_closed(store, None, arrival(9)).await, Some(closed(3, EVERYWHERE)), "another one does");
}

fn order(at: u8) -> ImportOrder {
    let list = ListVersion {
        name: "national".into(),
        source: "the registry".into(),
        scope: EVERYWHERE.into(),
        reason: "do_not_call".into(),
        read_at: arrival(at),
        read_by: "ada".into(),
        fresh_until: Some(arrival(at + 20)),
        expires_at: None,
    };
    ImportOrder { list, replaces: true, tries: false, may_shrink: false }
}

/// Keys in batches of two, and the end, where there is one.
fn batches(numbers: &[String], whole: bool) -> mpsc::Receiver<Batch> {
    let (send, batches) = mpsc::channel(64);
    for pair in numbers.chunks(2) {
        send.try_send(Batch::Numbers(Pii::new(pair.to_vec()))).unwrap();
    }
    if whole {
        send.try_send(Batch::Whole).unwrap();
    }
    batches
}

fn numbers(range: std::ops::Range<u16>) -> Vec<String> {
    range.map(|number| format!("+1202555{number:04}")).collect()
}

fn came_to(end: ImportEnd, numbers: u64, [before, added, dropped]: [u64; 3]) -> Imported {
    Imported { numbers, before, added, dropped, end, ..Imported::default() }
}

async fn closed_now(store: &impl Store, numbers: &[String]) -> Vec<bool> {
    let mut closed = Vec::new();
    for number in numbers {
        closed.push(store.suppressed(&known(number), None, arrival(30)).await.unwrap().is_some());
    }
    closed
}

pub(crate) async fn a_list_takes_the_place_of_its_last_version_and_of_nothing_else(store: &impl Store) {
    // Somebody asked for it, somebody wrote a letter, and another list has it: all of that outlives this list.
    store.suppress(&[closed(1, EVERYWHERE), by_hand(2, "do_not_call")]).await.unwrap();
    let other = ImportOrder { list: ListVersion { name: "state".into(), ..order(2).list }, ..order(2) };
    store.import(&other, batches(&numbers(123..125), true)).await.unwrap();
    let repeated = [numbers(120..126), numbers(120..122)].concat();
    let imported = store.import(&order(3), batches(&repeated, true)).await.unwrap();
    assert_eq!(imported, Imported { repeated: 2, ..came_to(ImportEnd::Done, 6, [0, 6, 0]) });
    let imported = store.import(&order(4), batches(&numbers(124..130), true)).await.unwrap();
    assert_eq!(imported, came_to(ImportEnd::Done, 6, [6, 4, 4]));
    let expect: Vec<bool> = (120..130).map(|number| number >= 123).collect();
    assert_eq!(closed_now(store, &numbers(120..130)).await, expect);
    let sources: Vec<_> = store.closed(&known(NUMBER), &[], arrival(9)).await.unwrap();
    let sources: Vec<_> = sources.iter().map(|closed| closed.source.as_str()).collect();
    assert_eq!(sources, ["call", "hand", "the registry"], "the other list's");
    // What left the list is proof of when it stood there.
    let gone = store.entries(&known("+12025550120")).await.unwrap().remove(0);
    assert_eq!((gone.list.as_deref(), gone.created_at), (Some("national"), arrival(3)));
    assert_eq!(gone.lifted.map(|lifted| (lifted.at, lifted.by)), Some((arrival(4), "ada".to_owned())));
    // Lifting by hand opens no list, unless it is named.
    let other = known("+12025550124");
    assert_eq!(store.lift(&other, &Lifting::default(), &lifted(5)).await.unwrap(), []);
    let of_list = Lifting { list: Some("national".into()), ..Lifting::default() };
    assert_eq!(store.lift(&other, &of_list, &lifted(5)).await.unwrap().len(), 1);
    // To add opens nobody.
    let more = ImportOrder { replaces: false, ..order(6) };
    let imported = store.import(&more, batches(&numbers(140..141), true)).await.unwrap();
    assert_eq!(imported, came_to(ImportEnd::Done, 1, [5, 1, 0]));
}

pub(crate) async fn a_list_that_breaks_off_or_shrinks_leaves_the_last_one_whole(store: &impl Store) {
    store.import(&order(1), batches(&numbers(100..110), true)).await.unwrap();
    let whole = |list: Vec<ListState>| list.into_iter().map(|one| (one.list.read_at, one.numbers)).collect::<Vec<_>>();
    let broken = store.import(&order(2), batches(&numbers(104..120), false)).await.unwrap();
    assert_eq!(broken, came_to(ImportEnd::Broken, 16, [0, 0, 0]));
    let empty = store.import(&order(2), batches(&[], true)).await.unwrap();
    assert_eq!(empty.end, ImportEnd::Empty);
    let shrunk = store.import(&order(2), batches(&numbers(100..104), true)).await.unwrap();
    assert_eq!(shrunk, came_to(ImportEnd::Shrunk, 4, [10, 0, 6]));
    let tried = ImportOrder { tries: true, ..order(2) };
    let tried = store.import(&tried, batches(&numbers(100..120), true)).await.unwrap();
    assert_eq!(tried, came_to(ImportEnd::Tried, 20, [10, 10, 0]));
    // A task that is dropped while it writes.
    for steps in [1, 2, 4, 8, 16, 32] {
        let (order, batches) = (order(2), batches(&numbers(105..125), true));
        let import = store.import(&order, batches);
        tokio::pin!(import);
        for _ in 0..steps {
            let given_up = tokio::select! { biased; _ = &mut import => true, () = tokio::task::yield_now() => false };
            if given_up {
                break;
            }
        }
    }
    let left = whole(store.lists().await.unwrap());
    assert!(left == [(arrival(1), 10)] || left == [(arrival(2), 20)], "{left:?}");
    let now = closed_now(store, &numbers(100..125)).await;
    let kept: Vec<bool> = (100..125).map(|number| number < 110).collect();
    let new: Vec<bool> = (100..125).map(|number| number >= 105).collect();
    assert!(now == kept || now == new, "{now:?}");
    // And it can be imported again.
    let may = ImportOrder { may_shrink: true, ..order(3) };
    store.import(&may, batches(&numbers(100..101), true)).await.unwrap();
    assert_eq!(whole(store.lists().await.unwrap()), [(arrival(3), 1)]);
}

pub(crate) async fn a_list_that_is_read_again_changes_nothing_but_its_day(store: &impl Store) {
    store.import(&order(1), batches(&numbers(123..125), true)).await.unwrap();
    let before = store.entries(&known(NUMBER)).await.unwrap();
    let again = store.import(&order(2), batches(&numbers(123..125), true)).await.unwrap();
    assert_eq!(again, came_to(ImportEnd::Same, 2, [2, 0, 0]));
    assert_eq!(store.entries(&known(NUMBER)).await.unwrap(), before);
    let expect = ListState { list: order(2).list, numbers: 2 };
    assert_eq!(store.lists().await.unwrap(), [expect]);
    let longer = ListVersion { expires_at: Some(arrival(9)), ..order(3).list };
    let longer = ImportOrder { list: longer, ..order(3) };
    let changed = store.import(&longer, batches(&numbers(123..125), true)).await.unwrap();
    assert_eq!(changed, Imported { changed: 2, ..came_to(ImportEnd::Done, 2, [2, 0, 0]) });
    assert_eq!(is_closed(store, None, arrival(9)).await, None);
    let entry = is_closed(store, None, arrival(8)).await.unwrap();
    assert_eq!((entry.list.as_deref(), entry.source.as_str()), (Some("national"), "the registry"));
}

pub(crate) async fn entries_are_counted_by_kind_and_paged_through(store: &impl Store) {
    let passing = Suppression { expires_at: Some(arrival(5)), ..by_hand(2, "dispute") };
    store.suppress(&[closed(1, EVERYWHERE), passing, closed(3, "spring")]).await.unwrap();
    store.import(&order(4), batches(&numbers(100..107), true)).await.unwrap();
    store
        .lift(&known("+12025550100"), &Lifting { list: Some("national".into()), ..Lifting::default() }, &lifted(5))
        .await
        .unwrap();
    let tally = store.tally(&Which::default(), arrival(9)).await.unwrap();
    let counts: Vec<_> =
        tally.iter().map(|one| (one.scope.as_str(), one.reason.as_str(), [one.open, one.over, one.lifted])).collect();
    let expect = [
        (EVERYWHERE, "dispute", [0, 1, 0]),
        (EVERYWHERE, "do_not_call", [6, 0, 1]),
        (EVERYWHERE, "opt_out", [1, 0, 0]),
        ("spring", "opt_out", [1, 0, 0]),
    ];
    assert_eq!(counts, expect);
    let of_list = Which { list: Some("national".into()), since: Some(arrival(4)), ..Which::default() };
    assert_eq!(store.tally(&of_list, arrival(9)).await.unwrap().len(), 1);
    let (mut place, mut found) = (0, Vec::new());
    loop {
        let (page, next) = store.page(&Which::default(), place, 3).await.unwrap();
        assert!(page.len() <= 3);
        found.extend(page);
        if next == place {
            break;
        }
        place = next;
    }
    assert_eq!((found.len(), &found[0]), (10, &closed(1, EVERYWHERE)));
    let none = Which { scope: Some("autumn".into()), ..Which::default() };
    assert_eq!(store.page(&none, 0, 3).await.unwrap(), (Vec::new(), 0));
}

pub(crate) async fn hashed_numbers_are_closed_and_opened_like_plain_ones(store: &impl Store) {
    let home = tempfile::tempdir().unwrap();
    let hashing = NumberPolicy::open(KeepNumbers::Hashed, home.path(), [7; 32]).unwrap();
    let pii = |number: &str| Pii::new(number.to_owned());
    // Before the setting changed, and after.
    store.suppress(&[by_hand(1, "dispute")]).await.unwrap();
    let keys: Vec<String> = numbers(123..126).iter().map(|number| hashing.key(&pii(number)).into_inner()).collect();
    store.import(&order(2), batches(&keys, true)).await.unwrap();
    let sought = hashing.sought(&pii("(202) 555-0123"), Some("US"));
    let closed = store.closed(&sought, &[], arrival(9)).await.unwrap();
    assert_eq!(closed.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["dispute", "do_not_call"]);
    assert!(store.entries(&sought).await.unwrap()[1].number.reveal().starts_with('#'));
    let of_list = Lifting { list: Some("national".into()), ..Lifting::default() };
    assert_eq!(store.lift(&sought, &of_list, &lifted(3)).await.unwrap().len(), 1);
    assert_eq!(store.lift(&sought, &Lifting::default(), &lifted(3)).await.unwrap().len(), 1);
    assert_eq!(store.suppressed(&sought, None, arrival(9)).await.unwrap(), None);
    let next = hashing.sought(&pii("+12025550124"), None);
    assert!(store.suppressed(&next, None, arrival(9)).await.unwrap().is_some());
}
