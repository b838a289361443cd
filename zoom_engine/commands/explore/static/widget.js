// The explorer in a notebook: the same as the page, in a shadow root, and the kernel in place of the server.

import {explore} from "./explore.js";

/** Return the header of a message of the kernel, and its pictures. */
const unpackedMessage = (header, buffers) => [header, buffers.map(buffer => new Blob([buffer]))];

function render({model, el}) {
  const root = el.attachShadow({mode: "open"});
  const style = document.createElement("style");
  style.textContent = model.get("page_style");
  const box = document.createElement("div");
  box.className = "explore in-notebook";
  const page = new DOMParser().parseFromString(model.get("page_markup"), "text/html");
  box.append(...page.body.childNodes);
  root.append(style, box);
  el.addEventListener("keydown", event => event.stopPropagation()); // the notebook has shortcuts of the same keys
  let frame = () => {};
  const receive = (header, buffers) => frame(...unpackedMessage(header, buffers));
  model.on("msg:custom", receive);
  explore(
    root,
    (on, take) => {
      frame = take;
      on("open");
      model.send({kind: "hello"});
      return {send: message => {
        model.send(message);
        return true;
      }};
    },
    {fragment: () => "", remember: () => {}, link: () => "", reload: () => {}},
  );
  return () => model.off("msg:custom", receive);
}

export default {render};
