// Steps through the courses that are embedded in the page, and goes on from them as a visitor likes.
const by = (id) => document.getElementById(id);
const at = { cursor: 0, answered: data.courses.map(() => null), own: null, timer: 0 };

// What stands before the first column; of a world without a run, its first state.
const begins = data.courses.map((course, number) => course.begin
  ?? columnOf(worlds[number], worlds[number].initial, { base: "", ticks: 0 }));

// The columns of a course: those chosen, or of the run, or from an answered notice on those then.
function columns(number) {
  if (at.own) return at.own[number];
  const course = data.courses[number], from = at.answered[number];
  if (from === null) return course.columns;
  const [answer, ...rest] = course.answers[from];
  const was = course.columns[from];
  // The lanes still show how it was when the notice was answered: a collision before that was one.
  const there = { ...answer, happened: [...was.happened, ...answer.happened], was };
  return [...course.columns.slice(0, from), there, ...rest];
}

function count() {
  return columns(0).length;
}

function here(number) {
  return at.cursor ? columns(number)[at.cursor - 1] : begins[number];
}

function every(what) {
  return data.courses.map((_, number) => what(number));
}

// What is said below the lanes --------------------------------------------------------------------

function told(column) {
  const collided = column.both || (column.was && column.was.both);
  const box = make("div", { class: "now" + (collided ? " red" : "") });
  for (const each of column.happened) {
    const line = make("p");
    const mark = { "by itself": "by itself: ", "left out": "left out here: " }[each.how] || "";
    line.append(make("b", {}, `${each.at}  `), mark + each.says + " ");
    const why = each.why ? `not possible: ${each.why} is false` : "not possible";
    line.append(make("small", {}, each.how === "left out" ? why
      : `${each.row}; ${data.rows[each.row][0]}`));
    box.append(line);
  }
  if (!column.happened.length)
    box.append(make("p", {}, at.cursor ? "This course was not followed so far."
      : "The beginning: nobody has an address."));
  if (column.both) box.append(make("b", {}, "Two hosts have one address."));
  else if (collided) box.append(make("b", {}, "Two hosts had one address until this OK."));
  return box;
}

function dialogs(number, column) {
  const ever = every((n) => [begins[n], ...columns(n)].some((c) => c.notice.includes("SHOWN")));
  const place = make("div", { class: "place" + (ever.includes(true) ? " tall" : "") });
  column.notice.forEach((notice, row) => {
    if (notice !== "SHOWN") return;
    const box = make("div", { class: "dialog", role: "group",
      "aria-label": `the notice on ${data.hosts[row]}` });
    box.append(make("b", {}, `DHCP on ${data.hosts[row]}`));
    box.append(make("p", {}, column.holds[row] ? "The lease of this address has expired."
      : "The lease has expired. The address is released."));
    const answer = answering(number, row);
    if (answer) {
      const ok = make("button", { type: "button", id: `ok-${number}-${row}` }, "OK");
      ok.addEventListener("click", () => { stop(); answer(); by("on").focus(); });
      box.append(ok);
    }
    place.append(box);
  });
  if (at.answered[number] !== null && !at.own) {
    const back = make("button", { type: "button", id: `back-${number}` }, "Take the OK back");
    back.addEventListener("click", () => {
      at.answered[number] = null; show(); by("on").focus(); });
    place.append(back);
  }
  if (ever.includes(true) && !place.childElementCount)
    place.append(make("p", { class: "quiet" }, "No notice is on a screen."));
  return place;
}

// What OK does: the rest of the run goes on, or of what one has chosen, it is the next step.
function answering(number, row) {
  if (at.own) {
    const found = (choices(every(here)) ?? []).find((each) =>
      each.row === "acknowledge" && each.host === row && each.edges[number] !== null);
    return found && (() => choose(found));
  }
  return at.cursor && row === 0 && String(at.cursor - 1) in data.courses[number].answers
    && (() => { at.answered[number] = at.cursor - 1; show(); });
}

function holdings(column) {
  const list = make("dl", { class: "holdings" });
  data.properties.forEach((property, place) => {
    const holds = column.properties[place];
    const word = holds === null ? "–" : holds ? "✓ holds" : "✕ broken";
    const kind = "word" + (holds === false ? " broken" : "");
    list.append(make("dt", {}, property.name), make("dd", { class: kind }, word),
      make("dd", { class: "quiet" }, `${property.says} (${property.source})`));
  });
  return list;
}

