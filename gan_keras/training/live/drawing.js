/* The picture of a frame - points over D in the plane, or figure 1 of the paper on a line - and V. */
"use strict";
const at = id => document.getElementById(id);
const fixed = (number, digits) => number == null ? "–" : number.toFixed(digits).replace("-", "−");
const count = number => number.toLocaleString("en");

let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["text", "quiet", "line", "real", "fake", "fake-area", "d", "best", "accent",
    "middle", "zero", "one"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  const full = hex => hex.length === 4 ? `#${[...hex.slice(1)].map(c => c + c).join("")}` : hex;
  const [middle, zero, one] = ["middle", "zero", "one"].map(name => rgb(full(colours[name])));
  colours.heat = Array.from({ length: 256 }, (_, i) => {
    const d = i / 255, arm = d < .5 ? zero : one, t = Math.abs(d - .5) * 2;
    return middle.map((value, c) => value + (arm[c] - value) * t);
  });
}

/** A canvas as sharp as the screen, in units of the page. */
function surface(id, height) {
  const canvas = at(id), width = canvas.clientWidth, ratio = devicePixelRatio || 1;
  const tall = height ? Math.round(height(width)) : canvas.clientHeight;
  if (height) canvas.style.height = `${tall}px`;
  const [w, h] = [Math.round(width * ratio), Math.round(tall * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, tall);
  context.font = "13px system-ui, sans-serif";
  return { context, width, height: tall };
}

function draw(game, frame) {
  if (!game || !frame || frame.step == null) return;
  if (game.real) drawPlane(game, frame);
  else drawLine(game, frame);
  drawChart(game, frame);
}

const small = document.createElement("canvas");
function drawPlane(game, frame) {
  const { context, width, height } = surface("picture", w => w);
  const [low, high] = game.window, cells = game.cells;
  const bytes = atob(frame.d);
  [small.width, small.height] = [cells, cells];
  const pen = small.getContext("2d"), image = pen.createImageData(cells, cells);
  for (let i = 0; i < bytes.length; i++) {
    const row = cells - 1 - Math.floor(i / cells); // The lowest row comes first.
    image.data.set([...colours.heat[bytes.charCodeAt(i)], 255], 4 * (row * cells + i % cells));
  }
  pen.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, width, height);
  const place = value => Math.min(1, Math.max(0, (value - low) / (high - low)));
  const dots = (points, colour, radius) => {
    context.fillStyle = colour;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(place(x) * width, (1 - place(y)) * height, radius, 0, 7);
      context.fill();
    }
  };
  const size = Math.max(1.6, width / 220);
  dots(game.real, colours.real, size * 1.25); // Larger, so that they show around generated ones.
  dots(frame.fake, colours.fake, size);
}

function curve(context, xs, ys) {
  context.beginPath();
  let pen = false;
  ys.forEach((y, i) => {
    if (y == null) { pen = false; return; }
    if (pen) context.lineTo(xs[i], y); else context.moveTo(xs[i], y);
    pen = true;
  });
}

