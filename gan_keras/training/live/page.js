/* The buttons, the readouts, and one frame after the other; drawing.js draws them. */
const BUTTONS = ["pause", "step", "reset"];
const RETRY = 2000; // milliseconds
const calm = matchMedia("(prefers-reduced-motion: reduce)"); // then two frames a second
const state = { game: null, frame: null };
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));

/** Asks the training; null where it has nothing new. */
async function ask(path, options) {
  let reply;
  try {
    reply = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The training cannot be reached. Is gan-keras-train still running?");
  }
  if (reply.status === 204) return null;
  if (!reply.ok) throw new Error((await reply.text()).trim() || `HTTP ${reply.status}`);
  return reply.json();
}

const visible = () => new Promise(done => {
  if (!document.hidden) return done();
  document.addEventListener("visibilitychange", done, { once: true });
});

/** Shows one frame after the other. Nobody is asked while the page is hidden. */
async function follow() {
  for (;;) {
    try {
      await visible();
      const key = state.frame?.key ?? "";
      const frame = await ask(`frame?after=${encodeURIComponent(key)}`);
      if (!frame) continue;
      // Another process answers at this address, or it is the first time.
      if (!state.game || frame.key.split("-")[0] !== key.split("-")[0]) {
        state.game = await ask("game");
        if (state.game) describe(state.game);
      }
      at("error").hidden = frame.state !== "closed";
      show(frame);
      if (frame.state === "closed") fail(frame.message);
      await (calm.matches ? sleep(500) : new Promise(requestAnimationFrame));
      if (frame.state === "closed") await wait();
    } catch (error) {
      fail(error.message);
      await wait();
    }
  }
}

/** Waits to try again: some time, or until the button is pressed. */
const wait = () => Promise.race([
  sleep(RETRY), new Promise(done => at("again").addEventListener("click", done, { once: true }))]);

function fail(message) {
  if (at("error").hidden || at("message").textContent !== message) {
    at("message").textContent = message;
    at("error").hidden = false;
  }
  for (const id of BUTTONS) at(id).disabled = true;
  say("Ended.");
}

/** Says how things are, where that changed: readers of screens are not told ten times a second. */
function say(text) {
  if (at("state").textContent !== text) at("state").textContent = text;
}

async function press(button) {
  if (at(button === "resume" ? "pause" : button).disabled) return;
  try {
    await ask(button, { method: "POST", headers: { "X-Live-View": "1" } });
  } catch (error) {
    fail(error.message);
  }
}

const pause = () => press(state.frame?.state === "paused" ? "resume" : "pause");

function describe(game) {
  at("about").textContent = `${game.dataset}, loss ${game.loss}, seed ${game.seed}, in ${game.workdir}`;
  document.title = `${game.dataset} · live view`;
  at("plane").hidden = !game.real;
  at("line").hidden = !game.x;
  const end = game.in_pairs ? "−log 2" : "−log 4";
  const hints = [
    `V = ${end} = ${fixed(game.equilibrium, 3)}, the dashed line: the equilibrium, where p_g = p_data ` +
      "and D(x) = 1/2 everywhere.",
    "V = 0: D is never wrong, and G learns the least.",
    game.real
      ? "The colours fade as D comes to 1/2. A group of real points without generated ones is a mode " +
        "that G misses."
      : "D follows D*, the best answer to this G, and both come to 1/2 as p_g comes to p_data.",
  ];
  if (game.in_pairs) hints.push("D(x) and D(G(z)) are the probabilities within a pair.");
  at("hints").replaceChildren(...hints.map(text => {
    const row = document.createElement("li");
    row.textContent = text;
    return row;
  }));
  at("look").hidden = false;
}

const SAYS = {
  running: () => "Training.",
  paused: () => "Paused between two steps.",
  ended: () => "The last step is done and saved. Reset plays the game again.",
  closed: () => "Ended.",
};

function show(frame) {
  state.frame = frame;
  const { game } = state;
  const live = frame.state === "running" || frame.state === "paused";
  at("pause").textContent = frame.state === "paused" ? "Resume" : "Pause";
  for (const id of BUTTONS) at(id).disabled = !live && !(id === "reset" && frame.state === "ended");
  const again = live && frame.recorded
    ? ` Again from step 0: nothing is written until step ${count(frame.recorded)}.` : "";
  say(SAYS[frame.state]() + again);
  if (!game || frame.step == null) return;
  at("at").textContent = `${count(frame.step)} of ${count(game.last)}`;
  at("value").textContent = fixed(frame.value, 3);
  for (const id of ["d_real", "d_fake"]) at(id).textContent = fixed(frame[id], 2);
  draw(game, frame);
}

const redraw = () => draw(state.game, state.frame);
at("pause").onclick = pause;
at("step").onclick = () => press("step");
at("reset").onclick = () => press("reset");
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const onButton = event.target.matches("button"); // which Space presses by itself
  if (event.key === " " && !onButton) { if (!event.repeat) pause(); }
  else if (event.key === "ArrowRight") press("step");
  else if (event.key === "r" || event.key === "R") { if (!event.repeat) press("reset"); }
  else return;
  event.preventDefault();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redraw(); });
new ResizeObserver(redraw).observe(at("picture").parentElement);
new ResizeObserver(redraw).observe(at("chart").parentElement);
readColours();
follow();