function named(place) {
  const { name, of } = data.variables[place];
  return of ? `${name}[${of}]` : name;
}

// Which values have changed; instants of a world are counted from now, and pass without a change.
function changed(before, column) {
  return column.changed ?? column.values.map((value, place) => value !== before.values[place]);
}

function changes(before, column) {
  const list = make("ul", { class: "changes" });
  if (before.now !== column.now)
    list.append(make("li", {}, `now: ${before.now} → ${column.now}`));
  changed(before, column).forEach((is, place) => {
    const { means } = data.variables[place];
    if (is) list.append(make("li", { title: means },
      `${named(place)}: ${before.values[place]} → ${column.values[place]}`));
  });
  if (!list.childElementCount) list.append(make("li", {}, "nothing"));
  return list;
}

function values(before, column) {
  const table = make("table", { class: "values" }), body = make("tbody");
  const different = changed(before, column);
  column.values.forEach((value, place) => {
    const row = make("tr", different[place] ? { class: "changed" } : {});
    row.append(make("th", { scope: "row" }, named(place)));
    row.append(make("td", {}, value + (different[place] ? " (changed)" : "")));
    row.append(make("td", { class: "quiet" }, data.variables[place].means));
    body.append(row);
  });
  table.append(body);
  return table;
}

// What a visitor may choose -----------------------------------------------------------------------

const WHO = (each) => each.row === "tick" ? "time" : each.host === null || data.rows[each.row][2]
  ? "server and network" : data.hosts[each.host];

function choosing() {
  const found = choices(every(here)), place = by("choices");
  by("choose-count").textContent = found === null ? "" : ` (${found.length})`;
  if (found === null) {
    place.replaceChildren(make("p", { class: "quiet" },
      "From here nothing can be chosen: this state is not one of whole ticks, or the page has no "
      + "lease table of this client. Go back to the beginning, and choose from there."));
    return;
  }
  const groups = new Map([...data.hosts, "server and network", "time"].map((who) => [who, []]));
  for (const each of found) groups.get(WHO(each)).push(each);
  let number = 0;
  const lists = [...groups].filter(([, those]) => those.length).map(([who, those]) => {
    const list = make("ul", { class: "choices", "aria-label": who });
    for (const each of those) {
      const only = each.edges.includes(null) ? data.courses
        .filter((_, n) => each.edges[n] !== null).map((course) => course.name).join(", ") : "";
      const button = make("button", { type: "button", id: `choice-${number}`, "data-row": each.row });
      number += 1;
      if (number < 10) button.append(make("kbd", { "aria-hidden": "true" }, String(number)));
      button.append(each.label);
      if (only) button.append(make("small", {}, ` only ${only}`));
      button.addEventListener("click", () => { stop(); choose(each); by("choice-0")?.focus(); });
      const item = make("li");
      item.append(button);
      list.append(item);
    }
    const group = make("div", { class: "group" });
    group.append(make("b", { "aria-hidden": "true" }, who), list);
    return group;
  });
  place.replaceChildren(...lists);
}

function choose(choice) {
  const next = every((number) => choice.edges[number] === null ? leftOut(here(number), choice)
    : stepped(worlds[number], here(number), choice.edges[number]));
  at.own = every((number) => [...columns(number).slice(0, at.cursor), next[number]]);
  at.cursor += 1;
  show();
}

// The cursor ------------------------------------------------------------------------------------

function said(number) {
  return here(number).happened.map((each) => each.says).join("; ");
}

function steps() {
  const list = columns(0).map((_, place) => {
    const line = make("li", place + 1 === at.cursor ? { "aria-current": "step" } : {});
    const each = columns(0)[place];
    const button = make("button", { type: "button", id: `step-${place}` },
      `${each.now}: ${each.happened.map((one) => one.says).join("; ")}`);
    button.addEventListener("click", () => { stop(); go(place + 1); });
    line.append(button);
    return line;
  });
  by("steps").replaceChildren(...list);
}

