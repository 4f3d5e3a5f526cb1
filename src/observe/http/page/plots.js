// Curves over the last ten minutes, and the strip of rebalances below them.

const WIDE = 300;
const HIGH = 60;

function makePlot(title, format) {
  const name = element("span");
  const value = element("span");
  const area = drawn("path", { class: "area" });
  const curve = drawn("path", { class: "curve" });
  const picture = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" }, area, curve);
  const from = element("span");
  const root = element("figure", {}, element("figcaption", {}, name, value), picture,
    element("div", { class: "axis" }, from, element("span", {}, "now")));
  name.textContent = title;
  const plot = { root, title, format, value, area, curve, picture, from, points: [], pointed: null };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    plot.pointed = (event.clientX - box.left) / box.width;
    tellPlot(plot);
  });
  picture.addEventListener("pointerleave", () => { plot.pointed = null; tellPlot(plot); });
  return plot;
}

function drawPlot(plot, points) {
  plot.points = points;
  const end = points.length > 0 ? points[points.length - 1].at : 0;
  plot.start = points.length > 0 ? points[0].at : 0;
  plot.span = Math.max(60, end - plot.start);
  plot.start = end - plot.span;
  plot.most = Math.max(...points.map((point) => point.value), 0);
  const x = (at) => ((at - plot.start) / plot.span * WIDE).toFixed(1);
  const y = (value) => (HIGH - 2 - value / (plot.most || 1) * (HIGH - 6)).toFixed(1);
  const line = points.map((point) => `${x(point.at)},${y(point.value)}`).join(" L");
  plot.curve.setAttribute("d", line && `M${line}`);
  plot.area.setAttribute("d", line && `M${x(points[0].at)},${HIGH} L${line} L${x(end)},${HIGH}Z`);
  setText(plot.from, `${seconds(plot.span)} ago`);
  tellPlot(plot);
}

function tellPlot(plot) {
  if (plot.points.length === 0) {
    setText(plot.value, "nothing yet");
  } else if (plot.pointed == null) {
    const now = plot.points[plot.points.length - 1].value;
    setText(plot.value, `now ${plot.format(now)}, most ${plot.format(plot.most)}`);
  } else {
    const at = plot.start + plot.pointed * plot.span;
    const near = plot.points.reduce((a, b) => Math.abs(a.at - at) < Math.abs(b.at - at) ? a : b);
    setText(plot.value, `${clock(near.at * 1000)}: ${plot.format(near.value)}`);
  }
  plot.picture.setAttribute("aria-label", `${plot.title}: ${plot.value.textContent}`);
}

// Of an assignment that is told, so many members.
const TOLD = 20;

// Who holds what, for people who read: "0,1 → group-1-1", "idle: group-1-3".
function assignmentParts(assignment) {
  const names = Object.keys(assignment);
  const topics = new Set(names.flatMap((name) => Object.keys(assignment[name])));
  const list = (held) => Object.entries(held)
    .map(([topic, numbers]) => (topics.size > 1 ? `${topic}/` : "") + ranges(numbers)).join(" ");
  const busy = names.filter((name) => Object.values(assignment[name]).some((numbers) => numbers.length > 0));
  const idle = names.filter((name) => !busy.includes(name));
  const most = (all) => all.length > TOLD ? [...all.slice(0, TOLD), `and ${all.length - TOLD} more`] : all;
  const parts = most(busy.map((name) => `${list(assignment[name])} → ${name}`));
  return idle.length > 0 ? [...parts, `idle: ${most(idle).join(", ")}`] : parts;
}

// 0,1,2,5 as "0-2,5".
function ranges(numbers) {
  const parts = [];
  for (const number of numbers) {
    const last = parts[parts.length - 1];
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([a, b]) => a === b ? a : b === a + 1 ? `${a},${b}` : `${a}-${b}`).join(",");
}

// The rebalances of the last ten minutes on a line of time, each as wide as it took.
function drawStrip(picture, rebalances) {
  const end = Date.now() / 1000;
  const bars = rebalances
    .filter((rebalance) => Date.parse(rebalance.at) / 1000 > end - REMEMBERED)
    .map((rebalance) => {
      const ended = Date.parse(rebalance.at) / 1000;
      const wide = Math.max(1.5, rebalance.seconds / REMEMBERED * WIDE);
      const right = WIDE - (end - ended) / REMEMBERED * WIDE;
      const told = drawn("title", {}, `${clock(rebalance.at)}, ${seconds(rebalance.seconds)}: ${assignmentParts(rebalance.assignment).join("   ")}`);
      return drawn("rect", { class: "bar", x: Math.max(0, right - wide).toFixed(1), y: 3, width: wide.toFixed(1), height: 14 }, told);
    });
  picture.replaceChildren(...bars);
}
