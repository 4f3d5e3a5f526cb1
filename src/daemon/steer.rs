//! Pause, resume and seek, as they are asked over the control socket: what is meant, who has it, and
//! what to say of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::suggest;
use crate::control::Refusal;
use crate::control::protocol::{
    Elsewhere, Held, Kind, Move, Place, Resume, Seek, SeekMove, SeekPlan, SeekTo, Sought,
    SoughtPartition, Steered, Target,
};
use crate::kafka::{self, Owner, Partition};
use crate::member::Scope;
use crate::topology::{Holding, Running};

/// Beyond what a seek itself may take.
const SEEK_GRACE: Duration = Duration::from_secs(30);

/// What a command is about.
enum Meant {
    Producer,
    Group(Scope),
}

/// Has something start nothing more.
pub(super) async fn pause(running: &Running, target: &Target) -> Result<Steered, Refusal> {
    let name = &target.name;
    let scope = match meant(running, target)? {
        Meant::Producer => {
            running.set_producer_paused(name, true);
            return Ok(of_producer(format!("producer {name} is paused")));
        }
        Meant::Group(scope) => scope,
    };
    must_hold(running, name, &scope, &running.holding(name).await).await?;
    let holding = running.set_paused(name, &scope, true).await;
    let mut steered = steered(running, name, &scope, &holding).await;
    steered.done =
        format!("{target} is paused here: nothing more starts, and what is in flight is finished");
    if steered.partitions.is_empty() {
        let note = "no partition of it is held here now; one that comes is paused";
        steered.notes.push(note.to_owned());
    }
    Ok(steered)
}

/// Has what is paused or stuck go on.
pub(super) async fn resume(running: &mut Running, wanted: &Resume) -> Result<Steered, Refusal> {
    let (target, name) = (&wanted.target, &wanted.target.name);
    let scope = match meant(running, target)? {
        Meant::Producer if wanted.dead_letter_one => {
            let why = format!("`{name}` is a producer, which has no stuck message");
            return Err(Refusal::Wrong(why));
        }
        Meant::Producer => {
            running.set_producer_paused(name, false);
            return Ok(of_producer(format!("producer {name} goes on")));
        }
        Meant::Group(scope) => scope,
    };
    let before = running.holding(name).await;
    must_hold(running, name, &scope, &before).await?;
    let done = if wanted.dead_letter_one {
        give_up(running, name, &scope, &before).await?
    } else {
        resume_stuck(running, name, &scope, &before);
        format!("{target} goes on here")
    };
    let holding = running.set_paused(name, &scope, false).await;
    let mut steered = steered(running, name, &scope, &holding).await;
    steered.done = done;
    Ok(steered)
}

async fn give_up(
    running: &mut Running,
    name: &str,
    scope: &Scope,
    holding: &Holding,
) -> Result<String, Refusal> {
    let Scope::Partition(partition) = scope else {
        let why = "--dead-letter-one is about one message: say GROUP TOPIC:PARTITION";
        return Err(Refusal::Wrong(why.to_owned()));
    };
    let Some((member, _)) = holding.held.get(partition) else {
        return Err(Refusal::Impossible(format!("{partition} is not held here")));
    };
    let given_up = running.give_up_stuck(name, member, partition).await;
    let given_up = given_up.map_err(Refusal::Impossible)?;
    Ok(format!(
        "{partition}@{} goes to {} as a dead letter, and {name} goes on behind it",
        given_up.offset, given_up.topic
    ))
}

fn resume_stuck(running: &Running, name: &str, scope: &Scope, holding: &Holding) {
    if *scope == Scope::Group {
        return running.resume_stuck_in(name, None);
    }
    let stuck = holding.held.values().map(|(_, report)| report);
    for report in stuck.filter(|report| report.stuck.is_some() && scope.covers(&report.partition)) {
        running.resume_stuck_in(name, Some(&report.partition));
    }
}

