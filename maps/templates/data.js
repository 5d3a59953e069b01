// The page's data. Quantities: 0 inflow, 1 outflow, 2 net. A cell is its number, row by row; null is the whole city.
const data = JSON.parse(document.getElementById("data").textContent);
const cells = data.rows * data.cols;
const WEEK = 7 * 24 * 60;

// The float32 values of a text that `packing.py` made.
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 4;
  const whole = new Uint8Array(planes.length);
  for (let plane = 0; plane < 4; plane++) {
    for (let i = 0; i < count; i++) whole[4 * i + plane] = planes[plane * count + i];
  }
  return new Float32Array(whole.buffer);
}

// Flows [2, cells, times], looked up by time.
class Flows {
  constructor(values, times) {
    this.values = values;
    this.times = times;
    this.place = new Map(times.map((time, place) => [time, place]));
    this.totals = [0, 1].map((channel) => this.#sum(channel));
  }

  #sum(channel) {
    const count = this.times.length;
    const total = new Float64Array(count);
    for (let cell = 0; cell < cells; cell++) {
      const first = (channel * cells + cell) * count;
      for (let k = 0; k < count; k++) total[k] += this.values[first + k];
    }
    return total;
  }

  // Trips of a quantity in a cell, or NaN where they are not known.
  at(quantity, cell, time) {
    const k = this.place.get(time);
    if (k === undefined) return NaN;
    if (quantity === 2) return this.#one(0, cell, k) - this.#one(1, cell, k);
    return this.#one(quantity, cell, k);
  }

  #one(channel, cell, k) {
    if (cell === null) return this.totals[channel][k];
    return this.values[(channel * cells + cell) * this.times.length + k];
  }

  // Whether a cell ever has a trip, or a tenth of one in a forecast.
  everIn(cell) {
    const count = this.times.length;
    for (const channel of [0, 1]) {
      const first = (channel * cells + cell) * count;
      for (let k = 0; k < count; k++) if (this.values[first + k] >= 0.1) return true;
    }
    return false;
  }
}

async function load() {
  const times = { forecast: data.times, usual: data.times, records: data.recordTimes };
  if (data.percent) times.low = times.high = data.times;
  const flows = {};
  await Promise.all(Object.keys(times).map(async (name) => (flows[name] = new Flows(await unpack(data[name]), times[name]))));
  return flows;
}

// Whether there is a band: around inflow and outflow of a cell alone.
function banded(quantity, cell) {
  return Boolean(data.percent) && quantity !== 2 && cell !== null;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Wall-clock minutes as a text, such as "Mon 30 Sep 2019, 08:00".
function clockOf(minutes, year = true) {
  const time = new Date(minutes * 60000);
  const two = (number) => String(number).padStart(2, "0");
  const day = `${DAYS[time.getUTCDay()]} ${time.getUTCDate()} ${MONTHS[time.getUTCMonth()]}`;
  return `${day}${year ? ` ${time.getUTCFullYear()}` : ""}, ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
}

// A round number on a scale.
function mark(value) {
  const style = Math.abs(value) >= 100000 ? { notation: "compact" } : {};
  return value.toLocaleString("en", style).replace("-", "−");
}

// A number of whole trips.
function whole(value) {
  return Math.round(value).toLocaleString("en");
}

function trips(value, signed = false) {
  if (Number.isNaN(value)) return "–";
  const places = Math.abs(value) < 99.95 ? 1 : 0;
  const text = Math.abs(value).toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  const none = !/[1-9]/.test(text);
  return `${none || (!signed && value >= 0) ? "" : value < 0 ? "−" : "+"}${text}`;
}
