use super::*;

const INTERVAL: Duration = Duration::from_millis(100);

fn ready() -> (Transaction, Bounds) {
    let mut transaction = Transaction::new();
    let now = Instant::now();
    assert!(!transaction.takes(now), "not before the id is ours");
    let heard = transaction.heard(TransactionOutcome::Ready, now);
    assert!(matches!(heard, Heard::Ready));
    let bounds = Bounds {
        now,
        interval: INTERVAL,
        bytes: 1000,
        hurry: false,
        unanswered: false,
    };
    (transaction, bounds)
}

fn with_effects() -> (Transaction, Bounds) {
    let (mut transaction, bounds) = ready();
    transaction.add(bounds.now, 10);
    transaction.has_begun();
    (transaction, bounds)
}

fn error() -> KafkaError {
    KafkaError {
        message: "the group has moved on".into(),
        code: "ILLEGAL_GENERATION".into(),
        retriable: false,
        fatal: false,
        aborts: true,
    }
}

/// It takes messages until its interval is over, then waits for what was sent, then commits.
#[test]
fn a_transaction_is_committed_when_its_time_is_over_and_all_is_acknowledged() {
    let (mut transaction, mut bounds) = with_effects();
    bounds.unanswered = true;
    assert_eq!(transaction.step(bounds), Step::Nothing);
    assert!(transaction.takes(bounds.now));
    let look = bounds.now + INTERVAL - LOOK_BEFORE;
    assert_eq!(transaction.due(INTERVAL), Some(look));
    assert!(!transaction.looks_after_the_group(bounds.now, INTERVAL));
    assert!(transaction.looks_after_the_group(look, INTERVAL));
    assert!(!transaction.looks_after_the_group(look, INTERVAL), "once");
    assert_eq!(transaction.due(INTERVAL), Some(bounds.now + INTERVAL));
    bounds.now += INTERVAL;
    assert_eq!(transaction.step(bounds), Step::Flush);
    assert!(!transaction.takes(bounds.now), "nothing starts any more");
    assert_eq!(transaction.step(bounds), Step::Nothing);
    bounds.unanswered = false;
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    assert_eq!(transaction.step(bounds), Step::Nothing);
    let heard = transaction.heard(TransactionOutcome::Committed, bounds.now);
    assert!(matches!(heard, Heard::Committed));
    assert!(transaction.takes(bounds.now) && transaction.is_settled());
}

/// It does not grow beyond its bytes.
#[test]
fn a_full_transaction_is_committed_before_its_time() {
    let (mut transaction, bounds) = with_effects();
    transaction.add(bounds.now, 990);
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
}

/// Nothing in it and nobody waiting: no transaction.
#[test]
fn nothing_is_committed_where_there_is_nothing() {
    let (mut transaction, mut bounds) = ready();
    bounds.now += INTERVAL * 10;
    assert_eq!(transaction.step(bounds), Step::Nothing);
    assert_eq!(transaction.due(INTERVAL), None);
    bounds.hurry = true;
    assert_eq!(transaction.step(bounds), Step::Commit { begin: true });
    transaction.is_empty_after_all();
    assert!(transaction.is_settled());
}

/// What must not be committed is aborted, at once, and what was in it is read again.
#[test]
fn a_doomed_transaction_is_aborted() {
    let (mut transaction, mut bounds) = with_effects();
    bounds.unanswered = true;
    transaction.doom("the partitions are gone".into(), false);
    assert!(!transaction.takes(bounds.now));
    let why = "the partitions are gone".to_owned();
    assert_eq!(transaction.step(bounds), Step::Abort(why));
    assert_eq!(transaction.step(bounds), Step::Nothing);
    let heard = transaction.heard(TransactionOutcome::Aborted, bounds.now);
    assert!(matches!(heard, Heard::ReadAgain));
    assert!(!transaction.takes(bounds.now), "it rests");
    assert!(transaction.takes(bounds.now + REST));
}

/// Nothing was sent: there is nothing to abort at the broker.
#[test]
fn a_doomed_transaction_without_effects_is_only_read_again() {
    let (mut transaction, bounds) = ready();
    transaction.add(bounds.now, 0);
    transaction.doom("why".into(), true);
    assert_eq!(transaction.step(bounds), Step::ReadAgain("why".into()));
    assert!(transaction.takes(bounds.now), "the message waits, no other");
}

