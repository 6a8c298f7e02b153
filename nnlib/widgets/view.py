"""The one piece of JavaScript of the course: a picture with a status line, a pointer and keys.

``View`` is an anywidget. The picture is an SVG string, swapped whole; where pixels move, ``pixels`` (RGBA bytes) go
straight to canvases behind it. The status line is a live region that stays in the page, so that a screen reader
hears each new sentence. A drag goes from place to place of a lattice that comes with the picture, and sends the next
place only after the picture has answered the last one: a slow redraw drops stale places instead of queueing them.
``ahead`` brings the answers to gestures that may come next, the move of a slider, a drag, a key: the page shows such a
one at once, and the kernel's answer, which is the same, follows. Gestures are numbered, and an answer to an older one
than the page shows is not painted. While something plays, the page says when it has painted a picture, so that the
next is made only then.
"""

from __future__ import annotations

import anywidget
import traitlets

from .scene import COLORS

__all__ = ["View"]

_ESM = """
// JupyterLab takes letters and arrows pressed on a list or a button for its own ("m" would turn the cell into text):
// inside an experiment plain keys belong to the experiment. Ctrl+S, Shift+Enter and the like stay the notebook's.
if (!window.nnKeys) {
  window.nnKeys = true;
  window.addEventListener("keydown", (event) => {
    const mine = event.target.closest?.(".nn-exp");
    const theirs = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    if (mine) event.target.toggleAttribute("data-lm-suppress-shortcuts", !theirs);
  }, true);
  // A button of the class nn-copy copies the text field of its row, and says so: on itself, and to a screen reader.
  window.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".nn-exp .nn-copy"), label = button?.textContent;
    if (!button || button.dataset.copied) return;
    const field = button.closest(".nn-controls").querySelector("input[type=text]");
    let copied = true;
    try { await navigator.clipboard.writeText(field.value); } catch { // not asked, not allowed, or not https
      field.select(); copied = document.execCommand("copy"); if (copied) button.focus();
    }
    const status = button.closest(".nn-exp").querySelector(".nn-status"), told = status.textContent;
    const said = copied ? `Copied: ${field.value}` : "Selected: press Ctrl+C to copy.";
    button.textContent = copied ? "\u2713 Copied" : "Press Ctrl+C";
    button.dataset.copied = status.textContent = said;
    setTimeout(() => {
      button.textContent = label; delete button.dataset.copied;
      if (status.textContent === said) status.textContent = told;
    }, 2500);
  });
}

function render({ model, el }) {
  el.classList.add("nn-view");
  const stage = document.createElement("div"); stage.className = "nn-stage";
  const art = document.createElement("div"); art.className = "nn-art";
  const scroll = document.createElement("div"); scroll.className = "nn-scroll";
  const below = document.createElement("div"); below.className = "nn-below";
  const status = document.createElement("div"); status.className = "nn-status";
  status.setAttribute("role", "status"); status.setAttribute("aria-live", "polite");
  stage.append(art); scroll.append(stage); el.append(scroll, status, below);
  const canvases = [], keys = [], controls = {};
  let shown = null, told = "", coloured = null, lattice = {};
  // Gestures are numbered. tick: the newest; sent: the last the kernel was given; ahead: the newest answered here.
  let tick = 0, sent = 0, ahead = 0, waiting = false, next = null, grip = null, spot = "", known = [];

  const show = (picture, alt, said) => {
    if (picture !== shown) {
      shown = picture;
      art.innerHTML = picture;
      const svg = art.querySelector("svg"), grips = new Set(model.get("grips")), taps = new Set(model.get("taps"));
      if (svg) {
        svg.setAttribute("role", "img");
        stage.style.minWidth = Math.min(model.get("least"), svg.viewBox.baseVal.width) + "px";
        stage.style.maxWidth = svg.viewBox.baseVal.width * 1.25 + "px";
        const lit = svg.querySelector("[data-id='now']"); // a picture wider than its page shows where it is at
        if (lit && scroll.scrollWidth > scroll.clientWidth) {
          const box = lit.getBoundingClientRect(), page = scroll.getBoundingClientRect();
          scroll.scrollLeft += box.left + box.width / 2 - page.left - page.width / 2;
        }
        for (const mark of svg.querySelectorAll("[data-id]")) {
          if (grips.has(mark.dataset.id)) mark.classList.add("nn-grip");
          if (taps.has(mark.dataset.id)) mark.classList.add("nn-tap");
        }
      }
    }
    art.querySelector("svg")?.setAttribute("aria-label", alt);
    if (status.textContent !== said) status.textContent = said;
  };
  const pixels = (tiles, data) => {
    if (data === coloured && !tiles.length) return;
    coloured = data;
    let start = data ? data.byteOffset : 0;
    tiles.forEach(([left, top, width, height, w, h], i) => {
      if (!canvases[i]) {
        canvases[i] = document.createElement("canvas"); canvases[i].className = "nn-canvas";
        stage.insertBefore(canvases[i], art);
      }
      const canvas = canvases[i], style = canvas.style;
      style.display = "block"; style.left = left + "%"; style.top = top + "%";
      style.width = width + "%"; style.height = height + "%";
      if (canvas.width !== w) canvas.width = w;
      if (canvas.height !== h) canvas.height = h;
      const bytes = new Uint8ClampedArray(data.buffer, start, 4 * w * h);
      canvas.getContext("2d").putImageData(new ImageData(bytes, w, h), 0, 0);
      start += 4 * w * h;
    });
    canvases.slice(tiles.length).forEach((canvas) => { canvas.style.display = "none"; });
  };
  const more = (html) => { if (html !== told) below.innerHTML = told = html; };
  // The kernel's picture, unless a newer gesture has been answered from what was sent ahead.
  const stale = () => model.get("answered") < ahead;
  const paint = () => {
    if (stale()) return;
    show(model.get("picture"), model.get("alt"), model.get("status"));
    lattice = model.get("lattice");
  };
  const colour = () => { if (!stale()) pixels(model.get("tiles"), model.get("pixels")); };
  const tell = () => { if (!stale()) more(model.get("below")); };
  const done = () => {
    if (model.get("answered") === sent) waiting = false;
    if (!stale()) { paint(); colour(); tell(); el.dataset.frame = model.get("count") + " " + model.get("answered"); }
    flush();
    if (model.get("live")) requestAnimationFrame(() => model.send({ type: "seen" }));
  };
  const flush = () => {
    if (waiting || !(next || keys.length)) return;
    const message = keys.length ? { type: "keys", keys: keys.splice(0), tick } : next;
    if (message === next) next = null;
    waiting = true; sent = message.tick; model.send(message);
  };
  const live = () => { status.setAttribute("aria-live", model.get("live") ? "off" : "polite"); };

  // What was sent ahead: [gesture, value, controls it counts for, picture, sentence, below, tiles, pixels, lattice].
  const worth = (control) => control?.get("index") ?? control?.get("value");
  const same = (a, b) => a === b || Math.abs(a - b) < 1e-9;
  const find = (gesture, value) => known.find((frame) => frame[0] === gesture && same(frame[1], value)
    && Object.entries(frame[2]).every(([id, its]) => same(worth(controls[id]), its)));
  const foretell = (frame) => {
    show(frame[3], frame[4], frame[4]); more(frame[5]); pixels(frame[6], frame[7]); lattice = frame[8];
    el.dataset.frame = model.get("count") + " " + tick;
  };
  const ask = (frame) => {
    el.dataset.asked = tick = Math.max(tick + 1, Date.now());
    if (frame) { ahead = tick; foretell(frame); }
    return tick;
  };
  const remember = () => { const frame = model.get("ahead"); known = frame.length ? [...known, frame] : []; };
  const foresee = (id, value) => {
    const frame = find(id, value);
    known = known.filter((frame) => frame[0] !== id);
    if (frame) foretell(frame);
  };

  // A grip moves from place to place of a lattice: its axes are [pixel of place 0, pixels a place, first, last].
  const held = (event) => {
    const id = event.target.closest?.("[data-id]")?.dataset.id;
    if (!id || !model.get("grips").includes(id)) return null;
    return Object.keys(lattice).find((key) => id === key || id.startsWith(key + " ")) ?? null;
  };
  const where = (event) => {
    const box = art.querySelector("svg").getBoundingClientRect(), v = art.querySelector("svg").viewBox.baseVal;
    return [(event.clientX - box.left) * v.width / box.width, (event.clientY - box.top) * v.height / box.height];
  };
  const place = (id, event) => where(event).map((at, axis) => {
    const [zero, step, first, last] = lattice[id][axis];
    return Math.min(Math.max(Math.round((at - zero) / step), first), last);
  });
  const move = (type, event) => {
    if (!lattice[grip]) return;
    const to = place(grip, event), name = to.join(" ");
    if (type === "drag" && name === spot) return;
    spot = name;
    if (model.get("lasting")) type = "drag";
    const free = model.get("lasting") || !(waiting || next);
    next = { type, id: grip, to, tick: ask(free && find(type + " " + grip, name)) };
    flush();
  };
  let hovered = "";
  const hover = (event) => {
    const id = held(event), to = id === null ? [] : place(id, event), name = id + " " + to.join(" ");
    if (name === hovered) return;
    hovered = name;
    if (id !== null) model.send({ type: "hover", id, to });
  };

  art.addEventListener("pointerdown", (event) => {
    grip = held(event);
    if (grip === null) return;
    art.setPointerCapture(event.pointerId);
    if (stage.tabIndex === 0) stage.focus({ preventScroll: true });
    move("press", event); event.preventDefault();
  });
  art.addEventListener("pointermove", (event) => { if (grip === null) hover(event); else move("drag", event); });
  for (const kind of ["pointerup", "pointercancel"]) art.addEventListener(kind, () => { grip = null; hovered = ""; });
  art.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-id]");
    if (!mark || !model.get("taps").includes(mark.dataset.id)) return;
    next = { type: "tap", id: mark.dataset.id, at: where(event), tick: ask() }; flush();
  });
  if (model.get("listens").length) {
    stage.tabIndex = 0; stage.setAttribute("role", "application"); stage.setAttribute("aria-label", model.get("hint"));
    const hint = document.createElement("p"); hint.className = "nn-hint"; hint.textContent = model.get("hint");
    status.after(hint);
    stage.addEventListener("focus", () => model.send({ type: "hover" }));
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !model.get("listens").includes(event.key)) return;
      ask(!waiting && !next && find("key", event.key));
      keys.push(event.key); flush(); event.preventDefault();
    });
  }
  if (model.get("fits")) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    const measure = () => {
      if (!el.clientWidth) return;
      model.set("room", el.clientWidth); model.set("calm", calm.matches); model.save_changes();
    };
    new ResizeObserver(measure).observe(el); calm.addEventListener("change", measure);
  }

  let ears = [], gone = false;
  for (const id of model.get("controls"))
    model.widget_manager.get_model(id).then((control) => {
      controls[id] = control;
      const ear = () => foresee(id, worth(control));
      if (!gone) { control.on("change:value change:index", ear); ears.push([control, ear]); }
    });

  model.on("change:picture change:alt change:status change:grips change:taps", paint);
  model.on("change:live", live);
  model.on("change:below", tell);
  model.on("change:pixels change:tiles", colour);
  model.on("change:ahead", remember);
  model.on("change:count", done);
  paint(); colour(); tell(); live(); el.dataset.frame = model.get("count") + " 0";
  return () => { gone = true; for (const [control, ear] of ears) control.off("change:value change:index", ear); };
}
export default { render };
"""

