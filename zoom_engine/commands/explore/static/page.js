// The page of zoom-engine explore: the token of its address, the connection, and the fragment that is a state's permalink.

import {Connection} from "./connection.js";
import {explore} from "./explore.js";

const TOKEN = "zoom-engine-explorer-token";

const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  // It stays out of the address, which people copy.
  localStorage.setItem(TOKEN, fragment.get("token"));
  fragment.delete("token");
  history.replaceState(null, "", `${location.pathname}${fragment.size ? `#${fragment}` : ""}`);
}

const explorer = explore(
  document,
  (on, frame) => new Connection(localStorage.getItem(TOKEN) ?? "none", on, frame),
  {
    fragment: () => location.hash,
    remember: changed => history.replaceState(null, "", changed),
    link: () => location.href,
    named: name => {
      document.title = `Explore ${name} - zoom-engine`;
    },
    reload: () => location.reload(),
  },
);
addEventListener("hashchange", () => location.hash.includes("=") && explorer.go(location.hash));
