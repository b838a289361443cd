// What sliders ask for, what comes back, and what is shown of it; a page and a notebook's widget are made of this.

import {fromFragment, History, sameImage, sameWeights, toFragment} from "./state.js";
import {make, paint, paintDifference, signed, Sliders, Target} from "./views.js";

const GAIN = 4;
const ONE_MOVE = 1000; // milliseconds within which moves of one slider are one step of undo
const SETTLED = 250; // milliseconds without a move after which a curve is swept again
const MOST_THUMBNAILS = 12; // of generated images
const AT_ONCE = 12; // thumbnails that are asked for together

/** Show the explorer in `root`, a document or a shadow root that holds the markup of index.html.
 *
 * `connect` is given what to call with "open", "lost" and "refused", and with what the server sends; it returns what
 * sends. `address` has the fragment of a state: `fragment()`, `remember(fragment)`, `link()`, `named(name)`, `reload()`. */
export function explore(root, connect, address) {
  const byId = id => root.getElementById(id);
  let about = null, state = null, past = null, sliders = null, targets = [];
  let sequence = 0, lastShown = 0, asked = new Map();
  let original = null, edited = null; // {image, target, plain, over}
  let focus = null, curve = null, sweeping = null;
  let searching = null, moved = {place: null, at: 0};
  let message = "";

  const status = byId("status");
  const say = (text, {warn = false, of = ""} = {}) => {
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle("warn", warn);
    message = of;
  };

  const received = {
    about(header) {
      if (about && JSON.stringify(about) !== JSON.stringify(header)) return address.reload();
      if (!about) begin(header);
      searching = null;
      sweeping = null;
      searchButtons();
      original = null;
      ask();
      if (focus === null) look(state.weights.reduce((most, weight, place, all) => (Math.abs(weight) > Math.abs(all[most]) ? place : most), 0));
      thumbnails();
    },

    async show(header, pictures) {
      const started = asked.get(header.sequence);
      for (const known of asked.keys()) if (known <= header.sequence) asked.delete(known);
      if (header.sequence < lastShown) return;
      lastShown = header.sequence;
      const bitmaps = await Promise.all(pictures.map(picture => createImageBitmap(picture)));
      if (header.sequence < lastShown) return bitmaps.forEach(bitmap => bitmap.close());
      const shown = (from, answers) => ({
        image: header.image, target: header.target, answers,
        plain: bitmaps[from], over: about.targets[header.target].overlay ? bitmaps[from + 1] : null,
      });
      const each = about.targets[header.target].overlay ? 2 : 1;
      release(edited);
      edited = {...shown(0, header.targets), weights: header.weights};
      if (header.original) {
        release(original);
        original = shown(each, header.original);
      }
      if (!original || !sameImage(original.image, header.image) || original.target !== header.target) return ask();
      draw();
      root.dispatchEvent(new CustomEvent("drawn", {detail: {started, drawn: performance.now()}}));
      facts(header);
      if (message === "show" || message === "connection" || message === "") say(position());
    },

    scores(header) {
      if (!sameImage(header.image, state.image)) return;
      sliders.scores(header.before, header.now);
      header.labels.forEach((labels, number) => targets[number].labels(labels));
    },

    curve(header) {
      sweeping = null;
      if (!sameImage(header.image, state.image) || header.attribute !== focus) return;
      curve = header;
      header.targets.forEach((of, number) => targets[number].curve(header, of, about.attributes[header.attribute]));
      targets.forEach(target => target.move(state.weights[focus]));
    },

    async step(header, [picture]) {
      say(`Searching: ${header.number} ${header.number === 1 ? "picture" : "pictures"} so far`, {of: "search"});
      const canvas = make("canvas", {});
      const flip = header.flipped && header.label_kept !== false;
      const told = header.flipped && !flip ? `${header.caption}, label changed` : header.caption;
      const button = make("button", {type: "button", className: flip ? "flipped" : "", title: told}, canvas, told);
      button.setAttribute("aria-label", `Picture ${header.number} of the search: ${told}${flip ? ", flips" : ""}. Take its edit`);
      button.addEventListener("click", () => take({...state, weights: header.weights}));
      byId("points").append(make("li", {}, button)); // in the order in which they came, however long a picture takes
      byId("way").hidden = false;
      const bitmap = await createImageBitmap(picture);
      paint(canvas, bitmap);
      bitmap.close();
    },

    result(header) {
      const image = searching?.image;
      searching = null;
      searchButtons();
      if (header.flipped && image && sameImage(image, state.image)) take({...state, weights: header.weights});
      say(header.text, {of: "search"});
    },

    keep(header, [picture]) {
      const link = make("a", {href: URL.createObjectURL(picture), download: header.name});
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      say(`${header.name}: its recipe is in the file.`, {of: "keep"});
    },

    async thumbnails(header, pictures) {
      const bitmaps = await Promise.all(pictures.map(picture => createImageBitmap(picture)));
      header.images.forEach((image, place) => {
        const item = [...byId("thumbnails").children].find(child => sameImage(child.image, image));
        if (item) {
          paint(item.querySelector("canvas"), bitmaps[place]);
          item.drawn = true;
        }
        bitmaps[place].close();
      });
      thumbnails();
    },

    error(header) {
      if (header.of === "search") {
        searching = null;
        searchButtons();
      }
      if (header.of === "curve") sweeping = null;
      say(header.text, {warn: true, of: header.of});
    },
  };

  const release = shown => {
    shown?.plain?.close();
    shown?.over?.close();
  };

  /** Ask for the picture of the state; `started` is when the slider was moved. */
  function ask(started = performance.now()) {
    const {image, weights, target} = state;
    const lacks = !original || !sameImage(original.image, image) || original.target !== target;
    sequence += 1;
    if (connection.send({kind: "show", image, weights, target, sequence, original: lacks})) asked.set(sequence, started);
  }

  function begin(header) {
    about = header;
    address.named?.(about.name);
    byId("name").textContent = about.name;
    byId("gain").textContent = GAIN;
    const first = about.photographs.length ? {photograph: 0} : {seed: about.seeds[0] ?? 0};
    const start = {image: first, weights: about.attributes.map(() => 0), target: 0};
    state = fromFragment(address.fragment(), about, start);
    past = new History({...state, weights: [...state.weights]});
    sliders = new Sliders(byId("sliders"), about, {
      input: (place, weight, at) => {
        state.weights[place] = weight;
        moved.place = place;
        if (!searching) message = "";
        sliders.show(state.weights);
        ask(at);
        settle();
      },
      commit: () => commit(moved.place),
      focus: place => look(place),
    });
    if (!about.calibrated) byId("beyond").closest("label").hidden = true;
    targets = about.targets.map((target, number) => new Target(byId("targets"), about, target, number, {
      choose: number => take({...state, target: number}),
      search: number => search(number),
    }));
    const images = [...about.photographs.map((_, photograph) => ({photograph})), ...about.seeds.map(seed => ({seed}))];
    for (const image of images.slice(0, about.photographs.length + MOST_THUMBNAILS)) thumbnail(image);
    if (about.notices.length) {
      byId("notes").hidden = false;
      byId("notes").querySelector("ul").append(...about.notices.map(line => make("li", {}, line)));
    }
    byId("work").hidden = false;
    refresh();
  }

  function thumbnail(image) {
    const name = image.photograph === undefined ? `seed ${image.seed}` : about.photographs[image.photograph];
    const button = make("button", {type: "button", title: name}, make("canvas", {width: 96, height: 96}), name);
    button.addEventListener("click", () => take({...state, image}));
    const item = make("li", {}, button);
    item.image = image;
    byId("thumbnails").append(item);
  }

  /** Ask for the next small pictures that are not drawn yet. */
  function thumbnails() {
    const images = [...byId("thumbnails").children].filter(child => !child.drawn).map(child => child.image);
    if (images.length) connection.send({kind: "thumbnails", images: images.slice(0, AT_ONCE)});
  }

  /** Show a state that did not come from a slider. */
  function take(next) {
    const weights = [...next.weights];
    const samePlace = sameImage(next.image, state.image) && sameWeights(weights, state.weights);
    state = {...next, weights};
    if (!searching) message = "";
    commit(null);
    refresh();
    ask();
    if (!samePlace) settle();
  }

  function commit(place) {
    const now = performance.now();
    const merge = place !== null && place === moved.last && now - moved.at < ONE_MOVE;
    past.commit(state, merge);
    moved = {place, last: place, at: now};
    remember();
  }

  function remember() {
    address.remember(toFragment(state));
    byId("undo").disabled = !past.past.length;
    byId("redo").disabled = !past.future.length;
    byId("reset").disabled = state.weights.every(weight => Math.abs(weight) < 1e-6);
  }

  /** Bring all controls to the state. */
  function refresh() {
    const beyond = state.weights.some((weight, place) => {
      const {low, high} = about.attributes[place];
      return weight < low - 1e-6 || weight > high + 1e-6;
    });
    if (beyond && !sliders.beyond) {
      byId("beyond").checked = true;
      sliders.extend(true);
    }
    sliders.show(state.weights);
    targets.forEach((target, number) => {
      if (target.radio) target.radio.checked = number === state.target;
    });
    if (state.image.seed !== undefined) byId("seed").value = state.image.seed;
    for (const item of byId("thumbnails").children) {
      item.querySelector("button").setAttribute("aria-pressed", String(sameImage(item.image, state.image)));
    }
    const target = about.targets[state.target];
    byId("overlay-choice").hidden = !target.overlay;
    byId("legend").hidden = !target.legend.length;
    byId("legend").replaceChildren(...target.legend.map(([name, colour]) => {
      const swatch = make("i", {});
      swatch.style.setProperty("--colour", colour);
      return make("li", {}, swatch, name);
    }));
    byId("reset").disabled = state.weights.every(weight => Math.abs(weight) < 1e-6);
  }

  const position = () => {
    const {image} = state;
    return image.photograph === undefined
      ? `Seed ${image.seed} of the generator ${about.generator}`
      : `${about.photographs[image.photograph]}, as the generator draws it`;
  };

  function draw() {
    const over = byId("overlay").checked;
    const [before, after] = [original, edited].map(shown => (over && shown.over) || shown.plain);
    paint(byId("before"), before);
    paint(byId("after"), after);
    paintDifference(byId("difference"), original.plain, edited.plain, GAIN);
    const now = edited.answers[state.target] ?? edited.answers[0], then = original.answers[state.target] ?? original.answers[0];
    byId("before-output").textContent = then.caption;
    byId("after-output").textContent = now.caption;
    byId("after").closest("figure").classList.toggle("flipped", now.flipped && now.decisive);
    const {caption_label} = about.targets[state.target];
    byId("before").setAttribute("aria-label", `Before: ${position()}. ${caption_label}: ${then.caption}`);
    byId("after").setAttribute("aria-label", `After: ${edits()}. ${caption_label}: ${now.caption}${now.flipped ? ", it flips" : ""}`);
    edited.answers.forEach((answer, number) => targets[number].show(answer, original.answers[number]));
    if (focus !== null) targets.forEach(target => target.move(edited.weights[focus]));
  }

  function edits() {
    const list = about.attributes.flatMap(({name}, place) => {
      const weight = edited.weights[place];
      return Math.abs(weight) < 0.05 ? [] : [`${name} ${signed(weight)}`];
    });
    return list.join(", ") || "not edited";
  }

  function facts(header) {
    const told = [];
    if (!header.natural) told.push(make("span", {className: "tag warn"}, "Beyond what the generator draws"));
    if (header.outside.length) {
      const names = header.outside.map(place => about.attributes[place].name).join(", ");
      told.push(make("span", {className: "tag warn"}, "Beyond the calibrated range"), make("span", {}, names));
    }
    if (!told.length) told.push(make("span", {}, edits()));
    byId("facts").replaceChildren(...told);
  }

  /** Show how targets answer along an attribute. */
  function look(place) {
    if (focus === place && (curve || sweeping)) return;
    focus = place;
    curve = null;
    targets.forEach(target => target.curve(null));
    sweep();
  }

  function sweep() {
    if (focus === null || !state) return;
    const {input} = sliders.rows[focus];
    const along = {low: Number(input.min), high: Number(input.max)};
    const fits = curve && curve.attribute === focus && sameImage(curve.image, state.image)
      && state.weights.every((weight, other) => other === focus || Math.abs(weight - curve.weights[other]) < 1e-6);
    if (fits && curve.along[0] === along.low && curve.along.at(-1) === along.high) return;
    sweeping = {kind: "curve", image: state.image, weights: state.weights, attribute: focus, sequence, ...along};
    if (!connection.send(sweeping)) sweeping = null;
  }

  let timer = 0;
  function settle() {
    clearTimeout(timer);
    timer = setTimeout(sweep, SETTLED);
  }

  function search(target) {
    if (searching) {
      connection.send({kind: "stop"});
      return;
    }
    byId("points").replaceChildren();
    byId("way").hidden = true;
    if (state.target !== target) take({...state, target});
    searching = {image: state.image, target};
    if (!connection.send({kind: "search", image: state.image, target})) searching = null;
    else say("Searching", {of: "search"});
    searchButtons();
  }

  function searchButtons() {
    targets.forEach((target, number) => {
      const here = searching?.target === number;
      target.search.textContent = here ? "Stop the search" : "Find the smallest edit that flips it";
      target.search.disabled = Boolean(searching) && !here;
    });
  }

  const go = next => {
    if (!next) return;
    state = {...next, weights: [...next.weights]};
    moved = {place: null, at: 0};
    remember();
    refresh();
    ask();
    settle();
  };

  byId("undo").addEventListener("click", () => go(past.undo()));
  byId("redo").addEventListener("click", () => go(past.redo()));
  byId("reset").addEventListener("click", () => take({...state, weights: state.weights.map(() => 0)}));
  byId("keep").addEventListener("click", () => connection.send({kind: "keep", image: state.image, weights: state.weights}));
  byId("link").addEventListener("click", async () => {
    address.remember(toFragment(state));
    try {
      await navigator.clipboard.writeText(address.link());
      say("The link to this state is copied; it opens in this browser while the server runs.", {of: "link"});
    } catch {
      say("The link to this state is the address of this page.", {of: "link"});
    }
  });
  byId("overlay").addEventListener("change", () => edited && original && draw());
  byId("beyond").addEventListener("change", event => {
    if (!event.target.checked) {
      const weights = state.weights.map((weight, place) => {
        const {low, high} = about.attributes[place];
        return Math.min(high, Math.max(low, weight));
      });
      sliders.extend(false);
      take({...state, weights});
    } else {
      sliders.extend(true);
      sliders.show(state.weights);
    }
    sweep();
  });
  byId("seed-form").addEventListener("submit", event => {
    event.preventDefault();
    take({...state, image: {seed: byId("seed").valueAsNumber}});
  });
  byId("another").addEventListener("click", () => {
    take({...state, image: {seed: crypto.getRandomValues(new Uint32Array(1))[0]}});
  });
  root.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !past) return;
    const key = event.key.toLowerCase();
    if (event.target instanceof HTMLInputElement && event.target.type === "number") return;
    if (key === "z" && !event.shiftKey) go(past.undo());
    else if (key === "y" || (key === "z" && event.shiftKey)) go(past.redo());
    else return;
    event.preventDefault();
  });

  const connection = connect(event => {
    if (event === "open") return say("", {});
    if (event === "refused") {
      return say("This page has no key to the running server: open the address that the terminal printed last.", {warn: true, of: "connection"});
    }
    say("No connection to zoom-engine explore: trying again. Does it still run in its terminal?", {warn: true, of: "connection"});
  }, (header, pictures) => received[header.kind]?.(header, pictures));

  return {
    /** Show the state that a fragment stands for. */
    go: fragment => about && take(fromFragment(fragment, about, {...state, weights: state.weights.map(() => 0)})),
  };
}
