// The WebSocket to the server: frames of a header and pictures, and connecting again where the connection is lost.

const PROTOCOL = "zoom-engine-explorer";
const FIRST_WAIT = 300, LONGEST_WAIT = 5000; // milliseconds

/** Return the header of a frame and its pictures, as they came. */
export function unpacked(buffer) {
  const size = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  let start = 4 + size;
  const pictures = header.parts.map(length => {
    const part = new Blob([new Uint8Array(buffer, start, length)]);
    start += length;
    return part;
  });
  return [header, pictures];
}

/** A connection that comes back by itself. `on` is called with "open", "lost" and "refused", and by `frame` with what the
 * server sends. */
export class Connection {
  constructor(token, on, frame) {
    this.token = token;
    this.on = on;
    this.frame = frame;
    this.wait = FIRST_WAIT;
    for (const event of ["online", "visibilitychange"]) {
      (event === "online" ? window : document).addEventListener(event, () => this.hurry());
    }
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const socket = new WebSocket(`ws://${location.host}/socket`, [PROTOCOL, this.token]);
    let opened = false;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      opened = true;
      this.wait = FIRST_WAIT;
      this.on("open");
    });
    socket.addEventListener("message", event => this.frame(...unpacked(event.data)));
    socket.addEventListener("close", () => this.lost(opened));
    this.socket = socket;
  }

  async lost(opened) {
    let refused = false;
    if (!opened) {
      // The page itself is there for anybody; where it is, the token was refused.
      refused = await fetch("/", {method: "HEAD", cache: "no-store"}).then(answer => answer.ok, () => false);
    }
    this.on(refused ? "refused" : "lost");
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  hurry() {
    if (document.visibilityState === "visible" && this.socket.readyState === WebSocket.CLOSED) this.open();
  }

  /** Send a message, where there is a connection; what counts is sent again when there is one. */
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
}
