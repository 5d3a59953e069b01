// The page: its state is the interval, the quantity, the view and the chosen cell; `render` shows it.
const QUANTITIES = ["inflow", "outflow", "net"];
const VIEWS = { forecast: "forecast", unusual: "forecast less usual", width: `width of the ${data.percent}% band`, records: "what came" };
const state = { k: 0, quantity: 0, view: "forecast", cell: null };
const byId = (id) => document.getElementById(id);

function build(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

async function start() {
  const flows = await load();
  const { forecast, usual, records, low, high } = flows;
  const active = Array.from({ length: cells }, (_, cell) => forecast.everIn(cell) || records.everIn(cell));
  if (!active.includes(true)) active.fill(true);
  const now = () => data.times[state.k];
  const anyCame = data.times.some((time) => records.place.has(time));
  const sources = [
    ["Forecast", (quantity, cell) => forecast.at(quantity, cell, now())],
    ...(anyCame ? [["Came", (quantity, cell) => records.at(quantity, cell, now())]] : []),
    ["Last week", (quantity, cell) => records.at(quantity, cell, now() - WEEK)],
    ["Usual", (quantity, cell) => usual.at(quantity, cell, now())],
  ];
  const rowsOf = (cell) =>
    sources.map(([name, value]) => {
      const row = document.createElement("tr");
      const head = build("th", name);
      head.scope = "row";
      row.append(head);
      for (const quantity of [0, 1, 2]) {
        const text = trips(value(quantity, cell), quantity === 2);
        const made = build("td", text, quantity === state.quantity ? "main" : "");
        if (name === "Forecast" && banded(quantity, cell)) {
          const [from, to] = [low, high].map((end) => whole(end.at(quantity, cell, now())));
          made.append(" ", build("small", `(${from} to ${to})`));
        }
        row.append(made);
      }
      return row;
    });
  const nameOf = (cell) => (cell === null ? "Whole city" : `Row ${Math.floor(cell / data.cols)}, column ${cell % data.cols}`);

  // The tooltip of a cell.
  function describe(cell) {
    const box = document.createElement("div");
    const table = document.createElement("table");
    const head = document.createElement("tr");
    head.append(build("th", ""), ...["In", "Out", "Net"].map((name, q) => build("th", name, q === state.quantity ? "main" : "")));
    table.append(head, ...rowsOf(cell));
    box.append(build("b", nameOf(cell)), table);
    return box;
  }

  const values = {
    forecast: (...place) => forecast.at(...place),
    records: (...place) => records.at(...place),
    unusual: (...place) => forecast.at(...place) - usual.at(...place),
    width: (...place) => high.at(...place) - low.at(...place),
  };
  // One scale for all intervals, and one for inflow and outflow, so that colours can be compared.
  const scales = new Map();
  function scale() {
    const view = state.view === "records" ? "forecast" : state.view;
    const signed = view === "unusual" || state.quantity === 2;
    const name = `${view} ${state.quantity === 2}`;
    if (!scales.has(name)) {
      let most = 0;
      for (const quantity of state.quantity === 2 ? [2] : [0, 1]) {
        for (const time of data.times) {
          for (let cell = 0; cell < cells; cell++) {
            const size = Math.abs(values[view](quantity, cell, time));
            if (size > most) most = size;
          }
        }
      }
      scales.set(name, new Scale(most, signed));
    }
    return scales.get(name);
  }

  function choose(cell) {
    state.cell = cell;
    map.choose(cell);
    render();
  }
  function go(k) {
    state.k = Math.max(0, Math.min(k, data.times.length - 1));
    render(false);
  }
  const map = new CellMap(byId("map"), describe, choose);
  const week = new Week(byId("week"), flows, (time) => {
    if (forecast.place.has(time)) go(forecast.place.get(time));
  });

  function showLegend(used) {
    byId("legend-title").textContent = `${QUANTITIES[state.quantity]}: ${VIEWS[state.view]}`;
    const canvas = document.querySelector("#legend canvas");
    const context = canvas.getContext("2d");
    used.shades.forEach((color, shade) => {
      context.fillStyle = `rgb(${color})`;
      context.fillRect(shade, 0, 1, 1);
    });
    byId("ticks").replaceChildren(
      ...used.ticks().map((tick) => {
        const text = build("span", `${used.signed && tick > 0 ? "+" : ""}${mark(tick)}`);
        text.style.left = `${100 * used.place(tick)}%`;
        return text;
      })
    );
  }

  // `whole` draws the chart's lines and the legend anew, too.
  function render(whole = true) {
    const time = now();
    const used = scale();
    map.paint((cell) => (active[cell] ? values[state.view](state.quantity, cell, time) : NaN), used);
    const slider = byId("time");
    slider.value = state.k;
    const ahead = data.steps[state.k];
    slider.setAttribute("aria-valuetext", clockOf(time));
    byId("clock").replaceChildren(build("b", clockOf(time)), build("span", `${ahead} interval${ahead === 1 ? "" : "s"} ahead`, "muted"));
    byId("before").disabled = state.k === 0;
    byId("after").disabled = state.k === data.times.length - 1;
    byId("place").textContent = nameOf(state.cell);
    byId("where").textContent = state.cell === null ? "Click a cell for its numbers and its week." : whereIs(state.cell);
    byId("city").hidden = state.cell === null;
    document.querySelector("#numbers tbody").replaceChildren(...rowsOf(state.cell));
    document.querySelectorAll("#numbers thead th").forEach((head, i) => (head.className = i === state.quantity + 1 ? "main" : ""));
    if (whole) {
      showLegend(used);
      // The net has no band.
      document.querySelectorAll("[value=width]").forEach((choice) => (choice.disabled = state.quantity === 2));
      document.querySelector("[name=quantity][value='2']").disabled = state.view === "width";
      byId("week-title").textContent = `The week, ${QUANTITIES[state.quantity]}`;
      week.show(state.quantity, state.cell, time);
    } else week.point(time);
  }

  listen(map, week, scales, { choose, go, render });
  if (!anyCame) document.querySelector("#view label:last-child").hidden = true;
  if (!data.times.some((time) => !Number.isNaN(usual.at(0, null, time)))) byId("view").hidden = !anyCame && !data.percent;
  const [first, last] = [data.times[0], data.times[data.times.length - 1]];
  byId("span").textContent = `${first === last ? clockOf(first) : `${clockOf(first)} to ${clockOf(last)}`}; `;
  const slider = byId("time");
  slider.max = data.times.length - 1;
  slider.disabled = byId("play").disabled = data.times.length === 1;
  render();
  document.documentElement.dataset.ready = "yes";
}

function whereIs(cell) {
  if (!data.box) return "";
  const { lat, lng } = boundsOf(cell).getCenter();
  return `Middle: ${degrees(lat, false, 4)}, ${degrees(lng, true, 4)}`;
}

function listen(map, week, scales, { choose, go, render }) {
  byId("quantity").addEventListener("change", (event) => {
    state.quantity = Number(event.target.value);
    render();
  });
  byId("view").addEventListener("change", (event) => {
    state.view = event.target.value;
    render();
  });
  byId("time").addEventListener("input", (event) => go(Number(event.target.value)));
  byId("before").addEventListener("click", () => go(state.k - 1));
  byId("after").addEventListener("click", () => go(state.k + 1));
  byId("city").addEventListener("click", () => choose(null));
  let playing = null;
  byId("play").addEventListener("click", () => {
    const play = byId("play");
    if (playing === null) playing = setInterval(() => go((state.k + 1) % data.times.length), 700);
    else playing = clearInterval(playing) || null;
    play.setAttribute("aria-pressed", playing !== null);
    play.title = playing === null ? "Play" : "Pause";
    play.setAttribute("aria-label", play.title);
  });
  byId("map").addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      const from = state.cell === null ? Math.floor(data.rows / 2) * data.cols + Math.floor(data.cols / 2) : state.cell;
      const [down, right] = state.cell === null ? [0, 0] : moves[event.key];
      const row = Math.max(0, Math.min(data.rows - 1, Math.floor(from / data.cols) + down));
      const col = Math.max(0, Math.min(data.cols - 1, (from % data.cols) + right));
      choose(row * data.cols + col);
    } else if (event.key === "Escape") choose(null);
    else if (event.key === "+" || event.key === "=") map.map.zoomIn();
    else if (event.key === "-") map.map.zoomOut();
    else return;
    event.preventDefault();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    scales.clear();
    week.repaint();
    render();
  });
  new ResizeObserver(() => week.resize()).observe(week.element);
}

if (typeof DecompressionStream === "undefined") byId("old").hidden = false;
else start();
