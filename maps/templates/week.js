// A place's week: what came, the forecast, the usual and the last week, from a week before the slider to its end.
class Week {
  // `go` is called with the interval that the reader points at.
  constructor(element, flows, go) {
    this.element = element;
    this.flows = flows;
    const { times } = flows.forecast;
    const first = Math.min(times[0] - WEEK, ...flows.records.times.slice(0, 1));
    const last = times[times.length - 1];
    this.axis = [];
    for (let time = first; time <= last; time += data.minutes) this.axis.push(time);
    this.go = go;
  }

  show(quantity, cell, time) {
    const { forecast, usual, records } = this.flows;
    const nullable = (value) => (Number.isNaN(value) ? null : value);
    const planned = (time) => forecast.place.has(time);
    const series = [
      this.axis.map((time) => 60 * time),
      ...this.#ends().map((end) => this.axis.map((time) => (banded(quantity, cell) ? nullable(end.at(quantity, cell, time)) : null))),
      this.axis.map((time) => (planned(time) ? nullable(records.at(quantity, cell, time - WEEK)) : null)),
      this.axis.map((time) => nullable(usual.at(quantity, cell, time))),
      this.axis.map((time) => nullable(records.at(quantity, cell, time))),
      this.axis.map((time) => nullable(forecast.at(quantity, cell, time))),
    ];
    this.at = 60 * time;
    if (this.chart) this.chart.setData(series);
    else this.#build(series);
  }

  point(time) {
    this.at = 60 * time;
    this.chart.redraw(false);
  }

  // Draws anew, for a new theme.
  repaint() {
    const series = this.chart.data;
    this.chart.destroy();
    this.#build(series);
  }

  resize() {
    this.chart.setSize({ width: this.element.clientWidth, height: this.#height() });
  }

  // The ends of the band, none or two.
  #ends() {
    return data.percent ? [this.flows.low, this.flows.high] : [];
  }

  #height() {
    return Math.max(150, Math.min(260, Math.round(this.element.clientWidth * 0.55)));
  }

  #build(series) {
    const few = data.times.length <= 2; // a line between so few could not be seen
    const line = (name, width, dash) => ({ stroke: variable(name), width, dash });
    const axis = { stroke: variable("muted"), grid: { stroke: variable("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const days = { ...axis, size: 28, values: (_, midnights) => midnights.map((at) => DAYS[new Date(at * 1000).getUTCDay()]) };
    const long = this.axis.length * data.minutes > 10 * 1440;
    days.splits = (_, __, low, high) => {
      const midnights = [];
      for (let at = Math.ceil(low / 86400) * 86400; at <= high; at += 86400 * (long ? 2 : 1)) midnights.push(at);
      return midnights;
    };
    this.chart = new uPlot(
      {
        width: this.element.clientWidth,
        height: this.#height(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, low, high) => this.#range(low, high) } },
        series: [{}, ...this.#ends().map(() => ({ points: { show: false } })), line("last-week", 1, [2, 3]), line("historical-average", 1.4, [6, 4]), line("ink", 1.3), { ...line("model", 2), points: { show: few, size: 8 } }],
        bands: data.percent ? [{ series: [2, 1], fill: variable("interval") }] : [],
        axes: [days, { ...axis, size: 46, values: (_, marks) => marks.map(mark) }],
        hooks: { drawClear: [(chart) => this.#now(chart), ...(data.percent && few ? [(chart) => this.#bars(chart)] : [])] },
      },
      series,
      this.element
    );
    this.chart.over.addEventListener("click", () => {
      const index = this.chart.cursor.idx;
      if (index !== null && index !== undefined) this.go(this.axis[index]);
    });
  }

  #range(low, high) {
    if (low === null || low === undefined) return [0, 1];
    const bottom = Math.min(low, 0);
    return [bottom < 0 ? bottom * 1.08 : 0, Math.max(high * 1.08, bottom < 0 ? 0.1 : 1)];
  }

  // The band of so few intervals that an area could not be seen: a bar each.
  #bars(chart) {
    const [seconds, low, high] = chart.data;
    const width = 10 * devicePixelRatio;
    chart.ctx.fillStyle = variable("interval");
    seconds.forEach((at, k) => {
      if (low[k] === null) return;
      const [bottom, top] = [low[k], high[k]].map((end) => chart.valToPos(end, "y", true));
      chart.ctx.fillRect(chart.valToPos(at, "x", true) - width / 2, top, width, bottom - top);
    });
  }

  // The slider's interval as a line.
  #now(chart) {
    const x = chart.valToPos(this.at, "x", true);
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.fillStyle = variable("model");
    ctx.globalAlpha = 0.3;
    ctx.fillRect(x - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
    ctx.restore();
  }
}
