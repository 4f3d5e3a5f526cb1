//! What holds for any two configurations.

use proptest::prelude::*;

use super::samples::{config, group, producer, topic};
use super::*;
use crate::config::{PropertyValue, Protocol, Rate, Then, Topic, Watch};

/// Takes one step on the configuration alone; panics where it does not link up with what was.
fn take(step: &Step, config: &mut Config) {
    match step.clone() {
        Step::ChangeKafka { was, now, .. } => {
            assert_eq!(std::mem::replace(&mut config.kafka, now), was);
        }
        Step::EnsureTopic { topic, now, .. } => {
            if now.dead_letters_of.is_empty() {
                let topic_config = Topic {
                    partitions: now.partitions,
                    replication: now.replication,
                    config: now.config,
                    create: now.create,
                };
                config.topics.insert(topic, topic_config);
            }
        }
        Step::ChangeLog { was, now, .. } => {
            assert_eq!(std::mem::replace(&mut config.log, now), was);
        }
        Step::ChangeDaemon { was, now, .. } => {
            assert_eq!(std::mem::replace(&mut config.daemon, now), was);
        }
        Step::ChangeGroup {
            group, was, now, ..
        }
        | Step::ReplaceMembers {
            group, was, now, ..
        } => {
            assert_eq!(was.members, now.members);
            assert_eq!(
                config.groups.insert(group, (*now).clone()),
                Some((*was).clone())
            );
        }
        Step::StartMembers {
            group,
            numbers,
            was,
            now,
        } => {
            assert_eq!(numbers, (was.members + 1..=now.members).collect::<Vec<_>>());
            assert_eq!(
                config.groups.insert(group, (*now).clone()),
                Some((*was).clone())
            );
        }
        Step::StopMembers {
            group,
            numbers,
            was,
            now,
        } => {
            let expected: Vec<u32> = (now.members + 1..=was.members).rev().collect();
            assert_eq!(numbers, expected);
            assert_eq!(
                config.groups.insert(group, (*now).clone()),
                Some((*was).clone())
            );
        }
        Step::AddGroup { group, now } => {
            assert_eq!(config.groups.insert(group, (*now).clone()), None);
        }
        Step::RemoveGroup { group, was } => {
            assert_eq!(config.groups.remove(&group), Some((*was).clone()));
        }
        Step::AddProducer { producer, now } => {
            assert_eq!(config.producers.insert(producer, (*now).clone()), None);
        }
        Step::ChangeProducer {
            producer, was, now, ..
        }
        | Step::ReplaceProducer {
            producer, was, now, ..
        } => {
            let before = config.producers.insert(producer, (*now).clone());
            assert_eq!(before, Some((*was).clone()));
        }
        Step::RemoveProducer { producer, was } => {
            assert_eq!(config.producers.remove(&producer), Some((*was).clone()));
        }
    }
}

prop_compose! {
    fn any_group()(
        members in 1u32..5,
        rate in prop_oneof![Just(Rate::Unlimited), Just(Rate::PerSecond(2.0))],
        in_flight in 1usize..3,
        wide in any::<bool>(),
        buffer in 1u64..3,
        consumer in any::<bool>(),
        dead_letter in any::<bool>(),
        retries in 0u32..2,
    ) -> Group {
        let mut made = group(members);
        made.rate = rate;
        made.in_flight = in_flight;
        made.buffer = buffer;
        if wide {
            made.topics.push("Other".to_owned());
        }
        if consumer {
            made.protocol = Protocol::Consumer;
        }
        if dead_letter {
            made.on_failure.then = Then::DeadLetter;
        }
        made.on_failure.retries = retries;
        made
    }
}

prop_compose! {
    fn any_producer()(rate in 1u32..3, seed in prop::option::of(0u64..2), other in any::<bool>()) -> Producer {
        let mut made = producer(f64::from(rate));
        made.seed = seed;
        if other {
            made.topic = "Other".to_owned();
        }
        made
    }
}

prop_compose! {
    fn any_config()(
        groups in prop::collection::btree_map("[abc]", any_group(), 0..3),
        producers in prop::collection::btree_map("[pq]", any_producer(), 0..2),
        topics in prop::collection::btree_map("Delivery|Other|Delivery.dead", 1i32..4, 0..3),
        server in "[xy]",
        secret in "[mn]",
        level in "info|debug",
        watch in prop_oneof![Just(Watch::Events), Just(Watch::Poll)],
    ) -> Config {
        let mut made = config();
        made.groups = groups;
        made.producers = producers;
        made.topics = topics.into_iter().map(|(name, size)| (name, topic(size))).collect();
        made.kafka.brokers = Brokers::Servers(server);
        made.kafka.properties.insert("sasl.password".to_owned(), PropertyValue::Secret(secret));
        made.log.level = level;
        made.daemon.watch = watch;
        made
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever runs, wanting the same asks for nothing.
    #[test]
    fn the_same_is_an_empty_plan(a in any_config()) {
        prop_assert_eq!(plan(&a, &a), Plan::default());
    }

    /// The steps lead from what runs to what is wanted, each from where the one before ended.
    #[test]
    fn the_steps_lead_to_what_is_wanted(a in any_config(), b in any_config()) {
        let plan = plan(&a, &b);
        prop_assume!(plan.refused.is_empty());
        let mut reached = a.clone();
        for step in &plan.steps {
            take(step, &mut reached);
            prop_assert!(!step.lines().is_empty());
        }
        reached.topics.retain(|name, _| b.topics.contains_key(name));
        // A dead-letter topic that was there before is configured without a step.
        for (name, needed) in needed_topics(&b) {
            if needed.dead_letters_of.is_empty() && !plan_ensures(&plan, &name) {
                reached.topics.insert(name.clone(), b.topics[&name].clone());
                prop_assert!(needed_topics(&a).contains_key(&name));
            }
        }
        prop_assert_eq!(reached, b);
    }

    /// From any point of the way the inverse steps lead back to what ran.
    #[test]
    fn the_inverse_steps_lead_back(a in any_config(), b in any_config(), share in 0.0..1.0f64) {
        let plan = plan(&a, &b);
        prop_assume!(plan.refused.is_empty());
        let taken = &plan.steps[..(plan.steps.len() as f64 * share).round() as usize];
        let mut reached = a.clone();
        taken.iter().for_each(|step| take(step, &mut reached));
        let undone = taken.iter().rev().filter_map(Step::inverse);
        undone.for_each(|step| take(&step, &mut reached));
        reached.topics.clone_from(&a.topics);
        prop_assert_eq!(reached, a);
    }
}

fn plan_ensures(plan: &Plan, name: &str) -> bool {
    plan.steps
        .iter()
        .any(|step| matches!(step, Step::EnsureTopic { topic, .. } if topic == name))
}
