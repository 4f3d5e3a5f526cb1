// Follows the daemon: events while it answers, asking again when it does not.

const AGAIN = 2000; // milliseconds
let daemonStarted = null;

function update(status) {
  document.title = `deliveryd · ${status.instance}`;
  setText(byId("instance"), `${status.version} on ${status.instance}`);
  const broker = status.brokers.embedded ? "embedded broker (in memory only)" : "brokers";
  byId("state").className = "";
  setText(byId("state"), `${status.state.replaceAll("_", " ")} · generation ${status.generation} · ${broker} ` +
    `${status.brokers.servers} ${status.brokers.state} · since ${new Date(status.started_at).toLocaleString()}`);
  sampleStatus(status);
  updateTroubles(status);
  keyed(byId("groups"), Object.entries(status.groups), ([name]) => name,
    ([name]) => makeGroup(name), (part, entry) => updateGroup(part, entry, status));
  updateProducers(status.producers);
  updateTopics(status.topics);
  updateLessons(status);
  updateReloads(status);
}

function away(why) {
  byId("state").className = "away";
  setText(byId("state"), `the daemon does not answer (${why}); what follows is old`);
}

async function follow() {
  try {
    // Asked for first: events that are refused for good would say nothing about why.
    const answer = await fetch("/api/status", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    const status = await answer.json();
    if (daemonStarted !== status.started_at) {
      daemonStarted = status.started_at;
      history.last = 0;
      await loadHistory();
    }
    update(status);
  } catch (error) {
    away(error.message);
    setTimeout(follow, AGAIN);
    return;
  }
  const events = new EventSource("/api/events");
  events.addEventListener("status", (event) => update(JSON.parse(event.data)));
  events.onerror = () => {
    events.close();
    setTimeout(follow, AGAIN / 4);
  };
}

follow();
