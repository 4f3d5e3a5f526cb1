// Producers, topics, lessons, reloads, and what needs attention.

// Name, title and action of each, as deliveryd top tells them too.
const LESSONS = {lessons};

function updateLessons(status) {
  keyed(byId("lessons"), LESSONS, ([name]) => name, ([name, title, action]) => {
    const tick = element("span", { class: "tick", "aria-hidden": "true" });
    const when = element("p", { class: "quiet" });
    return { tick, when, action, root: element("li", { "data-lesson": name }, tick, element("div", {}, element("p", {}, title), when)) };
  }, (part, [name]) => {
    const at = status.lessons?.[name];
    setClass(part.root, at ? "seen" : "");
    setText(part.tick, at ? "✓" : "○");
    setText(part.when, at ? `Seen at ${clock(at)}.` : `To see it: ${part.action}`);
  });
}

function updateProducers(producers) {
  byId("producers-part").hidden = Object.keys(producers).length === 0;
  keyed(byId("producers"), Object.entries(producers), ([name]) => name, ([name]) => {
    const part = { about: element("p", { class: "quiet" }), reason: element("p", { class: "bad" }), error: element("pre"),
      numbers: element("ul", { class: "numbers" }), plot: makePlot("messages/s", perSecond) };
    part.root = element("section", { class: "card", "data-producer": name },
      element("h3", {}, name), part.about, part.reason, part.error, part.numbers, part.plot.root);
    return part;
  }, (part, [name, producer]) => {
    const rate = producer.rate === "unlimited" ? "as fast as it goes" : `${producer.rate}/s`;
    setText(part.about, `to ${producer.topic}, ${rate}, ${producer.state.replaceAll("_", " ")}`);
    setText(part.reason, producer.reason);
    part.reason.hidden = !producer.reason;
    setText(part.error, producer.handler.error);
    part.error.hidden = !producer.handler.error;
    fillNumbers(part.numbers, [[count(producer.produced), "produced"], [count(producer.failed), "failed"]]);
    drawPlot(part.plot, rates(history.producers.get(name) ?? [], "produced"));
  });
}

let shownTopics = "";
function updateTopics(topics) {
  byId("topics-part").hidden = Object.keys(topics).length === 0;
  const now = JSON.stringify(topics);
  if (now === shownTopics) return;
  shownTopics = now;
  byId("topics").replaceChildren(table(["topic", "partitions", "replication", ""], ["partitions", "replication"],
    Object.entries(topics).map(([name, topic]) => [name, topic.partitions, topic.replication, topic.mismatch])));
}

let shownReloads = "";
function updateReloads(status) {
  const now = JSON.stringify(status.reloads);
  if (now === shownReloads) return;
  shownReloads = now;
  byId("reloads").replaceChildren(status.reloads.length === 0
    ? element("p", { class: "quiet" }, "None yet: generation 1 is that of the start.")
    : table(["at", "generation", "result"], ["generation"], [...status.reloads].reverse().map((reload) =>
      [clock(reload.at), reload.generation, element("div", {}, reload.ok
        ? reload.summary.join("; ")
        : [element("p", { class: "bad" }, "refused"), element("pre", {}, reload.summary.join("\n"))],
      element("p", { class: "quiet" }, `in ${seconds(reload.seconds)}${reload.by ? `, by ${reload.by}` : ""}`))])));
}

// One line each: what does not go by itself, or not as configured.
function troubles(status) {
  const found = [];
  if (status.brokers.reason) found.push(status.brokers.reason);
  if (status.on_disk) found.push(status.on_disk);
  for (const [name, topic] of Object.entries(status.topics)) if (topic.mismatch) found.push(`topic ${name}: ${topic.mismatch}`);
  for (const [name, producer] of Object.entries(status.producers)) {
    if (producer.handler.error) found.push(`producer ${name}: the changed handler is refused; version ${producer.handler.version} goes on`);
    if (producer.reason) found.push(`producer ${name} is ${producer.state.replaceAll("_", " ")}: ${producer.reason}`);
  }
  for (const [name, group] of Object.entries(status.groups)) {
    if (group.handler.error) found.push(`${name}: the changed handler is refused; version ${group.handler.version} goes on`);
    for (const member of group.members) {
      for (const p of member.partitions) if (p.stuck) found.push(`${member.name} can't go on with ${p.topic}/${p.partition}: ${p.stuck}`);
    }
  }
  return found;
}

function updateTroubles(status) {
  const found = troubles(status);
  const part = byId("troubles");
  part.hidden = found.length === 0;
  const now = found.join("\n");
  if (part.told === now) return;
  part.told = now;
  const more = found.length > 20 ? [element("li", {}, `and ${found.length - 20} more`)] : [];
  part.replaceChildren(element("ul", {}, found.slice(0, 20).map((line) => element("li", {}, line)), more));
}
