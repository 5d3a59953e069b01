// The map: cells as an image of one dot each, graticule, scale bar, the cell under the pointer and the chosen one.
// With a box, positions are degrees, and the projection is equirectangular, true to scale in the middle of the box:
// cells are then equal rectangles, up to the poles. Without a box, positions are rows and columns.
const [south, west, north, east] = data.box || [0, 0, data.rows, data.cols];

function projection() {
  const across = data.box ? Math.max(Math.cos(((south + north) / 2) * (Math.PI / 180)), 1e-4) : 1;
  return L.extend({}, L.CRS, {
    projection: L.Projection.LonLat,
    transformation: new L.Transformation(across, -across * ((west + east) / 2), -1, (south + north) / 2),
    R: L.CRS.Earth.R,
    distance: L.CRS.Earth.distance,
  });
}

function boundsOf(cell) {
  const row = Math.floor(cell / data.cols);
  const col = cell % data.cols;
  const latitude = (edge) => north - ((north - south) * edge) / data.rows;
  const longitude = (edge) => west + ((east - west) * edge) / data.cols;
  return L.latLngBounds([latitude(row + 1), longitude(col)], [latitude(row), longitude(col + 1)]);
}

// The cell at a position, or null.
function cellAt({ lat, lng }) {
  const row = Math.floor(((north - lat) / (north - south)) * data.rows);
  const col = Math.floor(((lng - west) / (east - west)) * data.cols);
  return row >= 0 && row < data.rows && col >= 0 && col < data.cols ? row * data.cols + col : null;
}

class CellMap {
  // `describe` gives the tooltip of a cell, an element; `choose` is called with a chosen cell or null.
  constructor(element, describe, choose) {
    this.describe = describe;
    this.hovered = this.chosen = null;
    this.bounds = L.latLngBounds([south, west], [north, east]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!data.box) element.classList.add("rows");
    this.map = L.map(element, {
      crs: projection(),
      attributionControl: false,
      zoomControl: false,
      keyboard: false,
      zoomSnap: 0,
      zoomDelta: 0.5,
      minZoom: -60,
      maxZoom: 60,
      dragging: !L.Browser.mobile, // one finger scrolls the page, two move the map
      scrollWheelZoom: false, // until the map has the focus
      zoomAnimation: !still,
      fadeAnimation: !still,
      doubleClickZoom: false,
    });
    this.fit();
    this.#draw();
    L.control.zoom({ position: "topright" }).addTo(this.map);
    if (data.box) L.control.scale({ position: "bottomright", maxWidth: 120 }).addTo(this.map);
    this.tooltip = L.tooltip({ direction: "top", className: "hover", offset: [0, -4] });
    this.map.on("moveend resize", () => this.#graticule());
    this.map.on("mousemove", (event) => this.hover(cellAt(event.latlng)));
    this.map.on("mouseout", () => this.hover(null));
    this.map.on("click", (event) => choose(cellAt(event.latlng)));
    this.map.on("mousedown", () => element.focus({ preventScroll: true }));
    element.addEventListener("focus", () => this.map.scrollWheelZoom.enable());
    element.addEventListener("blur", () => this.map.scrollWheelZoom.disable());
    this.map.on("resize", () => this.moved || this.fit());
    this.map.on("dragstart", () => (this.moved = true));
    this.map.on("zoomstart", () => (this.moved = this.moved || !this.fitting));
    this.#graticule();
  }

  fit() {
    this.fitting = true;
    this.map.fitBounds(this.bounds, { paddingTopLeft: [34, 34], paddingBottomRight: [34, data.box ? 48 : 24], animate: false });
    this.fitting = this.moved = false;
    this.map.setMinZoom(this.map.getZoom() - 2);
    this.map.setMaxZoom(this.map.getZoom() + 6);
  }

  #draw() {
    this.canvas = document.createElement("canvas");
    this.canvas.width = data.cols;
    this.canvas.height = data.rows;
    // An overlay of any element, which a canvas is too.
    L.svgOverlay(this.canvas, this.bounds, { className: "cells", interactive: false }).addTo(this.map);
    const lines = [];
    if (Math.max(data.rows, data.cols) <= 64) {
      for (let row = 0; row <= data.rows; row++) {
        const at = north - ((north - south) * row) / data.rows;
        lines.push([[at, west], [at, east]]);
      }
      for (let col = 0; col <= data.cols; col++) {
        const at = west + ((east - west) * col) / data.cols;
        lines.push([[south, at], [north, at]]);
      }
    }
    L.polyline(lines, { className: "edges", interactive: false }).addTo(this.map);
    L.rectangle(this.bounds, { className: "border", fill: false, interactive: false }).addTo(this.map);
    this.lines = L.layerGroup().addTo(this.map);
    const outline = (className) => L.rectangle(this.bounds, { className, fill: false, interactive: false });
    this.marks = { hovered: outline("hovered"), chosen: outline("chosen") };
  }

