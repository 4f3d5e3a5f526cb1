// A card for each group: its members with the partitions they hold, as chips that move.

// Members with more chips than this get more room.
const MANY = 12;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function makeGroup(name) {
  const parts = {
    title: element("h2", {}, name), state: element("span"), handler: element("span", { class: "quiet" }),
    error: element("pre", { hidden: "" }), numbers: element("ul", { class: "numbers" }),
    members: element("ul", { class: "members", "aria-label": `members of ${name}` }), chips: new Map(),
    throughput: makePlot("messages/s", perSecond), lag: makePlot("lag in messages", count), behind: makePlot("lag in seconds", seconds),
    strip: drawn("svg", { viewBox: `0 0 ${WIDE} 20`, preserveAspectRatio: "none", role: "img" }),
    stripText: element("span"), rebalances: element("div", { class: "wide" }), partitions: element("div", { class: "wide" }),
  };
  parts.rebalancesPart = element("details", {}, element("summary", {}, "rebalances"), parts.rebalances);
  parts.partitionsPart = element("details", {}, element("summary", {}, "partitions in numbers"), parts.partitions);
  parts.root = element("section", { class: "card", "data-group": name },
    element("div", { class: "heading" }, parts.title, parts.state, parts.handler),
    parts.error, parts.numbers, parts.members,
    element("div", { class: "plots" }, parts.throughput.root, parts.lag.root, parts.behind.root),
    element("figure", { class: "strip" }, element("figcaption", {}, element("span", {}, "rebalances, last 10 minutes"), parts.stripText), parts.strip),
    parts.rebalancesPart, parts.partitionsPart);
  for (const part of [parts.rebalancesPart, parts.partitionsPart]) {
    part.addEventListener("toggle", () => { if (parts.latest) fillDetails(parts, parts.latest); });
  }
  return parts;
}

function updateGroup(parts, [name, group], status) {
  parts.latest = group;
  const idle = group.members.filter((member) => member.state === "idle").length;
  const members = `${group.members.length} ${group.members.length === 1 ? "member" : "members"}`;
  setText(parts.state, `${group.topics.join(", ")} · ${members}${idle > 0 ? `, ${idle} idle` : ""}${group.paused ? ", paused" : ""}`);
  setText(parts.handler, handlerText(group));
  setText(parts.error, group.handler.error);
  parts.error.hidden = !group.handler.error;
  parts.error.classList.toggle("handler-error", true);
  const lag = lagOf(group);
  fillNumbers(parts.numbers, [
    [perSecond(rateNow(history.groups.get(name), "handled") ?? 0), "messages/s"], [count(group.handled), "handled"],
    [count(lag.lag), "lag"], [seconds(lag.lag_seconds), "behind"],
    ...[["failed", group.failed], ["retried", group.retried], ["waiting for a retry", group.waiting],
      ["dead letters", group.dead_lettered], ["skipped", group.skipped]]
      .filter(([, value]) => value > 0).map(([label, value]) => [count(value), label]),
  ]);
  moveChips(parts, () => fillMembers(parts, name, group, status));
  const samples = history.groups.get(name) ?? [];
  drawPlot(parts.throughput, rates(samples, "handled"));
  drawPlot(parts.lag, values(samples, "lag"));
  drawPlot(parts.behind, values(samples, "lag_seconds"));
  drawStrip(parts.strip, group.rebalance_history);
  const last = group.rebalance_history[group.rebalance_history.length - 1];
  setText(parts.stripText, `${group.rebalances} in all` + (last ? `, the last at ${clock(last.at)} in ${seconds(last.seconds)}` : ""));
  parts.strip.setAttribute("aria-label", `rebalances: ${parts.stripText.textContent}`);
  fillDetails(parts, group);
}

// The version in force, and those that some members still run.
function handlerText(group) {
  const others = new Set(group.members.map((member) => member.handler_version)
    .filter((version) => version && version !== group.handler.version));
  const more = others.size > 0 ? ` (${[...others].join(", ")} until the next message)` : "";
  return `${group.handler.file} version ${group.handler.version}${more}`;
}

function fillNumbers(list, pairs) {
  keyed(list, pairs, ([, label]) => label,
    ([, label]) => { const value = element("b"); return { value, root: element("li", {}, value, " ", element("span", {}, label)) }; },
    (part, [value]) => setText(part.value, value));
}