/// What a seek would do.
pub(super) async fn plan_seek(running: &Running, wanted: &SeekTo) -> Result<SeekPlan, Refusal> {
    let (target, name) = (&wanted.target, &wanted.target.name);
    let Meant::Group(scope) = meant(running, target)? else {
        let why = format!("`{name}` is a producer, which has no offsets");
        return Err(Refusal::Wrong(why));
    };
    let holding = running.holding(name).await;
    must_hold(running, name, &scope, &holding).await?;
    let (elsewhere, mut notes) = elsewhere(running, name, &scope, &holding).await;
    let held: Vec<Partition> = covered(&holding, &scope).cloned().collect();
    if held.is_empty() {
        let mut why = format!("no partition of {target} is held here");
        why.extend(elsewhere.iter().map(|each| format!("; {}", in_words(each))));
        return Err(Refusal::Impossible(why));
    }
    let place = match wanted.to {
        Place::Earliest => kafka::Target::Earliest,
        Place::Latest => kafka::Target::Latest,
        Place::Offset(offset) => kafka::Target::Offset(offset),
        Place::Time(time) => kafka::Target::Time(time),
    };
    let spots = running.spots(&held, place).await;
    let mut moves = Vec::new();
    for spot in spots.map_err(|error| Refusal::Impossible(error.message))? {
        let Some((member, report)) = holding.held.get(&spot.partition) else {
            continue;
        };
        if let Place::Offset(offset) = wanted.to
            && offset != spot.offset
        {
            notes.push(format!(
                "{} has no offset {offset}: it has {} to {}",
                spot.partition, spot.first, spot.end
            ));
        }
        moves.push(Move {
            topic: spot.partition.topic.to_string(),
            partition: spot.partition.number,
            member: member.clone(),
            from: report.committed,
            to: spot.offset,
            unfinished: report.unfinished as u64,
        });
    }
    notes.extend(holding.busy.iter().map(|member| busy(member)));
    Ok(SeekPlan {
        moves,
        elsewhere,
        notes,
    })
}

/// Moves a group's offsets, all partitions at once.
pub(super) async fn seek(running: &Running, wanted: &Seek) -> Result<Sought, Refusal> {
    let name = &wanted.group;
    let Some(config) = running.config().groups.get(name) else {
        return Err(no_such(running, name));
    };
    let within = 2 * config.drain_timeout + SEEK_GRACE;
    let holding = running.holding(name).await;
    let partitions: Vec<Partition> = wanted.moves.iter().map(partition_of).collect();
    let held: Vec<Partition> = partitions
        .iter()
        .filter(|partition| holding.held.contains_key(partition))
        .cloned()
        .collect();
    let there = running.spots(&held, kafka::Target::Latest).await;
    let there = there.map_err(|error| Refusal::Impossible(error.message))?;
    let begun: Vec<_> = wanted
        .moves
        .iter()
        .zip(partitions)
        .map(|(wanted, partition)| {
            let (member, _) = holding
                .held
                .get(&partition)
                .ok_or_else(|| "it is not held here".to_owned())?;
            let spot = there.iter().find(|spot| spot.partition == partition);
            match spot {
                Some(spot) if (spot.first..=spot.end).contains(&wanted.to) => {
                    Ok(running.begin_seek(name, member, partition, wanted.to))
                }
                Some(spot) => Err(format!("it has offsets {} to {}", spot.first, spot.end)),
                None => Err("the cluster does not know it".to_owned()),
            }
        })
        .collect();
    let deadline = tokio::time::Instant::now() + within;
    let mut sought = Sought::default();
    for (wanted, begun) in wanted.moves.iter().zip(begun) {
        let result = match begun {
            Ok(answer) => match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("its member ended meanwhile".to_owned()),
                Err(_) => Err("its member does not answer; the log says how it goes on".to_owned()),
            },
            Err(why) => Err(why),
        };
        sought.partitions.push(SoughtPartition {
            topic: wanted.topic.clone(),
            partition: wanted.partition,
            to: wanted.to,
            given_up: *result.as_ref().unwrap_or(&0),
            error: result.err(),
        });
    }
    Ok(sought)
}

fn partition_of(wanted: &SeekMove) -> Partition {
    Partition {
        topic: Arc::from(wanted.topic.as_str()),
        number: wanted.partition,
    }
}

fn meant(running: &Running, target: &Target) -> Result<Meant, Refusal> {
    let name = &target.name;
    let topics = match target.kind {
        Some(Kind::Producer) => None,
        _ => running.topics_of(name),
    };
    let producer =
        target.kind != Some(Kind::Group) && running.config().producers.contains_key(name);
    let topics = match (topics, producer) {
        (Some(_), true) => {
            return Err(Refusal::Wrong(format!(
                "`{name}` is a group and a producer; say --group or --producer"
            )));
        }
        (None, true) if target.topic.is_some() => {
            return Err(Refusal::Wrong(format!(
                "`{name}` is a producer, which is paused and resumed as a whole"
            )));
        }
        (None, true) => return Ok(Meant::Producer),
        (None, false) => return Err(no_such(running, name)),
        (Some(topics), false) => topics,
    };
    let Some(topic) = &target.topic else {
        return match target.partition {
            None => Ok(Meant::Group(Scope::Group)),
            Some(_) => Err(Refusal::Wrong("a partition needs its topic".to_owned())),
        };
    };
    if !topics.contains(topic) {
        return Err(Refusal::NotFound(format!(
            "group {name} does not read topic `{topic}`; it reads {}",
            topics.join(", ")
        )));
    }
    let topic: Arc<str> = Arc::from(topic.as_str());
    Ok(Meant::Group(match target.partition {
        None => Scope::Topic(topic),
        Some(number) => Scope::Partition(Partition { topic, number }),
    }))
}