  // Colours each cell; `valueOf` gives a number, NaN where there is none.
  paint(valueOf, scale) {
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(data.cols, data.rows);
    for (let cell = 0; cell < cells; cell++) {
      const value = valueOf(cell);
      if (Number.isNaN(value)) continue;
      const color = scale.color(value);
      for (let i = 0; i < 3; i++) image.data[4 * cell + i] = color[i];
      image.data[4 * cell + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    if (this.hovered !== null) this.tooltip.setContent(this.describe(this.hovered));
  }

  hover(cell) {
    if (cell === this.hovered) return;
    this.hovered = cell;
    this.#mark("hovered", cell);
    if (cell === null) return this.tooltip.remove();
    const bounds = boundsOf(cell);
    const below = this.map.latLngToContainerPoint(bounds.getNorthWest()).y < 150;
    this.tooltip.options.direction = below ? "bottom" : "top";
    this.tooltip.options.offset = L.point(0, below ? 4 : -4);
    const edge = below ? bounds.getSouth() : bounds.getNorth();
    this.tooltip.setLatLng([edge, bounds.getCenter().lng]).setContent(this.describe(cell)).openOn(this.map);
  }

  choose(cell) {
    this.chosen = cell;
    this.#mark("chosen", cell);
    if (cell !== null && !this.map.getBounds().contains(boundsOf(cell))) this.map.panInsideBounds(boundsOf(cell));
  }

  #mark(name, cell) {
    const mark = this.marks[name];
    if (cell === null) return mark.remove();
    mark.setBounds(boundsOf(cell)).addTo(this.map).bringToFront();
  }

  // Lines at round degrees, or the numbers of rows and columns, for what is in view.
  #graticule() {
    this.lines.clearLayers();
    const view = this.map.getBounds();
    const size = this.map.getSize();
    for (const vertical of [true, false]) {
      const [low, high] = vertical ? [view.getWest(), view.getEast()] : [view.getSouth(), view.getNorth()];
      const pixels = vertical ? size.x : size.y;
      const least = ((high - low) / pixels) * (vertical ? 110 : 90);
      if (data.box) this.#degrees(vertical, low, high, niceAbove(least));
      else this.#numbers(vertical, low, high, Math.ceil(((high - low) / pixels) * (vertical ? 34 : 22)));
    }
  }

  #degrees(vertical, low, high, step) {
    const view = this.map.getBounds();
    const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const most = vertical ? 180 : 90;
    for (let k = Math.ceil(low / step); k * step <= high; k++) {
      const at = k * step;
      if (Math.abs(at) > most + 1e-9) continue;
      const ends = vertical ? [[view.getSouth(), at], [view.getNorth(), at]] : [[at, view.getWest()], [at, view.getEast()]];
      L.polyline(ends, { className: "graticule", interactive: false }).addTo(this.lines);
      const corner = !vertical && this.map.latLngToContainerPoint([at, view.getWest()]).y < 30;
      if (!corner) this.#label(vertical, at, degrees(at, vertical, places));
    }
  }

  #numbers(vertical, low, high, step) {
    const count = vertical ? data.cols : data.rows;
    for (let number = 0; number < count; number += step) {
      const at = vertical ? number + 0.5 : data.rows - number - 0.5;
      if (at >= low && at <= high) this.#label(vertical, at, String(number));
    }
  }

  #label(vertical, at, text) {
    const view = this.map.getBounds();
    const edge = data.box ? view : this.bounds;
    const html = document.createElement("span");
    html.textContent = text;
    const icon = L.divIcon({ className: `label ${vertical ? "top" : "left"}`, html, iconSize: null });
    const point = vertical ? [Math.min(edge.getNorth(), view.getNorth()), at] : [at, Math.max(edge.getWest(), view.getWest())];
    L.marker(point, { icon, interactive: false, keyboard: false }).addTo(this.lines);
  }
}

function degrees(at, vertical, places) {
  const side = at === 0 ? "" : vertical ? (at > 0 ? " E" : " W") : at > 0 ? " N" : " S";
  return `${Math.abs(at).toFixed(places)}°${side}`;
}
