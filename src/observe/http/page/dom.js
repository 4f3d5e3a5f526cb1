"use strict";
// Everything from the daemon goes into the page as text, never as markup.

const byId = (id) => document.getElementById(id);
const DRAWN = byId("drawn").namespaceURI;

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(DRAWN, tag), attributes, children);
}

// Touches a node only when something changes, so that a selection in it survives.
function setText(node, value) {
  const text = String(value ?? "");
  if (node.textContent !== text) node.textContent = text;
}

function setClass(node, value) {
  if (node.getAttribute("class") !== value) node.setAttribute("class", value);
}

function place(parent, at, node) {
  if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
}

// One child for each item, kept as long as its key is there. `make` returns an object with `root`.
function keyed(parent, items, key, make, update) {
  const before = parent.parts ?? new Map();
  parent.parts = new Map();
  items.forEach((item, at) => {
    const name = key(item);
    const part = before.get(name) ?? make(item);
    before.delete(name);
    parent.parts.set(name, part);
    place(parent, at, part.root);
    update(part, item);
  });
  for (const part of before.values()) part.root.remove();
}

// `numbers` names the columns that hold numbers.
function table(heads, numbers, rows) {
  const cell = (tag) => (value, at) => element(tag, numbers.includes(heads[at]) ? { class: "number" } : {}, value ?? "");
  return element("table", {},
    element("thead", {}, element("tr", {}, heads.map(cell("th")))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map(cell("td"))))));
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const count = (value) => value == null ? "unknown" : value >= 1e6 ? short.format(value) : whole.format(value);
const perSecond = (value) => value >= 100 ? count(value) : value.toFixed(1);

function seconds(value) {
  if (value == null) return "unknown";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 90) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
}

const clock = (at) => new Date(at).toLocaleTimeString();
