// Colours of trips. Their root is what a colour shows, so that both quiet and busy cells can be told apart.
const SHADES = 256;

function variable(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A list of SHADES colours [red, green, blue] between those of a CSS variable.
function shadesOf(name) {
  const marks = variable(name)
    .split(" ")
    .map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Array.from({ length: SHADES }, (_, shade) => {
    const place = (shade / (SHADES - 1)) * (marks.length - 1);
    const low = Math.min(Math.floor(place), marks.length - 2);
    return marks[low].map((value, i) => Math.round(value + (place - low) * (marks[low + 1][i] - value)));
  });
}

// The smallest of 1, 2, 5, 10, 20 ..., or of other digits, that is at least `value`.
function niceAbove(value, digits = [1, 2, 5]) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [...digits, 10].map((digit) => digit * power).find((nice) => nice >= value * (1 - 1e-9));
}

// A scale from 0 to `most`, or from -most to most.
class Scale {
  constructor(most, signed) {
    this.most = niceAbove(Math.max(most, 1), [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8]);
    this.signed = signed;
    this.shades = shadesOf(signed ? "difference" : "ramp");
  }

  // From 0 to 1.
  place(value) {
    const root = Math.sqrt(Math.min(Math.abs(value) / this.most, 1));
    return this.signed ? (1 + Math.sign(value) * root) / 2 : value > 0 ? root : 0;
  }

  color(value) {
    return this.shades[Math.round(this.place(value) * (SHADES - 1))];
  }

  ticks() {
    const parts = [this.most, this.most / 4].map((part) => (part >= 10 ? Math.round(part) : part));
    return this.signed ? [-parts[0], -parts[1], 0, parts[1], parts[0]] : [0, ...parts.reverse()];
  }
}
