//! An eye on the cluster: asks once a second which topics there are, as news for the daemon.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::kafka::Admin;

use super::News;

const INTERVAL: Duration = Duration::from_secs(1);

/// Watches until dropped.
#[derive(Debug)]
pub struct Watcher(JoinHandle<()>);

impl Watcher {
    pub(super) fn start(admin: Admin, news: tokio::sync::mpsc::UnboundedSender<News>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                let seen = admin.describe(&[]).await;
                if news.send(News::Cluster(seen)).is_err() {
                    return;
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