_THEME = "".join(f"--nn-{role}: {light};" for role, (light, _) in COLORS.items() if role != "none")
_DARK = "".join(f"--nn-{role}: {dark};" for role, (_, dark) in COLORS.items() if role != "none")
_CSS = (
    ".nn-exp {" + _THEME + "--nn-paper: var(--jp-layout-color0, #FCFBF8);"
    "color: var(--jp-content-font-color1, #1A1A1A); font-family: var(--jp-content-font-family, sans-serif);"
    "max-width: 1100px; padding: 2px 4px; }"
    '[data-jp-theme-light="false"] .nn-exp, .vscode-dark .nn-exp, [data-theme="dark"] .nn-exp {'
    + _DARK
    + "--nn-paper: var(--jp-layout-color0, #1B1B1B); }"
    """
.nn-exp .widget-html-content, .nn-exp .jupyter-widgets { overflow: visible; }
.nn-exp h3.nn-title { font-size: 1.2em; font-weight: 600; margin: 0.2em 0; }
.nn-exp p { margin: 0.25em 0; line-height: 1.4; white-space: normal; }
.nn-exp .widget-html-content, .nn-exp .widget-html { height: auto; white-space: normal; line-height: 1.4; }
.nn-exp .nn-controls { display: flex; flex-flow: row wrap; gap: 2px 18px; align-items: center; }
.nn-exp .nn-controls > * { max-width: 100%; }
.nn-exp .nn-card { border-left: 4px solid var(--nn-blue); padding: 4px 10px; margin: 4px 0;
  background: var(--jp-layout-color2, #EEE); }
.nn-exp .nn-card.nn-again { border-left-style: double; }
.nn-exp .nn-error { border-left: 4px solid var(--nn-red); padding: 4px 10px; margin: 4px 0; }
.nn-exp .nn-error pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85em; color: inherit; }
/* a shade at the right edge while there is more to scroll to: phones show no scroll bar */
.nn-scroll, .nn-below { overflow-x: auto; background: no-repeat right / 36px 100% local
    linear-gradient(to left, var(--nn-paper) 40%, transparent),
  no-repeat right / 12px 100% scroll linear-gradient(to left, #8888, transparent); }
.nn-stage { position: relative; width: 100%; }
.nn-art svg { display: block; width: 100%; height: auto; position: relative;
  font-family: var(--jp-content-font-family, sans-serif); font-variant-numeric: tabular-nums; }
.nn-art text:not(.nn-grip) { pointer-events: none; }
.nn-canvas { position: absolute; display: none; }
.nn-grip { cursor: grab; touch-action: none; }
.nn-tap { cursor: crosshair; pointer-events: all; }
.nn-stage:focus-visible { outline: 3px solid var(--nn-blue); outline-offset: 1px; }
.nn-hint { color: var(--nn-faint); font-size: 0.9em; }
.nn-status { font-size: 1.05em; line-height: 1.4; padding: 4px 2px; min-height: 1.4em; }
.nn-below table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 4px 0; }
.nn-below th, .nn-below td { padding: 2px 10px; text-align: right; border-bottom: 1px solid var(--nn-grid); }
.nn-below th:first-child, .nn-below td:first-child { text-align: left; }
.nn-below table.nn-matrix { display: inline-table; vertical-align: middle;
  border: solid var(--nn-ink); border-width: 0 1px; }
.nn-below .nn-matrix td { padding: 0 4px; border: none; text-align: right; }
.nn-below tr.nn-now { background: var(--nn-glow); font-weight: 600; }
.nn-below tr.nn-bad td:last-child { color: var(--nn-red); font-weight: 700; }
.nn-exp button:focus-visible, .nn-exp input:focus-visible, .nn-exp select:focus-visible,
.nn-exp .noUi-handle:focus-visible, .nn-exp .noUi-handle:focus {
  outline: 3px solid var(--nn-blue) !important; outline-offset: 1px; }
@media (prefers-reduced-motion: reduce) { .nn-exp * { transition: none !important; animation: none !important; } }
@media (max-width: 600px) {
  .nn-exp .widget-inline-hbox:not(.widget-slider) { flex-wrap: wrap; height: auto; }
  .nn-exp .widget-slider .widget-label { white-space: nowrap; overflow: visible; }
  .nn-exp .widget-slider { width: 98% !important; }
  .nn-below th, .nn-below td { white-space: nowrap; }
  /* many controls: the first row stays above the picture, the others follow below it */
  .nn-tall > .nn-rows { display: contents; }
  .nn-tall > .nn-rows > :nth-child(n + 2) { order: 2; }
  .nn-tall > .nn-view, .nn-tall > .nn-view ~ * { order: 1; }
  .nn-tall > .nn-last { order: 3; }
}
"""
)


