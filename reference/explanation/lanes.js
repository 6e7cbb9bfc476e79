"use strict";
// The lanes of a course as SVG, as lanes.py draws them, with a cursor: what lies after it is pale.
const data = JSON.parse(document.getElementById("run").textContent);
const { TOP, ROW, BAR, LABEL, WIRE, AXIS, THIN, LEAST, APART } = data.geometry;
const SVG = ["svg", "rect", "line", "text", "path", "title"];

function make(name, attributes, text) {
  const made = SVG.includes(name) ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// `cursor`: how many columns have happened.
function lanes(all, cursor) {
  const hosts = data.hosts.length, wide = Math.max(all.length, LEAST);
  const wireTop = TOP + ROW * hosts, serverTop = wireTop + WIRE;
  const bottom = serverTop + ROW * data.addresses.length + 2;
  const svg = make("svg", { class: "line", role: "img", height: bottom + AXIS,
    "aria-label": "Lanes: " + data.hosts.join(", ") + ", the wire, the server. "
      + "What they show is said below, step by step." });
  const x = (column) => `${(100 * column / wide).toFixed(2)}%`;
  const put = (name, attributes, text) => svg.appendChild(make(name, attributes, text));
  const pale = (from) => (from >= cursor ? " later" : "");
  const rect = (from, to, y, height, kind, title) => {
    const drawn = put("rect", { x: x(from), width: x(to - from), y, height, class: kind + pale(from) });
    if (title) drawn.appendChild(make("title", {}, title));
  };
  const words = (column, y, text, kind = "name halo", anchor = "start") =>
    put("text", { x: x(column), y, class: kind, "text-anchor": anchor }, text);
  const upright = (column, top, end, kind) =>
    put("line", { x1: x(column), x2: x(column), y1: top, y2: end, class: kind });
  const track = (y) => put("rect", { x: 0, y, width: "100%", height: BAR, class: "track" });
  const spans = (says) => { // stretches of columns of which the same is said; cut at the cursor
    const found = [];
    all.forEach((column, place) => {
      const said = says(column), last = found[found.length - 1];
      if (last && last.said === said && last.to === place && place !== cursor) last.to++;
      else if (said) found.push({ said, from: place, to: place + 1 });
    });
    return found;
  };
  const begins = (span, says) => span.from === 0 || says(all[span.from - 1]) !== span.said;
  const ends = (runs) => all.map((_, place) => place)
    .filter((place) => place && runs(all[place - 1]) && !runs(all[place]));
  data.hosts.forEach((host, row) => {
    const y = TOP + ROW * row;
    track(y + LABEL);
    words(0, y + 10, host);
    for (const span of spans((c) => c.holds[row] && (c.over[row] ? "over" : "in its lease"))) {
      const kind = span.said === "over" ? "over" : row ? "rival" : "held";
      rect(span.from, span.to, y + LABEL, BAR, kind, `${host} has the address, ${span.said}`);
    }
    for (const span of spans((c) => c.leased[row]))
      rect(span.from, span.to, y + LABEL + BAR + 2, THIN, "lease", `${host} believes in its lease`);
    for (const place of ends((c) => c.leased[row])) {
      upright(place, y + LABEL - 3, y + LABEL + BAR + 8, "end" + pale(place));
      words(place, y + 10, `lease of ${host} ends`, "strong halo" + pale(place),
        place > all.length / 2 ? "end" : "start");
    }
  });
  const first = TOP + LABEL, last = TOP + ROW * (hosts - 1) + LABEL;
  for (const span of spans((c) => c.both)) {
    rect(span.from, span.to, first, last - first, "between");
    for (const y of [first, last]) rect(span.from, span.to, y, BAR, "both", "two hosts have it");
    if (span.from < cursor)
      words(span.to, first + BAR + 13, "COLLISION", "red strong halo", "end");
  }
  words(0, wireTop + 10, "wire");
  all.forEach((column, place) => {
    for (const each of column.happened.filter((one) => one.how !== "left out")) {
      const middle = place + 0.5, top = wireTop + 27, end = wireTop + WIRE - 9;
      const sent = data.rows[each.row][1], down = sent[0] === "↓";
      if (sent) {
        upright(middle, top, end, "sent" + pale(place));
        const tip = put("svg", { x: x(middle), y: down ? end : top, overflow: "visible" });
        tip.appendChild(make("path", { class: "sent" + pale(place),
          d: down ? "M-4-5 0 0 4-5" : "M-4 5 0 0 4 5" }));
        words(middle, wireTop + 23, sent.slice(1).split(" ").map((w) => w[0]).join(""),
          "halo" + pale(place), "middle");
      } else if (["miss", "lose", "ignore"].includes(each.row)) {
        words(middle, end - 6, "✕", "lost" + pale(place), "middle");
      }
    }
  });
  data.addresses.forEach((address, row) => {
    const y = serverTop + ROW * row;
    track(y + LABEL);
    words(0, y + 10, `server: lease of ${address}`);
    const owner = (c) => c.runs[row] && c.owner[row], silent = (c) => !c.serving;
    for (const span of spans(owner)) {
      rect(span.from, span.to, y + LABEL, BAR, "lease", `the server's lease of ${span.said}`);
      if (begins(span, owner))
        words(span.from + 0.15, y + LABEL + 12, span.said, "inside" + pale(span.from));
    }
    for (const place of ends((c) => c.runs[row]))
      upright(place, y + LABEL - 3, y + LABEL + BAR + 3, "end" + pale(place));
    for (const span of spans(silent)) {
      rect(span.from, span.to, y + LABEL + BAR + 2, THIN, "away", "the server is silent");
      const middle = (span.from + span.to) / 2;
      if (middle / wide > 0.3 && begins(span, silent))
        words(middle, y + 10, "silent", "name halo", "middle");
    }
  });
  put("line", { x1: 0, x2: "100%", y1: bottom, y2: bottom, class: "axis" });
  let told = -9;
  all.forEach((column, place) => {
    if (place && column.now === all[place - 1].now) return;
    upright(place, bottom, bottom + 4, "axis");
    if (place - told >= APART) {
      words(place, bottom + 16, column.now, "name", place ? "middle" : "start");
      told = place;
    }
  });
  upright(cursor, 4, bottom, "cursor");
  return svg;
}