// Members of this process, and one more box for partitions that nobody here holds.
function fillMembers(parts, name, group, status) {
  const held = new Set(group.members.flatMap((member) => member.partitions.map((p) => `${p.topic}/${p.partition}`)));
  const elsewhere = group.topics.flatMap((topic) =>
    Array.from({ length: status.topics[topic]?.partitions ?? 0 }, (_, partition) => ({ topic, partition })))
    .filter((p) => !held.has(`${p.topic}/${p.partition}`));
  const boxes = group.members.map((member) => ({ ...member, here: true }));
  if (elsewhere.length > 0) {
    boxes.push({ name: "nobody here", state: "elsewhere", here: false, partitions: elsewhere });
  }
  setClass(parts.members, boxes.some((box) => box.partitions.length > MANY) ? "members wide-members" : "members");
  keyed(parts.members, boxes, (box) => box.name, makeMember, (part, box) => {
    setClass(part.root, `member ${box.state}`);
    setText(part.state, box.here ? box.state.replaceAll("_", " ") : "on their way, or in another process");
    setText(part.reason, box.reason);
    part.reason.hidden = !box.reason;
    box.partitions.forEach((p, at) => {
      const key = `${p.topic}/${p.partition}`;
      const chip = parts.chips.get(key) ?? element("li");
      parts.chips.set(key, chip);
      place(part.chips, at, chip);
      fillChip(chip, p, group.topics.length > 1, box.here);
    });
  });
  for (const [key, chip] of parts.chips) {
    const [topic, partition] = [key.slice(0, key.lastIndexOf("/")), Number(key.slice(key.lastIndexOf("/") + 1))];
    const there = boxes.some((box) => box.partitions.some((p) => p.topic === topic && p.partition === partition));
    if (!there) { chip.remove(); parts.chips.delete(key); }
  }
}

function makeMember(box) {
  const part = { state: element("span"), reason: element("p", { hidden: "", class: "bad" }), chips: element("ul", { class: "chips" }) };
  part.root = element("li", { "data-member": box.name }, element("h3", {}, box.name, part.state), part.reason, part.chips);
  return part;
}

function fillChip(chip, p, named, here) {
  const mark = p.stuck ? " !" : p.paused ? " ‖" : "";
  setText(chip, `${named ? `${p.topic}/` : ""}${p.partition}${mark}`);
  const look = !here ? "elsewhere" : p.stuck ? "stuck" : p.paused ? "paused" : p.lag_seconds > 5 ? "lagging" : "";
  setClass(chip, `chip ${look}`.trim());
  const told = here ? `${p.topic}/${p.partition} at ${p.position}, lag ${count(p.lag)}${p.stuck ? `, stuck: ${p.stuck}` : ""}` : "";
  if (chip.title !== told) chip.title = told;
}

// Lets a chip that changed its owner travel from where it was.
function moveChips(parts, change) {
  const before = new Map([...parts.chips.values()].map((chip) => [chip, [chip.parentNode, chip.getBoundingClientRect()]]));
  change();
  if (calm.matches) return;
  for (const chip of parts.chips.values()) {
    const [parent, from] = before.get(chip) ?? [];
    if (!parent || parent === chip.parentNode) continue;
    const to = chip.getBoundingClientRect();
    const start = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
    chip.animate([{ transform: start, zIndex: 1 }, { transform: "none", zIndex: 1 }], { duration: 900, easing: "ease-in-out" });
  }
}

const assignmentElement = (assignment) => element("div", {},
  assignmentParts(assignment).flatMap((part) => [element("span", { class: "pair" }, part), " "]));

// Tables that only somebody who opened them sees.
function fillDetails(parts, group) {
  if (parts.rebalancesPart.open) {
    parts.rebalances.replaceChildren(table(["at", "took", "then"], ["took"],
      [...group.rebalance_history].reverse().map((r) => [clock(r.at), seconds(r.seconds), assignmentElement(r.assignment)])));
  }
  if (parts.partitionsPart.open) {
    const numbers = ["position", "committed", "lag", "behind", "waiting"];
    parts.partitions.replaceChildren(table(["partition", "member", ...numbers, ""], numbers,
      group.members.flatMap((member) => member.partitions.map((p) => [`${p.topic}/${p.partition}`, member.name,
        whole.format(p.position), p.committed == null ? "none" : whole.format(p.committed), count(p.lag), seconds(p.lag_seconds),
        p.waiting, p.stuck ? `stuck: ${p.stuck}` : p.paused ? "paused" : ""]))));
  }
}
