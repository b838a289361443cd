// What the page shows: pictures, sliders, targets with their curves, small pictures. All texts are set as texts.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element with properties and children; what has a dash, and "role", is an attribute. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

const drawn = (tag, attributes, ...children) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

export const signed = (weight, digits = 1) => {
  const text = Math.abs(weight).toFixed(digits);
  return Number(text) === 0 ? "0" : `${weight > 0 ? "+" : "−"}${text}`;
};

const decimals = (value, digits) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};

/** Draw a picture into a canvas of its size. */
export function paint(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d", {willReadFrequently: false}).drawImage(bitmap, 0, 0);
}

/** Draw how far each colour of two pictures differs, `gain` times as strong, over black. */
export function paintDifference(canvas, before, after, gain) {
  const {width, height} = after;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "source-over";
  context.drawImage(before, 0, 0, width, height);
  context.globalCompositeOperation = "difference";
  context.drawImage(after, 0, 0, width, height);
  context.globalCompositeOperation = "lighter";
  for (let strength = 1; strength < gain; strength *= 2) context.drawImage(canvas, 0, 0);
}

/** The sliders of all attributes. `on` has `input`, `commit` and `focus`. */
export class Sliders {
  constructor(list, about, on) {
    this.about = about;
    this.rows = about.attributes.map((attribute, place) => {
      const id = `slider-${place}`;
      const input = make("input", {type: "range", id, step: "any", "aria-describedby": `score-${place}`});
      const output = make("output", {htmlFor: id, "aria-live": "off"}); // the slider itself says its value
      const reset = make("button", {type: "button", title: "Back to 0", className: "empty"}, "×");
      reset.setAttribute("aria-label", `${attribute.name}: back to 0`);
      const track = make("div", {className: "track"}, input);
      const score = make("div", {className: "score", id: `score-${place}`});
      input.addEventListener("input", event => on.input(place, Number(input.value), event.timeStamp));
      input.addEventListener("change", () => on.commit());
      input.addEventListener("focus", () => on.focus(place));
      input.addEventListener("pointerdown", () => on.focus(place));
      input.addEventListener("keydown", event => this.key(event, place, on));
      reset.addEventListener("click", event => {
        on.input(place, 0, event.timeStamp);
        on.commit();
        input.focus();
      });
      list.append(make("li", {}, make("label", {htmlFor: id, title: attribute.text}, attribute.name), score, output, reset, track));
      return {input, output, reset, track, score};
    });
    this.extend(false);
  }

  /** Arrow keys move by a fiftieth of the calibrated range: a step of "any" leaves that to the browser. */
  key(event, place, on) {
    const {low, high} = this.about.attributes[place];
    const steps = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5}[event.key];
    if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const {input} = this.rows[place], step = (high - low) / 50;
    const before = Number(input.value);
    let weight = Math.min(Number(input.max), Math.max(Number(input.min), before + steps * step));
    if (before * weight < 0) weight = 0; // no step passes the unedited picture
    on.input(place, weight, event.timeStamp);
    on.commit();
  }

  /** Let the sliders reach beyond the calibrated range, or not. */
  extend(beyond) {
    const {bound} = this.about;
    this.about.attributes.forEach(({low, high}, place) => {
      const {input, track} = this.rows[place];
      const [least, most] = beyond ? [Math.min(-bound, low), Math.max(bound, high)] : [low, high];
      const value = input.value;
      input.min = least;
      input.max = most;
      input.value = value;
      track.classList.toggle("whole", !beyond);
      const zero = (0 - least) / (most - least);
      track.style.setProperty("--zero", `${100 * zero}%`);
      track.style.setProperty("--zero-share", zero);
      track.style.setProperty("--low", `${100 * (low - least) / (most - least)}%`);
      track.style.setProperty("--high", `${100 * (most - high) / (most - least)}%`);
    });
    this.beyond = beyond;
  }

  show(weights) {
    weights.forEach((weight, place) => {
      const {input, output, reset, track} = this.rows[place], {low, high} = this.about.attributes[place];
      const outside = weight < low - 1e-6 || weight > high + 1e-6;
      if (Math.abs(Number(input.value) - weight) > 1e-9) input.value = weight;
      track.style.setProperty("--at", `${100 * (weight - input.min) / (input.max - input.min)}%`);
      output.textContent = signed(weight);
      output.classList.toggle("outside", outside);
      input.setAttribute("aria-valuetext", outside ? `${signed(weight)}, beyond the calibrated range` : signed(weight));
      reset.classList.toggle("empty", Math.abs(weight) < 1e-6);
    });
  }

  scores(before, now) {
    now.forEach((score, place) => {
      const then = before[place], digits = this.about.calibrated ? 2 : 3;
      const value = decimals(score, digits), former = decimals(then, digits);
      const told = value === former ? [make("b", {}, value)] : [`${former} → `, make("b", {}, value)];
      const words = make("span", {className: "unseen"}, "text score ");
      this.rows[place].score.replaceChildren(words, ...told);
    });
  }
}

const WIDTH = 320, HEIGHT = 104, TOP = 8, BOTTOM = 86;