fn no_such(running: &Running, name: &str) -> Refusal {
    let config = running.config();
    let groups: Vec<&str> = config.groups.keys().map(String::as_str).collect();
    let producers: Vec<&str> = config.producers.keys().map(String::as_str).collect();
    let all = groups.iter().chain(&producers).copied();
    let near = suggest(name, all).map(|near| format!("; did you mean `{near}`?"));
    let list = |names: &[&str]| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    Refusal::NotFound(format!(
        "there is no group or producer `{name}`{}; groups here: {}; producers: {}",
        near.unwrap_or_default(),
        list(&groups),
        list(&producers)
    ))
}

/// Of a single partition: refuses where nobody here holds it, and says who does.
async fn must_hold(
    running: &Running,
    name: &str,
    scope: &Scope,
    holding: &Holding,
) -> Result<(), Refusal> {
    let Scope::Partition(partition) = scope else {
        return Ok(());
    };
    if holding.held.contains_key(partition) {
        return Ok(());
    }
    let (elsewhere, notes) = elsewhere(running, name, scope, holding).await;
    Err(Refusal::Impossible(match elsewhere.first() {
        Some(found) => in_words(found),
        None if notes.is_empty() => format!(
            "topic {} has no partition {}",
            partition.topic, partition.number
        ),
        None => format!("{partition} is not held here; {}", notes.join("; ")),
    }))
}

fn in_words(elsewhere: &Elsewhere) -> String {
    let Elsewhere {
        topic,
        partition,
        owner,
    } = elsewhere;
    match owner {
        Some(owner) => {
            format!("{topic}/{partition} is held by {owner}: ask the daemon there")
        }
        None => format!(
            "{topic}/{partition} is not held here, and by nobody else as far as is known; \
             if a rebalance is under way, try again when it is over"
        ),
    }
}

fn of_producer(done: String) -> Steered {
    Steered {
        done,
        ..Steered::default()
    }
}

/// What is held of the scope, here and elsewhere.
async fn steered(running: &Running, name: &str, scope: &Scope, holding: &Holding) -> Steered {
    let (elsewhere, mut notes) = elsewhere(running, name, scope, holding).await;
    notes.extend(holding.busy.iter().map(|member| busy(member)));
    let partitions = covered(holding, scope).filter_map(|partition| {
        let (member, report) = holding.held.get(partition)?;
        Some(Held {
            topic: partition.topic.to_string(),
            partition: partition.number,
            member: member.clone(),
            paused: report.paused,
            stuck: report.stuck.clone(),
        })
    });
    Steered {
        done: String::new(),
        partitions: partitions.collect(),
        elsewhere,
        notes,
    }
}

fn busy(member: &str) -> String {
    format!("{member} is in a call, and follows when that is over")
}

fn covered<'a>(holding: &'a Holding, scope: &Scope) -> impl Iterator<Item = &'a Partition> {
    let held = holding.held.keys();
    held.filter(move |partition| scope.covers(partition))
}

/// The partitions of the scope that nobody here holds, and what could not be found out of them.
async fn elsewhere(
    running: &Running,
    name: &str,
    scope: &Scope,
    holding: &Holding,
) -> (Vec<Elsewhere>, Vec<String>) {
    let topics: Vec<String> = match scope {
        Scope::Group => running.topics_of(name).unwrap_or_default().to_vec(),
        Scope::Topic(topic) => vec![topic.to_string()],
        Scope::Partition(partition) => vec![partition.topic.to_string()],
    };
    let missing: Vec<Partition> = match running.partitions_of(&topics).await {
        Ok(all) => all
            .into_iter()
            .filter(|each| scope.covers(each) && !holding.held.contains_key(each))
            .collect(),
        Err(error) => {
            let note = format!("who holds other partitions could not be asked: {error}");
            return (Vec::new(), vec![note]);
        }
    };
    let mut notes = Vec::new();
    let mut owners: BTreeMap<Partition, Owner> = BTreeMap::new();
    // The embedded broker has no groups but ours.
    if !missing.is_empty() && !running.ground().cluster.embedded {
        match running.owners(name).await {
            Ok(found) => owners = found,
            Err(error) => notes.push(format!("who holds the others is not known: {error}")),
        }
    }
    let missing = missing.into_iter().map(|partition| Elsewhere {
        owner: owners
            .get(&partition)
            .map(|owner| format!("{} ({})", owner.client_id, owner.host)),
        topic: partition.topic.to_string(),
        partition: partition.number,
    });
    (missing.collect(), notes)
}