function show() {
  const open = every((n) => by(`values-${n}`)?.open), focused = document.activeElement?.id;
  data.courses.forEach((course, number) => {
    if (!at.own && at.answered[number] !== null && at.answered[number] >= at.cursor)
      at.answered[number] = null;
    const all = columns(number), column = here(number);
    const before = at.cursor > 1 ? all[at.cursor - 2] : begins[number];
    const lane = make("div", { class: "lanes", id: `lanes-${number}` });
    lane.append(lanes(all.map((each) => each.was || each), at.cursor));
    const folded = make("details", { id: `values-${number}` });
    folded.open = Boolean(open[number]);
    folded.append(make("summary", { id: `fold-${number}` }, "All values"), values(before, column));
    by(`course-${number}`).replaceChildren(lane, told(column), dialogs(number, column),
      make("h3", {}, "What must hold"), holdings(column),
      make("h3", {}, "Changed in this step"), changes(before, column), folded);
  });
  choosing();
  steps();
  by("again").hidden = !at.own;
  by("again").textContent = data.courses[0].columns.length ? "Back to the run" : "Start again";
  by("where").textContent = (at.cursor ? `step ${at.cursor} of ${count()}` : "the beginning")
    + `, ${here(0).now}` + (at.own ? ", chosen" : "");
  by("slider").max = count();
  by("slider").value = at.cursor;
  by("slider").setAttribute("aria-valuetext", by("where").textContent);
  by("said").textContent = data.courses.map((course, n) => `${course.name}: ${said(n)}`
    + (here(n).both ? ". Two hosts have one address." : "")).join(". ");
  if (focused && document.activeElement?.id !== focused) by(focused)?.focus(); // drawn anew
}

function go(cursor) {
  at.cursor = Math.max(0, Math.min(count(), cursor));
  show();
}

function stop() {
  clearInterval(at.timer);
  at.timer = 0;
  by("play").textContent = "Play";
}

function play() {
  if (at.timer) return stop();
  if (at.cursor === count()) go(0);
  by("play").textContent = "Pause";
  at.timer = setInterval(() => {
    go(at.cursor + 1);
    if (at.cursor === count()) stop();
  }, 1100);
}

// A picture for slides ------------------------------------------------------------------------------

function pictureOf(number) {
  const svg = by(`lanes-${number}`).firstChild.cloneNode(true);
  const width = 1000, height = Number(svg.getAttribute("height"));
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height,
    style: "background: var(--ground); overflow: hidden" })) svg.setAttribute(name, value);
  svg.prepend(document.querySelector(".hatches").cloneNode(true));
  svg.prepend(make("style", {}, by("picture-style").textContent));
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function saveSvg(number) {
  save(new Blob([pictureOf(number).text], { type: "image/svg+xml" }), `${data.courses[number].name}.svg`);
}

async function savePng(number) {
  const { text, width, height } = pictureOf(number), image = new Image(), canvas = make("canvas");
  image.src = "data:image/svg+xml," + encodeURIComponent(text);
  await image.decode();
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, `${data.courses[number].name}.png`));
}

// What is clicked and pressed -----------------------------------------------------------------------

const moves = { first: () => go(0), back: () => go(at.cursor - 1), on: () => go(at.cursor + 1),
  last: () => go(count()) };
for (const [id, move] of Object.entries(moves))
  by(id).addEventListener("click", () => { stop(); move(); });
by("play").addEventListener("click", play);
by("again").addEventListener("click", () => {
  stop(); at.own = null; go(data.courses[0].columns.length ? at.cursor : 0); by("on").focus(); });
by("slider").addEventListener("input", (event) => { stop(); go(Number(event.target.value)); });
every((number) => {
  by(`svg-${number}`).addEventListener("click", () => saveSvg(number));
  by(`png-${number}`).addEventListener("click", () => savePng(number));
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.id === "slider") return;
  const key = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last" }[event.key];
  if (key) { stop(); moves[key](); event.preventDefault(); }
  if (event.key === " " && !event.target.closest?.("button, summary")) {
    play();
    event.preventDefault();
  }
  if (/^[1-9]$/.test(event.key) && by("choose").open) by(`choice-${event.key - 1}`)?.click();
});
const asked = /^#(\d+)$/.exec(location.hash);
go(asked ? Number(asked[1]) : 0);
