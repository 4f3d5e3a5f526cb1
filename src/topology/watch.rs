//! An eye on the cluster: asks once a second which topics there are, and where partitions end that stand
//! still, as news for the daemon.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::kafka::{Admin, Partition, Target};
use crate::observe::{Board, Status};

use super::News;

const INTERVAL: Duration = Duration::from_secs(1);
/// One request each: more would take longer than they are worth.
const MOST_ENDS: usize = 100;

/// Watches until dropped.
#[derive(Debug)]
pub struct Watcher(JoinHandle<()>);

impl Watcher {
    pub(super) fn start(admin: Admin, board: Board, news: UnboundedSender<News>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                let seen = admin.describe(&[]).await;
                if news.send(News::Cluster(seen)).is_err() {
                    return;
                }
                let standing = standing(&board.snapshot());
                if !standing.is_empty()
                    && let Ok(spots) = admin.spots(&standing, Target::Latest).await
                {
                    let ends = spots.into_iter().map(|spot| (spot.partition, spot.end));
                    if news.send(News::Ends(ends.collect())).is_err() {
                        return;
                    }
                }
                tokio::time::sleep(INTERVAL).await;
            }
        }))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What members hold and do not fetch, so that their clients do not hear how far it has grown.
fn standing(status: &Status) -> Vec<Partition> {
    let members = status.groups.values().flat_map(|group| &group.members);
    let held = members.flat_map(|member| &member.partitions);
    let standing: BTreeSet<Partition> = held
        .filter(|held| held.paused || held.stuck.is_some())
        .map(|held| Partition {
            topic: Arc::from(held.topic.as_str()),
            number: held.partition,
        })
        .take(MOST_ENDS)
        .collect();
    standing.into_iter().collect()
}
