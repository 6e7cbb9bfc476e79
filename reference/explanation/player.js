"use strict";
// Steps through the courses that are embedded in the page; everything that is shown is in the data.
const data = JSON.parse(document.getElementById("run").textContent);
const count = data.courses[0].columns.length;
const by = (id) => document.getElementById(id);
const at = { column: 0, answered: data.courses.map(() => null), timer: 0 };

function make(name, attributes, text) {
  const svg = ["svg", "rect", "line", "text", "path", "title"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// The columns of a course: those of the run, or from where the notice was answered on, those then.
function columns(number) {
  const course = data.courses[number], from = at.answered[number];
  if (from === null) return course.columns;
  const [answer, ...rest] = course.answers[from];
  const was = course.columns[from];
  // The lanes still show how it was when the notice was answered: a collision before that was one.
  const there = { ...answer, happened: [...was.happened, ...answer.happened], was };
  return [...course.columns.slice(0, from), there, ...rest];
}

// The lanes -------------------------------------------------------------------------------------

const TOP = 20, ROW = 40, BAR = 16, LABEL = 15, WIRE = 56, LEASES = 30, AXIS = 24;

function lanes(number) {
  const all = columns(number).map((column) => column.was || column);
  const hosts = data.hosts.length, part = 100 / count;
  const wireTop = TOP + ROW * hosts, serverTop = wireTop + WIRE;
  const bottom = serverTop + LEASES * data.addresses.length + 6;
  const svg = make("svg", { class: "line", role: "img", height: bottom + AXIS,
    "aria-label": "Lanes: " + data.hosts.join(", ") + ", the wire, the server. "
      + "What they show is said below, step by step." });
  const x = (column) => `${(column * part).toFixed(3)}%`;
  const put = (name, attributes, text) => svg.appendChild(make(name, attributes, text));
  const rect = (from, to, y, height, kind, title) => {
    const drawn = put("rect", { x: x(from), width: x(to - from), y, height, class: kind
      + (from > at.column ? " later" : "") });
    if (title) drawn.appendChild(make("title", {}, title));
  };
  const words = (column, y, text, kind, anchor) =>
    put("text", { x: x(column), y, class: kind, "text-anchor": anchor || "start" }, text);
  const upright = (column, top, end, kind) =>
    put("line", { x1: x(column), x2: x(column), y1: top, y2: end, class: kind });
  const spans = (says) => { // stretches of columns of which the same is said
    const found = [];
    all.forEach((column, place) => {
      const said = says(column), last = found[found.length - 1];
      if (last && last.said === said && last.to === place && place !== at.column + 1) last.to++;
      else if (said) found.push({ said, from: place, to: place + 1 });
    });
    return found;
  };
  data.hosts.forEach((host, row) => {
    const y = TOP + ROW * row;
    put("rect", { x: 0, y: y + LABEL, width: "100%", height: BAR, class: "track" });
    words(0, y + 10, host, "name halo");
    for (const span of spans((c) => c.holds[row] && (c.over[row] ? "over" : "in its lease"))) {
      const kind = span.said === "over" ? "over" : row ? "rival" : "held";
      rect(span.from, span.to, y + LABEL, BAR, kind, `${host} has the address, ${span.said}`);
    }
    for (const span of spans((c) => c.leased[row] && "lease"))
      rect(span.from, span.to, y + LABEL + BAR + 2, 4, "lease", `${host} believes in its lease`);
    all.forEach((column, place) => {
      const before = place && all[place - 1].leased[row];
      if (before && !column.leased[row]) {
        upright(place, y + LABEL - 3, y + LABEL + BAR + 8, "end");
        if (row === 0) words(place, y + 10, `lease of ${host} ends`, "strong halo",
          place > count / 2 ? "end" : "start");
      }
    });
  });
  const first = TOP + LABEL, last = TOP + ROW * (hosts - 1) + LABEL;
  for (const span of spans((c) => c.both && "both")) {
    rect(span.from, span.to, first, last - first, "between");
    for (const y of [first, last]) rect(span.from, span.to, y, BAR, "both", "two hosts have it");
    if (span.from <= at.column) words(span.to, first + BAR + 13, "COLLISION", "red strong halo",
      "end");
  }
  words(0, wireTop + 10, "wire", "name halo");
  all.forEach((column, place) => {
    for (const each of column.happened.filter((one) => one.how !== "left out")) {
      const middle = place + 0.5, top = wireTop + 27, end = wireTop + WIRE - 5;
      const later = place > at.column ? " later" : "";
      if (each.sent) {
        upright(middle, top, end, "sent" + later);
        const tip = make("svg", { x: x(middle), y: each.to_server ? end : top, overflow: "visible" });
        tip.appendChild(make("path", { class: "sent" + later,
          d: each.to_server ? "M-4-5 0 0 4-5" : "M-4 5 0 0 4 5" }));
        svg.appendChild(tip);
        words(middle, wireTop + 23, each.sent.split(" ").map((w) => w[0]).join(""),
          "halo" + later, "middle");
      } else if (["miss", "lose", "ignore"].includes(each.row)) {
        words(middle, end - 6, "✕", "lost" + later, "middle");
      }
    }
  });
  data.addresses.forEach((address, row) => {
    const y = serverTop + LEASES * row;
    words(0, y + 10, `server: lease of ${address}`, "name halo");
    for (const span of spans((c) => c.runs[row] && c.owner[row])) {
      rect(span.from, span.to, y + LABEL, 8, "lease", `the server's lease of ${span.said}`);
      if (span.from === 0 || all[span.from - 1].owner[row] !== span.said)
        words(span.from, y + LABEL + 8, span.said, "halo");
    }
    all.forEach((column, place) => {
      if (place && all[place - 1].runs[row] && !column.runs[row])
        upright(place, y + LABEL - 3, y + LABEL + 11, "end");
    });
    for (const span of spans((c) => !c.serving && "silent")) {
      rect(span.from, span.to, y + LABEL + 10, 4, "away", "the server is silent");
    }
  });
  put("line", { x1: 0, x2: "100%", y1: bottom, y2: bottom, class: "axis" });
  let said = -9;
  all.forEach((column, place) => {
    if (place && column.now === all[place - 1].now) return;
    upright(place, bottom, bottom + 4, "axis");
    if (place - said >= 2.6) {
      words(place, bottom + 16, `${column.now} s`, "name", place ? "middle" : "start");
      said = place;
    }
  });
  upright(at.column + 1, 4, bottom, "cursor");
  return svg;
}

// What is said below them -----------------------------------------------------------------------

function told(column) {
  const collided = column.both || (column.was && column.was.both);
  const box = make("div", { class: "now" + (collided ? " red" : "") });
  for (const each of column.happened) {
    const line = make("p");
    const mark = { "by itself": "by itself: ", "left out": "left out here: " }[each.how] || "";
    line.append(make("b", {}, `${each.at} s  `), mark + each.says + " ");
    line.append(make("small", {}, each.why ? `not possible: ${each.why} is false`
      : `${each.row}; ${each.source}`));
    box.append(line);
  }
  if (!column.happened.length) box.append(make("p", {}, "This course was not followed so far."));
  if (column.both) box.append(make("b", {}, "Two hosts have one address."));
  else if (collided) box.append(make("b", {}, "Two hosts had one address until this OK."));
  return box;
}

function dialogs(number, column) {
  const ever = data.courses.some((each) => each.columns.some((c) => c.notice.includes("SHOWN")));
  const place = make("div", ever ? { class: "place" } : {}), from = at.answered[number];
  column.notice.forEach((notice, row) => {
    if (notice !== "SHOWN") return;
    const box = make("div", { class: "dialog", role: "group", "aria-label": "the notice" });
    box.append(make("b", {}, `DHCP on ${data.hosts[row]}`));
    box.append(make("p", {}, column.holds[row] ? "The lease of this address has expired."
      : "The lease has expired. The address is released."));
    if (row === 0 && String(at.column) in data.courses[number].answers) {
      const ok = make("button", { type: "button", id: `ok-${number}` }, "OK");
      ok.addEventListener("click", () => { at.answered[number] = at.column; stop(); show(); by("on").focus(); });
      box.append(ok);
    }
    place.append(box);
  });
  if (from !== null) {
    const back = make("button", { type: "button" }, "Take the OK back");
    back.addEventListener("click", () => { at.answered[number] = null; show(); by("on").focus(); });
    place.append(back);
  }
  if (ever && !place.childElementCount)
    place.append(make("p", { class: "quiet" }, "No notice is on a screen."));
  return place;
}

function holdings(column) {
  const list = make("dl", { class: "holdings" });
  data.properties.forEach((property, place) => {
    const holds = column.properties[place];
    const word = holds === null ? "–" : holds ? "✓ holds" : "✕ broken";
    const kind = "word" + (holds === false ? " broken" : "");
    list.append(make("dt", {}, property.name), make("dd", { class: kind }, word),
      make("dd", { class: "quiet" }, property.says));
  });
  return list;
}

function named(place) {
  const { name, of } = data.variables[place];
  return of ? `${name}[${of}]` : name;
}

function changes(before, column) {
  const list = make("ul", { class: "changes" });
  if (before.now !== column.now)
    list.append(make("li", {}, `now: ${before.now} s → ${column.now} s`));
  column.values.forEach((value, place) => {
    if (value !== before.values[place])
      list.append(make("li", {}, `${named(place)}: ${before.values[place]} → ${value}`));
  });
  if (!list.childElementCount) list.append(make("li", {}, "nothing"));
  return list;
}

function values(before, column) {
  const table = make("table", { class: "values" }), body = make("tbody");
  column.values.forEach((value, place) => {
    const changed = value !== before.values[place];
    const row = make("tr", changed ? { class: "changed" } : {});
    row.append(make("th", { scope: "row" }, named(place)));
    row.append(make("td", {}, value + (changed ? " (changed)" : "")));
    row.append(make("td", { class: "quiet" }, data.variables[place].means));
    body.append(row);
  });
  table.append(body);
  return table;
}

// The cursor ------------------------------------------------------------------------------------

function show() {
  const open = data.courses.map((_, n) => by(`values-${n}`)?.open);
  const focused = document.activeElement?.id;
  data.courses.forEach((course, number) => {
    if (at.answered[number] !== null && at.answered[number] > at.column)
      at.answered[number] = null;
    const all = columns(number), column = all[at.column];
    const before = at.column ? all[at.column - 1] : course.begin;
    const lane = make("div", { class: "lanes" });
    lane.append(lanes(number));
    const folded = make("details", { id: `values-${number}` });
    folded.open = Boolean(open[number]);
    folded.append(make("summary", { id: `fold-${number}` }, "All values"), values(before, column));
    by(`course-${number}`).replaceChildren(lane, told(column), dialogs(number, column),
      make("h3", {}, "What must hold"), holdings(column),
      make("h3", {}, "Changed in this step"), changes(before, column), folded);
  });
  if (focused) by(focused)?.focus(); // what was focused has been drawn anew
  const column = columns(0)[at.column];
  by("where").textContent = `step ${at.column + 1} of ${count}, ${column.now} s`;
  by("slider").value = at.column;
  by("slider").setAttribute("aria-valuetext", by("where").textContent);
  by("said").textContent = data.courses.map((course, n) => course.name + ": "
    + columns(n)[at.column].happened.map((each) => each.says).join("; ")
    + (columns(n)[at.column].both ? ". Two hosts have one address." : "")).join(". ");
  document.querySelectorAll(".steps li").forEach((line, place) => {
    if (place === at.column) line.setAttribute("aria-current", "step");
    else line.removeAttribute("aria-current");
  });
}

function go(column) {
  at.column = Math.max(0, Math.min(count - 1, column));
  show();
}

function stop() {
  clearInterval(at.timer);
  at.timer = 0;
  by("play").textContent = "Play";
}

function play() {
  if (at.timer) return stop();
  if (at.column === count - 1) go(0);
  by("play").textContent = "Pause";
  at.timer = setInterval(() => {
    go(at.column + 1);
    if (at.column === count - 1) stop();
  }, 1100);
}

const moves = {
  first: () => go(0), back: () => go(at.column - 1), on: () => go(at.column + 1),
  last: () => go(count - 1),
};
for (const [id, move] of Object.entries(moves))
  by(id).addEventListener("click", () => { stop(); move(); });
by("play").addEventListener("click", play);
by("slider").max = count - 1;
by("slider").addEventListener("input", (event) => { stop(); go(Number(event.target.value)); });
document.querySelectorAll(".steps button").forEach((button, place) =>
  button.addEventListener("click", () => { stop(); go(place); }));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.id === "slider") return;
  const key = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last" }[event.key];
  if (key) { stop(); moves[key](); event.preventDefault(); }
  if (event.key === " " && !event.target.closest?.("button, summary")) {
    play();
    event.preventDefault();
  }
});
const asked = /^#(\d+)$/.exec(location.hash);
go(asked ? Number(asked[1]) - 1 : 0);