class View(anywidget.AnyWidget):
    """A picture (SVG, or pixels behind it), what stands below it, and its status line.

    ``tiles`` are images behind the picture, each (left, top, width, height in percent of it, columns, rows); their RGBA
    bytes stand one after the other in ``pixels``. ``grips`` are the ids of marks that can be dragged. ``lattice`` has
    for each, or for all whose ids begin alike, two axes [pixel of place 0, pixels a place, first, last], and a drag
    arrives as ``{"type": "press" or "drag", "id": key of the lattice, "to": [i, j]}``; ``"hover"`` says that one may
    come. A click on a mark of ``taps`` arrives as ``"tap"`` with ``"at": [x, y]`` of the picture, and keys pressed on
    the picture, where ``listens`` names them, as ``{"type": "keys", "keys": [...]}``. A gesture's ``"tick"`` comes back
    in ``answered``, together with its picture. While ``live``, ``{"type": "seen"}`` says that a picture has been
    painted.
    """

    _esm = _ESM
    _css = _CSS
    picture = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)  # the picture in words: the status, unless that tells of a failure
    below = traitlets.Unicode("").tag(sync=True)
    least = traitlets.Int(320).tag(
        sync=True
    )  # pixels: a narrower page scrolls the picture instead of shrinking it
    grips = traitlets.List(traitlets.Unicode()).tag(sync=True)
    taps = traitlets.List(traitlets.Unicode()).tag(sync=True)
    listens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)  # what the keys do
    controls = traitlets.List(traitlets.Unicode()).tag(
        sync=True
    )  # model ids of the sliders, lists …
    lattice = traitlets.Dict().tag(sync=True)
    lasting = traitlets.Bool(True).tag(sync=True)  # where a mark is dragged to counts, not the way there
    answered = traitlets.Float(0).tag(sync=True)  # the newest gesture that the picture answers
    ahead = traitlets.List().tag(
        sync=True
    )  # [gesture, value, {model id: value} it counts for, picture, status, below, tiles, pixels, lattice]; [] forgets
    pixels = traitlets.Bytes(b"").tag(sync=True)
    tiles = traitlets.List().tag(sync=True)
    live = traitlets.Bool(False).tag(
        sync=True
    )  # something plays: no sentence is read out on its own
    fits = traitlets.Bool(False).tag(sync=True)  # the page says how much room there is:
    room = traitlets.Int(0).tag(sync=True)  # pixels, 0 where no page is
    calm = traitlets.Bool(False).tag(sync=True)  # the reader asked for little motion
    count = traitlets.Int(0).tag(
        sync=True
    )  # pictures drawn: the page answers a drag, a test measures, by it
