// Sorts and filters attributes and pictures, and moves along response curves. The page is whole without it: the script
// makes its own controls, and paper has what it filters out.
"use strict";
(() => {
  /** @typedef {{name: string, verdict: string, flips: number}} Attribute */
  /** @typedef {(item: HTMLElement) => boolean} Shows */
  /** @typedef {(one: HTMLElement, other: HTMLElement) => number} Order */

  /** @type {(root: ParentNode, selector: string) => HTMLElement[]} */
  const all = (root, selector) => [...root.querySelectorAll(selector)].filter(found => found instanceof HTMLElement);

  /** @type {<K extends keyof HTMLElementTagNameMap>(tag: K, settings: object, ...children: (Node | string)[]) => HTMLElementTagNameMap[K]} */
  const make = (tag, settings, ...children) => {
    const made = Object.assign(document.createElement(tag), settings);
    made.append(...children);
    return made;
  };

  /** @type {(name: string, options: [string, string][]) => [HTMLLabelElement, HTMLSelectElement]} */
  const choice = (name, options) => {
    const select = make("select", {}, ...options.map(([value, text]) => make("option", {value}, text)));
    return [make("label", {}, name, select), select];
  };

  /** A group of controls before a part of the page, with a line that says what they come to.
   * @type {(name: string, before: HTMLElement, ...labels: HTMLElement[]) => HTMLElement} */
  const controls = (name, before, ...labels) => {
    const told = make("p", {});
    told.setAttribute("role", "status");
    const group = make("div", {className: "controls"}, ...labels, told);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", name);
    before.before(group);
    return told;
  };

  /** One list of the page, and its second half where that is folded away.
   * @type {(name: string) => {items: HTMLElement[], boxes: HTMLElement[], lay: (order: Order, shows: Shows) => number}} */
  const list = name => {
    const boxes = all(document, `[data-list="${name}"]`);
    const items = boxes.flatMap(box => all(box, ":scope > *"));
    const first = boxes.length > 1 ? boxes[0].children.length : items.length;
    const folded = boxes.length > 1 ? boxes[1].closest("details") : null;
    const summary = folded && folded.querySelector("summary");
    return {items, boxes, lay: (order, shows) => {
      const shown = items.filter(shows).sort(order), left = items.filter(item => !shows(item)).sort(order);
      items.forEach(item => item.classList.toggle("out", left.includes(item)));
      if (folded && summary) {
        boxes[0].append(...shown.slice(0, first));
        boxes[1].append(...shown.slice(first), ...left);
        folded.classList.toggle("out", shown.length <= first);
        summary.textContent = `Show ${shown.length - first} more`;
      } else if (boxes.length) {
        boxes[0].append(...shown, ...left);
      }
      return shown.length;
    }};
  };

  const bars = list("bars"), strips = list("strips");
  const others = ["images", "curves", "sheets", "groups", "numbers"].map(list);
  /** @type {Attribute[]} */
  const attributes = bars.items.map(bar => ({
    name: (bar.querySelector(".name")?.textContent || "").trim(),
    verdict: bar.className,
    flips: Number(bar.dataset.flips),
  }));
  const places = attributes.map((_, place) => place);
  let rank = places, visible = places.map(() => true);

  /** @type {(item: HTMLElement) => number} */
  const rankOf = item => item.dataset.attribute === undefined ? 0 : rank[Number(item.dataset.attribute)];
  /** @type {Shows} */
  const isVisible = item => item.dataset.attribute === undefined || visible[Number(item.dataset.attribute)];
  let layStrips = () => {};

  if (attributes.length > 1) {
    const search = make("input", {type: "search", autocomplete: "off"});
    const verdicts = ["sensitive", "inconclusive", "negligible"].filter(verdict => attributes.some(one => one.verdict === verdict));
    const [showLabel, show] = choice("Show", [
      ["", "all"], ...verdicts.map(verdict => /** @type {[string, string]} */ ([verdict, verdict])), ["flips", "those with decisive flips"],
    ]);
    const [sortLabel, sort] = choice("Sort by", [["", "largest first"], ["name", "name"], ["flips", "decisive flips"]]);
    const told = controls("Attributes, here and below", bars.boxes[0], make("label", {}, "Find an attribute", search), showLabel, sortLabel);
    const lay = () => {
      const words = search.value.trim().toLocaleLowerCase();
      visible = attributes.map(({name, verdict, flips}) =>
        name.toLocaleLowerCase().includes(words) && (!show.value || (show.value === "flips" ? flips > 0 : verdict === show.value)));
      const sorted = [...places];
      if (sort.value === "name") sorted.sort((a, b) => attributes[a].name.localeCompare(attributes[b].name));
      if (sort.value === "flips") sorted.sort((a, b) => attributes[b].flips - attributes[a].flips);
      rank = places.map(place => sorted.indexOf(place));
      for (const one of [bars, ...others]) one.lay((a, b) => rankOf(a) - rankOf(b), isVisible);
      layStrips();
      const count = visible.filter(Boolean).length;
      told.textContent = count === places.length ? "" : `${count} of ${places.length} attributes, in this section and below`;
    };
    for (const control of [search, show, sort]) control.addEventListener("input", lay);
  }

  if (strips.items.length > 1) {
    const kinds = [["typical", "typical"], ["flip", "decisive flips"], ["clearest", "clearest flip"], ["extreme", "most extreme"], ["example", "examples"]];
    const [showLabel, show] = choice("Show", [
      ["", "all"],
      ...kinds.filter(([kind]) => strips.items.some(strip => strip.dataset.kind === kind)).map(([kind, text]) => /** @type {[string, string]} */ ([kind, text])),
    ]);
    const [sortLabel, sort] = choice("Sort by", [["", "attribute"], ["flip", "how soon they flip"]]);
    const told = controls("Pictures", strips.boxes[0], showLabel, sortLabel);
    const number = new Map(strips.items.map((strip, place) => [strip, place]));
    /** @type {(strip: HTMLElement) => number} */
    const soon = strip => sort.value === "flip" ? Number(strip.dataset.flipsAt ?? 2) : 0;
    layStrips = () => {
      const count = strips.lay(
        (a, b) => soon(a) - soon(b) || rankOf(a) - rankOf(b) || (number.get(a) ?? 0) - (number.get(b) ?? 0),
        strip => isVisible(strip) && (!show.value || strip.dataset.kind === show.value),
      );
      told.textContent = count === strips.items.length ? "" : `${count} of ${strips.items.length} images`;
    };
    for (const control of [show, sort]) control.addEventListener("input", layStrips);
  }

  /** A mark on the curve and the picture that belongs there. @type {(curve: HTMLElement) => void} */
  const follow = curve => {
    const strip = document.getElementById(`strip-${curve.dataset.strip}`), plot = curve.querySelector("svg");
    if (!strip || !plot) return;
    const frames = all(strip, ".frames > li");
    const stops = (curve.dataset.points || "").split(" ").map((point, place) => {
      const [x, y] = point.split(",").map(Number);
      return {x, y, frame: frames[place]};
    }).sort((a, b) => a.x - b.x);
    const original = stops.findIndex(stop => stop.frame === frames[0]);
    const name = curve.querySelector("h3")?.textContent, tag = strip.querySelector(".tag")?.textContent;
    const picture = make("img", {width: 140, height: 140});
    const told = make("p", {});
    const slider = make("input", {type: "range", min: "0", max: String(stops.length - 1), step: "1", value: String(original)});
    slider.setAttribute("aria-label", `Edit weight of ${name}, one image`);
    const mark = ["g", "path", "circle"].map(part => document.createElementNS("http://www.w3.org/2000/svg", part));
    const [here, line, dot] = mark;
    here.setAttribute("class", "here");
    dot.setAttribute("r", "4");
    here.append(line, dot);
    plot.append(here);
    const move = () => {
      const {x, y, frame} = stops[Number(slider.value)];
      const image = frame.querySelector("img"), chip = frame.querySelector(".chip")?.textContent || "";
      const at = [...frame.childNodes].filter(node => !(node instanceof HTMLDivElement)).map(node => node.textContent).join("").trim();
      if (image) Object.assign(picture, {src: image.src, alt: image.alt});
      line.setAttribute("d", `M${x} ${plot.viewBox.baseVal.height - 24}V8`);
      dot.setAttribute("cx", String(x));
      dot.setAttribute("cy", String(y));
      told.textContent = `One image (${tag}), ${at}: ${chip}`;
      slider.setAttribute("aria-valuetext", `${at}: ${chip}`);
    };
    slider.addEventListener("input", move);
    curve.append(make("div", {className: "along"}, picture, make("div", {}, slider, told)));
    move();
  };
  const curves = all(document, "[data-strip]");
  curves.forEach(follow);
  for (const box of curves.length ? all(document, '[data-list="curves"]') : []) box.classList.add("moves");
})();
