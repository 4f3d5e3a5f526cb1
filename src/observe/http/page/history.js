// The last ten minutes of every group: what the daemon remembers, then what the page sees itself.

const REMEMBERED = 600; // seconds
const SAMPLE = 2; // seconds, as the daemon samples

const history = { groups: new Map(), producers: new Map(), last: 0 };

function remember(series, name, sample) {
  const samples = series.get(name) ?? [];
  samples.push(sample);
  while (samples.length > 0 && samples[0].at < sample.at - REMEMBERED) samples.shift();
  series.set(name, samples);
}

// What the daemon remembers from before the page was opened.
async function loadHistory() {
  const answer = await fetch("/api/history", { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) return;
  const told = await answer.json();
  history.groups.clear();
  history.producers.clear();
  for (const sample of told.samples) rememberSample(sample);
}

function rememberSample(sample) {
  if (sample.at <= history.last - REMEMBERED) return;
  history.last = Math.max(history.last, sample.at);
  for (const [name, group] of Object.entries(sample.groups)) remember(history.groups, name, { at: sample.at, ...group });
  for (const [name, producer] of Object.entries(sample.producers)) {
    remember(history.producers, name, { at: sample.at, ...producer });
  }
}

// The same sample as the daemon's own, from a status.
function sampleStatus(status) {
  const at = Date.now() / 1000;
  if (at < history.last + SAMPLE) return;
  const groups = {};
  for (const [name, group] of Object.entries(status.groups)) {
    groups[name] = { handled: group.handled, ...lagOf(group) };
  }
  const producers = {};
  for (const [name, producer] of Object.entries(status.producers)) producers[name] = { produced: producer.produced };
  rememberSample({ at, groups, producers });
}

// Summed over partitions, the oldest for seconds; unknown while one is unknown.
function lagOf(group) {
  const partitions = group.members.flatMap((member) => member.partitions);
  if (partitions.length === 0) return { lag: null, lag_seconds: null };
  const all = (field, join) => partitions.some((p) => p[field] == null) ? null
    : partitions.map((p) => p[field]).reduce(join);
  return { lag: all("lag", (a, b) => a + b), lag_seconds: all("lag_seconds", (a, b) => Math.max(a, b)) };
}

// Differences of a counter as points {at, value} per second; a counter that falls began anew.
function rates(samples, field) {
  const points = [];
  for (let at = 1; at < samples.length; at++) {
    const [before, now] = [samples[at - 1], samples[at]];
    const span = now.at - before.at;
    if (span > 0) points.push({ at: now.at, value: Math.max(0, now[field] - before[field]) / span });
  }
  return points;
}

const values = (samples, field) => samples.filter((sample) => sample[field] != null)
  .map((sample) => ({ at: sample.at, value: sample[field] }));

// The rate of the last few seconds.
function rateNow(samples, field) {
  if (!samples || samples.length < 2) return null;
  const now = samples[samples.length - 1];
  const before = samples.find((sample) => sample.at >= now.at - 6) ?? samples[0];
  return now.at > before.at ? Math.max(0, now[field] - before[field]) / (now.at - before.at) : null;
}