/** A target: what it says, and its curve along the attribute in focus. `on` has `choose` and `search`. */
export class Target {
  constructor(box, about, target, number, on) {
    this.target = target;
    this.says = make("div", {className: "says"});
    this.note = make("p", {}, target.caption_label);
    this.label = make("p", {});
    this.chart = drawn("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "No curve yet"});
    this.search = make("button", {type: "button"}, "Find the smallest edit that flips it");
    this.search.addEventListener("click", () => on.search(number));
    const title = make("h3", {});
    if (about.targets.length > 1) {
      this.radio = make("input", {type: "radio", name: "target", checked: number === 0});
      this.radio.addEventListener("change", () => on.choose(number));
      title.append(make("label", {}, this.radio, target.name));
    } else {
      title.append(target.name);
    }
    const texts = make("div", {}, title, this.says, this.note, this.label, make("div", {className: "actions"}, this.search));
    box.append(make("article", {className: "card-of-target"}, make("div", {className: "in-card"}, texts, this.chart)));
  }

  show(now, before) {
    const change = now.caption === before.caption ? [] : [make("span", {}, `before ${before.caption}`)];
    const state = now.state ? [make("span", {}, now.state)] : [];
    const flip = !now.flipped ? [] : now.decisive
      ? [make("span", {className: "tag"}, "Decisive flip")]
      : [make("span", {className: "tag warn"}, "Borderline flip")];
    this.says.replaceChildren(make("b", {}, now.caption), ...state, ...change, ...flip);
    this.response = now.response;
    this.move();
  }

  labels(labels) {
    if (!labels) return this.label.replaceChildren();
    const now = make("b", {}, `“${labels.now}”`);
    const tag = labels.now === labels.before ? [] : [" ", make("span", {className: "tag warn"}, "Label changed")];
    this.label.replaceChildren("Label of the picture: ", now, ...tag);
  }

  /** Draw a curve of the attribute of this `place`; none where there is no curve. */
  curve(curve, of, attribute) {
    this.place = curve && curve.attribute;
    this.chart.replaceChildren();
    this.scale = null;
    this.point = null;
    if (!curve) return this.chart.setAttribute("aria-label", "No curve yet");
    const {axis} = this.target, {responses} = of, {along} = curve;
    const ends = axis.ends ?? [0, Math.max(...responses, axis.boundary ?? 0) || 1];
    const bottom = Math.min(ends[0], ...responses), top = Math.max(ends[1], ...responses);
    const x = weight => 34 + (WIDTH - 42) * (weight - along[0]) / (along.at(-1) - along[0]);
    const y = response => BOTTOM - (BOTTOM - TOP) * (response - bottom) / (top - bottom || 1);
    this.scale = {x, y};
    const number = value => +value.toFixed(2);
    const text = (value, at, height, anchor) => drawn("text", {x: at, y: height, "text-anchor": anchor}, String(value));
    const low = Math.max(attribute.low, along[0]), high = Math.min(attribute.high, along.at(-1));
    this.chart.append(
      drawn("rect", {class: "span", x: x(low), y: TOP, width: x(high) - x(low), height: BOTTOM - TOP}),
      drawn("path", {class: "base", d: `M34 ${BOTTOM}H${WIDTH - 8}`}),
      text(number(top), 28, TOP + 8, "end"), text(number(bottom), 28, BOTTOM, "end"),
      text(signed(along[0], 0), 34, HEIGHT - 3, "start"), text(signed(along.at(-1), 0), WIDTH - 8, HEIGHT - 3, "end"),
      text(attribute.name, (34 + WIDTH - 8) / 2, HEIGHT - 3, "middle"),
    );
    if (along[0] < 0 && along.at(-1) > 0) this.chart.append(drawn("path", {class: "zero", d: `M${x(0)} ${TOP}V${BOTTOM}`}));
    if (axis.boundary !== null && axis.boundary >= bottom && axis.boundary <= top) {
      this.chart.append(drawn("path", {class: "boundary", d: `M34 ${y(axis.boundary)}H${WIDTH - 8}`}));
    }
    const path = along.map((weight, index) => `${index ? "L" : "M"}${x(weight).toFixed(1)} ${y(responses[index]).toFixed(1)}`);
    this.chart.append(drawn("path", {class: "line", d: path.join("")}));
    this.point = drawn("circle", {class: "point", r: 5});
    this.chart.append(this.point);
    const [first, last] = [responses[0], responses.at(-1)].map(number);
    const flips = of.flipped.some(flipped => flipped) ? "it flips on the way" : "no flip on the way";
    this.chart.setAttribute("aria-label", `${axis.label} along ${attribute.name}: ${first} at ${signed(along[0])}, ${last}`
      + ` at ${signed(along.at(-1))}; ${flips}`);
    this.move();
  }

  /** Move the point of the curve to the weight and the output of the picture. */
  move(weight = this.weight) {
    this.weight = weight;
    if (!this.point || weight === undefined || this.response === undefined) return;
    this.point.setAttribute("cx", this.scale.x(weight));
    this.point.setAttribute("cy", this.scale.y(this.response));
  }
}
