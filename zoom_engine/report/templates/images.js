// Opens a picture of the grids at full size beside the unedited one, with the difference of the two and its record. Which
// one is open stands in the address, so that a link opens it again. Without the script the thumbnails are links.
(() => {
  /** @type {(root: ParentNode, selector: string) => HTMLElement[]} */
  const all = (root, selector) => [...root.querySelectorAll(selector)].filter(one => one instanceof HTMLElement);

  /** @type {<K extends keyof HTMLElementTagNameMap>(tag: K, settings: object, ...children: (Node | string)[]) => HTMLElementTagNameMap[K]} */
  const make = (tag, settings, ...children) => {
    const made = Object.assign(document.createElement(tag), settings);
    made.append(...children);
    return made;
  };

  const section = document.querySelector("section.images");
  const list = section && section.querySelector("[data-list]");
  if (!(section instanceof HTMLElement) || !list) return;
  section.classList.add("scripted");
  const items = all(list, ".pictures > li"), grids = all(list, "details");

  if (grids.some(grid => grid.classList.contains("with-flips"))) {
    const only = make("input", {type: "checkbox"});
    const group = make("div", {className: "controls"}, make("label", {className: "tick"}, only, "Decisive flips only"));
    list.before(group);
    only.addEventListener("input", () => {
      section.classList.toggle("flips-only", only.checked);
      for (const grid of grids) if (grid instanceof HTMLDetailsElement && only.checked) grid.open = grid.classList.contains("with-flips");
    });
  }

  const title = make("h2", {id: "viewer-title"}), record = make("dl", {className: "record"});
  const before = make("img", {}), after = make("img", {});
  const layers = [make("img", {alt: ""}), make("img", {alt: ""})];
  const difference = make("div", {className: "difference"}, make("div", {}, ...layers));
  difference.setAttribute("role", "img");
  difference.setAttribute("aria-label", "The difference of the two pictures, four times as strong; black is where they are the same");
  const captions = ["", "", "difference, four times as strong"].map(text => make("figcaption", {}, text));
  const figures = [before, after, difference].map((picture, place) => make("figure", {}, picture, captions[place]));
  /** @type {(text: string, act: () => void) => HTMLButtonElement} */
  const button = (text, act) => {
    const made = make("button", {type: "button"}, text);
    made.addEventListener("click", act);
    return made;
  };
  const link = make("a", {}, "Link to this image");
  const previous = button("Previous", () => step(-1)), next = button("Next", () => step(1));
  const dialog = make("dialog", {className: "viewer"},
    make("div", {className: "viewer-bar"}, previous, next, button("Close", () => close())),
    title, make("div", {className: "viewer-pictures"}, ...figures), record, make("p", {}, link));
  dialog.setAttribute("aria-labelledby", title.id);
  document.body.append(dialog);

  /** @type {HTMLElement | null} */
  let open = null;

  /** Those that arrows lead to: what attribute search and filter leave. @type {() => HTMLElement[]} */
  const order = () => all(list, ".pictures > li").filter(item =>
    item === open || (!item.closest(".out") && (!section.classList.contains("flips-only") || item.classList.contains("decisive"))));

  /** @type {(by: number) => void} */
  const step = by => {
    const shown = order(), item = open && shown[shown.indexOf(open) + by];
    if (!item) return;
    history.replaceState(null, "", `#${item.id}`);
    show(item);
  };

  /** @type {(item: HTMLElement) => void} */
  const show = item => {
    const anchor = item.querySelector("a"), edited = item.querySelector("img");
    const original = document.getElementById(anchor?.dataset.original || "");
    if (!edited || !(original instanceof HTMLImageElement)) return;
    open = item;
    reveal(item);
    title.textContent = edited.alt;
    Object.assign(before, {src: original.src, alt: original.alt});
    Object.assign(after, {src: edited.src, alt: edited.alt});
    layers.forEach((layer, place) => { layer.src = place ? edited.src : original.src; });
    const outputs = (item.querySelector("span")?.textContent || "").split("→");
    captions[0].textContent = `unedited: ${outputs[0].trim()}`;
    captions[1].textContent = `edited: ${(outputs[1] || "").trim()}`;
    record.replaceChildren(...[...item.querySelectorAll("dt, dd")].map(part => part.cloneNode(true)));
    link.href = `#${item.id}`;
    const shown = order(), place = shown.indexOf(item);
    previous.setAttribute("aria-disabled", String(place === 0));
    next.setAttribute("aria-disabled", String(place === shown.length - 1));
    if (!dialog.open) dialog.showModal();
  };

  /** @type {(element: Element) => void} */
  const reveal = element => {
    const box = element.closest("details");
    if (box) box.open = true;
  };

  /** After a browser went to a part of the page, which takes the focus away. */
  const focus = () => setTimeout(() => {
    if (dialog.open && !dialog.contains(document.activeElement)) next.focus();
  }, 100);

  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && items.includes(target)) {
      show(target);
      focus();
      return;
    }
    if (dialog.open) close();
    if (target && section.contains(target)) {
      reveal(target);
      target.scrollIntoView();
    }
  };

  addEventListener("keydown", event => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  /** By a button at once, by Escape when the browser says that it is closed. */
  const close = () => {
    const item = open;
    open = null;
    dialog.close();
    if (!item) return;
    if (location.hash === `#${item.id}`) history.replaceState(null, "", `#${item.parentElement?.id}`);
    item.querySelector("a")?.focus();
  };
  dialog.addEventListener("close", close);
  section.addEventListener("click", event => {
    const anchor = event.target instanceof Element && event.target.closest(".pictures a[data-original]");
    if (!anchor || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const item = anchor.closest("li");
    if (!item) return;
    event.preventDefault();
    history.pushState(null, "", `#${item.id}`);
    show(item);
  });
  addEventListener("hashchange", follow);
  addEventListener("load", focus);
  follow();
})();