/// A commit that the group refuses is aborted; one that fails again and again rests longer.
#[test]
fn a_refused_commit_is_aborted_and_rests_longer_each_time() {
    let (mut transaction, mut bounds) = ready();
    let mut rests = Vec::new();
    for _ in 0..8 {
        bounds.hurry = true;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: true });
        let heard = transaction.heard(TransactionOutcome::MustAbort(error()), bounds.now);
        let Heard::Refused(error) = heard else {
            panic!("{heard:?}");
        };
        transaction.doom(error.message, false);
        let why = "the group has moved on".to_owned();
        assert_eq!(transaction.step(bounds), Step::Abort(why));
        transaction.heard(TransactionOutcome::Aborted, bounds.now);
        assert_eq!(transaction.step(bounds), Step::Nothing, "it rests");
        let until = transaction.due(INTERVAL).expect("a rest");
        rests.push((until - bounds.now).as_millis());
        bounds.now = until;
    }
    assert_eq!(rests, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
}

/// What is on its way to be committed is not aborted any more: its offsets go with it.
#[test]
fn a_commit_under_way_is_not_doomed() {
    let (mut transaction, mut bounds) = with_effects();
    bounds.hurry = true;
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    transaction.doom("too late".into(), false);
    assert_eq!(transaction.step(bounds), Step::Nothing);
    transaction.heard(TransactionOutcome::Committed, bounds.now);
    assert!(transaction.is_settled());
}

/// Until a commit is answered, by the broker or by the next producer's beginning, nobody knows where
/// a partition that comes back goes on.
#[test]
fn the_offsets_are_in_doubt_until_a_commit_or_an_abort_is_over() {
    assert!(Transaction::new().is_in_doubt(), "an earlier life's");
    let (mut transaction, mut bounds) = with_effects();
    assert!(!transaction.is_in_doubt(), "nothing is under way");
    bounds.hurry = true;
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    assert!(transaction.is_in_doubt());
    assert!(transaction.anew(bounds.now).is_in_doubt());
    transaction.heard(TransactionOutcome::Committed, bounds.now);
    assert!(!transaction.is_in_doubt());

    let (mut transaction, bounds) = with_effects();
    transaction.doom("the partitions are gone".into(), false);
    assert!(transaction.is_in_doubt());
    assert!(matches!(transaction.step(bounds), Step::Abort(_)));
    assert!(transaction.is_in_doubt());
    transaction.heard(TransactionOutcome::Aborted, bounds.now);
    assert!(!transaction.is_in_doubt());
}

/// A message under suspicion has a transaction for itself, so that it alone is to blame.
#[test]
fn a_suspect_has_a_transaction_for_itself() {
    let (mut transaction, bounds) = with_effects();
    assert!(!transaction.makes_room(), "there are others in it");
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    transaction.heard(TransactionOutcome::Committed, bounds.now);
    assert!(transaction.makes_room());
    transaction.begin_alone();
    transaction.add(bounds.now, 10);
    transaction.has_begun();
    assert!(!transaction.takes(bounds.now), "no other");
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    transaction.heard(TransactionOutcome::Committed, bounds.now);
    assert!(transaction.takes(bounds.now));
}

/// Effects without offsets are never committed.
#[test]
fn effects_without_offsets_are_aborted() {
    let (mut transaction, mut bounds) = with_effects();
    bounds.hurry = true;
    assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    transaction.is_empty_after_all();
    assert!(matches!(transaction.step(bounds), Step::Abort(_)));
}

/// Whoever was fenced begins anew with another producer, and longer after each time.
#[test]
fn a_fenced_producer_has_no_way_back() {
    let (mut transaction, bounds) = with_effects();
    let fenced = KafkaError {
        fatal: true,
        ..error()
    };
    let heard = transaction.heard(TransactionOutcome::Broken(fenced), bounds.now);
    assert!(matches!(heard, Heard::Broken(error) if error.fatal));
    let mut next = transaction.anew(bounds.now);
    assert!(next.is_settled() && !next.takes(bounds.now));
    assert_eq!(next.rest_left(bounds.now), REST);
    next.heard(TransactionOutcome::Ready, bounds.now);
    assert!(!next.takes(bounds.now) && next.takes(bounds.now + REST));
    let after = next.anew(bounds.now);
    assert_eq!(after.rests_until, Some(bounds.now + REST * 2));
}