function drawLine(game, frame) {
  const { context, width, height } = surface("picture", w => Math.max(240, w * .7));
  const [low, high] = game.window, left = 26, right = 8, top = 10;
  const bottom = (frame.z ? .68 : .95) * height - 4;
  const across = value =>
    left + (width - left - right) * Math.min(1, Math.max(0, (value - low) / (high - low)));
  const up = share => bottom - (bottom - top) * share;
  const xs = game.x.map(across);
  // Both densities to one scale: the larger peak at 0.8 of that of D.
  const peak = Math.max(...frame.p_data, Math.min(2 * Math.max(...frame.p_data),
    Math.max(...frame.p_g.map(p => p ?? 0))));
  const scaled = densities => densities.map(p => p == null ? null : up(Math.min(1, .8 * p / peak)));
  context.fillStyle = colours.quiet;
  context.textAlign = "right";
  for (const [share, text] of [[0, "0"], [.5, "½"], [1, "1"]])
    context.fillText(text, left - 6, up(share) + 4);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  for (const share of [0, .5, 1]) {
    curve(context, [left, width - right], [up(share), up(share)]);
    context.stroke();
  }
  const generated = scaled(frame.p_g);
  curve(context, xs, generated);
  context.lineTo(xs.at(-1), bottom);
  context.lineTo(xs[0], bottom);
  context.fillStyle = colours["fake-area"];
  context.fill();
  for (const [ys, colour, wide, dash] of [
    [generated, colours.fake, 1.5, []],
    [scaled(frame.p_data), colours.real, 2.5, [2, 4]],
    [frame.d_star.map(d => d == null ? null : up(d)), colours.best, 2, []],
    [frame.d.map(d => d == null ? null : up(d)), colours.d, 2.5, [7, 4]],
  ]) {
    curve(context, xs, ys);
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.setLineDash(dash);
    context.stroke();
  }
  context.setLineDash([]);
  if (frame.z) drawArrows(context, frame, across, bottom + 8, height - 8, width, left, right);
}

/** The generator: arrows from z, on the lower border, to G(z). */
function drawArrows(context, frame, across, top, bottom, width, left, right) {
  const [first, last] = [frame.z[0], frame.z.at(-1)];
  const start = z => left + (width - left - right) * (.05 + .9 * (z - first) / (last - first));
  context.strokeStyle = context.fillStyle = colours.fake;
  context.lineWidth = 1;
  frame.z.forEach((z, i) => {
    if (frame.g[i] == null) return;
    const [x, end] = [start(z), across(frame.g[i])];
    curve(context, [x, end], [bottom, top]);
    context.stroke();
    const angle = Math.atan2(top - bottom, end - x);
    context.beginPath();
    context.moveTo(end, top);
    for (const turn of [-.4, .4])
      context.lineTo(end - 7 * Math.cos(angle + turn), top - 7 * Math.sin(angle + turn));
    context.fill();
  });
  context.fillStyle = colours.quiet;
  context.textAlign = "right";
  context.fillText("x", left - 8, top + 6);
  context.fillText("z", left - 8, bottom + 4);
}

function drawChart(game, frame) {
  const { context, width, height } = surface("chart");
  const left = 44, right = 10, top = 14, bottom = height - 22;
  const values = frame.values.filter(v => v != null);
  const least = Math.min(game.equilibrium * 1.15, ...values.map(v => v * 1.02));
  const low = Math.max(least, 3 * game.equilibrium), most = Math.max(frame.step, 10);
  const across = step => left + (width - left - right) * step / most;
  const up = v => bottom - (bottom - top) * (Math.max(low, Math.min(0, v)) - low) / -low;
  context.textAlign = "right";
  context.lineWidth = 1;
  for (const [value, text, dash] of [
    [0, "0", []], [game.equilibrium, game.in_pairs ? "−log 2" : "−log 4", [5, 4]]]) {
    context.fillStyle = colours.quiet;
    context.fillText(text, left - 4, up(value) + 4);
    context.strokeStyle = value ? colours.best : colours.line;
    context.setLineDash(dash);
    curve(context, [left, width - right], [up(value), up(value)]);
    context.stroke();
  }
  context.setLineDash([]);
  context.strokeStyle = colours.line;
  curve(context, [left, left], [top, bottom]);
  context.stroke();
  context.fillText(count(most), width - right, height - 6);
  context.textAlign = "left";
  context.fillText("0", left, height - 6);
  context.strokeStyle = context.fillStyle = colours.accent;
  context.lineWidth = 1.75;
  curve(context, frame.steps.map(across), frame.values.map(v => v == null ? null : up(v)));
  context.stroke();
  if (values.length && frame.values.at(-1) != null) {
    context.beginPath();
    context.arc(across(frame.steps.at(-1)), up(frame.values.at(-1)), 3, 0, 7);
    context.fill();
  }
  at("chart").setAttribute("aria-label",
    `V over the steps: ${fixed(frame.value, 2)} at step ${count(frame.step)}`);
}
