// What may happen next, and how things are then: asked of `worlds`, the lease table in ticks.
function ticks(number) {
  return `${number} tick${number === 1 ? "" : "s"}`;
}

// An instant of a world in words: it is counted from now.
function instant(value, past) {
  if (value === null) return "not set";
  if (value === 0) return "now";
  if (value === -past) return "long ago";
  return value > 0 ? `in ${ticks(value)}` : `${ticks(-value)} ago`;
}

function shown(variable, value, past) {
  if (variable.sort === "Instant") return instant(value, past);
  if (variable.sort === "Duration") return value === null ? "not set" : ticks(value);
  if (variable.sort === "Bool") return value ? "yes" : "no";
  if (variable.words.length) return variable.words[value];
  return value < 0 ? "none" : variable.sort[0].toLowerCase() + (value + 1);
}

function slot(name, of) {
  return data.variables.findIndex((each) => each.name === name && each.of === of);
}

// A column as those of a course are, of a state in ticks; `clock` has what time it is.
function columnOf(world, state, clock) {
  const places = data.addresses.length, answers = world.answers(state), covered = world.covered(state);
  const of = (host) => data.addresses.map((_, place) => place)
    .filter((place) => answers[host * places + place]);
  const held = data.hosts.map((_, host) => of(host));
  const always = world.always(state);
  return {
    ticks: state, clock, happened: [],
    now: clock.ticks || !clock.base ? [clock.base, ticks(clock.ticks)].filter(Boolean).join(" + ")
      : clock.base,
    values: data.variables.map((each, place) => shown(each, state[place], world.past)),
    properties: [...always, ...data.properties.slice(always.length).map(() => null)],
    holds: held.map((which) => which.map((place) => data.addresses[place]).join(", ")),
    over: held.map((which, host) => which.some((place) => !covered[host * places + place])),
    leased: world.leased(state), both: !always[0], runs: world.runs(state),
    owner: data.addresses.map((name) => data.hosts[state[slot("owner", name)]] ?? ""),
    serving: state[slot("serving", "")],
    notice: data.hosts.map((name) => {
      const place = slot("notice", name);
      return data.variables[place].words[state[place]].toUpperCase();
    }),
  };
}

// The column after a step by an edge from a column.
function stepped(world, before, edge) {
  const [row, host] = world.edges[edge], state = world.take[edge](before.ticks);
  const from = before.clock ?? { base: before.now === "0 s" ? "" : before.now, ticks: 0 };
  const passed = row === "tick" ? 1 : 0;
  const column = columnOf(world, state, { base: from.base, ticks: from.ticks + passed });
  column.properties.splice(-world.steps(before.ticks, state).length, Infinity,
    ...world.steps(before.ticks, state));
  column.happened = [{ at: column.now, row, host: host < 0 ? null : host,
    says: sentence(world, edge, before.ticks), how: "as chosen", why: "" }];
  column.changed = state.map((value, place) => {
    const was = before.ticks[place];
    if (data.variables[place].sort !== "Instant" || was === null || value === null)
      return value !== was;
    return value !== Math.max(was - passed, -world.past);
  });
  return column;
}

// A step that one client could not take while another did.
function leftOut(before, choice) {
  return { ...before, changed: before.ticks.map(() => false), happened: [{ at: before.now,
    row: choice.row, host: choice.host, says: choice.says, how: "left out", why: "" }] };
}

function sentence(world, edge, state) {
  const [row, , says] = world.edges[edge];
  if (row === "tick") return "time passes: one tick";
  return says.replace(/\{(\d+)\}/g, (_, number) => {
    const place = slot("kind", `m${Number(number) + 1}`);
    return data.variables[place].words[state[place]].toUpperCase();
  });
}

// All that may happen to any of the clients after these columns, each with its edge for each client.
// Time passes for all of them or for none.  null: it is not known.
function choices(columns) {
  if (columns.some((column, n) => !worlds[n] || !column.ticks)) return null;
  const found = new Map();
  columns.forEach((column, number) => {
    const world = worlds[number];
    world.take.forEach((take, edge) => {
      if (!take(column.ticks)) return;
      const [row, host, , given] = world.edges[edge], key = row + JSON.stringify(given);
      if (!found.has(key)) found.set(key, { row, host: host < 0 ? null : host, given,
        says: sentence(world, edge, column.ticks), edges: columns.map(() => null) });
      found.get(key).edges[number] = edge;
    });
  });
  const all = [...found.values()]
    .filter((each) => each.row !== "tick" || !each.edges.includes(null));
  for (const each of all) { // what the sentence does not say, where it matters
    const alike = all.filter((other) => other.says === each.says);
    each.label = alike.length < 2 ? each.says : each.says + " ("
      + Object.entries(each.given).filter(([name]) => alike.some((o) => o.given[name] !== each.given[name]))
        .map(([name, value]) => name === "length" ? `for ${ticks(value)}`
          : name === "skew" ? `its clock errs by ${ticks(value)}` : `datagram m${value + 1}`).join(", ")
      + ")";
  }
  return all;
}
